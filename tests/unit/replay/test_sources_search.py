"""The source that reads a search cluster, where the real ones of the suite do not show it: an old OpenSearch, one that never answers."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost.outputs.cluster import Answered
from pluginhost.outputs.port import Unavailable
from pluginhost.problem import Problem
from pluginhost.replay.sources import search
from pluginhost.replay.sources.search import Asked, Search


class Old:
    """A cluster of 40 documents, ten at each ms, which knows no `_shard_doc`; `away` says at which of its answers it cannot be reached."""

    def __init__(self, away=()):
        self.away, self.asked, self.ties = set(away), 0, []

    async def ask(self, method, path, *, params=None, body=None):
        self.asked += 1
        if self.asked in self.away:
            raise Unavailable("gone for a moment")
        if path.endswith("/_count"):
            return {"count": 40}
        if path.endswith(("/_search/point_in_time", "/_pit")):
            return {"pit_id": "p", "id": "p"}
        (tie,) = body["sort"][1]
        self.ties.append(tie)
        if tie != "_id":
            raise Answered(400, "400 search_phase_execution_exception: all shards failed")
        hits = [{"_index": "logs", "_id": f"{n:02}", "_source": {"n": n}, "sort": [1_767_225_600_000 + n // 10, f"{n:02}"]}
                for n in range(40)]  # fmt: skip
        part, after = body.get("slice", {"id": 0, "max": 1}), body.get("search_after", [])
        hits = [one for one in hits if one["sort"][0] % part["max"] == part["id"] and one["sort"] > after][: body["size"]]
        return {"pit_id": "p", "timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": hits}}

    async def close(self):
        pass


def read(cluster, kind="opensearch", slices=2):
    source = Search(kind, cluster, Asked(index="logs", slices=slices, page=3))
    try:
        chunks = [chunk for stream in source.streams() for chunk in stream.chunks]
    finally:
        source.close()
    return [msgspec.json.decode(chunk.data[start:end])["n"] for chunk in chunks
            for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)]  # fmt: skip


@pytest.mark.parametrize("slices", [1, 2, 4])
def test_an_opensearch_without_shard_doc_is_read_by_ids(slices):
    cluster = Old()
    assert sorted(read(cluster, slices=slices)) == list(range(40))
    assert 1 <= cluster.ties.count("_shard_doc") <= slices


def test_elasticsearch_knows_it_and_a_refusal_is_one():
    cluster = Old()
    with pytest.raises(Problem, match="the cluster refuses: 400"):
        read(cluster, "elasticsearch", slices=1)
    assert set(cluster.ties) == {"_shard_doc"}


class TestPatience:
    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch):
        monkeypatch.setattr(search, "_PATIENCE", (0.0,) * 8)

    def test_a_cluster_that_never_answered_is_not_waited_for_long(self):
        cluster = Old(range(1, 100))
        with pytest.raises(Problem, match="cannot be reached: gone for a moment"):
            read(cluster)
        assert cluster.asked == 3

    def test_one_that_did_is(self):
        cluster = Old(range(4, 12))
        assert sorted(read(cluster, slices=1)) == list(range(40))
        cluster = Old(range(4, 13))
        with pytest.raises(Problem, match="cannot be reached"):
            read(cluster, slices=1)
