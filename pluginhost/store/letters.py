"""Dead letters going in, bounded in number and bytes: the oldest make room, and what went is counted.

Works inside the transaction of whoever calls it, so that a letter lies there exactly if what it is about is settled.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .database import Database

__all__ = ["Bounds", "Letter", "bury"]


class Letter(msgspec.Struct, frozen=True):
    """A dead letter to be kept. `id` recognises a repetition; `source` is JSON about where it came from."""

    id: str
    stage: str
    reason: str
    source: bytes
    body: bytes


class Bounds(msgspec.Struct, frozen=True):
    """The most dead letters that are held, and the most bytes of their bodies and sources."""

    count: int = 10_000
    bytes: int = 64 << 20


def bury(database: Database, letters: Iterable[Letter], now: int, bounds: Bounds) -> None:
    """Keeps each letter that is not held yet. One larger than all the room there is counts as dropped at once."""
    held, size, dropped = before = database.rows("SELECT held, bytes, dropped FROM letter_totals")[0]
    for letter in letters:
        length = len(letter.body) + len(letter.source)
        if length > bounds.bytes:
            dropped += 1
        elif database.run("""INSERT INTO dead_letters (id, at, stage, reason, source, body, size) VALUES (?, ?, ?, ?, ?, ?, ?)
                             ON CONFLICT (id) DO NOTHING""",
                          letter.id, now, letter.stage, letter.reason, letter.source, letter.body, length):  # fmt: skip
            held, size = held + 1, size + length
    while held > bounds.count or size > bounds.bytes:
        number, length = database.rows("SELECT number, size FROM dead_letters ORDER BY number LIMIT 1")[0]
        database.run("DELETE FROM dead_letters WHERE number = ?", number)
        held, size, dropped = held - 1, size - length, dropped + 1
    if (held, size, dropped) != before:
        database.run("UPDATE letter_totals SET held = ?, bytes = ?, dropped = ?", held, size, dropped)
