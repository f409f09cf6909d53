"""The sources `elasticsearch` and `opensearch`: documents of an index pattern in order of time, through a point in time.

The documents are read in slices, side by side, each in order, one page ahead. A slice is cut by the time field, so that equal times lie in
one slice whatever the index is made of: a point in time that was lost is opened anew, and a slice goes on behind the last time it had, past
the documents of that time that it has given already. A record is a document's source as the cluster keeps it; documents without the time
field are passed over. Nothing is written there.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from itertools import groupby
from typing import Any, Literal, TypeVar

import msgspec

from ...outputs.cluster import Answered, Cluster
from ...outputs.port import Unavailable
from ...problem import Problem, printable
from ...wire.chunk import Chunk
from ...wire.times import iso
from .formats import chunk_of
from .port import Stream, Window

__all__ = ["Asked", "Search"]

T = TypeVar("T")

_KEEP = "5m"
_PAGE = 1000
_LOST = 3  # times that a point in time may be gone at once
_PATIENCE = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0)  # seconds between attempts: a server that starts again takes so long
_AT_FIRST = 2  # of these, for one that has never answered
_WHOLE = {"allow_partial_search_results": "false"}  # also when the point in time is lost at some of the shards only, it is a 404
_FORMAT = "strict_date_optional_time_nanos"
_BACKING = re.compile(r"\.ds-(.+)-[0-9]{4}\.[0-9]{2}\.[0-9]{2}-[0-9]{6}\Z")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `query` is in the cluster's own words (of a `query_string`); `{index}` in `tag` is a document's index."""

    index: str
    window: Window = Window()
    query: str = ""
    time_field: str = "@timestamp"
    tag: str = "{index}"
    slices: int = 2
    page: int = _PAGE


class Search:
    """Documents of one cluster. `kind` says of which product it is."""

    def __init__(self, kind: Literal["elasticsearch", "opensearch"], cluster: Cluster, asked: Asked) -> None:
        self.kind: str = kind
        self.label = asked.index
        self.troubles: list[str] = []
        self._cluster, self._asked = cluster, asked
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=kind, daemon=True)
        self._thread.start()
        self._point, self._opened, self._opening = "", 0, asyncio.Lock()
        self._tie, self._patience = "_shard_doc", _PATIENCE[:_AT_FIRST]
        self._total = self._given = 0

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def streams(self) -> list[Stream]:
        """A stream for each slice; counts first what there is."""
        self._total = self._submit(self._count()).result()
        return [Stream(f"{self.label}/{number}", self._pages(number)) for number in range(self._asked.slices)]

    async def _count(self) -> int:
        return int((await self._ask("POST", f"/{self._asked.index}/_count", body={"query": self._query(None)}))["count"])

    def _query(self, since: str | None) -> dict[str, Any]:
        window, field = self._asked.window, self._asked.time_field
        bounds = {"format": f"epoch_millis||{_FORMAT}"}
        if since is not None or window.start:
            bounds["gte"] = since or iso(window.start, 9)
        if window.end < Window().end:
            bounds["lt"] = iso(window.end, 9)
        wanted: list[dict[str, Any]] = [{"range": {field: bounds}} if len(bounds) > 1 else {"exists": {"field": field}}]
        if self._asked.query:
            wanted.append({"query_string": {"query": self._asked.query, "lenient": True}})
        return {"bool": {"filter": wanted}}

    def _pages(self, number: int) -> Iterator[Chunk]:
        slice_ = _Slice(number)
        waiting = self._submit(self._page(slice_))
        while hits := waiting.result():
            waiting = self._submit(self._page(slice_))
            self._given += len(hits)
            for tag, alike in groupby(hits, self._tag):
                yield chunk_of(b"\n".join([msgspec.json.encode(hit["_source"]) for hit in alike]), "application/x-ndjson", tag)

    def _tag(self, hit: Mapping[str, Any]) -> str:
        backing = _BACKING.match(hit["_index"])
        return self._asked.tag.replace("{index}", backing[1] if backing else hit["_index"])

    async def _page(self, slice_: _Slice) -> list[dict[str, Any]]:
        """The next page of a slice, without what it gave before the point in time was lost; none at the end."""
        lost = 0
        while True:
            point, opened = await self._point_in_time()
            if slice_.opened not in (0, opened):
                slice_.begin_anew()
            slice_.opened, tie = opened, self._tie
            try:
                answer = await self._ask("POST", "/_search", params=_WHOLE, body=self._search(slice_, point))
            except Answered as error:
                if error.status == 400 and self.kind == "opensearch" and tie != "_id":
                    self._tie = "_id"  # before 3.3 it does not know the other one, which costs less, and does not say that it is that
                    continue
                if error.status != 404 or (lost := lost + 1) > _LOST:  # what it names by a point in time is there, unless that is gone
                    raise _refused(error) from None
                self._point = "" if self._opened == opened else self._point
                continue
            if answer["timed_out"] or answer["_shards"]["failed"]:
                raise Problem("replay.search", "a part of the cluster did not answer: the records would not be whole", where=self.label)
            if self._opened == opened:
                self._point = answer.get("pit_id", point)  # it may get another name
            hits = answer["hits"]["hits"]
            if fresh := slice_.taken(hits):
                return fresh
            if not hits:
                return []

    async def _point_in_time(self) -> tuple[str, int]:
        """(the point in time, the how manieth it is)."""
        async with self._opening:
            if not self._point:
                path = "/_search/point_in_time" if self.kind == "opensearch" else "/_pit"
                answer = await self._ask("POST", f"/{self._asked.index}{path}", params={"keep_alive": _KEEP})
                self._point, self._opened = answer["pit_id" if self.kind == "opensearch" else "id"], self._opened + 1
        return self._point, self._opened

    def _search(self, slice_: _Slice, point: str) -> dict[str, Any]:
        field = self._asked.time_field
        form = {"numeric_type": "date"} if self.kind == "opensearch" else {"format": _FORMAT}  # ms there, which knows no format here
        made: dict[str, Any] = {
            "size": self._asked.page, "query": self._query(slice_.since), "track_total_hits": False,
            "pit": {"id": point, "keep_alive": _KEEP},
            "sort": [{field: {"order": "asc", **form}}, {self._tie: "asc"}],
        }  # fmt: skip
        if self._asked.slices > 1:
            made["slice"] = {"field": field, "id": slice_.number, "max": self._asked.slices}
        return made | ({"search_after": slice_.after} if slice_.after else {})

    async def _ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        """The answer; a cluster that is away for a while is waited for."""
        for pause in (*self._patience, None):
            try:
                answer = await self._cluster.ask(method, path, params=params, body=body)
            except Answered as error:
                if path == "/_search" and error.status in (400, 404):
                    raise
                if pause is None or not (error.status >= 500 or error.status == 429):
                    raise _refused(error) from None
            except Unavailable as error:
                if pause is None or error.slow:
                    raise Problem("replay.search", f"the cluster cannot be reached: {printable(error.reason, 300)}", where=self.label,
                                  todo="see to its address and to what it asks for: --url, --api-key, --user") from None  # fmt: skip
            else:
                self._patience = _PATIENCE
                return answer
            await asyncio.sleep(pause)
        raise AssertionError

    def progress(self) -> tuple[int, int]:
        """Documents."""
        return self._given, self._total

    def close(self) -> None:
        """Lets go of the point in time and of the connections."""
        self._submit(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._point:
            opensearch = self.kind == "opensearch"
            body: dict[str, Any] = {"pit_id": [self._point]} if opensearch else {"id": self._point}
            with contextlib.suppress(Answered, Unavailable):  # it ends by itself
                await self._cluster.ask("DELETE", "/_search/point_in_time" if opensearch else "/_pit", body=body)
        await self._cluster.close()


class _Slice:
    """How far a slice is: `after` is the sort of the last document, `since` the time from which it goes on in another point in time."""

    def __init__(self, number: int) -> None:
        self.number, self.opened = number, 0
        self.after: list[Any] = []
        self.since: str | None = None
        self._last = ""
        self._ids: set[str] = set()  # of the documents of the last time

    def begin_anew(self) -> None:
        """Another point in time knows other places: goes on from the last time, past what it has given of that."""
        self.after, self.since = [], self._last or None

    def taken(self, hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Notes the page; gives those of it that are new."""
        fresh = []
        for hit in hits:
            time, id_ = str(hit["sort"][0]), f"{hit['_index']}/{hit['_id']}"
            if time != self._last:
                self._last, self._ids = time, set()
            if id_ not in self._ids:
                self._ids.add(id_)
                fresh.append(hit)
            self.after = hit["sort"]
        return fresh


def _refused(error: Answered) -> Problem:
    return Problem("replay.search", f"the cluster refuses: {error.reason}",
                   todo="see to --index, --query and --time-field, and that the key may `read` there")  # fmt: skip
