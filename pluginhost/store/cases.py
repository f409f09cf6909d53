"""The states of groups of alerts, with their audit trail. The queue of those that outputs have still to write is in `states`.

What a state says is its maker's: here it is JSON, with beside it what is asked for. The trail is one for groups and incidents (`subject`
is a fingerprint, or an incident's number as text); it is only added to, and goes with its subject, or from its oldest end once it is long.
Writing goes into the transaction that is open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

from .bounds import Keep
from .database import Database

__all__ = ["SCRIPT", "Cases", "Entry", "Fate", "NewState"]

SCRIPT: Final = """
    CREATE TABLE states (fingerprint TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL, rank INTEGER NOT NULL,
                         assignee TEXT NOT NULL, last INTEGER NOT NULL, resolved INTEGER NOT NULL, touched INTEGER NOT NULL,
                         alert TEXT NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX states_to_do ON states (rank DESC, last DESC) WHERE status <> 'resolved';
    CREATE INDEX states_idle ON states (touched) WHERE status <> 'resolved';
    CREATE INDEX states_resolved ON states (resolved) WHERE status = 'resolved';
    CREATE INDEX states_by_status ON states (status);
    CREATE INDEX states_by_assignee ON states (assignee) WHERE assignee <> '';
    CREATE TABLE state_totals (held INTEGER NOT NULL, floor INTEGER NOT NULL);
    INSERT INTO state_totals VALUES (0, 0);
    CREATE TRIGGER state_in AFTER INSERT ON states BEGIN UPDATE state_totals SET held = held + 1; END;
    CREATE TRIGGER state_out AFTER DELETE ON states BEGIN
        UPDATE state_totals SET held = held - 1, floor = MAX(floor, OLD.revision);
        DELETE FROM state_outbox WHERE fingerprint = OLD.fingerprint;
        DELETE FROM trail WHERE subject = OLD.fingerprint;
    END;
    CREATE TABLE trail (number INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, incident INTEGER NOT NULL, at INTEGER NOT NULL,
                        by TEXT NOT NULL, action TEXT NOT NULL, what BLOB NOT NULL, note TEXT NOT NULL);
    CREATE INDEX trail_by_subject ON trail (subject, number);
    CREATE INDEX trail_by_incident ON trail (incident, number) WHERE incident > 0;
    CREATE TABLE state_outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, fingerprint TEXT NOT NULL,
                               due INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, UNIQUE (fingerprint, output));
    CREATE INDEX state_outbox_by_due ON state_outbox (output, due);
"""

_LONG = 1000  # entries of one subject
_FEW = 1000  # groups whose alerts are looked up one group after another
_TOLD = """
    SELECT COALESCE(json_extract(CAST(document AS TEXT), '$.event.created'), ''), id, severity, analyzer, headline FROM alerts
    WHERE fingerprint = ? AND suppressed = ''
      AND COALESCE(json_extract(CAST(document AS TEXT), '$.pluginhost.alert.status'), '') <> 'resolved' ORDER BY seq DESC LIMIT ?
"""
_BARE = "NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.fingerprint = states.fingerprint)"

class NewState(msgspec.Struct, frozen=True):
    """A group's state to be kept. `rank` orders severities, `last` is its last alert's event time and `resolved` when it was (ns, 0: not);
    `alert` is the id of that alert, `state` is JSON."""

    fingerprint: str
    revision: int
    status: str
    rank: int
    assignee: str
    last: int
    resolved: int
    alert: str
    state: bytes


class Entry(msgspec.Struct, frozen=True):
    """One entry of the trail: when (ns), who did what, what changed from what to what (JSON by field), and a note."""

    subject: str
    incident: int
    at: int
    by: str
    action: str
    what: bytes
    note: str = ""


class Fate(msgspec.Struct, frozen=True):
    """What is known of an alert and an output: it waits there after so many tries, or is dead, with the last reason.

    Of an output that tells people also: it lies open until `at` (ns) to be told with others, or was delivered then. `count` is how many
    alerts the message is about, `kind` what it is.
    """

    output: str
    status: str
    attempts: int
    reason: str
    at: int = 0
    count: int = 1
    kind: str = "alert"


_States: TypeAlias = list[bytes]


class Cases:
    """The tables of states and of the trail: `AlertStore.cases` and `Archive.cases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, fingerprints: Collection[str]) -> dict[str, bytes]:
        """The states of those groups that have one."""
        return dict(self._database.rows("SELECT fingerprint, state FROM states WHERE fingerprint IN (SELECT value FROM json_each(?))",
                                        _array(fingerprints)))  # fmt: skip

    def floor(self) -> int:
        """The highest revision of any state that was forgotten."""
        return int(self._database.rows("SELECT floor FROM state_totals")[0][0])

    def held(self) -> int:
        """How many states there are."""
        return int(self._database.rows("SELECT held FROM state_totals")[0][0])

    def to_do(self, limit: int, assignee: str | None = None) -> _States:
        """States that are not resolved, the gravest first, then those with the latest alerts; only those of `assignee`, if given."""
        mine, given = ("", ()) if assignee is None else (" AND assignee = ?", (assignee,))
        found = self._database.rows(f"SELECT state FROM states WHERE status <> 'resolved'{mine} ORDER BY rank DESC, last DESC LIMIT ?",  # noqa: S608  # two constants
                                    *given, limit)  # fmt: skip
        return [state for (state,) in found]

    def clause(self, status: str | None, assignee: str | None) -> tuple[str, ...]:
        """A condition on rows of `alerts`, with its values: their group's state has this status and this assignee, where they are given."""
        asked = {f"states.{name} = ?": value for name, value in (("status", status), ("assignee", assignee)) if value is not None}
        which = " AND ".join(asked) or "TRUE"
        few = self._database.rows(f"SELECT fingerprint FROM states WHERE {which} LIMIT ?", *asked.values(), _FEW + 1)  # noqa: S608  # constants
        if len(few) <= _FEW:  # then their alerts are looked up, else there are some among the newest of all
            return "alerts.fingerprint IN (SELECT value FROM json_each(?))", _array([print_ for (print_,) in few])
        return f"EXISTS (SELECT 1 FROM states WHERE states.fingerprint = alerts.fingerprint AND {which})", *asked.values()  # noqa: S608  # constants

    def found(self, start: str) -> list[str]:
        """The fingerprints, two at most, of states that begin so."""
        rows = self._database.rows("SELECT fingerprint FROM states WHERE fingerprint >= ? AND fingerprint < ? ORDER BY 1 LIMIT 2",
                                   start, f"{start}\U0010ffff")  # fmt: skip
        return [row[0] for row in rows]

    def put(self, states: Iterable[NewState], now: int) -> None:
        """Keeps states; `now` is ns."""
        self._database.many(
            """INSERT INTO states (fingerprint, revision, status, rank, assignee, last, resolved, alert, state, touched)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET revision = excluded.revision,
               status = excluded.status, rank = excluded.rank, assignee = excluded.assignee, last = excluded.last,
               resolved = excluded.resolved, alert = excluded.alert, state = excluded.state, touched = excluded.touched""",
            ((*msgspec.structs.astuple(one), now) for one in states),
        )  # fmt: skip

    def log(self, entries: Sequence[Entry]) -> None:
        """Adds to the trail; of a subject with more than a thousand entries the oldest go."""
        self._database.many("INSERT INTO trail (subject, incident, at, by, action, what, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
                            map(msgspec.structs.astuple, entries))  # fmt: skip
        long = {one.subject for one in entries if one.action != "opened"}
        self._database.many("""DELETE FROM trail WHERE subject = ?1 AND number <=
                               (SELECT number FROM trail WHERE subject = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)""",
                            ((subject, _LONG) for subject in long))  # fmt: skip

    def history(self, fingerprint: str, limit: int = _LONG) -> list[Entry]:
        """The trail of a group, the oldest of its latest entries first."""
        return self._entries("subject = ?", fingerprint, limit)

    def timeline(self, incident: int, limit: int = _LONG) -> list[Entry]:
        """The trail of an incident with that of its groups since they joined, the oldest of the latest entries first."""
        return self._entries("incident = ?", incident, limit)

    def _entries(self, which: str, value: str | int, limit: int) -> list[Entry]:
        rows = self._database.rows(f"SELECT subject, incident, at, by, action, what, note FROM trail WHERE {which} "  # noqa: S608  # two constants
                                   "ORDER BY number DESC LIMIT ?", value, limit)  # fmt: skip
        return [Entry(*row) for row in reversed(rows)]

    def told(self, fingerprint: str, limit: int) -> list[tuple[str, str, str, str, str]]:
        """The latest alerts of a group that were told, without those of its end: when each was made (as its document has it), id, severity,
        analyzer and headline."""
        return self._database.rows(_TOLD, fingerprint, limit)

    def fates(self, alert: str) -> list[Fate]:
        """Where an alert still waits, or is dead; and who was told of it, when."""
        waits = self._database.rows("""SELECT output, 'waiting', attempts, error FROM outbox WHERE kind = 'alert'
                                       AND seq = (SELECT seq FROM alerts WHERE id = ?) ORDER BY output""", alert)  # fmt: skip
        dead = self._database.rows("""SELECT output, 'dead', 0, reason FROM deliveries CROSS JOIN dead_letters
                                      ON dead_letters.id = output || '/' || ? ORDER BY output""", alert)  # fmt: skip
        told = self._database.rows("""SELECT output, status, attempts, error, CASE settled WHEN 0 THEN due ELSE settled END, count, kind
                                      FROM notified JOIN notifications AS n ON n.seq = notification
                                      WHERE alert = (SELECT seq FROM alerts WHERE id = ?) ORDER BY n.seq""", alert)  # fmt: skip
        return [Fate(*row) for row in (*waits, *dead, *told)]

    def trim(self, now: int, keep: Keep, limit: int) -> int:
        """How many states went, at most about `limit`: resolved long ago, open without an alert that is kept, and too many. They go with
        their trail, those resolved first, then those without an alert longest."""
        gone = self._forget("status = 'resolved' AND resolved < ?", "resolved", now - keep.groups_age.ns, limit)
        oldest = self._database.rows("SELECT MIN(created) FROM alerts")[0][0]
        gone += self._forget(f"status <> 'resolved' AND touched < ? AND {_BARE}", "touched", now if oldest is None else oldest, limit)
        for status, order in (("= 'resolved'", "resolved"), ("<> 'resolved'", "touched")):
            more = self.held() - keep.states
            gone += self._forget(f"status {status} AND {order} > ?", order, -1, min(more, limit))
        return gone

    def _forget(self, which: str, order: str, value: int, limit: int) -> int:
        return self._database.run(
            f"DELETE FROM states WHERE fingerprint IN (SELECT fingerprint FROM states WHERE {which} ORDER BY {order} LIMIT ?)",  # noqa: S608  # two constants
            value, max(limit, 0),
        )  # fmt: skip


def _array(texts: Collection[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()  # as text: SQLite takes a blob for its own binary form
