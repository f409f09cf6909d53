"""An alert as a row of a table, the statements about that table, and what PostgreSQL's errors mean for a row. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ..wire.times import iso
from .lines import line
from .parts import Part, Refused
from .port import Outgoing, Unavailable

__all__ = ["COLUMNS", "Row", "create", "insert", "meaning", "quoted"]

COLUMNS = {
    "id": "text primary key", "time": "timestamptz not null", "severity": "text", "analyzer": "text", "rule": "text", "message": "text",
    "fingerprint": "text", "document": "jsonb not null",
}  # fmt: skip
"""Name → type of each column, in the order of a row's values."""

_NEVER = ("22", "23", "54", "P0001")  # bad data, a constraint, too large, a trigger that says no
_WAITING = ("40", "53", "55", "57", "58", "08", "25006")  # passes by itself: a conflict, overload, a restart, another server leads
_FULL = ("53100", "58030")  # a disk does not grow by itself


class Row(Part, frozen=True):
    """One alert with the values of its columns as text; `body` is its document."""

    values: tuple[str | None, ...]

    @classmethod
    def of(cls, alert: Outgoing, hostname: str, now: int) -> Row:
        """The row of an alert; raises what decoding raises if its document is none."""
        body = line(alert, "alert", hostname, now)
        document = msgspec.json.decode(body, type=dict[str, Any])
        if b"\\u0000" in body:  # no text in PostgreSQL may hold it
            document = _without_nul(document)
            body = msgspec.json.encode(document)
        told = [_text(document, "rule", "name"), _text(document, "message"), _text(document, "pluginhost", "alert", "fingerprint")]
        start = [_whole(alert.id), iso(alert.time, 9), alert.severity, _whole(alert.analyzer)]
        return cls(alert, body, (*start, *told, body.decode()))


def quoted(table: str) -> str:
    """A table's name as it stands in a statement."""
    return ".".join(f'"{part}"' for part in table.split("."))


def create(table: str) -> str:
    """The statement that makes the table, by its quoted name."""
    return f"create table if not exists {table} ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"


def insert(table: str) -> str:
    """The statement that inserts rows, given a list of values for each column."""
    arrays = ", ".join(f"%s::text[]::{kind.split()[0]}[]" for kind in COLUMNS.values())
    return f"insert into {table} ({', '.join(COLUMNS)}) select * from unnest({arrays}) on conflict (id) do nothing"  # noqa: S608  # quoted


def meaning(sqlstate: str | None, reason: str) -> Refused | Unavailable:
    """What an error about a statement means: the batch holds what is never taken, or nothing can be written just now."""
    if sqlstate is None:  # the connection is gone
        return Unavailable(reason)
    if sqlstate.startswith(_NEVER):
        return Refused(reason)
    return Unavailable(reason, slow=sqlstate in _FULL or not sqlstate.startswith(_WAITING))


def _text(document: dict[str, Any], *path: str) -> str | None:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, dict):
        return {_whole(name): _without_nul(inner) for name, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value


def _whole(text: str) -> str:
    return text.replace("\0", "\ufffd")
