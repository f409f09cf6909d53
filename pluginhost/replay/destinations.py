"""Where made-up records go: a forward input, an HTTP input, a search cluster, a file. Plain blocking clients, one connection each.

All of them push back: forward waits for acks, HTTP for its answer, so that what was sent is durable when `close` returns. A receiver that
refuses, or cannot be reached, is a `ConnectionError` with the reason.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import count, groupby
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

from ..problem import PeerError, printable
from ..wire.forward_client import Acks, chunk_id, entry, frame
from ..wire.times import iso
from .generators.item import Item

__all__ = ["FORMS", "Destination", "destination"]

FORMS = "forward://HOST:PORT, http(s)://HOST:PORT, elasticsearch+http(s)://HOST:PORT[/INDEX], FILE.ndjson, FILE.ndjson.gz or -"
"""How a destination is written."""
_PATIENCE = 30.0  # seconds without an answer, or of being told to wait
_UNACKED = 16  # frames on their way
_encode = msgspec.json.encode


class Destination(Protocol):
    """Takes items in order of time."""

    def send(self, items: Sequence[Item]) -> None:
        """Sends them, perhaps not yet acknowledged."""

    def close(self) -> None:
        """Returns when everything arrived."""


def destination(to: str) -> Destination:
    """What `to` names, one of `FORMS`; `ValueError` if it is none. Network destinations are connected here."""
    kind, found, _ = to.partition("://")
    if not found:
        return _File(to)
    place = urlsplit(to)
    if not place.hostname:
        raise ValueError(f"expected {FORMS}, got {to}")
    if kind == "forward":
        return _Forward(place.hostname, place.port or 24224)
    if kind in ("http", "https"):
        return _Ingest(place)
    if kind in ("elasticsearch+http", "elasticsearch+https"):
        return _Search(place._replace(scheme=kind.partition("+")[2]))
    raise ValueError(f"expected {FORMS}, got {to}")


def _document(item: Item, digits: int) -> dict[str, object]:
    return {"@timestamp": iso(item.time, digits), **item.record}


def _runs(items: Iterable[Item]) -> Iterator[tuple[str, list[Item]]]:
    """Neighbours with one tag: their order in time is kept."""
    return ((tag, list(run)) for tag, run in groupby(items, lambda item: item.tag))


class _File:
    """One JSON object a line, with `@timestamp` and `tag` beside the record's own fields."""

    def __init__(self, path: str) -> None:
        self._inner: IO[bytes] | None = None
        if path == "-":
            self._file: IO[bytes] = sys.stdout.buffer
        elif path.endswith(".gz"):
            self._inner = Path(path).open("wb")  # noqa: SIM115 - `close` does
            self._file = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._inner, mtime=0)  # type: ignore[assignment]
        else:
            self._file = Path(path).open("wb")  # noqa: SIM115 - `close` does

    def send(self, items: Sequence[Item]) -> None:
        self._file.write(b"".join(_encode({"tag": item.tag, **_document(item, 9)}) + b"\n" for item in items))

    def close(self) -> None:
        if self._file is sys.stdout.buffer:
            self._file.flush()
            return
        self._file.close()
        if self._inner is not None:
            self._inner.close()


class _Forward:
    """Frames of the forward protocol, each of one tag, of which a few may wait for their acks."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _PATIENCE)
        self._socket.settimeout(_PATIENCE)
        self._acks, self._waiting, self._numbers = Acks(), list[str](), count(1)

    def send(self, items: Sequence[Item]) -> None:
        for tag, run in _runs(items):
            chunk = chunk_id((str(next(self._numbers)), tag, str(run[0].time)))
            self._socket.sendall(frame(tag, [entry(item.time, item.record) for item in run], chunk=chunk))
            self._waiting.append(chunk)
            self._read(_UNACKED)

    def close(self) -> None:
        with self._socket:
            self._read(0)

    def _read(self, most: int) -> None:
        """Waits until at most so many frames are without their acks."""
        while len(self._waiting) > most:
            waiting, self._waiting = self._waiting, []  # after a failure nothing is waited for
            data = self._socket.recv(4096)
            if not data:
                raise ConnectionError(f"the receiver closed the connection with {len(waiting)} frames not acknowledged")
            try:
                for chunk in self._acks.feed(data):
                    waiting.remove(chunk)
            except PeerError as error:
                raise ConnectionError(error.hint) from None
            except ValueError:
                raise ConnectionError("the receiver acknowledged what was never sent") from None
            self._waiting = waiting


class _Http:
    """Requests over one connection; a receiver that asks to wait is waited for."""

    def __init__(self, place: SplitResult) -> None:
        host, port = place.hostname or "", place.port
        secure = place.scheme == "https"
        self._connection: HTTPConnection = (
            HTTPSConnection(host, port, timeout=_PATIENCE, context=ssl.create_default_context()) if secure
            else HTTPConnection(host, port, timeout=_PATIENCE)
        )  # fmt: skip
        self._headers = {"Content-Type": "application/x-ndjson"}
        if place.username is not None:
            user = f"{unquote(place.username)}:{unquote(place.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        self._connection.connect()

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, body: bytes) -> bytes:
        """The answer's body."""
        patience = _PATIENCE
        while True:
            try:
                self._connection.request("POST", path, body, self._headers)
                answer = self._connection.getresponse()
                text = answer.read()
            except HTTPException as error:
                raise ConnectionError(f"no answer to a request: {type(error).__name__}") from None
            if answer.status < 300:
                return text
            wait = _seconds(answer.headers.get("Retry-After"))
            if answer.status not in (429, 503) or patience < wait:
                raise ConnectionError(f"answered {answer.status}: {printable(text.decode('utf-8', 'backslashreplace'), 300)}")
            time.sleep(wait)
            patience -= wait


def _seconds(told: str | None) -> float:
    return float(told) if told and told.isdecimal() and len(told) < 4 else 1.0


class _Ingest(_Http):
    """The HTTP input of a sidecar: NDJSON under each tag's own path."""

    def __init__(self, place: SplitResult) -> None:
        super().__init__(place)
        self._path = place.path.rstrip("/") or "/v1/ingest"

    def send(self, items: Sequence[Item]) -> None:
        for tag, run in _runs(items):
            self._post(f"{self._path}/{quote(tag, safe='')}", b"".join(_encode(_document(item, 9)) + b"\n" for item in run))


class _Search(_Http):
    """Elasticsearch or OpenSearch: documents created in an index, by default `<last part of the tag>-test_data-<Y>-<M>-<D>`."""

    def __init__(self, place: SplitResult) -> None:
        super().__init__(place)
        self._index = place.path.strip("/")

    def send(self, items: Sequence[Item]) -> None:
        lines = (line for item in items for line in (_encode({"create": {"_index": self._of(item)}}), _encode(_document(item, 3))))
        answer = msgspec.json.decode(self._post("/_bulk", b"\n".join(lines) + b"\n"))
        for one in answer.get("items", ()) if answer.get("errors") else ():
            if error := one["create"].get("error"):
                raise ConnectionError(f"a document was refused: {printable(str(error.get('reason')), 300)}")

    def _of(self, item: Item) -> str:
        return self._index or f"{item.tag.rpartition('.')[2]}-test_data-{iso(item.time)[:10]}"
