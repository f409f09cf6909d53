"""Stored alerts for whoever asks: the tables of the desk's database, and everything that reads them without changing them.

Writing is the `AlertStore`'s, which is an archive too. A document is opaque here: it is kept and searched as bytes.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, TypeAlias

import msgspec

from ..problem import Problem
from .database import Database
from .risks import Risks

__all__ = ["Archive", "DeadLetter", "LetterTotals", "OutboxRow", "StoredAlert", "Summary", "laden"]

_COLUMNS = "seq, id, time, created, severity, analyzer, fingerprint, sequence, status, headline, document, suppressed"
_BY_ID = f"SELECT {_COLUMNS} FROM alerts WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"  # noqa: S608  # columns from above
_SINCE = f"SELECT {_COLUMNS} FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608  # columns from above
_LIST = f"SELECT {_COLUMNS} FROM alerts"  # noqa: S608  # columns from above


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


class Summary(msgspec.Struct, frozen=True):
    """How many alerts of one severity an analyzer raised, and the event time of the latest."""

    analyzer: str
    severity: str
    count: int
    last: int


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

    def list(
        self, *, limit: int, after: int | None = None, before: int | None = None, severity: str | None = None,
        analyzer: str | None = None, text: str | None = None, suppressed: bool | None = False,
    ) -> _Alerts:  # fmt: skip
        """The newest by event time first: `after` <= time < `before` (ns), with `text`, in any case, in headline or document.

        Those that were told, or those that were `suppressed`; None: both.
        """
        wanted: dict[str, Any] = {"time >= ?": after, "time < ?": before, "severity = ?": severity, "analyzer = ?": analyzer}
        if text is not None:
            wanted["(headline || char(10) || CAST(document AS TEXT)) LIKE ? ESCAPE '\\'"] = f"%{_literal(text)}%"
        wanted = {clause: value for clause, value in wanted.items() if value is not None}
        which = [f"suppressed {'<>' if suppressed else '='} ''"] if suppressed is not None else []
        where = f" WHERE {' AND '.join((*which, *wanted))}" if which or wanted else ""
        return self._alerts(f"{_LIST}{where} ORDER BY time DESC, seq DESC LIMIT ?", *wanted.values(), limit)

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

    def count(self) -> int:
        """How many alerts are stored."""
        return int(self._database.rows("SELECT COUNT(*) FROM alerts")[0][0])

    def suppressions(self) -> dict[str, int]:
        """How many alerts were ever told to nobody, by reason; one alert may have several."""
        return dict(self._database.rows("SELECT reason, count FROM suppressions ORDER BY count DESC, reason"))

    def summary(self) -> tuple[Summary, ...]:
        """Per analyzer and severity, by name."""
        found = self._database.rows("SELECT analyzer, severity, COUNT(*), MAX(time) FROM alerts GROUP BY analyzer, severity ORDER BY 1, 2")
        return tuple(Summary(*row) for row in found)

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Per output with something to deliver: how many alerts, and when (ns) the oldest of them was stored."""
        found = self._database.rows("""SELECT output, waiting, created FROM (SELECT output, COUNT(*) AS waiting, MIN(seq) AS oldest
                                       FROM outbox GROUP BY output) JOIN alerts ON alerts.seq = oldest""")
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


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
