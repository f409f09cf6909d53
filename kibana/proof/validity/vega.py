"""Whether a Vega specification can be drawn: what it asks of the cluster, and what its dashboard's filters and time have to do with it.

Both products read HJSON, which takes all JSON; ours is JSON. They put the dashboard's filters and time into a request for `%context%` and
`%timefield%`, but not into one that has a query of its own: there they look for placeholders in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from .mapping import kind_of

__all__ = ["Request", "requests", "vega"]

_SCHEMA = "https://vega.github.io/schema/vega"
_CLAUSES = tuple(f"%dashboard_context-{clause}_clause%" for clause in ("must", "filter", "must_not"))
_KEYS = frozenset({"index", "body", "%context%", "%timefield%", "%timeout%", "%type%"})


class Request(msgspec.Struct, frozen=True):
    """What is asked of the cluster for one set of data; `path` is its place in the specification."""

    path: str
    index: str
    url: dict[str, Any]
    body: dict[str, Any]


def requests(spec: Any) -> Iterator[Request]:
    """What a specification, a text, asks of the cluster; nothing of one that cannot be read."""
    yield from _requests(_read(spec), "spec")


def vega(spec: Any) -> Iterator[tuple[str, str]]:
    """Places within a visualization that is drawn by this text, with what is wrong there."""
    read = _read(spec)
    if not isinstance(read, dict):
        yield "visState.params.spec", "is no JSON, or no object"
        return
    if not str(read.get("$schema")).startswith(_SCHEMA):
        yield "visState.params.spec.$schema", "is none of Vega's or Vega-Lite's"
    asked = list(_requests(read, "spec"))
    if not asked:
        yield "visState.params.spec.data", "asks nothing of the cluster"
    for request in asked:
        yield from ((f"visState.params.{request.path}.{at}", what) for at, what in _wrong(request))


def _read(spec: Any) -> Any:
    try:
        return msgspec.json.decode(spec) if isinstance(spec, str) else None
    except msgspec.DecodeError:
        return None


def _requests(value: Any, path: str) -> Iterator[Request]:
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield from _requests(one, f"{path}[{place}]")
    elif isinstance(value, dict):
        url = value.get("url")
        if isinstance(url, dict):
            body = url.get("body")
            yield Request(f"{path}.url", str(url.get("index", "")), url, body if isinstance(body, dict) else {})
        for key, one in value.items():
            yield from _requests(one, f"{path}.{key}")


def _wrong(request: Request) -> Iterator[tuple[str, str]]:
    kind = kind_of(request.index)
    if kind is None:
        yield "index", f"{request.index!r} is none of ours"
    yield from ((key, "is not known") for key in request.url.keys() - _KEYS)
    yield from _context(request, timed=kind in {"alerts", "scores"})
    size = request.body.get("size", 0)
    if not isinstance(size, int) or not 0 <= size <= 10_000:
        yield "body.size", f"{size!r} is not between 0 and 10,000"
    if "size" not in request.body and ("aggs" in request.body or "aggregations" in request.body):
        yield "body.size", "not 0: the documents come along with the numbers"


def _context(request: Request, *, timed: bool) -> Iterator[tuple[str, str]]:
    """The dashboard's filters and its time, by one of the two ways. States may be asked for whenever they were."""
    if "query" not in request.body:
        if request.url.get("%context%") is not True:
            yield "%context%", "the dashboard's filters do not reach it"
        if timed and "%timefield%" not in request.url:
            yield "%timefield%", "the dashboard's time does not reach it"
        return
    if request.url.keys() & {"%context%", "%timefield%"}:
        yield "body.query", "beside %context% or %timefield%: both products refuse that"
    query = msgspec.json.encode(request.body["query"]).decode()
    if lacking := [clause for clause in _CLAUSES if f'"{clause}"' not in query]:
        yield "body.query", f"the dashboard's filters do not reach it: no {', '.join(lacking)}"
    if timed and '"%timefilter%"' not in query:
        yield "body.query", "the dashboard's time does not reach it: no %timefilter%"
