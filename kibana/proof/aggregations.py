"""Aggregations as both products nest them: splits within splits, the numbers in the innermost; and the replies read as rows.

A row is a value by the id of each split and measure. What a product says in its own form is turned into these by its own module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

__all__ = ["COUNT", "Cell", "Measure", "Row", "Split", "aggs", "by_value", "ordered", "rows"]

Cell = str | int | float | None
Row = dict[str, Any]


class Measure(msgspec.Struct, frozen=True):
    """A number of each bucket: `body` is its aggregation, without one documents are counted; `where` narrows what is measured."""

    id: str
    body: dict[str, Any] | None = None
    where: dict[str, Any] | None = None
    none_if_zero: bool = False

    @property
    def path(self) -> str:
        """What a split is ordered by if it is by this."""
        if self.body is None:
            return self.id if self.where else "_count"
        within = "".join(f".{one:g}" for one in self.body.get("percentiles", {}).get("percents", ()))
        return f"{self.id}>{self.id}-metric{within}" if self.where else f"{self.id}{within}"

    def asked(self) -> dict[str, Any]:
        """Its aggregations by name; none for what every bucket says anyway."""
        if self.where is None:
            return {self.id: self.body} if self.body else {}
        inner = {"aggs": {f"{self.id}-metric": self.body}} if self.body else {}
        return {self.id: {"filter": self.where, **inner}}

    def read(self, bucket: dict[str, Any]) -> float | int | None:
        """Its value in a bucket of a reply."""
        if self.where is not None:
            bucket = bucket[self.id]
        value = bucket["doc_count"] if self.body is None else _value(bucket[f"{self.id}-metric" if self.where else self.id])
        return None if self.none_if_zero and not value else value


class Split(msgspec.Struct, frozen=True):
    """What documents are told apart by: the body of a `terms`, `date_histogram` or `filters` aggregation, ordered by `order` if given."""

    id: str
    body: dict[str, Any]
    order: Measure | None = None


COUNT = Measure("count")


def by_value(field: str, size: int, *, ascending: bool = True) -> dict[str, Any]:
    """The first terms of a field in the order of the terms themselves."""
    return _terms(field, size, {"_key": "asc" if ascending else "desc"})


def ordered(field: str, size: int, measure: Measure, *, ascending: bool = False) -> dict[str, Any]:
    """The first terms of a field by a measure."""
    return _terms(field, size, {measure.path: "asc" if ascending else "desc"})


def _terms(field: str, size: int, order: dict[str, str]) -> dict[str, Any]:
    # Both products ask a shard for as many of a short list as a list of ten would have it asked for.
    return {"terms": {"field": field, "order": order, "size": size, **({"shard_size": 25} if size <= 10 else {})}}


def aggs(splits: Sequence[Split], measures: Sequence[Measure]) -> dict[str, Any]:
    """The aggregations of a request, by name."""
    if not splits:
        return {name: body for measure in measures for name, body in measure.asked().items()}
    first, *others = splits
    inner = {**(first.order.asked() if first.order else {}), **aggs(others, measures)}
    return {first.id: {**first.body, **({"aggs": inner} if inner else {})}}


def rows(reply: dict[str, Any], splits: Sequence[Split], measures: Sequence[Measure]) -> list[Row]:
    """What a server answered to such a request (its whole reply, with the total of hits), a row for each innermost bucket."""
    whole = {**reply.get("aggregations", {}), "doc_count": reply["hits"]["total"]["value"]}
    return list(_rows(whole, splits, measures))


def _rows(bucket: dict[str, Any], splits: Sequence[Split], measures: Sequence[Measure]) -> Iterator[Row]:
    if not splits:
        yield {measure.id: measure.read(bucket) for measure in measures}
        return
    first, *others = splits
    for key, inner in _buckets(bucket[first.id]["buckets"]):
        for row in _rows(inner, others, measures):
            yield {first.id: key, **row}


def _buckets(found: Any) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Of `filters` they come by name, of others as a list; keys of times and numbers stay numbers."""
    if isinstance(found, dict):
        yield from found.items()
    else:
        for one in found:
            yield one["key"], one


def _value(answer: dict[str, Any]) -> float | int | None:
    value = next(iter(answer["values"].values())) if "values" in answer else answer.get("value")
    return value if isinstance(value, int | float) else None
