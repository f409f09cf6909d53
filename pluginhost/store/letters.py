"""Dead letters going in, bounded in number, bytes and age: the oldest make room, and what went is counted. Also the count of what left.

Works inside the transaction of whoever calls it, so that a letter lies there exactly if what it is about is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from .bounds import Keep
from .database import Database

__all__ = ["Letter", "bury", "expire", "settled"]


class Letter(msgspec.Struct, frozen=True):
    """A dead letter to be kept. `id` recognises a repetition; `source` is JSON about where it came from."""

    id: str
    stage: str
    reason: str
    source: bytes
    body: bytes

    @property
    def size(self) -> int:
        """Its bytes, as far as they are bounded."""
        return len(self.body) + len(self.source)


def bury(database: Database, letters: Iterable[Letter], now: int, keep: Keep) -> None:
    """Keeps each letter that is not held yet. One larger than all the room there is counts as dropped at once."""
    held, size, dropped = before = database.rows("SELECT held, bytes, dropped FROM letter_totals")[0]
    for letter in letters:
        if letter.size > keep.dead_letters_bytes:
            dropped += 1
        elif database.run("""INSERT INTO dead_letters (id, at, stage, reason, source, body, size) VALUES (?, ?, ?, ?, ?, ?, ?)
                             ON CONFLICT (id) DO NOTHING""",
                          letter.id, now, letter.stage, letter.reason, letter.source, letter.body, letter.size):  # fmt: skip
            held, size = held + 1, size + letter.size
    while held > keep.dead_letters or size > keep.dead_letters_bytes:
        number, length = database.rows("SELECT number, size FROM dead_letters ORDER BY number LIMIT 1")[0]
        database.run("DELETE FROM dead_letters WHERE number = ?", number)
        held, size, dropped = held - 1, size - length, dropped + 1
    if (held, size, dropped) != before:
        database.run("UPDATE letter_totals SET held = ?, bytes = ?, dropped = ?", held, size, dropped)


def settled(database: Database, delivered: Mapping[str, int], dead: Mapping[str, int]) -> None:
    """Counts what left the outboxes, by output: as delivered, or as a dead letter."""
    database.many("""INSERT INTO deliveries (output, delivered, dead) VALUES (?, ?, ?) ON CONFLICT (output)
                     DO UPDATE SET delivered = delivered + excluded.delivered, dead = dead + excluded.dead""",
                  ((name, delivered.get(name, 0), dead.get(name, 0)) for name in delivered.keys() | dead.keys()))  # fmt: skip


def expire(database: Database, before: int, limit: int) -> int:
    """How many letters went because they were put down before `before` (ns), at most `limit`."""
    old = database.rows("SELECT number, size FROM dead_letters WHERE at < ? ORDER BY number LIMIT ?", before, limit)
    database.many("DELETE FROM dead_letters WHERE number = ?", ((number,) for number, _ in old))
    if old:
        database.run("UPDATE letter_totals SET held = held - ?, bytes = bytes - ?, dropped = dropped + ?",
                     len(old), sum(size for _, size in old), len(old))  # fmt: skip
    return len(old)
