"""Which analyzers are not called for a while, because they fail too often, take too long or end their worker. Pure: time is given.

The host feeds it counts and samples and asks for `decisions`, which become control rows: workers and replays know only those. An
analyzer that comes out is on probation: if it goes on as before it is back in at once, for twice as long. A new version of its file
begins with a clean slate. All times are ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ..options import Duration
from .sampling import Spent

__all__ = ["CALLS", "Decision", "Entry", "Quarantine"]

CALLS = 100
"""How many calls a rate of failures is taken over."""

_PROBATION = 10  # calls, for one that has come out
_AT_ONCE = 5  # times the budget
_STRIKES = 3  # rows over budget, or deaths of a worker
_MEMORY = Duration.of("1h").ns  # how long a strike counts
_LONGEST = Duration.of("1h").ns
_RECORDS = 1000  # of a row that one budget is for


class Entry(msgspec.Struct, frozen=True):
    """An analyzer in quarantine from `since` to `until`, or (`out`) on probation after it; `times` in a row, running as `version`.

    `row` is set where a worker cannot get past a row with it: from there on it is not called, earlier than the decision was made.
    """

    reason: str
    since: int
    until: int
    times: int
    version: str
    out: bool = False
    row: int = -1


class Decision(msgspec.Struct, frozen=True):
    """What takes effect now: analyzers that go in, and those that come out on probation."""

    quarantine: Mapping[str, Entry]
    release: tuple[str, ...]


class Quarantine:
    """`rate` of calls that fail is too many, `budget` (s, for a row of up to 1,000 records; 0 is none) too long; `first` is how long
    the first time lasts. `entries` are those of an earlier run."""

    def __init__(self, *, rate: float, budget: float, first: int, entries: Mapping[str, Entry] | None = None) -> None:
        self._rate, self._budget, self._first = rate, budget, first
        self.entries: dict[str, Entry] = dict(entries or {})
        self.versions: dict[str, str] = {}
        self._fresh: dict[str, Entry] = {}
        self._calls: dict[str, tuple[int, int]] = {}
        self._slow: dict[str, dict[object, int]] = {}
        self._deaths: dict[str, list[int]] = {}

    def active(self) -> dict[str, Entry]:
        """Those that are not called now, by name."""
        return {name: one for name, one in self.entries.items() if not one.out}

    def running(self, versions: Mapping[str, str]) -> tuple[str, ...]:
        """Takes over which analyzers run, in which version; gives those that come out because they are new."""
        self.versions = dict(versions)
        known = [name for name, one in self.entries.items() if versions.get(name) != one.version]
        return self.release(known)

    def release(self, names: Iterable[str]) -> tuple[str, ...]:
        """Forgets what was held against `names`; gives those that come out by it."""
        active, names = self.active(), tuple(names)
        for name in names:
            self.entries.pop(name, None)
            self._clear(name)
        return tuple(name for name in names if name in active)

    def counted(self, name: str, calls: int, failed: int, now: int, error: str = "") -> None:
        """So many more calls, and so many of them failed, the last one with `error`."""
        calls, failed = calls + self._calls.get(name, (0, 0))[0], failed + self._calls.get(name, (0, 0))[1]
        self._calls[name] = (calls, failed)
        if calls < (_PROBATION if name in self.entries else CALLS):
            return
        if failed > self._rate * calls:
            self._enter(name, f"{failed} of {calls} calls failed{f', the last with {error}' if error else ''}", now)
        elif calls >= CALLS:
            self._calls[name] = (0, 0)
            if name in self.entries and self.entries[name].out:  # probation is over
                del self.entries[name]

    def spent(self, shard: int, spent: Spent, now: int) -> str | None:
        """Judges the time for a part of a row; what to warn of, the first time it is too long."""
        budget = self._budget * max(1.0, spent.records / _RECORDS)
        if not self._budget or spent.seconds <= budget:
            return None
        name, place = spent.analyzer, (shard, spent.offset)
        told = f"took {spent.seconds:.1f} s for its part of row {spent.offset}; its budget is {budget:.1f} s"
        strikes = self._slow.setdefault(name, {})
        first = place not in strikes
        strikes.setdefault(place, now)
        for old in [at for at, when in strikes.items() if when < now - _MEMORY]:
            del strikes[old]
        if spent.seconds > _AT_ONCE * budget:
            self._enter(name, told, now, spent.offset)
        elif len(strikes) >= _STRIKES or name in self.entries:
            self._enter(name, told if len(strikes) < _STRIKES else f"{told}, and so {len(strikes)} times", now)
        return told if first else None

    def died(self, name: str, row: int, now: int) -> None:
        """A worker ended while it called `name`; nobody knows yet what came of `row` and what follows."""
        deaths = self._deaths[name] = [*(one for one in self._deaths.get(name, ()) if one >= now - _MEMORY), now]
        if len(deaths) >= _STRIKES or name in self.entries:
            self._enter(name, "its worker ended in it" if len(deaths) == 1 else f"its worker ended in it {len(deaths)} times", now, row)

    def _enter(self, name: str, reason: str, now: int, row: int = -1) -> None:
        before = self.entries.get(name)
        if name not in self.versions:
            return
        if before is not None and not before.out:
            if before.row < 0 <= row:  # a worker does not get as far as where it was taken out
                self.entries[name] = self._fresh[name] = msgspec.structs.replace(before, row=row)
            return
        times = before.times + 1 if before is not None else 1
        until = now + min(self._first << min(times - 1, 20), max(_LONGEST, self._first))
        self.entries[name] = self._fresh[name] = Entry(reason, now, until, times, self.versions[name], row=row)
        self._clear(name)

    def _clear(self, name: str) -> None:
        for held in (self._calls, self._slow, self._deaths):
            held.pop(name, None)

    def decisions(self, now: int) -> Decision | None:
        """What is to take effect now; None if nothing is."""
        due = tuple(sorted(name for name, one in self.active().items() if one.until <= now and name not in self._fresh))
        for name in due:
            self.entries[name] = msgspec.structs.replace(self.entries[name], out=True, row=-1)
            self._clear(name)
        fresh, self._fresh = self._fresh, {}
        return Decision(fresh, due) if fresh or due else None
