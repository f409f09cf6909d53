"""The page `docs/kibana-panels.md`: of each panel what is asked, in words, what is expected, and what two servers answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kibana_counting import Between
from kibana_shown import shown

from kibana.proof.answers import Answer

__all__ = ["page", "words"]

HEAD = """# The panels, and the numbers they show

What stands in [the dashboards](kibana.md) is proven without Kibana: each panel of both files, each layer of a map and each control is
read back from the file and turned into the requests that the product would send. These are sent to real servers that hold a thousand
made-up alerts, their states, and scores. What should come out is counted once more, in plain Python, from the same documents and the
panel's title.

"Asked" is what the Kibana file asks, in short; the classic file asks for the same in its own form. `told` stands for
`event.kind: alert and not pluginhost.alert.suppressed: *`. Of several numbers the first are shown here; the tests compare all, on
Elasticsearch 8.19 and 9 (both files) and on OpenSearch 3 (the classic one, whose numbers are told where they look different).

- A percentile is estimated by a server, each in its own way: expected is a range.
- The map of sources shows each document in the Kibana file, each place in the classic one.
- Where the paths of travels end is a layer of its own in the Kibana file; in the classic file it belongs to the paths.
- A control of the classic file offers a hundred values.

This page is written by `python tests/support/kibana_answers.py`.
"""

TOLD = "event.kind: alert and not pluginhost.alert.suppressed: *"
METRICS = {"cardinality": "unique", "max": "max", "min": "min", "avg": "mean", "sum": "sum", "value_count": "count"}
SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


def page(said: Mapping[str, Sequence[Answer]], expected: Callable[[Answer, str], Any], titles: Mapping[str, str]) -> str:
    """The whole page. `titles` are those of the dashboards, by the objects in them."""
    others = {_key(one): one for one in said["classic"]}
    parts = [HEAD]
    for title in dict.fromkeys(titles.values()):
        parts.append(f"\n## {title}\n\n| panel | asked | expected | Elasticsearch 8 | OpenSearch 3 |\n| --- | --- | --- | --- | --- |\n")
        parts += [_line(one, expected(one, "kibana"), others.get(_key(one))) for one in said["kibana"]
                  if one.kind != "text" and titles[one.object] == title]  # fmt: skip
    return "".join(parts)


def _key(answer: Answer) -> str:
    return answer.object.partition("/")[2]


def _line(answer: Answer, wanted: Any, other: Answer | None) -> str:
    title = f"{answer.title} (control)" if answer.kind == "control" else answer.title
    found = _leading(shown(answer), answer)
    else_ = _leading(shown(other), answer) if other else "–"
    cells = [title, "; ".join(map(words, answer.asked)), _leading(wanted, answer), found, "the same" if else_ == found else else_]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


# What was asked.


def words(request: Mapping[str, Any]) -> str:
    """A request in short: what is asked of which indices, under which condition."""
    body = request["body"]
    where = _condition(body["query"]).replace(TOLD, "told")
    what = _aggregations(body["aggs"]) if body.get("aggs") else "documents" if body["size"] else "count"
    index = request["index"].removesuffix("-*").rpartition(".")[2].replace("pluginhost-alert-state", "states")
    return f"{what} · {index}" + (f" where `{where}`" if where else "")


def _aggregations(aggs: Mapping[str, Any]) -> str:
    found = [text for name, agg in aggs.items() if (text := _aggregation(agg, aggs))]
    return ", ".join(dict.fromkeys(found)) or "count"


def _aggregation(agg: Mapping[str, Any], beside: Mapping[str, Any]) -> str:
    inner = agg.get("aggs", {})
    within = f" › {_aggregations(inner)}"
    match agg:
        case {"terms": terms}:
            ((path, direction),) = terms["order"].items()
            return f"terms {terms['field']} {terms['size']} by {_order(path, direction, inner)}{within}"
        case {"date_histogram": times}:
            step = times.get("fixed_interval") or times.get("calendar_interval")
            return f"each {step}{within}"
        case {"geotile_grid": grid}:
            return f"places of {grid['field']}{within}"
        case {"filter": where}:
            return f"{_aggregations(inner)} where {_condition(where)}"
        case {"percentiles": told}:
            (rank,) = told["percents"]
            return f"{'median' if rank == 50 else f'percentile {rank:g}'} of {told['field']}"
        case {"geo_centroid": _}:
            return ""
    (kind, told), *_ = agg.items()
    return f"{METRICS[kind]} {told['field']}"


def _order(path: str, direction: str, inner: Mapping[str, Any]) -> str:
    if path.startswith("_"):
        return {"_count": "count", "_key": "value"}[path] + (", rising" if direction == "asc" else "")
    return _aggregation(inner[path.partition(">")[0].partition(".")[0]], inner)


def _condition(query: Mapping[str, Any]) -> str:
    """As KQL. The time that is looked at, and the world on a map, go without saying."""
    match query:
        case {"bool": told}:
            should = [text for one in told.get("should", ()) if (text := _condition(one))]
            either = [f"({' or '.join(should)})" if len(should) > 1 else should[0]] if should else []
            both = [_condition(one) for name in ("must", "filter") for one in _list(told.get(name, []))]
            neither = [f"not {text}" for one in _list(told.get("must_not", [])) if (text := _condition(one))]
            return " and ".join(filter(None, [*both, *either, *neither]))
        case {"exists": {"field": field}}:
            return f"{field}: *"
        case {"range": told}:
            ((field, ends),) = told.items()
            told = [f"{field} {SIGNS[sign]} {_moment(end)}" for sign, end in ends.items() if "format" not in ends]
            return " and ".join(told)
        case {"geo_bounding_box": _}:
            return ""
    ((_, told),) = query.items()
    ((field, value),) = told.items()
    value = value["value"] if isinstance(value, dict) else value
    return f"{field}: {str(value).lower() if isinstance(value, bool) else value}"


def _moment(end: Any) -> Any:
    """The end of the span, from which a condition counts back, is its `now`."""
    return f"now{end.partition('||')[2]}" if "||" in str(end) else end


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# What came of it.


def _leading(found: Any, answer: Answer) -> str:
    """The first of the numbers."""
    match answer.kind:
        case "metric":
            return _number(found)
        case "chart":
            return _some(_series(found, timed=str(next(iter(answer.x), "")).endswith("Z")))
        case "points" | "paths":
            return f"{len(found)}, first {_numbers(sorted(found, key=str)[0])}"
        case "rows":
            return f"{len(found)}, latest {found[0][0]}"
    if isinstance(found, dict):  # about to be estimated: shown in the order of the estimates
        found = [(row[0], *found[row[0]]) for row in answer.rows]
    return _some(f"{row[0]} {_numbers(row[1:])}" for row in found)


def _series(found: Mapping[str, Mapping[Any, Any]], *, timed: bool) -> Iterator[str]:
    for label, line in found.items():
        filled = {x: value for x, value in line.items() if value}
        if timed:
            yield f"{label} {len(filled)} times up to {_number(max(filled.values(), default=0))}"
        else:
            yield from (f"{x} {_number(value)}" for x, value in filled.items())


def _some(told: Iterable[str]) -> str:
    listed = list(told)
    return ", ".join(listed[:3]) + (f" … ({len(listed)})" if len(listed) > 3 else "")


def _numbers(cells: Iterable[Any]) -> str:
    return " / ".join(_number(one) for one in cells)


def _number(value: Any) -> str:
    match value:
        case Between(low, high):
            return f"{_number(low)} to {_number(high)}"
        case float():
            return f"{value:,.2f}".rstrip("0").rstrip(".")
        case int():
            return f"{value:,}"
    return "–" if value is None else str(value)
