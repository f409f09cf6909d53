"""What a sample of records shows: how many each mapping reads, what none reads, and which kinds of event are never among them.

The sample is read as it comes, in bounded memory; what is shown of a record is made safe for a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import IO

import click

from ..engine.parts import mappings
from ..events.advice import KINDS
from ..events.event import Event
from ..events.mapping import Mappings
from ..events.slice import Slice
from ..match import compile as compile_predicate
from ..match import parse
from ..problem import printable
from ..wire.lines import Lines
from ..wire.sieve import Limits
from .common import laid

__all__ = ["Coverage", "survey", "told"]

_LIMITS = Limits()
_PIECE = 1 << 20  # bytes
_SAMPLES = 2
_SHOWN = 110  # characters of a sample
_NAME = 28


class Coverage:
    """Counts over the records seen so far: `read` by mapping, `unread` with `samples`, `kinds` by their names, lines `too_long` to read."""

    def __init__(self, known: Mappings) -> None:
        self._known = known
        self._tests = {kind.name: compile_predicate(parse(kind.query)) for kind in KINDS}
        self.read, self.kinds = Counter[str](), Counter[str]()
        self.unread = self.too_long = 0
        self.samples: list[str] = []

    def add(self, tag: str, line: bytes) -> None:
        """A line: a JSON object is a record, anything else the message of one."""
        event = Event(Slice(0, 0, 1, 1, tag, "line", line), self._known)
        if mapping := event.mapping:
            self.read[mapping] += 1
        else:
            self.unread += 1
            if len(self.samples) < _SAMPLES:
                self.samples.append(printable(line[: 4 * _SHOWN].decode("utf-8", "backslashreplace"), _SHOWN))
        self.kinds.update(name for name, test in self._tests.items() if test(event))


def survey(stream: IO[bytes], tag: str) -> Coverage:
    """The coverage of a whole stream of lines."""
    coverage, lines = Coverage(mappings()), Lines(_LIMITS.record)
    while piece := stream.read(_PIECE):
        for line in lines.feed(piece):
            coverage.add(tag, line)
        coverage.too_long += len(lines.cut)
        lines.cut.clear()
    for line in lines.rest():
        coverage.add(tag, line)
    return coverage


def told(coverage: Coverage) -> Iterator[str]:
    """The survey as lines of plain text: by mapping, by nobody, what is missing."""
    total = coverage.read.total() + coverage.unread
    yield click.style(f"{'mapping':<{_NAME}}{'records':>12}{'share':>8}", bold=True)
    for name, count in coverage.read.most_common():
        yield f"{name:<{_NAME}}{count:>12,}{count / total:>8.1%}"
    yield f"{'(none)':<{_NAME}}{coverage.unread:>12,}{coverage.unread / max(total, 1):>8.1%}"
    for sample in coverage.samples:
        yield f"    {sample}"
    if coverage.too_long:
        yield click.style(f"{coverage.too_long:,} lines are longer than {_LIMITS.record:,} bytes: no input would take them", fg="red")
    yield click.style(f"\n{'kind of event':<{_NAME}}{'records':>12}", bold=True)
    for kind in KINDS:
        count = coverage.kinds[kind.name]
        yield f"{kind.name:<{_NAME}}{count:>12,}" if count else f"{kind.name:<{_NAME}}{'never':>12}  {laid(kind.advice, _NAME + 14)}"
