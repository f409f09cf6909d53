"""The desk's database, with one writer: how far each shard got, the alerts, their groups, and the outbox of each output.

What one commit brings is durable as a whole, and an alert that is known already brings nothing with it: a hand-over may be
repeated after a crash. An outbox row lives from the alert's commit until its output settles it, as delivered or dead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import msgspec

from .archive import MIGRATIONS, Archive, DeadLetter, LetterTotals, StoredAlert, Summary
from .database import Database
from .letters import Bounds, Letter, bury

__all__ = ["AlertStore", "Archive", "Bounds", "Commit", "DeadLetter", "Letter", "LetterTotals", "NewAlert", "OutboxRow", "StoredAlert",
           "Summary"]  # fmt: skip

_DUE = """
    SELECT seq, id, time, severity, analyzer, document, attempts FROM outbox CROSS JOIN alerts USING (seq)
    WHERE output = ? AND kind = 'alert' AND +due <= ? ORDER BY seq LIMIT ?
"""  # CROSS JOIN and + keep to the primary key: the rows come in order, and those not due yet are few and passed over
_DELETE = "DELETE FROM outbox WHERE output = ? AND seq = ? AND kind = 'alert'"


class NewAlert(msgspec.Struct, frozen=True):
    """An alert and the outputs it goes to. `time` is the event's, in ns; `document` is JSON."""

    id: str
    time: int
    severity: str
    analyzer: str
    fingerprint: str
    sequence: int
    headline: str
    document: bytes
    outputs: tuple[str, ...] = ()


class Commit(msgspec.Struct):
    """What the desk made of some stretch of the journal. `positions` is by shard, `groups` by fingerprint."""

    positions: dict[int, int] = {}
    alerts: list[NewAlert] = []
    groups: dict[str, bytes] = {}
    letters: list[Letter] = []


class OutboxRow(msgspec.Struct, frozen=True):
    """One alert to deliver. `attempts` counts those that were settled as to be tried again."""

    seq: int
    id: str
    time: int
    severity: str
    analyzer: str
    document: bytes
    attempts: int


class AlertStore(Archive):
    """The database in `path`, made if it is not there. `clock` gives ns, for when something was stored."""

    def __init__(self, path: Path, *, clock: Callable[[], int], bounds: Bounds = Bounds()) -> None:  # noqa: B008  # a frozen value
        super().__init__(Database(path, MIGRATIONS))
        self._clock, self._bounds = clock, bounds

    @staticmethod
    def readonly(path: Path) -> Archive:
        """The archive in `path`, opened to read only: for the command line when no host runs."""
        return Archive(Database(path, MIGRATIONS, readonly=True))

    def positions(self) -> dict[int, int]:
        """How far the desk got, by shard."""
        return dict(self._database.rows("SELECT shard, position FROM positions"))

    def known(self, ids: Collection[str]) -> set[str]:
        """Those of `ids` that are stored."""
        found = self._database.rows("SELECT id FROM alerts WHERE id IN (SELECT value FROM json_each(?))", _array(ids))
        return {row[0] for row in found}

    def groups(self, fingerprints: Collection[str]) -> dict[str, bytes]:
        """The states of those groups that have one."""
        return dict(self._database.rows(
            "SELECT fingerprint, state FROM groups WHERE fingerprint IN (SELECT value FROM json_each(?))", _array(fingerprints)
        ))  # fmt: skip

    def commit(self, commit: Commit) -> tuple[str, ...]:
        """The ids of those alerts that were not known before. Everything is durable, or nothing is."""
        now, many = self._clock(), self._database.many
        with self._database.transaction():
            many("INSERT OR REPLACE INTO positions (shard, position) VALUES (?, ?)", commit.positions.items())
            many("INSERT OR REPLACE INTO groups (fingerprint, state) VALUES (?, ?)", commit.groups.items())
            fresh = tuple(alert.id for alert in commit.alerts if self._stored(alert, now))
            bury(self._database, commit.letters, now, self._bounds)
        return fresh

    def _stored(self, alert: NewAlert, now: int) -> bool:
        fresh = self._database.run(
            """INSERT INTO alerts (id, time, created, severity, analyzer, fingerprint, sequence, headline, document)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
            alert.id, alert.time, now, alert.severity, alert.analyzer, alert.fingerprint, alert.sequence, alert.headline, alert.document,
        )  # fmt: skip
        if fresh:
            self._database.many("INSERT INTO outbox (output, seq, due) SELECT ?, seq, ? FROM alerts WHERE id = ?",
                                ((output, now, alert.id) for output in alert.outputs))  # fmt: skip
        return bool(fresh)

    def due(self, output: str, now: int, limit: int) -> tuple[OutboxRow, ...]:
        """What `output` is to deliver by `now` (ns), in the order it was stored."""
        return tuple(OutboxRow(*row) for row in self._database.rows(_DUE, output, now, limit))

    def next_due(self, output: str) -> int | None:
        """When (ns) the next alert is due for `output`; None if it has none."""
        found: int | None = self._database.rows("SELECT MIN(due) FROM outbox WHERE output = ?", output)[0][0]
        return found

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of alerts by `seq`: delivered; to be tried again at (ns) for a reason; dead for a reason."""
        now, many = self._clock(), self._database.many
        with self._database.transaction():
            delivered = many(_DELETE, ((output, seq) for seq in done))
            many("UPDATE outbox SET attempts = attempts + 1, due = ?, error = ? WHERE output = ? AND seq = ? AND kind = 'alert'",
                 ((due, reason, output, seq) for seq, due, reason in retry))  # fmt: skip
            letters = [letter for seq, reason in dead if (letter := self._dead(output, seq, reason))]
            bury(self._database, letters, now, self._bounds)
            self._database.run("INSERT INTO deliveries (output) VALUES (?) ON CONFLICT (output) DO NOTHING", output)
            self._database.run("UPDATE deliveries SET delivered = delivered + ?, dead = dead + ? WHERE output = ?",
                               delivered, len(letters), output)  # fmt: skip

    def _dead(self, output: str, seq: int, reason: str) -> Letter | None:
        """The letter about an alert that leaves the outbox; None if it is not in there."""
        for id_, document, attempts in self._database.rows(
            "SELECT id, document, attempts FROM outbox JOIN alerts USING (seq) WHERE output = ? AND seq = ? AND kind = 'alert'", output, seq
        ):
            self._database.run(_DELETE, output, seq)
            source = {"output": output, "alert": id_, "attempts": attempts + 1}
            return Letter(f"{output}/{id_}", "output", reason, msgspec.json.encode(source), document)
        return None

    def drop_output(self, name: str) -> int:
        """Forgets an output that is no more: how many alerts it had still to deliver. Their documents stay stored."""
        with self._database.transaction():
            self._database.run("DELETE FROM deliveries WHERE output = ?", name)
            return self._database.run("DELETE FROM outbox WHERE output = ?", name)

    def prune(self, before: int, keep: int, limit: int = 5_000) -> int:
        """How many alerts were forgotten, at most about `limit` a call: those stored before `before` (ns), and the oldest beyond `keep`.

        Alerts that an output has still to deliver stay, however old.
        """
        with self._database.transaction():
            old = self._forget("created < ?", before, limit)
            return old + self._forget("created >= ?", before, min(limit, self.count() - keep))

    def _forget(self, which: str, value: int, limit: int) -> int:
        return self._database.run(
            f"DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE {which} AND seq NOT IN (SELECT seq FROM outbox) "  # noqa: S608  # two constants
            "ORDER BY seq LIMIT ?)", value, max(limit, 0),
        )  # fmt: skip


def _array(texts: Collection[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()  # as text: SQLite takes a blob for its own binary form
