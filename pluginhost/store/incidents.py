"""Incidents, the groups that are in each, and which groups spoke last of an entity. What they say is their maker's: here it is JSON.

Their trail is that of the states (`cases`). Writing goes into the transaction that is open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from .bounds import Keep
from .database import Database

__all__ = ["SCRIPT", "Incidents", "NewIncident"]

SCRIPT: Final = """
    CREATE TABLE incidents (number INTEGER PRIMARY KEY AUTOINCREMENT, status TEXT NOT NULL, last INTEGER NOT NULL,
                            resolved INTEGER NOT NULL, incident BLOB NOT NULL);
    CREATE INDEX incidents_open ON incidents (last) WHERE status <> 'resolved';
    CREATE INDEX incidents_resolved ON incidents (resolved) WHERE status = 'resolved';
    CREATE TABLE incident_totals (open INTEGER NOT NULL);
    INSERT INTO incident_totals VALUES (0);
    CREATE TRIGGER incident_in AFTER INSERT ON incidents WHEN NEW.status <> 'resolved' BEGIN
        UPDATE incident_totals SET open = open + 1;
    END;
    CREATE TRIGGER incident_turned AFTER UPDATE OF status ON incidents WHEN (OLD.status = 'resolved') <> (NEW.status = 'resolved') BEGIN
        UPDATE incident_totals SET open = open + IIF(NEW.status = 'resolved', -1, 1);
    END;
    CREATE TRIGGER incident_out AFTER DELETE ON incidents BEGIN
        UPDATE incident_totals SET open = open - (OLD.status <> 'resolved');
        DELETE FROM incident_groups WHERE incident = OLD.number;
        DELETE FROM trail WHERE subject = CAST(OLD.number AS TEXT);
    END;
    CREATE TABLE incident_groups (incident INTEGER NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (incident, fingerprint)) WITHOUT ROWID;
    CREATE TABLE entities (entity TEXT PRIMARY KEY, hour INTEGER NOT NULL, groups BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX entities_by_hour ON entities (hour);
"""

_ENTITIES = 100_000  # whose groups are remembered
_MANY = 500
_HOUR = 3600 * 10**9


class NewIncident(msgspec.Struct, frozen=True):
    """An incident to be kept: `last` is its last alert's event time and `resolved` when it was (ns, 0: not); `incident` is JSON."""

    number: int
    status: str
    last: int
    resolved: int
    incident: bytes


class Incidents:
    """The tables; `AlertStore.incidents` and `Archive.incidents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, number: int) -> bytes | None:
        """The incident, if there is one of this number."""
        found = self._database.rows("SELECT incident FROM incidents WHERE number = ?", number)
        return found[0][0] if found else None

    def list(self, limit: int, *, every: bool = False) -> list[bytes]:
        """Those not resolved, or `every`, with the latest alerts first."""
        which = "" if every else "WHERE status <> 'resolved'"
        rows = self._database.rows(f"SELECT incident FROM incidents {which} ORDER BY last DESC, number DESC LIMIT ?", limit)  # noqa: S608  # two constants
        return [incident for (incident,) in rows]

    def following(self) -> int:
        """The number of the next incident."""
        return int(self._database.rows("SELECT COALESCE(MAX(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'incidents'")[0][0])

    def open(self) -> int:
        """How many are not resolved."""
        return int(self._database.rows("SELECT open FROM incident_totals")[0][0])

    def idle(self) -> int | None:
        """The number of the one, not resolved, whose last alert is oldest."""
        found = self._database.rows("SELECT number FROM incidents WHERE status <> 'resolved' ORDER BY last, number LIMIT 1")
        return found[0][0] if found else None

    def groups(self, number: int) -> tuple[str, ...]:
        """The fingerprints of the groups that have joined an incident."""
        rows = self._database.rows("SELECT fingerprint FROM incident_groups WHERE incident = ? ORDER BY fingerprint LIMIT ?", number, _MANY)
        return tuple(print_ for (print_,) in rows)

    def entities(self, names: Collection[str]) -> dict[str, bytes]:
        """What is kept of those entities of which something is."""
        return dict(self._database.rows("SELECT entity, groups FROM entities WHERE entity IN (SELECT value FROM json_each(?))",
                                        msgspec.json.encode(list(names)).decode()))  # fmt: skip

    def put(self, incidents: Iterable[NewIncident], joined: Iterable[tuple[int, str]]) -> None:
        """Keeps incidents, and that groups have joined some of them."""
        self._database.many("""INSERT INTO incidents (number, status, last, resolved, incident) VALUES (?, ?, ?, ?, ?)
                               ON CONFLICT (number) DO UPDATE SET status = excluded.status, last = excluded.last,
                               resolved = excluded.resolved, incident = excluded.incident""",
                            map(msgspec.structs.astuple, incidents))  # fmt: skip
        self._database.many("INSERT OR IGNORE INTO incident_groups (incident, fingerprint) VALUES (?, ?)", joined)

    def note(self, entities: Mapping[str, tuple[int, bytes]]) -> None:
        """Keeps of entities when they were last spoken of (event time, ns), and by which groups."""
        self._database.many("""INSERT INTO entities (entity, hour, groups) VALUES (?, ?, ?)
                               ON CONFLICT (entity) DO UPDATE SET hour = excluded.hour, groups = excluded.groups""",
                            ((name, last // _HOUR, groups) for name, (last, groups) in entities.items()))  # fmt: skip

    def trim(self, now: int, keep: Keep, limit: int) -> int:
        """How much went, at most about `limit` of a kind: incidents resolved long ago or too many, entities not spoken of longest."""
        gone = self._resolved("resolved < ?", now - keep.groups_age.ns, limit)
        gone += self._resolved("resolved > ?", -1, min(self._count("incidents") - keep.incidents, limit))
        more = min(self._count("entities") - _ENTITIES, limit)
        return gone + self._database.run("DELETE FROM entities WHERE entity IN (SELECT entity FROM entities ORDER BY hour LIMIT ?)",
                                         max(more, 0))  # fmt: skip

    def _count(self, table: str) -> int:
        return int(self._database.rows(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608  # two constants

    def _resolved(self, which: str, value: int, limit: int) -> int:
        return self._database.run("DELETE FROM incidents WHERE number IN (SELECT number FROM incidents WHERE status = 'resolved' "  # noqa: S608  # two constants
                                  f"AND {which} ORDER BY resolved LIMIT ?)", value, max(limit, 0))  # fmt: skip
