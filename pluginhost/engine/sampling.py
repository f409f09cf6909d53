"""Where time and memory of the workers go, seen from outside: the host looks at each trace some forty times a second.

That costs a worker nothing. What is seen is a sample: right on the average, blind to anything much shorter than `PERIOD`. Nothing is
decided here; `quarantine` judges what was spent.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from pathlib import Path

import msgspec

from .trace import Call

__all__ = ["PERIOD", "Growth", "Samples", "Spent", "oom_kills", "sampling", "size", "waited"]

PERIOD = 0.025
"""Seconds between two looks."""


class Spent(msgspec.Struct):
    """What an analyzer has taken for its part of the row at `offset` so far, and how many of the row's records it is past."""

    analyzer: str
    offset: int
    seconds: float
    first: int
    last: int

    @property
    def records(self) -> int:
        """How many records lie between the first and the last that it was seen at."""
        return self.last - self.first + 1


class Samples:
    """Readings of one worker's trace. `seconds` is the time seen in each analyzer since the host started."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._row: dict[str, Spent] = {}

    def add(self, call: Call | None, seconds: float) -> Spent | None:
        """Counts `seconds` for the call that was seen; what its analyzer has spent on this row by now. None: nothing was called."""
        if call is None:
            return None
        self.seconds[call.analyzer] = self.seconds.get(call.analyzer, 0.0) + seconds
        spent = self._row.get(call.analyzer)
        if spent is None or spent.offset != call.offset or call.record < spent.last:  # less: the row is judged again, by another process
            spent = self._row[call.analyzer] = Spent(call.analyzer, call.offset, 0.0, call.record, call.record)
        spent.seconds += seconds
        spent.last = call.record
        return spent


class Growth:
    """In whose calls the address space of one process has grown. `size` is its last one, in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._grown: dict[str, int] = {}
        self._calls: dict[str, Call] = {}

    def add(self, call: Call | None, size: int) -> None:
        """The process was at `call` and so large; before the first call it has grown for nobody."""
        grown, self.size = size - self.size, size
        if call is not None:
            if self._calls and grown > 0:
                self._grown[call.analyzer] = self._grown.get(call.analyzer, 0) + grown
            self._calls[call.analyzer] = call

    def most(self) -> Call | None:
        """The call last seen of the analyzer in whose calls it has grown most."""
        name = max(self._grown, key=self._grown.__getitem__, default=None)
        return self._calls[name] if name is not None else None


def size(pid: int) -> int:
    """The address space of a process in bytes; 0 where that cannot be known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split(maxsplit=1)[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):  # it has ended, or this is no Linux
        return 0


def waited(pid: int) -> float:
    """Seconds for which a process could have run, had it had a processor; 0 where that cannot be known."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def oom_kills() -> int:
    """How many processes of this machine were killed for want of memory since it started; 0 where that cannot be known."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
        return int(counts.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


async def sampling(look: Callable[[float], None]) -> None:
    """Calls `look` with the seconds since the last time, every `PERIOD`, until cancelled.

    When the machine or we ourselves stood still, nobody knows what the analyzers did: a pause counts as two periods at most.
    """
    clock = asyncio.get_running_loop().time
    before = clock()
    while True:
        await asyncio.sleep(PERIOD)
        now = clock()
        look(min(now - before, 2 * PERIOD))
        before = now
