"""The desk's database, with one writer: how far each shard got, the alerts, their groups, and the outbox of each output.

What one commit brings is durable as a whole, and an alert that is known already brings nothing with it: a hand-over may be
repeated after a crash. An outbox row lives from the alert's commit until its output settles it, as delivered or dead.
What a `turn` does beside, to risks and scores, goes into the same transaction.
Everything in it is bounded (`Keep`, and a `Buffer` for each output); what pushes back is told by `full`, not enforced here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from .archive import Archive, DeadLetter, LetterTotals, OutboxRow, StoredAlert, laden
from .bounds import Buffer, Keep
from .database import Database
from .letters import Letter, bury, expire, settled
from .migrations import MIGRATIONS
from .notifications import UNTOLD, Composed, NewNotification, Notifications
from .scores import Scores
from .states import States, plainly
from .words import ADD, REMOVE

__all__ = ["AlertStore", "Archive", "Buffer", "Commit", "DeadLetter", "Keep", "Letter", "LetterTotals", "NewAlert", "OutboxRow",
           "Stored", "StoredAlert"]  # fmt: skip

_DUE = """
    SELECT seq, id, time, severity, analyzer, document, attempts FROM outbox CROSS JOIN alerts USING (seq)
    WHERE output = ? AND kind = 'alert' AND +due <= ? ORDER BY seq LIMIT ?
"""  # CROSS JOIN and + keep to the primary key: the rows come in order, and those not due yet are few and passed over
_AT_ONCE = 16 << 20
_REASONS = 1000
_OVERDUE = """
    SELECT seq FROM outbox CROSS JOIN alerts USING (seq) WHERE output = ? AND kind = 'alert' AND +created < ? ORDER BY seq LIMIT ?
"""
_DELETE = "DELETE FROM outbox WHERE output = ? AND seq = ? AND kind = 'alert'"


class NewAlert(msgspec.Struct, frozen=True):
    """An alert and the outputs it goes to. `time` is the event's, in ns; `document` is JSON; `suppressed` says why it is told to nobody.

    `user` and `source` are names in it that it is counted by, empty where there are none.
    """

    id: str
    time: int
    severity: str
    analyzer: str
    fingerprint: str
    sequence: int
    headline: str
    document: bytes
    outputs: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    user: str = ""
    source: str = ""


class Commit(msgspec.Struct):
    """What the desk made of some stretch of the journal. `positions` is by shard, `groups` by fingerprint; so are `ends`, when (ns) a group
    is over if nothing more comes (0: never)."""

    positions: dict[int, int] = {}
    alerts: list[NewAlert] = []
    groups: dict[str, bytes] = {}
    ends: dict[str, int] = {}
    letters: list[Letter] = []
    notifications: list[NewNotification] = []


class Stored(msgspec.Struct, frozen=True):
    """What came of a commit: ids of alerts not known before; how many each output with a full buffer was not given."""

    fresh: tuple[str, ...] = ()
    overflowed: dict[str, int] = {}


class AlertStore(Archive):
    """The database in `path`, made if it is not there. `clock` gives ns, for when something was stored; `buffers` is by output."""

    def __init__(
        self, path: Path, *, clock: Callable[[], int], keep: Keep = Keep(), buffers: Mapping[str, Buffer] | None = None,  # noqa: B008  # a frozen value
        composed: Composed | None = None, members: int = 2_000, stated: Callable[[bytes, bytes], bytes] = plainly,
    ) -> None:  # fmt: skip
        super().__init__(Database(path, MIGRATIONS))
        self.clock, self.keep, self._buffers = clock, keep, buffers or {}
        self._held: int | None = None  # how many alerts there are, once they were counted
        self.scores = Scores(self._database, clock=clock, keep=keep, buffers=self._buffers)
        self.states = States(self._database, clock=clock, keep=keep, composed=stated)
        self.notifications = Notifications(self._database, clock=clock, keep=keep, buffers=self._buffers,
                                           composed=composed or _untold, most=members)  # fmt: skip

    @staticmethod
    def readonly(path: Path) -> Archive:
        """The archive in `path`, opened to read only: for the command line when no host runs."""
        return Archive(Database(path, MIGRATIONS, readonly=True))

    def positions(self) -> dict[int, int]:
        """How far the desk got, by shard."""
        return dict(self._database.rows("SELECT shard, position FROM positions"))

    def share(self, shards: int, position: int) -> None:
        """From now on there are `shards` shards, and the desk has got to `position` with each."""
        with self._database.transaction():
            self._database.run("DELETE FROM positions")
            self._database.many("INSERT INTO positions (shard, position) VALUES (?, ?)", ((number, position) for number in range(shards)))

    def known(self, ids: Collection[str]) -> set[str]:
        """Those of `ids` that are stored."""
        found = self._database.rows("SELECT id FROM alerts WHERE id IN (SELECT value FROM json_each(?))", _array(ids))
        return {row[0] for row in found}

    def groups(self, fingerprints: Collection[str]) -> dict[str, bytes]:
        """The states of those groups that have one."""
        return dict(self._database.rows(
            "SELECT fingerprint, state FROM groups WHERE fingerprint IN (SELECT value FROM json_each(?))", _array(fingerprints)
        ))  # fmt: skip

    def full(self) -> list[str]:
        """The outputs that push back: no more should be committed until they have taken some of what waits for them."""
        return [name for name, (_, size) in self.waiting().items()
                if (buffer := self._buffers.get(name)) and buffer.when_full != "dead_letter" and size >= buffer.max_bytes]  # fmt: skip

    def brimming(self) -> set[str]:
        """The outputs that dead-letter when they are full, and very nearly are."""
        return {name for name, room in self._room().items() if room < self._buffers[name].max_bytes / 10}

    def turn(self) -> AbstractContextManager[None]:
        """What is done inside, changes of risks and scores and one `commit` at its end, is durable as a whole, or nothing of it is."""
        return self._database.part()

    def commit(self, commit: Commit) -> Stored:
        """What came of it. Everything is durable, or nothing is."""
        now, many = self.clock(), self._database.many
        overflowed: dict[str, int] = {}
        with self._database.transaction():
            many("INSERT OR REPLACE INTO positions (shard, position) VALUES (?, ?)", commit.positions.items())
            many("INSERT OR REPLACE INTO groups (fingerprint, state, touched, ends) VALUES (?, ?, ?, ?)",
                 ((fingerprint, state, now, commit.ends.get(fingerprint, 0)) for fingerprint, state in commit.groups.items()))  # fmt: skip
            room, before = self._room(), self.last()
            fresh = [alert for alert in commit.alerts if self._stored(alert, now)]
            letters = [*commit.letters, *(letter for alert in fresh for letter in self._enqueued(alert, now, room, overflowed))]
            letters += self.notifications.add(commit.notifications, room, overflowed)
            bury(self._database, letters, now, self.keep)
            self._suppressed(fresh)
            self._database.run(ADD, before)
            self.rollups.add((one.time, (one.analyzer, one.severity, one.user, one.source), bool(one.suppressed)) for one in fresh)
            settled(self._database, {}, overflowed)
        self._held = None if self._held is None else self._held + len(fresh)
        return Stored(tuple(alert.id for alert in fresh), overflowed)

    def _room(self) -> dict[str, int]:
        """The bytes that there is still room for, per output that dead-letters when it is full."""
        waiting = self.waiting()
        return {name: buffer.max_bytes - waiting.get(name, (0, 0))[1] for name, buffer in self._buffers.items()
                if buffer.when_full == "dead_letter"}  # fmt: skip

    def _enqueued(self, alert: NewAlert, now: int, room: dict[str, int], overflowed: dict[str, int]) -> list[Letter]:
        """Puts the alert into the outboxes of its outputs; gives letters for those that have no room for it."""
        letters, size = [], len(alert.document)
        for output in alert.outputs:
            if room.get(output, size) < size:
                overflowed[output] = overflowed.get(output, 0) + 1
                letters.append(_letter(output, alert.id, 0, "the buffer of the output is full", alert.document))
                continue
            room[output] = room.get(output, 1 << 62) - size
            self._database.run("INSERT INTO outbox (output, seq, due, size) SELECT ?, seq, ?, ? FROM alerts WHERE id = ?",
                               output, now, size, alert.id)  # fmt: skip
        return letters

    def _stored(self, alert: NewAlert, now: int) -> bool:
        fresh = self._database.run(
            """INSERT INTO alerts (id, time, created, severity, analyzer, fingerprint, sequence, headline, document, suppressed)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
            alert.id, alert.time, now, alert.severity, alert.analyzer, alert.fingerprint, alert.sequence, alert.headline, alert.document,
            " ".join(alert.suppressed),
        )  # fmt: skip
        return bool(fresh)

    def _suppressed(self, fresh: Iterable[NewAlert]) -> None:
        """Counts alerts that are told to nobody by each of their reasons; when there are `_REASONS`, what is new is `other`."""
        counted = Counter(reason for alert in fresh for reason in alert.suppressed)
        known = self.suppressions() if counted else {}
        self._database.many("""INSERT INTO suppressions (reason, count) VALUES (?, ?)
                               ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count""",
                            ((reason if reason in known or len(known) < _REASONS else "other", count) for reason, count in counted.items()))

    def awaken(self, now: int) -> None:
        """Makes everything that waits due by `now`: the clock it was put off by may have been another."""
        with self._database.transaction():
            self._database.run("UPDATE outbox SET due = ? WHERE due > ?", now, now)
            self.scores.awaken(now)
            self.states.awaken(now)
            self.notifications.awaken(now)

    def due(self, output: str, now: int, limit: int) -> tuple[OutboxRow, ...]:
        """What `output` is to deliver by `now` (ns), in the order it was stored: `limit` alerts, or about `_AT_ONCE` bytes of them."""
        return laden(self._database.each(_DUE, output, now, limit), _AT_ONCE)

    def next_due(self, output: str) -> int | None:
        """When (ns) the next alert is due for `output`; None if it has none."""
        found: int | None = self._database.rows("SELECT MIN(due) FROM outbox WHERE output = ?", output)[0][0]
        return found

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of alerts by `seq`: delivered; to be tried again at (ns) for a reason; dead for a reason."""
        now, many = self.clock(), self._database.many
        with self._database.transaction():
            delivered = many(_DELETE, ((output, seq) for seq in done))
            many("UPDATE outbox SET attempts = attempts + 1, due = ?, error = ? WHERE output = ? AND seq = ? AND kind = 'alert'",
                 ((due, reason, output, seq) for seq, due, reason in retry))  # fmt: skip
            letters = [letter for seq, reason in dead if (letter := self._dead(output, seq, reason))]
            bury(self._database, letters, now, self.keep)
            settled(self._database, {output: delivered}, {output: len(letters)})

    def expire(self, output: str, limit: int = 100) -> int:
        """How many alerts have waited for `output` longer than they may, at most `limit`: they are dead letters now."""
        now, buffer = self.clock(), self._buffers.get(output, Buffer())
        with self._database.transaction():
            overdue = self._database.rows(_OVERDUE, output, now - buffer.max_age.ns, limit)
            letters = [letter for (seq,) in overdue if (letter := self._dead(output, seq, f"waited longer than {buffer.max_age}"))]
            bury(self._database, letters, now, self.keep)
            settled(self._database, {}, {output: len(letters)} if letters else {})
        return len(letters)

    def _dead(self, output: str, seq: int, reason: str) -> Letter | None:
        """The letter about an alert that leaves the outbox; None if it is not in there."""
        for id_, document, attempts in self._database.rows(
            "SELECT id, document, attempts FROM outbox JOIN alerts USING (seq) WHERE output = ? AND seq = ? AND kind = 'alert'", output, seq
        ):
            self._database.run(_DELETE, output, seq)
            return _letter(output, id_, attempts + 1, reason, document)
        return None

    def ending(self, now: int, limit: int) -> list[str]:
        """The fingerprints of groups that are over by `now` (ns), because nothing came for as long as says so; at most `limit`."""
        found = self._database.rows("SELECT fingerprint FROM groups WHERE ends > 0 AND ends <= ? ORDER BY ends LIMIT ?", now, limit)
        return [row[0] for row in found]

    def drop_output(self, name: str) -> int:
        """Forgets an output that is no more: how many alerts it had still to deliver. Their documents stay stored."""
        with self._database.transaction():
            self._database.run("DELETE FROM deliveries WHERE output = ?", name)
            gone = self._database.run("DELETE FROM outbox WHERE output = ?", name) + self.notifications.drop(name)
            self._database.run("DELETE FROM waiting WHERE output = ?", name)
            return gone

    def trim(self, alerts: int, limit: int = 5_000) -> int:
        """How much went to keep everything within its bounds, at most about `limit` of a kind a call; 0 when nothing is left to do."""
        now, keep = self.clock(), self.keep
        if self._size() > keep.alerts_bytes:
            alerts = min(alerts, self.count() - limit // 10)
        gone = self.prune(now - keep.alerts_age.ns, max(alerts, 0), max(limit // 10, 1))  # an alert is more than a row: its words go, too
        with self._database.transaction():
            gone += self._idle("touched < ?", now - keep.groups_age.ns, limit)
            more = self._database.rows("SELECT COUNT(*) FROM groups")[0][0] - keep.groups
            gone += self._idle("touched > ?", -1, min(limit, more))
            gone += self.risks.expire(now, limit) + self.scores.trim(limit)
            gone += self.mutes.expire(now - keep.alerts_age.ns, limit) + self.notifications.trim(limit)
            gone += self.rollups.trim(now - keep.counts_age.ns, limit // 5)
            gone += self.cases.trim(now, keep, limit) + self.incidents.trim(now, keep, limit)
            return gone + expire(self._database, now - keep.dead_letters_age.ns, limit)

    def _size(self) -> int:
        """The bytes of the database's file that are in use."""
        pages, free, size = (self._database.rows(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * size)

    def _idle(self, which: str, value: int, limit: int) -> int:
        """Forgets groups, those idle longest first."""
        return self._database.run(
            f"DELETE FROM groups WHERE fingerprint IN (SELECT fingerprint FROM groups WHERE {which} ORDER BY touched LIMIT ?)",  # noqa: S608  # two constants
            value, max(limit, 0),
        )  # fmt: skip

    def prune(self, before: int, keep: int, limit: int = 5_000) -> int:
        """How many alerts were forgotten, at most about `limit` a call: those stored before `before` (ns), and the oldest beyond `keep`.

        Alerts that an output has still to deliver stay, however old.
        """
        held = self.count()
        with self._database.transaction():
            old = self._forget("created < ?", before, limit)
            gone = old + self._forget("created >= ?", before, min(limit, held - old - keep))
        self._held = held - gone
        return gone

    def _forget(self, which: str, value: int, limit: int) -> int:
        found = self._database.rows(
            f"SELECT seq FROM alerts INDEXED BY alerts_by_created WHERE {which} AND "  # noqa: S608  # two constants
            "NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = alerts.seq) "
            f"AND seq NOT IN ({UNTOLD}) ORDER BY created, seq LIMIT ?", value, limit,
        ) if limit > 0 else []  # fmt: skip
        chosen = msgspec.json.encode([seq for (seq,) in found]).decode()
        self._database.run(REMOVE, chosen)
        return self._database.run("DELETE FROM alerts WHERE seq IN (SELECT value FROM json_each(?))", chosen)

    def count(self) -> int:
        """How many alerts are stored; counted once, for nobody else writes."""
        if self._held is None:
            self._held = super().count()
        return self._held


def _letter(output: str, id_: str, attempts: int, reason: str, document: bytes) -> Letter:
    source = {"output": output, "alert": id_, "attempts": attempts}
    return Letter(f"{output}/{id_}", "output", reason, msgspec.json.encode(source), document)


def _array(texts: Collection[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()  # as text: SQLite takes a blob for its own binary form


def _untold(*_: object) -> bytes:
    """Makes no message: for a store that no output is told from."""
    raise NotImplementedError
