"""How many alerts there were, by the hour of their events (UTC): of each analyzer, severity, user and source.

An alert is counted in the transaction that stores it, once, told or suppressed; counts stay when alerts make room for others. Days and
weeks are counted beside the hours, so that a question about a year reads some fifty weeks. Each of them has room for `NAMES` names of a
kind; what comes beyond is counted under the name "", which no analyzer, severity, user or source has. A document is read here in SQL once
only, for the alerts that were stored before there were counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from .database import Database

__all__ = ["HOUR", "KINDS", "NAMES", "SCRIPT", "Per", "Rollups", "Summary"]

Per: TypeAlias = Literal["hour", "day"]

HOUR = 3_600 * 10**9
"""ns."""
NAMES = 1000
"""Names of a kind that one hour, day or week has room for."""
KINDS = ("analyzer", "severity", "user", "source")
"""What is counted; the user is `user.name`, the source `source.ip`."""

_SPANS = (1, 24, 168)  # hours; each is whole ones of the one before
_LONGEST = 256  # characters of a name: as much as `alerts.risk.entities` gives


def _single(field: str) -> str:
    """SQL for the text in a field of the document, or the only one in a list, as `alerts.risk.entities` reads it."""
    document, path = "CAST(document AS TEXT)", f"'$.{field}'"
    only = f"json_array_length({document}, {path}) = 1 AND json_type({document}, '$.{field}[0]') = 'text'"
    return (f"CASE WHEN NOT json_valid({document}) THEN '' WHEN json_type({document}, {path}) = 'text' "
            f"THEN json_extract({document}, {path}) WHEN {only} THEN json_extract({document}, '$.{field}[0]') ELSE '' END")  # fmt: skip


def _filled(kind: str, hours: int) -> str:
    """SQL that makes the counts of a kind from those of single alerts."""
    return f"""
        INSERT INTO rollups
        WITH counted AS (SELECT hour - (hour % {hours} + {hours}) % {hours} AS start, {kind} AS name, SUM(NOT silent) AS told,
                                SUM(silent) AS silent FROM counting WHERE {kind} <> '' GROUP BY 1, 2),
             ranked AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY start ORDER BY told + silent DESC, name) AS place FROM counted)
        SELECT '{kind}', {hours}, start, CASE WHEN place <= {NAMES} THEN name ELSE '' END, SUM(told), SUM(silent) FROM ranked GROUP BY 3, 4;
    """  # noqa: S608 - SQL from above


SCRIPT = f"""
    CREATE TABLE rollups (kind TEXT NOT NULL, hours INTEGER NOT NULL, start INTEGER NOT NULL, name TEXT NOT NULL, told INTEGER NOT NULL,
                          suppressed INTEGER NOT NULL, PRIMARY KEY (kind, hours, start, name)) WITHOUT ROWID;
    CREATE TEMP TABLE counting AS SELECT time / {HOUR} - (time % {HOUR} < 0) AS hour, suppressed <> '' AS silent, analyzer, severity,
        substr({_single("user.name")}, 1, {_LONGEST}) AS user, substr({_single("source.ip")}, 1, {_LONGEST}) AS source FROM alerts;
    {" ".join(_filled(kind, hours) for kind in KINDS for hours in _SPANS)}
    DROP TABLE counting;
"""  # noqa: S608 - SQL from above
"""The migration that makes the table, with the counts of the alerts that are there already."""

_KNOWN = "SELECT name FROM rollups WHERE kind = ? AND hours = ? AND start = ? AND name IN (SELECT value FROM json_each(?))"
_COUNT = """INSERT INTO rollups (told, suppressed, kind, hours, start, name) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, hours, start, name)
            DO UPDATE SET told = told + excluded.told, suppressed = suppressed + excluded.suppressed"""
_HELD = "SELECT COUNT(*) FROM rollups WHERE kind = ? AND hours = ? AND start = ?"
_FORGET = """DELETE FROM rollups WHERE (kind, hours, start, name) IN (
             SELECT kind, hours, start, name FROM rollups WHERE kind = ? AND hours = ? AND start < ? ORDER BY start LIMIT ?)"""
_PER = """SELECT start, name, told, suppressed FROM rollups WHERE kind = ? AND hours = ? AND start >= ?
          ORDER BY start DESC, told + suppressed DESC, name LIMIT ?"""
_PART = "SELECT name, told, suppressed FROM rollups WHERE kind = ? AND hours = ? AND start >= ? AND start < ?"
_ALL = f"""SELECT 0, name, SUM(told), SUM(suppressed) FROM ({" UNION ALL ".join([_PART] * len(_SPANS))})
           GROUP BY name ORDER BY SUM(told) + SUM(suppressed) DESC, name LIMIT ?"""  # noqa: S608 - constants from above
_END = 1 << 62


class Summary(msgspec.Struct, frozen=True):
    """How many alerts of `name` were told and suppressed in the hour or day that began at `start` (ns); 0: in all the time asked about.

    The name "" stands for all names that there was no room for.
    """

    start: int
    name: str
    told: int
    suppressed: int


class Rollups:
    """The table; `AlertStore.rollups` and `Archive.rollups`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, alerts: Iterable[tuple[int, tuple[str, ...], bool]]) -> None:
        """Counts alerts: each its event time (ns), its names in the order of `KINDS` (empty: none), and whether it was suppressed.

        Inside the transaction that stores them.
        """
        counted: dict[tuple[str, int, int], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for time, names, suppressed in alerts:
            hour = time // HOUR
            for kind, name in zip(KINDS, names, strict=True):
                for hours in _SPANS if name else ():
                    counted[kind, hours, hour - hour % hours][name[:_LONGEST]][suppressed] += 1
        for bucket, found in counted.items():
            self._count(bucket, found)

    def _count(self, bucket: tuple[str, int, int], found: dict[str, list[int]]) -> None:
        known = {name for (name,) in self._database.rows(_KNOWN, *bucket, msgspec.json.encode(list(found)).decode())}
        fresh = [name for name in found if name not in known]
        room = NAMES - self._database.rows(_HELD, *bucket)[0][0] if fresh else 0
        crowd = set(fresh[max(room, 0):])
        self._database.many(_COUNT, ((*counts, *bucket, "" if name in crowd else name) for name, counts in found.items()))

    def summary(self, by: str, after: int, *, per: Per | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """The counts of a kind since the hour (or the day, `per` day) in which `after` (ns) lies; at most `limit`.

        Altogether, the most frequent name first; or `per` hour or day, the newest first.
        """
        hour = after // HOUR
        if per is None:
            starts = [hour := -(-hour // hours) * hours for hours in _SPANS]  # where the next longer spans begin, they take over
            bounds = zip(_SPANS, starts, (*starts[1:], _END), strict=True)
            found = self._database.rows(_ALL, *(value for bound in bounds for value in (by, *bound)), limit)
        else:
            hours = 24 if per == "day" else 1
            found = self._database.rows(_PER, by, hours, hour - hour % hours, limit)
        return tuple(Summary(start * HOUR, name, told, suppressed) for start, name, told, suppressed in found)

    def trim(self, before: int, limit: int) -> int:
        """How many counts of hours and days before `before` (ns) went, at most `limit`. Inside a transaction."""
        gone = 0
        for kind in KINDS:
            for hours in _SPANS:
                gone += self._database.run(_FORGET, kind, hours, before // HOUR - hours + 1, limit - gone)
        return gone
