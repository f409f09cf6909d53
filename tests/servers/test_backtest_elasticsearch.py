"""Records out of a real Elasticsearch: whole, in order of time, also when the point in time is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from search_peers import call

from pluginhost.metrics import Registry
from pluginhost.outputs.elasticsearch import Elasticsearch
from pluginhost.outputs.port import Context
from pluginhost.problem import Problem
from pluginhost.replay.rows import Counted, merged
from pluginhost.replay.sources.port import Window
from pluginhost.replay.sources.search import Asked, Search
from pluginhost.replay.timing import Timing
from pluginhost.wire.chunk import Columns
from pluginhost.wire.times import SECOND, iso

START = 1_767_225_600 * SECOND
COUNT = 1500


@pytest.fixture(scope="module")
def filled(elasticsearch: Any) -> str:
    """An index of records, three at each time, and some without a time."""
    lines = []
    for n in range(COUNT):
        lines += [{"create": {}}, {"@timestamp": iso(START + n // 3 * SECOND, 9), "n": n, "user": {"name": f"u{n % 7}"}}]
    lines += [{"create": {}}, {"n": -1}]
    mapping = {"settings": {"number_of_shards": 3}, "mappings": {"properties": {"@timestamp": {"type": "date"}}}}
    call(elasticsearch.url, "PUT", "/past", mapping)
    body = "".join(json.dumps(one) + "\n" for one in lines).encode()
    request = urllib.request.Request(f"{elasticsearch.url}/past/_bulk?refresh=true", body, {"content-type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["errors"] is False
    return str(elasticsearch.url)


@contextlib.contextmanager
def opened(url: str, **asked: Any) -> Iterator[Search]:
    async def made() -> Any:
        return Elasticsearch(Elasticsearch.Options(hosts=(url,)), Context("t", Registry(), int)).cluster

    source = Search("elasticsearch", asyncio.run(made()), Asked(**{"index": "past", "page": 100, **asked}))
    try:
        yield source
    finally:
        source.close()


def numbers(source: Search, after: Any = None) -> list[int]:
    now = START + 10**6 * SECOND
    rows = merged(source.streams(), "elasticsearch", Timing("", now), Window(), span=SECOND, latest=now, counted=Counted())
    found: list[int] = []
    for row in rows:
        columns = Columns.unpack(row.columns)
        assert {row.tag, row.input} == {"past", "elasticsearch"}
        found += [msgspec.json.decode(row.body[start:end])["n"] for start, end in zip(columns.starts, columns.ends, strict=True)]
        if after is not None and len(found) > COUNT // 3:
            after()
            after = None
    return found


@pytest.mark.parametrize("slices", [1, 3])
def test_everything_comes_once_in_order_of_time(filled: str, slices: int) -> None:
    with opened(filled, slices=slices) as source:
        found = numbers(source)
        assert source.progress() == (COUNT, COUNT)
    assert sorted(found) == list(range(COUNT))
    assert [n // 3 for n in found] == sorted(n // 3 for n in found)


@pytest.mark.parametrize("slices", [1, 2])
def test_a_lost_point_in_time_is_opened_anew(filled: str, slices: int) -> None:
    with opened(filled, slices=slices) as source:
        found = numbers(source, lambda: call(filled, "DELETE", "/_pit", {"id": source._point}))
        assert source._opened == 2
    assert sorted(found) == list(range(COUNT))
    assert [n // 3 for n in found] == sorted(n // 3 for n in found)


def test_a_window_and_a_query(filled: str) -> None:
    window = Window(START + 10 * SECOND, START + 20 * SECOND)
    with opened(filled, window=window, query="user.name:u3 OR user.name:u4") as source:
        found = numbers(source)
    assert sorted(found) == [n for n in range(30, 60) if n % 7 in (3, 4)]


def test_what_cannot_be_is_told(filled: str) -> None:
    with opened(filled, index="nothing") as source, pytest.raises(Problem, match="no such index"):
        numbers(source)
    with opened(filled, query="a:(") as source, pytest.raises(Problem, match="refuses"):
        numbers(source)
