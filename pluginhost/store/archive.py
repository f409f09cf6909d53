"""Stored alerts for whoever asks: the tables of the desk's database, and everything that reads them without changing them.

Writing is the `AlertStore`'s, which is an archive too. A document is opaque here: it is kept as bytes, and `words` knows what to find in
it. However many alerts are stored, a list reads only about as many as it gives: each of its filters, and any two of them, has an index.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import msgspec

from ..problem import Problem
from .cases import Cases
from .database import Database
from .incidents import Incidents
from .mutes import Mutes
from .risks import Risks
from .rollups import Rollups
from .words import wanted

__all__ = ["SCRIPT", "Archive", "DeadLetter", "LetterTotals", "OutboxRow", "StoredAlert", "laden"]

SCRIPT = """
    DROP INDEX alerts_told;
    DROP INDEX alerts_suppressed;
    DROP INDEX alerts_by_analyzer;
    CREATE INDEX alerts_by_severity ON alerts (severity, suppressed = '', time, seq);
    CREATE INDEX alerts_by_analyzer ON alerts (analyzer, suppressed = '', time, seq);
    CREATE INDEX alerts_by_both ON alerts (analyzer, severity, suppressed = '', time, seq);
    CREATE INDEX alerts_by_telling ON alerts (suppressed = '', time, seq);
    CREATE INDEX outbox_by_seq ON outbox (seq);
"""
"""The migration that makes the indexes of lists, and of what may be forgotten."""

_COLUMNS = "seq, id, time, created, severity, analyzer, fingerprint, sequence, status, headline, document, suppressed"
_BY_ID = f"SELECT {_COLUMNS} FROM alerts WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"  # noqa: S608  # columns from above
_SINCE = f"SELECT {_COLUMNS} FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608  # columns from above
_LIST = f"SELECT {_COLUMNS} FROM alerts"  # noqa: S608  # columns from above
_FOUND = f"SELECT {_COLUMNS} FROM words CROSS JOIN alerts ON alerts.seq = words.rowid"  # noqa: S608  # columns from above
_FROM = "words.rowid >= (SELECT COALESCE(MIN(seq), 1 << 62) FROM alerts INDEXED BY alerts_by_time WHERE time >= ?)"
_UPTO = "words.rowid <= (SELECT COALESCE(MAX(seq), 0) FROM alerts INDEXED BY alerts_by_time WHERE time < ?)"
_SLICE, _AT_ONCE = 2_000, 4 << 20  # alerts looked at, and bytes of them, for one part of all that are stored


class StoredAlert(msgspec.Struct, frozen=True):
    """One alert. `seq` counts alerts as they were stored; `time` (of the event) and `created` are ns; `document` is JSON.

    `suppressed` are the reasons why it was told to nobody, with blanks between; empty if it was told.
    """

    seq: int
    id: str
    time: int
    created: int
    severity: str
    analyzer: str
    fingerprint: str
    sequence: int
    status: str
    headline: str
    document: bytes
    suppressed: str = ""


class OutboxRow(msgspec.Struct, frozen=True):
    """One alert to deliver, or one score, which has no severity. `attempts` counts those that were settled as to be tried again."""

    seq: int
    id: str
    time: int
    severity: str
    analyzer: str
    document: bytes
    attempts: int


def laden(rows: Generator[tuple[Any, ...], None, None], most: int) -> tuple[OutboxRow, ...]:
    """The first of the rows, about `most` bytes of documents; what is behind them is not read."""
    taken, size = list[OutboxRow](), 0
    with closing(rows):
        for row in rows:
            taken.append(OutboxRow(*row))
            size += len(taken[-1].document)
            if size >= most:
                break
    return tuple(taken)


class DeadLetter(msgspec.Struct, frozen=True):
    """What could never be accepted or delivered, and why. `source` is JSON about where it came from, `at` is ns."""

    id: str
    at: int
    stage: str
    reason: str
    source: bytes
    body: bytes


class LetterTotals(msgspec.Struct, frozen=True):
    """Dead letters held, their bytes, and how many more went because the bounds were reached."""

    held: int
    bytes: int
    dropped: int


_Alerts: TypeAlias = list[StoredAlert]  # inside the class `list` is a method


class Archive:
    """Read-only look at the desk's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.risks = Risks(database)
        self.cases = Cases(database)
        self.incidents = Incidents(database)
        self.rollups = Rollups(database)
        self.mutes = Mutes(database)

    def list(
        self, *, limit: int, after: int | None = None, before: int | None = None, severity: str | None = None,
        analyzer: str | None = None, text: str | None = None, suppressed: bool | None = False, status: str | None = None,
        assignee: str | None = None,
    ) -> _Alerts:  # fmt: skip
        """The newest by event time first: `after` <= time < `before` (ns), told or `suppressed` (None: both), of groups with this state.

        With `text` those that have all its words and "phrases" (`words.wanted`), the one stored last first.
        """
        groups = [] if status is None and assignee is None else [self.cases.clause(status, assignee)]
        if text is None or not text.strip():
            where, values = _where(*groups, after=after, before=before, severity=severity, analyzer=analyzer, suppressed=suppressed)
            return self._alerts(f"{_LIST}{where} ORDER BY time DESC, seq DESC LIMIT ?", *values, limit)
        match = wanted(text, severity=severity, analyzer=analyzer, suppressed=suppressed)
        bounds = [(clause, value) for clause, value in ((_FROM, after), (_UPTO, before)) if value is not None]
        where, values = _where(("words MATCH ?", match), *bounds, *groups, after=after, before=before)
        return self._alerts(f"{_FOUND}{where} ORDER BY words.rowid DESC LIMIT ?", *values, limit)

    def part(
        self, seq: int, *, after: int | None = None, before: int | None = None, severity: str | None = None, analyzer: str | None = None,
        text: str | None = None, suppressed: bool | None = None,
    ) -> tuple[_Alerts, int | None]:  # fmt: skip
        """Of some thousand alerts behind `seq`, in the order they were stored, those that are asked for as in `list`; and behind which to
        go on, None at the end. So all can be read, a part at a time, and nobody is kept waiting.
        """
        if seq >= self.last():
            return [], None
        found = [("seq IN (SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?)", wanted(text), seq + 1, seq + _SLICE)
                 ] if text is not None and text.strip() else []  # fmt: skip
        where, values = _where(("seq BETWEEN ? AND ?", seq + 1, seq + _SLICE), *found, after=after, before=before, severity=severity,
                               analyzer=analyzer, suppressed=suppressed)  # fmt: skip
        taken, size = list[StoredAlert](), 0
        with closing(self._database.each(f"{_LIST} NOT INDEXED{where} ORDER BY seq", *values)) as rows:
            for row in rows:
                taken.append(StoredAlert(*row))
                size += len(taken[-1].document)
                if size >= _AT_ONCE:
                    return taken, taken[-1].seq
        return taken, seq + _SLICE

    def since(self, seq: int, limit: int) -> _Alerts:
        """Those stored behind `seq`, the oldest first: what to ask again and again to follow."""
        return self._alerts(_SINCE, seq, limit)

    def last(self) -> int:
        """The `seq` of the alert stored last, also if it is no longer kept; 0 if there was none: where to begin to follow."""
        return int(self._database.rows("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'")[0][0])

    def get(self, id: str) -> StoredAlert | None:  # noqa: A002  # it is the event's id
        """The alert with this id, or the only one whose id begins so; None if there is none, `Problem` if there are more."""
        found = self._alerts(_BY_ID, id, f"{id}\U0010ffff")
        if len(found) > 1 and found[0].id != id:
            raise Problem("store.ambiguous", f"more than one alert's id begins with `{id}`", todo="give more of it")
        return found[0] if found else None

    def latest(self, fingerprint: str) -> StoredAlert | None:
        """The alert of this group that was stored last; None if none is there."""
        found = self._alerts(f"{_LIST} WHERE fingerprint = ? ORDER BY seq DESC LIMIT 1", fingerprint)
        return found[0] if found else None

    def count(self) -> int:
        """How many alerts are stored."""
        return int(self._database.rows("SELECT COUNT(*) FROM alerts")[0][0])

    def suppressions(self) -> dict[str, int]:
        """How many alerts were ever told to nobody, by reason; one alert may have several."""
        return dict(self._database.rows("SELECT reason, count FROM suppressions ORDER BY count DESC, reason"))

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Per output with something to deliver: how many alerts (or messages), and when (ns) the oldest of them was stored."""
        found = self._database.rows("""SELECT output, waiting, created FROM (SELECT output, COUNT(*) AS waiting, MIN(seq) AS oldest
                                       FROM outbox GROUP BY output) JOIN alerts ON alerts.seq = oldest
                                       UNION ALL SELECT output, COUNT(*), MIN(created) FROM notifications
                                       WHERE status IN ('open', 'waiting') GROUP BY output""")
        return {output: (waiting, created) for output, waiting, created in found}

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Per output with something to deliver: how many alerts, and their bytes. Kept as a running sum, so cheap."""
        found = self._database.rows("SELECT output, held, bytes FROM waiting WHERE held > 0")
        return {output: (held, size) for output, held, size in found}

    def deliveries(self) -> dict[str, tuple[int, int]]:
        """Per output: how many alerts were delivered, how many went to the dead letters."""
        found = self._database.rows("SELECT output, delivered, dead FROM deliveries ORDER BY output")
        return {output: (delivered, dead) for output, delivered, dead in found}

    def dead_letters(self, limit: int) -> tuple[DeadLetter, ...]:
        """The newest first."""
        found = self._database.rows(
            "SELECT id, at, stage, reason, CAST(source AS BLOB), body FROM dead_letters ORDER BY number DESC LIMIT ?", limit
        )
        return tuple(DeadLetter(*row) for row in found)

    def letter_totals(self) -> LetterTotals:
        """How full the dead letters are."""
        return LetterTotals(*self._database.rows("SELECT held, bytes, dropped FROM letter_totals")[0])

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()

    def _alerts(self, sql: str, *values: Any) -> _Alerts:
        return [StoredAlert(*row) for row in self._database.rows(sql, *values)]


def _where(
    *first: tuple[Any, ...], after: int | None = None, before: int | None = None, severity: str | None = None, analyzer: str | None = None,
    suppressed: bool | None = None,
) -> tuple[str, Sequence[Any]]:  # fmt: skip
    """The WHERE for clauses with their values, and for those filters that are given, with all values in order."""
    told = None if suppressed is None else not suppressed
    given = (("time >= ?", after), ("time < ?", before), ("severity = ?", severity), ("analyzer = ?", analyzer),
             ("(suppressed = '') = ?", told))  # fmt: skip
    clauses = [*first, *(one for one in given if one[1] is not None)]
    values = [value for _, *some in clauses for value in some]
    return f" WHERE {' AND '.join(clause for clause, *_ in clauses)}" if clauses else "", values
