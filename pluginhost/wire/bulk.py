"""The lines of Elasticsearch's `_bulk`: an action, its document on the next. Finds the documents, and says what each action asked for.

Only `index` and `create` bring a record; it is a slice of the body. Blank lines are none, the last line may lack its end, metadata may
be null or hold what is not known here. A document that is no object costs only itself. Requests and answers are in `elastic`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from . import jsons
from .sieve import TOO_LARGE, Bounds, Sieve

__all__ = ["Action", "begins", "documents", "walk"]

_LINE = 64 << 10  # the most bytes of an action
_NAME = 512  # the most characters of an id or index that is taken note of


class Action(msgspec.Struct, frozen=True, gc=False):
    """One action: its kind, the index and id that it named ("" for none), and whether it is one that is `taken` here."""

    kind: str
    index: str
    id: str
    taken: bool


class _Meta(msgspec.Struct, gc=False):
    index: Any = msgspec.field(default=None, name="_index")
    id: Any = msgspec.field(default=None, name="_id")


_ACTION = msgspec.json.Decoder(dict[str, _Meta | None])
_PLAIN = msgspec.json.Decoder(dict[str, dict[str, Any] | None])
_BEGINS = re.compile(rb'\s*(\{\s*"(?:index|create)"\s*:\s*(?:\{|null)[^\n]*)\n\s*\{')
_METADATA = {"_id", "_index", "_type", "routing", "_routing", "version", "version_type", "pipeline", "require_alias", "require_data_stream",
             "op_type", "dynamic_templates", "list_executed_pipelines", "if_seq_no", "if_primary_term"}  # fmt: skip
_KINDS = {"index", "create", "update", "delete"}
_NONE = _Meta()


def begins(data: bytes) -> bool:
    """Whether the data begin with an action and a document, by which such a body is known wherever it is sent."""
    found = _BEGINS.match(data, 0, 2 * _LINE)
    if not found:
        return False
    try:
        named = _PLAIN.decode(found[1])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return len(named) == 1 and all(_METADATA.issuperset(meta or ()) for meta in named.values())


def documents(sieve: Sieve) -> str:
    """Finds the documents of a body that was sent to where it needs no answer by action. Returns the codec."""
    for _ in walk(sieve):
        pass
    return "json"


def walk(sieve: Sieve) -> Iterator[Action | None]:
    """The actions; None for a line that is none. For each the sieve has just been told of one part, good or bad."""
    lines = _lines(sieve.data)
    for start, end in lines:
        kind, meta = _read(sieve.data, start, end)
        document = next(lines, None) if kind and kind != "delete" else None
        if kind in ("index", "create") and document:
            jsons.one(sieve, *document)
        else:
            reason = "unsupported" if kind in ("update", "delete") else "cut_off" if kind else _unread(start, end)
            sieve.bad(reason, start, document[1] if document else end)
        yield Action(kind, _text(meta.index), _text(meta.id), kind in ("index", "create") and document is not None) if kind else None


def _lines(data: bytes) -> Iterator[Bounds]:
    """The bounds of lines that are not blank, without blanks around them."""
    start, size = 0, len(data)
    while start < size:
        end = data.find(b"\n", start)
        end = size if end < 0 else end
        if line := data[start:end].strip():
            begin = data.index(line, start)
            yield begin, begin + len(line)
        start = end + 1


def _read(data: bytes, start: int, end: int) -> tuple[str, _Meta]:
    """The kind of action on a line and its metadata; "" if it is none."""
    if end - start > _LINE:
        return "", _NONE
    try:
        named = _ACTION.decode(data[start:end])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", _NONE
    kind, meta = next(iter(named.items())) if len(named) == 1 else ("", None)
    return (kind, meta or _NONE) if kind in _KINDS else ("", _NONE)


def _unread(start: int, end: int) -> str:
    return TOO_LARGE if end - start > _LINE else "malformed"


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else str(value) if type(value) is int else "")[:_NAME]
