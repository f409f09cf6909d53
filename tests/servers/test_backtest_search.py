"""Records out of a real Elasticsearch and a real OpenSearch: whole and in order of time, whatever is lost on the way; and judged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from search import SearchServer
from search_peers import OUTPUTS, call
from sidecars import until

from pluginhost.metrics import Registry
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


@pytest.fixture
def filled(cluster: SearchServer) -> SearchServer:
    """A server with an index of records, three at each second, and one without a time."""
    with contextlib.suppress(OSError):
        if call(cluster.url, "GET", "/past/_count")["count"] == COUNT + 1:
            return cluster
    lines = []
    for n in range(COUNT):
        lines += [{"create": {}}, {"@timestamp": iso(START + n // 3 * SECOND, 9), "n": n, "user": {"name": f"u{n % 7}"}}]
    lines += [{"create": {}}, {"n": -1}]
    mapping = {"settings": {"number_of_shards": 3}, "mappings": {"properties": {"@timestamp": {"type": "date"}}}}
    call(cluster.url, "PUT", "/past", mapping)
    body = "".join(json.dumps(one) + "\n" for one in lines).encode()
    request = urllib.request.Request(f"{cluster.url}/past/_bulk?refresh=true", body, {"content-type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["errors"] is False
    return cluster


@contextlib.contextmanager
def opened(server: SearchServer, **asked: Any) -> Iterator[Search]:
    kind = OUTPUTS[server.product]

    async def made() -> Any:
        return kind(kind.Options(hosts=(server.url,)), Context("t", Registry(), int)).cluster

    source = Search(server.product, asyncio.run(made()), Asked(**{"index": "past", "page": 100, **asked}))
    try:
        yield source
    finally:
        source.close()


def numbers(source: Search, after: Callable[[], object] | None = None) -> list[int]:
    """The records in the order in which they come; `after` is called when a third of them has come."""
    now = START + 10**6 * SECOND
    rows = merged(source.streams(), source.kind, Timing("", now), Window(), span=SECOND, latest=now, counted=Counted())
    found: list[int] = []
    for row in rows:
        columns = Columns.unpack(row.columns)
        assert {row.tag, row.input} == {"past", source.kind}
        found += [msgspec.json.decode(row.body[start:end])["n"] for start, end in zip(columns.starts, columns.ends, strict=True)]
        if after is not None and len(found) > COUNT // 3:
            after()
            after = None
    return found


def points(server: SearchServer) -> int:
    """How many points in time are open there."""
    found = call(server.url, "GET", "/_nodes/stats/indices/search")["nodes"].values()
    totals = [one["indices"]["search"] for one in found]
    return sum(one.get("point_in_time_current", one["open_contexts"]) for one in totals)


@pytest.mark.parametrize("slices", [1, 3])
def test_everything_comes_once_in_order_of_time(filled: SearchServer, slices: int) -> None:
    with opened(filled, slices=slices) as source:
        found = numbers(source)
        assert source.progress() == (COUNT, COUNT)
        assert points(filled) > 0
    assert sorted(found) == list(range(COUNT))
    assert [n // 3 for n in found] == sorted(n // 3 for n in found)
    assert points(filled) == 0


@pytest.mark.parametrize("slices", [1, 2])
def test_a_lost_point_in_time_is_opened_anew(filled: SearchServer, slices: int) -> None:
    def lose() -> None:
        opensearch = filled.product == "opensearch"
        body = {"pit_id": [source._point]} if opensearch else {"id": source._point}
        call(filled.url, "DELETE", "/_search/point_in_time" if opensearch else "/_pit", body)

    with opened(filled, slices=slices) as source:
        found = numbers(source, lose)
        assert source._opened == 2
    assert sorted(found) == list(range(COUNT))
    assert [n // 3 for n in found] == sorted(n // 3 for n in found)


def test_a_server_that_is_killed_and_comes_back_is_gone_on_with(filled: SearchServer) -> None:
    def kill() -> None:
        filled.kill9()
        filled.start()

    with opened(filled, slices=2) as source:
        found = numbers(source, kill)
        assert source._opened == 2
    assert sorted(found) == list(range(COUNT))
    assert [n // 3 for n in found] == sorted(n // 3 for n in found)


def test_a_window_and_a_query(filled: SearchServer) -> None:
    window = Window(START + 10 * SECOND, START + 20 * SECOND)
    with opened(filled, window=window, query="user.name:u3 OR user.name:u4") as source:
        found = numbers(source)
    assert sorted(found) == [n for n in range(30, 60) if n % 7 in (3, 4)]


def test_what_cannot_be_is_told(filled: SearchServer) -> None:
    with opened(filled, index="nothing") as source, pytest.raises(Problem, match="no such index"):
        numbers(source)
    with opened(filled, query="a:(") as source, pytest.raises(Problem, match="refuses"):
        numbers(source)


# --- the commands


SEVENTH = '''import os
import time

from pluginhost import Alert, SlidingCount, analyzer


@analyzer(key="user.name")
def seventh(event, seen: SlidingCount = SlidingCount("7d", limit=100000)):
    """Every seventh record of a user."""
    time.sleep(float(os.environ.get("SLOW", "0")))
    count = seen.add(event)
    return Alert("low", f"{event['user.name']} {count}") if count % 7 == 0 else None
'''


class Place:
    """A folder with an analyzer, whose configured outputs are the cluster, in a namespace of its own, and a file."""

    def __init__(self, folder: Path, server: SearchServer) -> None:
        self.folder, self.server, self.name = folder, server, folder.name.replace("_", "").lower()[:40]
        (folder / "analyzers").mkdir()
        (folder / "analyzers" / "seventh.py").write_text(SEVENTH)
        outputs = [{"type": server.product, "name": "cluster", "hosts": [server.url]}, {"type": "file", "path": "out.ndjson"}]
        config = {"data": "data", "analyzers": ["analyzers"], "outputs": outputs, "risk": {"entities": 0}, "namespace": self.name}
        (folder / "pluginhost.yaml").write_text(json.dumps(config))

    def command(self, *given: str) -> list[str]:
        at = ["--from", self.server.product] if given[0] in ("backtest", "detect") and "--list" not in given else []
        return [sys.executable, "-m", "pluginhost", *given[:1], *at, *given[1:]]

    def run(self, *given: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(*given), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done

    def sent(self) -> list[str]:
        """What went to the file."""
        file = self.folder / "out.ndjson"
        return sorted(json.loads(line)["message"] for line in file.read_text().splitlines()) if file.exists() else []

    def stored(self, namespace: str) -> list[dict[str, Any]]:
        """The alerts in the cluster."""
        stream = f"logs-pluginhost.alerts-{namespace}"
        call(self.server.url, "POST", f"/{stream}/_refresh")
        hits = call(self.server.url, "POST", f"/{stream}/_search", {"size": 1000})["hits"]["hits"]
        return [hit["_source"] for hit in hits]


@pytest.fixture
def place(tmp_path: Path, filled: SearchServer) -> Place:
    return Place(tmp_path, filled)


def expected(first: int, last: int, users: range = range(7)) -> list[str]:
    """The headlines over the records `first` <= n < `last` of these users."""
    found = {user: sum(n % 7 == user for n in range(first, last)) for user in users}
    return sorted(f"u{user} {count}" for user, seen in found.items() for count in range(7, seen + 1, 7))


def test_a_backtest_over_a_window_and_a_query_into_a_namespace_of_its_own(place: Place) -> None:
    span = ("--start", iso(START + 100 * SECOND), "--end", iso(START + 200 * SECOND))
    namespace = f"{place.name}.past"
    done = place.run("backtest", "--index", "pa*", *span, "--query", "user.name:(u1 OR u2)", "--slices", "3", "--store", "-q",
                     "--output", "cluster", "--namespace", namespace)  # fmt: skip
    wanted = expected(300, 600, range(1, 3))
    seen = sum(n % 7 in (1, 2) for n in range(300, 600))
    assert done.stderr.startswith(f"{seen} records, {len(wanted)} alerts")
    found = place.stored(namespace)
    assert sorted(one["message"] for one in found) == wanted
    (name,) = {one["pluginhost"]["backtest"]["id"] for one in found}
    assert {one["pluginhost"]["backtest"]["source"] for one in found} == {f"{place.server.product}: pa*"}
    listed = place.run("alerts", "list", "--backtest", name, "--json").stdout.splitlines()
    assert sorted(json.loads(line)["event"]["id"] for line in listed) == sorted(one["event"]["id"] for one in found)
    assert place.sent() == []


def test_a_detection_by_hand_and_then_what_is_left(place: Place) -> None:
    asked = ("detect", "--task", "t", "--index", "past", "--query", "user.name:u3")
    place.run(*asked, "--start", iso(START + 51 * SECOND), "--end", iso(START + 150 * SECOND))
    assert place.sent() == expected(153, 450, range(3, 4))
    by_hand = len(place.sent())
    place.run(*asked, "--begin", "1000d")
    assert place.sent() == sorted(expected(153, 450, range(3, 4)) + expected(0, COUNT, range(3, 4)))
    assert sorted(one["message"] for one in place.stored(place.name)) == place.sent()
    newest, first = place.run("detect", "--list").stdout.splitlines()
    assert ("by hand" in first, f"{by_hand} alerts" in first) == (True, True)
    assert (f"{sum(n % 7 == 3 for n in range(COUNT))} records" in newest, newest.rstrip().endswith("done")) == (True, True)


def test_a_detection_that_is_killed_is_gone_on_with(place: Place) -> None:
    asked = ("detect", "--task", "t", "--index", "past", "--begin", "1000d", "--slices", "2")
    child = subprocess.Popen(place.command(*asked), cwd=place.folder, env={**os.environ, "SLOW": "0.008"}, start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        until(lambda: _records(place)[:1] not in ([], [0]), 60, "state was saved on the way")
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert points(place.server) > 0  # nobody was there to close it
    place.run(*asked)
    assert place.sent() == expected(0, COUNT)
    assert sorted(one["message"] for one in place.stored(place.name)) == expected(0, COUNT)
    after, before = _records(place)
    assert 0 < before < COUNT
    assert before + after == COUNT


def _records(place: Place) -> list[int]:
    """How many records each run of the task has judged, the newest first."""
    if not (place.folder / "data" / "tasks" / "t" / "runs.db").exists():
        return []
    lines = place.run("detect", "--list").stdout.splitlines()
    return [int(line.split(" records")[0].rsplit(maxsplit=1)[1].replace(",", "")) for line in lines]
