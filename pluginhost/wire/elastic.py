"""A `_bulk` request of Elasticsearch → chunks, and the answer that its clients understand.

There is one item for each action, in order. What is taken is answered 201, also a document that can never be read: it is a dead letter,
and no client could do better by sending it again. What is no record (`update`, `delete`) is answered 400. Ids that a client did not
give are made of the body, so that the same request has the same answer.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import msgspec

from ..problem import printable
from .bodies import Unreadable, opened
from .bulk import Action, walk
from .bundle import Bundles
from .chunk import Chunk
from .sieve import Limits, Sieve

__all__ = ["ACTIONS", "ITEM", "Bulk", "bulk_answer", "read_bulk"]

ACTIONS = 100_000
"""The most actions of one body."""
ITEM = 192
"""About how many bytes an item of the answer takes."""
_ITEMS = {"items.*.error", "items.*.status"}
_SHORT = {"errors", "took", *_ITEMS}
_REFUSED = b'"error":{"type":"illegal_argument_exception","reason":"only index and create are taken here"}'
_encode = msgspec.json.Encoder().encode


class Bulk(msgspec.Struct, frozen=True):
    """A request: its actions in order, each with the index that it means, and its documents, a chunk for each tag."""

    actions: list[Action]
    chunks: list[Chunk]
    digest: str


def read_bulk(body: bytes, *, content_encoding: str, index: str, tag: str, default: str, limits: Limits) -> Bulk:
    """What is in `body`. `index` is that of the path; `tag` is for all records, "" gives each its index for one, or `default`.

    Raises `PeerError` with reason `too_large` for more than can be answered, `Unreadable` if there is no action in it.
    """
    packing, data = opened(body, content_encoding, default, limits)
    sieve = Sieve(data, msgspec.structs.replace(limits, entries=min(limits.entries, ACTIONS)))
    actions, tags = list[Action](), list[str]()
    for action in walk(sieve):
        named = index if action is None else action.index or index
        tags.append(tag or named)
        if action:
            actions.append(action if action.index else msgspec.structs.replace(action, index=named or default))
    if tags and not actions:
        raise Unreadable(sieve.rejected[0].reason, "there is no action in it", tag=default, body=data)
    return Bulk(actions, _chunks(body, packing, sieve, tags, default), _digest(body))


def _chunks(body: bytes, packing: str, sieve: Sieve, tags: list[str], default: str) -> list[Chunk]:
    """The body as it came if it serves one tag, else its records laid out by tag."""
    different = set(tags)
    if len(different) <= 1:
        tag = printable(next(iter(different), "") or default, 256)
        return [Chunk(tag, "json", body, sieve.data, sieve.columns, packing, rejected=tuple(sieve.rejected))]
    columns, bundles = sieve.columns, Bundles(default, "json")
    good = [(start, end, time, "") for start, end, time in zip(columns.starts, columns.ends, columns.times, strict=True)]
    bad = [(one.start, one.end, 0, one.reason) for one in sieve.rejected]
    for (start, end, time, reason), tag in zip(sorted(good + bad), tags, strict=True):
        bundle = bundles.under(tag)
        if reason:
            bundle.bad(reason, sieve.data[start:end])
        else:
            bundle.good(sieve.data[start:end], time)
    return list(bundles.chunks())


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(body, digest_size=12).digest()).decode()


def bulk_answer(bulk: Bulk, filter_path: str = "") -> bytes:
    """The body of the answer; short items if `filter_path` asks for errors and statuses alone, as shippers do. Any other has no effect."""
    paths = set(filter_path.replace(" ", "").split(","))
    short = paths <= _SHORT and not paths.isdisjoint(_ITEMS)
    items = b",".join(_items(bulk, short=short))
    errors = b"false" if all(action.taken for action in bulk.actions) else b"true"
    return b'{"took":1,"errors":' + errors + b',"items":[' + items + b"]}"


def _items(bulk: Bulk, *, short: bool) -> Iterable[bytes]:
    for number, action in enumerate(bulk.actions):
        kind = action.kind.encode()
        if not action.taken:
            yield b'{"%b":{"_index":%b,"_id":%b,"status":400,%b}}' % (kind, _encode(action.index), _encode(action.id), _REFUSED)
        elif short:
            yield b'{"%b":{"status":201}}' % kind
        else:
            made = _encode(action.id or f"{bulk.digest}{number:x}")
            yield (
                b'{"%b":{"_index":%b,"_id":%b,"_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},'
                b'"_seq_no":0,"_primary_term":1,"status":201}}' % (kind, _encode(action.index), made)
            )
