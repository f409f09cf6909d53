"""What goes into the pipeline and what comes out: plain values that also travel between host and worker."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events.slice import Batch, Slice
from ..problem import Place

__all__ = ["Failure", "Finding", "Item", "Made", "PlanCost", "Point", "Result", "TableUpdate", "Tick"]


class Tick(msgspec.Struct, frozen=True, tag=True):
    """The watermark passed a whole second: event time up to `watermark` (ns) is complete. Timers due by then fire."""

    offset: int
    watermark: int
    arrival: int


class TableUpdate(msgspec.Struct, frozen=True, tag=True):
    """A value published in a table; every shard sees it from the next tick on. `id` makes a repetition recognisable;
    `offset` is the row at which it was published."""

    table: str
    key: str
    value: Any
    expires: int
    id: str = ""
    offset: int = 0


Item = Batch | Slice | Tick | TableUpdate


class Finding(msgspec.Struct, frozen=True):
    """One alert as its analyzer reached it. (`offset`, `index`, `analyzer`, `n`) orders findings; `document` is ECS as JSON."""

    offset: int
    index: int
    analyzer: str
    n: int
    id: str
    fingerprint: str
    time: int
    severity: str
    message: str
    document: bytes


class Point(msgspec.Struct, frozen=True):
    """One score for a trend: of the interval that began at `time`, come to at the event time `reached` (both ns).

    (`offset`, `index`, `analyzer`, `n`) orders them; `document` is ECS as JSON.
    """

    offset: int
    index: int
    analyzer: str
    n: int
    id: str
    time: int
    reached: int
    document: bytes


class Made(msgspec.Struct, frozen=True):
    """A chained record: `raw` is one msgpack map, `id` follows from parent, analyzer and n, `hop` counts derivations."""

    offset: int
    id: str
    analyzer: str
    tag: str
    time: int
    raw: bytes
    hop: int


class Failure(msgspec.Struct, frozen=True):
    """An analyzer raised or returned nonsense at a record. `place` is the author's line; `count` is 1 or more of the same."""

    analyzer: str
    error: str
    place: Place | None
    offset: int
    index: int
    count: int = 1


class PlanCost(msgspec.Struct, frozen=True, array_like=True):
    """What the records of one kind cost: how many were passed over undecoded, and how many judged.

    `tag` is the first tag of the kind. `whole` names the analyzers (ten at most) that must be asked about every record, `because` says
    why the others are judged too where it is not them.
    """

    tag: str
    codec: str
    passed: int
    judged: int
    analyzers: int
    whole: list[str]
    because: str


class Result(msgspec.Struct):
    """What one run gave; what it changed stands in the state."""

    findings: list[Finding] = msgspec.field(default_factory=list)
    chained: list[Made] = msgspec.field(default_factory=list)
    tables: list[TableUpdate] = msgspec.field(default_factory=list)
    failures: list[Failure] = msgspec.field(default_factory=list)
    scores: list[Point] = msgspec.field(default_factory=list)
