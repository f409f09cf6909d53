"""The risks of users, hosts and addresses: tables of the desk's database. What a state says is its maker's; here it is bytes.

What an analyst says of an entity lies apart, with its end: no recount touches it, and it stays when the entity itself makes room.
Writing goes into the transaction that is open (`AlertStore.turn`), but for `say` and `unsay`, which have their own.
"""

from __future__ import annotations

import msgspec

from ..problem import Problem
from .database import Database

__all__ = ["Override", "Risk", "Risks"]

_MOST_OVERRIDES = 10_000


class Override(msgspec.Struct, frozen=True):
    """What an analyst says of an entity: its level, until when (ns), said when (ns), by whom and why."""

    level: str
    until: int
    at: int
    author: str = ""
    note: str = ""


class Risk(msgspec.Struct, frozen=True):
    """An entity: its name, the time of its latest alert (ns) and the packed state, if it has one, and what an analyst says."""

    name: str
    at: int = 0
    state: bytes = b""
    override: Override | None = None


class Risks:
    """The tables; `AlertStore.risks` and `Archive.risks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, kind: str, name: str) -> Risk:
        """What is known of an entity; overrides that have ended are given, too."""
        states = self._database.rows("SELECT at, state FROM risks WHERE kind = ? AND name = ?", kind, name)
        said = self._database.rows("SELECT level, until, at, author, note FROM risk_overrides WHERE kind = ? AND name = ?", kind, name)
        at, state = states[0] if states else (0, b"")
        return Risk(name, at, state, Override(*said[0]) if said else None)

    def highest(self, kind: str, limit: int) -> list[Risk]:
        """The entities of a kind, by rank, the highest first."""
        found = self._database.rows(
            """SELECT name, r.at, state, level, until, o.at, author, note FROM risks AS r LEFT JOIN risk_overrides AS o USING (kind, name)
               WHERE kind = ? ORDER BY rank DESC LIMIT ?""", kind, limit)  # fmt: skip
        return [Risk(name, at, state, Override(*said) if said[0] is not None else None) for name, at, state, *said in found]

    def put(self, kind: str, name: str, at: int, rank: float, state: bytes, *, most: int) -> int:
        """Keeps a state; how many entities made room for it, those with the oldest latest alert, because there were more than `most`."""
        self._database.run("""INSERT INTO risks (kind, name, at, rank, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name)
                              DO UPDATE SET at = excluded.at, rank = excluded.rank, state = excluded.state""",
                           kind, name, at, rank, state)  # fmt: skip
        more = self._database.rows("SELECT held FROM risk_totals")[0][0] - most
        return 0 if more <= 0 else self._database.run(
            "DELETE FROM risks WHERE (kind, name) IN (SELECT kind, name FROM risks ORDER BY at, kind, name LIMIT ?)", more
        )  # fmt: skip

    def say(self, kind: str, name: str, override: Override) -> None:
        """Keeps what an analyst says, in place of what was said before."""
        with self._database.transaction():
            others = "SELECT COUNT(*) FROM risk_overrides WHERE kind <> ? OR name <> ?"
            if self._database.rows(others, kind, name)[0][0] >= _MOST_OVERRIDES:
                raise Problem("risk.overrides", f"levels of {_MOST_OVERRIDES} entities are set already", todo="clear some of them")
            self._database.run("""INSERT OR REPLACE INTO risk_overrides (kind, name, level, until, at, author, note)
                                  VALUES (?, ?, ?, ?, ?, ?, ?)""",
                               kind, name, override.level, override.until, override.at, override.author, override.note)  # fmt: skip

    def unsay(self, kind: str, name: str) -> bool:
        """Whether there was something that an analyst said; it is forgotten."""
        with self._database.transaction():
            return bool(self._database.run("DELETE FROM risk_overrides WHERE kind = ? AND name = ?", kind, name))

    def expire(self, now: int, limit: int) -> int:
        """How many overrides went because they have ended by `now` (ns), at most `limit`."""
        return self._database.run(
            "DELETE FROM risk_overrides WHERE (kind, name) IN (SELECT kind, name FROM risk_overrides WHERE until <= ? LIMIT ?)", now, limit
        )  # fmt: skip
