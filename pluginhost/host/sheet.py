"""Alert documents as rows of a table (CSV), and back as far as its columns go.

A cell that a spreadsheet would take for a formula gets an apostrophe in front: user names and paths are the attacker's to choose. So does
one that begins with an apostrophe, so that taking one away gives back what there was. Lists are cells of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..alerts.document import put

__all__ = ["COLUMNS", "cells", "document_of"]

_TEXT, _NUMBER, _LIST = "text", "number", "list"
_KINDS = {
    "@timestamp": _TEXT, "log.level": _TEXT, "pluginhost.analyzer": _TEXT, "message": _TEXT, "event.reason": _TEXT, "user.name": _TEXT,
    "host.name": _TEXT, "source.ip": _TEXT, "destination.ip": _TEXT, "event.start": _TEXT, "event.end": _TEXT, "rule.name": _TEXT,
    "event.severity": _NUMBER, "event.risk_score": _NUMBER, "event.sequence": _NUMBER, "pluginhost.alert.count": _NUMBER,
    "event.category": _LIST, "threat.technique.id": _LIST, "tags": _LIST, "pluginhost.alert.suppressed": _LIST,
    "pluginhost.alert.fingerprint": _TEXT, "event.id": _TEXT,
}  # fmt: skip

COLUMNS = tuple(_KINDS)
"""The columns of a table that is written: fields of the document."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def cells(document: Mapping[str, Any]) -> list[str]:
    """The document as a row under `COLUMNS`; a field that is not there is an empty cell."""
    return [_cell(_field(document, name)) for name in COLUMNS]


def _field(document: Mapping[str, Any], name: str) -> Any:
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def document_of(columns: Sequence[str], row: Sequence[str]) -> bytes:
    """The document that a row under such columns makes, as JSON; columns without a name of ours are left out.

    `ValueError` if a cell is not what its column is of.
    """
    if len(row) > len(columns):
        raise ValueError(f"it has {len(row)} cells under {len(columns)} columns")
    made: dict[str, Any] = {"event": {"kind": "alert", "module": "pluginhost", "dataset": "pluginhost.alerts"}}
    put(made, {name: _value(name, cell.removeprefix("'")) for name, cell in zip(columns, row, strict=False) if cell and name in _KINDS})
    return msgspec.json.encode(made)


def _value(name: str, text: str) -> Any:
    try:
        if _KINDS[name] == _NUMBER:
            return msgspec.json.decode(text, type=int | float)
        return msgspec.json.decode(text, type=list[str]) if _KINDS[name] == _LIST else text
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {error}") from None
