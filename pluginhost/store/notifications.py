"""Messages to people, in the desk's database: which alerts each is about, when it is told, and what became of it.

A message to which alerts are still added is *open* until its time has come; one that waits is composed anew of the stored alerts at every
try, and alerts are not forgotten while a message about them waits. What was delivered stays as long as its alerts do: it is how people
see who was told. An outbox as `AlertStore` is one, with `due`, `next_due`, `settle` and `expire`; what waits counts into the same buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from ..options import Duration
from .archive import OutboxRow, laden
from .bounds import Buffer, Keep
from .database import Database
from .letters import Letter, bury, settled

__all__ = ["SCRIPT", "UNTOLD", "Composed", "NewNotification", "Notifications"]

SCRIPT = """
    CREATE TABLE notifications (seq INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
                                key TEXT, why TEXT NOT NULL, fields TEXT NOT NULL, created INTEGER NOT NULL,
                                meant INTEGER NOT NULL, due INTEGER NOT NULL, status TEXT NOT NULL,
                                attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
                                settled INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,
                                UNIQUE (output, id));
    CREATE UNIQUE INDEX notifications_open ON notifications (output, key) WHERE status = 'open';
    CREATE INDEX notifications_waiting ON notifications (output, due) WHERE status IN ('open', 'waiting');
    CREATE INDEX notifications_told ON notifications (output, due);
    CREATE INDEX notifications_settled ON notifications (settled) WHERE settled > 0;
    CREATE TABLE notified (alert INTEGER NOT NULL, notification INTEGER NOT NULL, PRIMARY KEY (alert, notification)) WITHOUT ROWID;
    CREATE INDEX notified_by ON notified (notification, alert);
    CREATE TRIGGER notification_in AFTER INSERT ON notifications BEGIN
        INSERT INTO waiting VALUES (NEW.output, 1, NEW.size)
        ON CONFLICT (output) DO UPDATE SET held = held + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER notification_grew AFTER UPDATE OF size ON notifications BEGIN
        UPDATE waiting SET bytes = bytes + NEW.size - OLD.size WHERE output = NEW.output;
    END;
    CREATE TRIGGER notification_out AFTER UPDATE OF settled ON notifications WHEN OLD.settled = 0 AND NEW.settled > 0 BEGIN
        UPDATE waiting SET held = held - 1, bytes = bytes - NEW.size WHERE output = NEW.output;
    END;
"""

_WAITING = "status IN ('open', 'waiting')"
_EMPTY = """
    UPDATE notifications SET status = 'dead', settled = ?, error = 'its alerts are no longer stored'
    WHERE output = ? AND status = 'waiting' AND due <= ?
      AND NOT EXISTS (SELECT 1 FROM notified JOIN alerts ON alerts.seq = alert WHERE notification = notifications.seq)
"""  # they are kept while it waits; a file that was tampered with must not keep it waiting for ever
_ALONE = """
    SELECT alert, notification FROM notified WHERE alert < (SELECT COALESCE(MIN(seq), 1 << 62) FROM alerts) ORDER BY alert LIMIT ?
"""  # alerts go about in the order in which they came: what is older than the oldest has none any more
_UNKEPT = """
    DELETE FROM notifications WHERE seq = ? AND settled > 0 AND NOT EXISTS (SELECT 1 FROM notified WHERE notification = notifications.seq)
"""
_HELD = f"SELECT COUNT(*) FROM notifications WHERE output = ? AND {_WAITING}"  # noqa: S608  # a constant
_BEGIN = """
    INSERT INTO notifications (output, id, kind, key, why, fields, created, meant, due, status, count, size)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (output, id) DO NOTHING
"""
_MOST_OPEN = 1_000  # messages of an output that may be open: what comes then goes into the one without a key
_AT_ONCE = 4 << 20
_LOOKED = 16 << 20  # bytes of documents that one message is composed of; alerts beyond are counted
UNTOLD = f"SELECT alert FROM notifications AS n JOIN notified ON notification = n.seq WHERE n.{_WAITING}"  # noqa: S608  # a constant
"""The alerts, by number, that a message which still waits is about."""

Composed = Callable[[str, str, Sequence[bytes], int, str, Sequence[str]], bytes]
"""What makes a message of its id, kind, the documents of its alerts, how many these are in all, why it was gathered, and the fields of its
table: `alerts.telling.composed`, as JSON."""


class NewNotification(msgspec.Struct, frozen=True):
    """An alert (by its id) that `output` is told of, at `due` (ns), with others of this `key` (None: alone). `id` is the message's."""

    output: str
    alert: str
    id: str
    kind: str
    due: int
    key: str | None = None
    why: str = ""
    fields: tuple[str, ...] = ()


class Notifications:
    """The tables; `AlertStore.notifications`. `most` is how many alerts of one message are kept by name; more are counted."""

    def __init__(self, database: Database, *, clock: Callable[[], int], keep: Keep, buffers: Mapping[str, Buffer],
                 composed: Composed, most: int) -> None:  # fmt: skip
        self._database, self._clock, self._keep, self._buffers = database, clock, keep, buffers
        self._composed, self._most = composed, most

    def taken(self, output: str, most: int) -> list[int]:
        """When (ns) the last messages to `output` were told or are to be, the oldest first, at most `most`. Not those of a time that by
        the clock is yet to come: it was put back before this start."""
        found = self._database.rows("SELECT due FROM notifications WHERE output = ? AND created <= ? ORDER BY due DESC LIMIT ?",
                                    output, self._clock(), most)  # fmt: skip
        return [due for (due,) in reversed(found)]

    def add(self, new: Iterable[NewNotification], room: dict[str, int], overflowed: dict[str, int]) -> list[Letter]:
        """Keeps what is to be told; gives letters for outputs that have no room. For `AlertStore.commit`, inside its transaction."""
        letters = []
        for one in new:
            ((seq, size),) = self._database.rows("SELECT seq, LENGTH(document) FROM alerts WHERE id = ?", one.alert)
            if room.get(one.output, size) < size:
                overflowed[one.output] = overflowed.get(one.output, 0) + 1
                letters.append(Letter(f"{one.output}.{one.id}", "output", "the buffer of the output is full",
                                      msgspec.json.encode({"output": one.output, "alert": one.alert}), b""))  # fmt: skip
                continue
            room[one.output] = room.get(one.output, 1 << 62) - size
            self._joined(one, seq, size)
        return letters

    def _joined(self, one: NewNotification, seq: int, size: int) -> None:
        """Puts the alert into the message that is open for it, or into a new one."""
        key, number = self._place(one)
        if number is None:
            number = self._begun(one, key, size)
        else:
            self._database.run("UPDATE notifications SET count = count + 1, size = size + ? WHERE seq = ?", size, number)
        if number is not None and self._database.rows("SELECT count FROM notifications WHERE seq = ?", number)[0][0] <= self._most:
            self._database.run("INSERT OR IGNORE INTO notified (alert, notification) VALUES (?, ?)", seq, number)

    def _place(self, one: NewNotification) -> tuple[str | None, int | None]:
        """The key to gather by, and the message that lies open for it; where too many do, all that comes goes into one more."""
        if one.key is None:
            return None, None
        number = self._open(one.output, one.key)
        if number is None and self._database.rows(_HELD, one.output)[0][0] >= _MOST_OPEN:
            return "", self._open(one.output, "")
        return one.key, number

    def _begun(self, one: NewNotification, key: str | None, size: int) -> int | None:
        """The number of a new message; None if it was there before."""
        kind, status = (one.kind, "waiting") if key is None else ("digest", "open")
        fresh = self._database.run(_BEGIN, one.output, one.id, kind, key, one.why, msgspec.json.encode(one.fields).decode(), self._clock(),
                                   one.due, one.due, status, size)  # fmt: skip
        return self._database.rows("SELECT last_insert_rowid()")[0][0] if fresh else None

    def _open(self, output: str, key: str) -> int | None:
        found = self._database.rows("SELECT seq FROM notifications WHERE output = ? AND key = ? AND status = 'open'", output, key)
        return found[0][0] if found else None

    def due(self, output: str, now: int, limit: int) -> tuple[OutboxRow, ...]:
        """The messages that `output` is to deliver by `now` (ns), the oldest first; to none of them anything is added any more."""
        with self._database.transaction():
            self._database.run("UPDATE notifications SET status = 'waiting' WHERE output = ? AND status = 'open' AND due <= ?", output, now)
            self._database.run(_EMPTY, now, output, now)
        return laden(self._rows(output, now, limit), _AT_ONCE)

    def _rows(self, output: str, now: int, limit: int) -> Any:
        ready = self._database.rows("""SELECT seq, id, kind, why, fields, count, attempts FROM notifications
                                       WHERE output = ? AND status = 'waiting' AND due <= ? ORDER BY seq LIMIT ?""",
                                    output, now, limit)  # fmt: skip
        for seq, id_, kind, why, fields, count, attempts in ready:
            alerts = self._alerts(seq)
            time, severity, analyzer = alerts[-1][:3]
            document = self._composed(id_, kind, [one[3] for one in alerts], count, why, msgspec.json.decode(fields))
            yield seq, id_, time, severity, analyzer, document, attempts

    def _alerts(self, seq: int) -> list[tuple[int, str, str, bytes]]:
        """The message's alerts, the oldest first, as many of those kept by name as memory should hold."""
        found: list[Any] = []
        size = 0
        with closing(self._database.each("""SELECT time, severity, analyzer, document FROM notified JOIN alerts ON alerts.seq = alert
                                            WHERE notification = ? ORDER BY alert""", seq)) as rows:  # fmt: skip
            for one in rows:
                found.append(one)
                if (size := size + len(one[3])) > _LOOKED:
                    break
        return found

    def next_due(self, output: str) -> int | None:
        """When (ns) the next message is due for `output`; None if it has none."""
        found: int | None = self._database.rows(f"SELECT MIN(due) FROM notifications WHERE output = ? AND {_WAITING}", output)[0][0]  # noqa: S608  # a constant
        return found

    def ready(self, now: int) -> dict[str, tuple[int, int]]:
        """Per output with messages that nothing is added to any more by `now` (ns): how many, and their bytes."""
        found = self._database.rows("""SELECT output, COUNT(*), SUM(size) FROM notifications
                                       WHERE status = 'waiting' OR (status = 'open' AND due <= ?) GROUP BY output""", now)  # fmt: skip
        return {output: (held, size) for output, held, size in found}

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of messages by `seq`: delivered; to be tried again at (ns) for a reason; dead for a reason."""
        now, run = self._clock(), self._database.run
        with self._database.transaction():
            delivered = sum(run("""UPDATE notifications SET status = 'delivered', settled = ?, attempts = attempts + 1, error = ''
                                   WHERE seq = ? AND settled = 0""", now, seq) for seq in done)  # fmt: skip
            for seq, due, reason in retry:
                run("UPDATE notifications SET attempts = attempts + 1, due = ?, error = ? WHERE seq = ? AND settled = 0", due, reason, seq)
            gone = sum(self._dead(output, seq, reason, now) for seq, reason in dead)
            if delivered or gone:
                settled(self._database, {output: delivered}, {output: gone})

    def _dead(self, output: str, seq: int, reason: str, now: int) -> bool:
        found = self._database.rows("SELECT id, attempts FROM notifications WHERE seq = ? AND settled = 0", seq)
        for id_, attempts in found:
            self._database.run("UPDATE notifications SET status = 'dead', settled = ?, attempts = attempts + 1, error = ? WHERE seq = ?",
                               now, reason, seq)  # fmt: skip
            source = msgspec.json.encode({"output": output, "attempts": attempts + 1})
            alerts = self._alerts(seq)
            bury(self._database, [Letter(f"{output}.{id_}", "output", reason, source, alerts[0][3] if alerts else b"")], now, self._keep)
        return bool(found)

    def expire(self, output: str, limit: int = 100) -> int:
        """How many messages have waited for `output` longer than they may, at most `limit`: they are dead letters now. What was
        gathered has waited since it was meant to be told."""
        now, age = self._clock(), self._buffers.get(output, Buffer()).max_age
        with self._database.transaction():
            overdue = self._database.rows("""SELECT seq FROM notifications WHERE output = ? AND status = 'waiting' AND meant < ?
                                             ORDER BY seq LIMIT ?""", output, now - age.ns, limit)  # fmt: skip
            gone = sum(self._dead(output, seq, f"waited longer than {Duration(age)}", now) for (seq,) in overdue)
            settled(self._database, {}, {output: gone} if gone else {})
        return gone

    def awaken(self, now: int) -> None:
        """Makes retries due by `now`: the clock they were put off by may have been another. What is gathered keeps its time; but where
        that clock was ahead, it waits from now on for as long as it was to. Hours are those of the clock as it is."""
        run = self._database.run
        run("UPDATE notifications SET due = ? WHERE status = 'waiting' AND due > ?", now, now)
        run("""UPDATE notifications SET created = ?, meant = ? + meant - created, due = ? + meant - created
               WHERE status = 'open' AND created > ? AND key <> 'hours'""", now, now, now, now)  # fmt: skip

    def drop(self, output: str) -> int:
        """Gives up what waits for an output that is no more; how many messages."""
        return self._database.run(f"UPDATE notifications SET status = 'dead', settled = ?, error = ? WHERE output = ? AND {_WAITING}",  # noqa: S608  # a constant
                                  self._clock(), "the output is no longer configured", output)  # fmt: skip

    def trim(self, limit: int) -> int:
        """How many settled messages went because all their alerts are gone, or they are as old as alerts may get; at most about `limit`."""
        gone = self._database.rows(_ALONE, limit)
        self._database.many("DELETE FROM notified WHERE alert = ? AND notification = ?", gone)
        told = [(seq,) for seq in sorted({seq for _, seq in gone})]
        old = self._database.rows("SELECT seq FROM notifications WHERE settled > 0 AND settled < ? ORDER BY settled LIMIT ?",
                                  self._clock() - self._keep.alerts_age.ns, limit)  # fmt: skip
        self._database.many("DELETE FROM notified WHERE notification = ?", old)
        return self._database.many(_UNKEPT, told) + self._database.many("DELETE FROM notifications WHERE seq = ?", old)
