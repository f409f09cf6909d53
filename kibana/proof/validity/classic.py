"""Whether a classic visualization agrees with itself: its aggregations with what its type takes, its series with its numbers.

Which roles (schemas) a type of visualization has, and how many aggregations may be in each, is in the products' own definitions of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .classic_shapes import AggDateHistogram, AggPercentiles, AggTerms, Vis
from .contents import Opened, Views
from .references import SOURCE_REFERENCE
from .vega import vega

__all__ = ["classic"]

Said = Iterator[tuple[str, str]]
"""Places within an object, with what is wrong there."""


class _Role(NamedTuple):
    kind: str
    least: int = 0
    most: int = 1000
    types: frozenset[str] = frozenset()


_CHART = {"metric": _Role("metric", 1), "segment": _Role("bucket", 0, 1), "group": _Role("bucket", 0, 3), "split": _Role("bucket", 0, 1)}
_ROLES: Mapping[str, Mapping[str, _Role]] = {
    "table": {"metric": _Role("metric", 1), "bucket": _Role("bucket"), "split": _Role("bucket", 0, 1)},
    "metric": {"metric": _Role("metric", 1), "group": _Role("bucket", 0, 1)},
    "pie": {"metric": _Role("metric", 1, 1, frozenset({"sum", "count", "cardinality"})), "segment": _Role("bucket"),
            "split": _Role("bucket", 0, 1)},
    "histogram": _CHART, "horizontal_bar": _CHART, "line": _CHART, "area": _CHART, "markdown": {}, "vega": {}, "input_control_vis": {},
}  # fmt: skip
"""Of each type that all products have: its roles."""


def classic(found: Sequence[Opened], views: Views) -> Iterator[str]:
    """What is wrong with the classic visualizations."""
    for one in found:
        if isinstance(one.content, Vis):
            yield from (one.said(path, what) for path, what in _vis(one, one.content, views))


def _vis(one: Opened, vis: Vis, views: Views) -> Said:
    roles = _ROLES.get(vis.type)
    if roles is None:
        yield "visState.type", f"{vis.type} is none of {', '.join(_ROLES)}"
        return
    yield from _aggs(vis, roles)
    yield from _order(vis)
    yield from _time(one, vis, views)
    if roles is _CHART:
        yield from _series(vis)
    elif vis.type == "vega":
        yield from vega(vis.params.get("spec"))
    elif vis.type == "markdown" and not isinstance(vis.params.get("markdown"), str):
        yield "visState.params.markdown", "is no text"
    elif vis.type == "input_control_vis":
        yield from (("visState.params.controls", f"{count} controls have the id {name!r}")
                    for name, count in Counter(each.id for each in vis.controls).items() if count > 1)  # fmt: skip


def _aggs(vis: Vis, roles: Mapping[str, _Role]) -> Said:
    for name, count in Counter(agg.id for agg in vis.aggs).items():
        if count > 1:
            yield "visState.aggs", f"{count} have the id {name!r}"
    for place, agg in enumerate(vis.aggs):
        role, path = roles.get(agg.schema), f"visState.aggs[{place}].schema"
        if role is None:
            yield path, f"a {vis.type} has no {agg.schema!r}"
        elif role.kind != agg.kind:
            yield path, f"{agg.__struct_config__.tag} is no {role.kind}, which {agg.schema!r} of a {vis.type} is"
        elif role.types and agg.__struct_config__.tag not in role.types:
            yield path, f"{agg.schema!r} of a {vis.type} is one of {', '.join(sorted(role.types))}, not {agg.__struct_config__.tag}"
    for name, role in roles.items():
        count = sum(agg.schema == name for agg in vis.aggs)
        if not role.least <= count <= role.most:
            yield "visState.aggs", f"a {vis.type} has {role.least} to {role.most} of {name!r}, here are {count}"


def _order(vis: Vis) -> Said:
    """What values are ordered by: the values, or a number; of percentiles, and of a median, which of them."""
    numbers = {agg.id: agg for agg in vis.aggs if agg.kind == "metric"}
    for place, agg in enumerate(vis.aggs):
        if not isinstance(agg, AggTerms) or agg.params.order_by == "_key":
            continue
        name, _, which = agg.params.order_by.partition(".")
        path, by = f"visState.aggs[{place}].params.orderBy", numbers.get(name)
        if by is None:
            yield path, f"there is no number {name!r}"
        elif isinstance(by, AggPercentiles) and which not in {f"{each:g}" for each in by.params.percents}:
            yield path, f"{name!r} is several numbers, none of them {which!r}"
        elif which and not isinstance(by, AggPercentiles) and (by.__struct_config__.tag, which) != ("median", "50"):
            yield path, f"{name!r} is one number, not several"


def _time(one: Opened, vis: Vis, views: Views) -> Said:
    reference = one.references.get(SOURCE_REFERENCE)
    if reference is not None and reference.id in views and not views[reference.id][1].time:
        for place, agg in enumerate(vis.aggs):
            if isinstance(agg, AggDateHistogram):
                yield f"visState.aggs[{place}]", f"needs a time, and {reference.id} has no timeFieldName"


def _series(vis: Vis) -> Said:
    """A series for each number, each on an axis that is there."""
    axes = [each.get("id") for each in _tables(vis.params.get("valueAxes"))]
    series = _tables(vis.params.get("seriesParams"))
    named = [_table(each.get("data")).get("id") for each in series]
    numbers = [agg.id for agg in vis.aggs if agg.kind == "metric"]
    if named != numbers:
        yield "visState.params.seriesParams", f"are of {named}, the numbers are {numbers}"
    for place, each in enumerate(series):
        if each.get("valueAxis") not in axes:
            yield f"visState.params.seriesParams[{place}].valueAxis", f"there is no axis {each.get('valueAxis')!r}"
    if not _tables(vis.params.get("categoryAxes")):
        yield "visState.params.categoryAxes", "there is none"


def _tables(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
