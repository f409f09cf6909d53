"""Counting documents in plain Python as a server would: values of fields, most frequent ones, numbers over time, latest ones.

Of what a server does only this is taken over: floats are kept with 24 bits, of equals the lesser value comes first, and a percentile
is some number about that rank (`Between`).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

__all__ = ["DAY", "HOUR", "MINUTE", "Between", "Document", "Measure", "bars", "cells", "choices", "count", "groups", "having", "iso",
           "largest", "last", "milliseconds", "one", "over", "paths", "place", "places", "ranked", "risen", "rows", "single", "split",
           "top", "total", "unique", "values"]  # fmt: skip

Document = dict[str, Any]
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Between(NamedTuple):
    """Any number from `low` to `high`."""

    low: float
    high: float


# Reading documents.


def values(document: Any, field: str) -> list[Any]:
    """The values of a dotted field, as an index sees them."""
    found = [document]
    for part in field.split("."):
        inside = [holder[part] for holder in found if holder.get(part) is not None]
        found = [value for some in inside for value in (some if isinstance(some, list) else [some])]
    return found


def one(document: Document, field: str) -> Any:
    return next(iter(values(document, field)), None)


def milliseconds(document: Document) -> int:
    return round(datetime.fromisoformat(document["@timestamp"]).timestamp() * 1000)


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def single(number: float) -> float:
    """As it is kept in a `float` field; whole numbers are kept as they are."""
    return float(struct.unpack("f", struct.pack("f", number))[0]) if isinstance(number, float) else number


def having(documents: Iterable[Document], **fields: Any) -> list[Document]:
    """Those with one of these values in each field; `...` is any value. A dot is written as two underscores."""
    return [document for document in documents if all(
        found if (found := values(document, name.replace("__", "."))) and wanted is ... else
        set(found) & (wanted if isinstance(wanted, set) else {wanted}) for name, wanted in fields.items())]  # fmt: skip


def risen(value: Any) -> Any:
    """Values in the order of an index: addresses by their bytes, an older one as a newer."""
    try:
        address = ip_address(value)
    except ValueError:
        return value
    return int(address) if address.version == 6 else int(IPv6Address(f"::ffff:{address}"))


# Counting.

Measure = Callable[[list[Document]], Any]


def count(documents: list[Document]) -> int:
    return len(documents)


def unique(field: str) -> Measure:
    return lambda documents: len({value for document in documents for value in values(document, field)})


def largest(field: str) -> Measure:
    def measure(documents: list[Document]) -> float | None:
        return max((single(value) for document in documents for value in values(document, field)), default=None)

    return measure


def total(field: str) -> Measure:
    return lambda documents: sum(single(value) for document in documents for value in values(document, field))


def last(documents: list[Document]) -> str:
    return iso(max(map(milliseconds, documents)))


def ranked(documents: list[Document], field: str, percent: float) -> Between:
    """A server may take any way between the values about that rank, and gathers neighbours into one."""
    found = sorted(single(value) for document in documents for value in values(document, field))
    at, slack = percent / 100 * (len(found) - 1), max(3, len(found) // 100)
    return Between(found[max(0, int(at) - slack)], found[min(len(found) - 1, int(at) + 1 + slack)])


def groups(documents: Iterable[Document], field: str) -> dict[Any, list[Document]]:
    made: dict[Any, list[Document]] = defaultdict(list)
    for document in documents:
        for value in dict.fromkeys(values(document, field)):
            made[value].append(document)
    return made


def top(documents: Iterable[Document], field: str, size: int, by: Measure = count) -> dict[Any, list[Document]]:
    """The first values of a field by a measure, falling; of equals the lesser value comes first."""

    def rank(item: tuple[Any, list[Document]]) -> tuple[float, Any]:
        measured = by(item[1])
        return (-measured if isinstance(measured, int | float) else float("inf"), risen(item[0]))

    return dict(sorted(groups(documents, field).items(), key=rank)[:size])


def rows(documents: Iterable[Document], field: str, size: int, *measures: Measure,
         then: Sequence[tuple[str, int]] = ()) -> list[tuple[Any, ...]]:  # fmt: skip
    """A table of the first values by the first measure, and of the values of `then` within each; sorted by that measure as a whole."""

    def nested(inside: list[Document], deeper: Sequence[tuple[str, int]]) -> list[tuple[Any, ...]]:
        if not deeper:
            return [tuple(measure(inside) for measure in measures)]
        return [(value, *row) for value, own in top(inside, *deeper[0], measures[0]).items() for row in nested(own, deeper[1:])]

    found = nested(list(documents), [(field, size), *then])
    at = 1 + len(then)
    return sorted(found, key=lambda row: -row[at] if row[at] is not None else float("inf"))


def over(documents: Iterable[Document], step: int, measure: Measure = count) -> dict[str, Any]:
    """A measure by the time at which each step begins, where there is something."""
    made: dict[int, list[Document]] = defaultdict(list)
    for document in documents:
        made[milliseconds(document) // step * step].append(document)
    return {iso(start): measure(own) for start, own in made.items()}


def split(documents: list[Document], field: str, size: int, step: int, measure: Measure = count) -> dict[str, Any]:
    return {value: over(some, step, measure) for value, some in top(documents, field, size, measure).items()}


def bars(documents: Iterable[Document], field: str, size: int) -> dict[str, Any]:
    return {"Alerts": {value: len(own) for value, own in top(documents, field, size).items()}}


def cells(documents: Iterable[Document], *fields: str) -> list[tuple[Any, ...]]:
    """The latest hundred: when, and the values of fields, several side by side."""
    latest = sorted(documents, key=milliseconds, reverse=True)[:100]
    return [tuple(_cell(document, field) for field in ("@timestamp", *fields)) for document in latest]


def _cell(document: Document, field: str) -> Any:
    found = values(document, field)
    if field == "event.risk_score":
        found = list(map(single, found))
    return ", ".join(map(str, found)) if len(found) > 1 else next(iter(found), None)


def places(documents: Iterable[Document], field: str, number: str) -> list[tuple[float, ...]]:
    return [(*place(document, field), single(one(document, number))) for document in documents if values(document, field)]


def paths(documents: Iterable[Document], near: str, far: str, number: str) -> list[tuple[float, ...]]:
    """Each way once, with the largest number of those who went it."""
    ways: dict[tuple[float, ...], float] = defaultdict(float)
    for document in documents:
        way = (*place(document, near), *place(document, far))
        ways[way] = max(ways[way], single(one(document, number)))
    return [(*way, largest_) for way, largest_ in ways.items()]


def place(document: Document, field: str) -> tuple[float, float]:
    at = one(document, field)
    return at["lon"], at["lat"]


def choices(documents: Iterable[Document], field: str, size: int) -> list[tuple[Any, ...]]:
    """What a control offers: the most frequent values of all documents."""
    return [(value, len(own)) for value, own in top(documents, field, size).items()]
