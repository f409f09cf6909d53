"""What one worker keeps: its position in the journal, the state of its analyzers (their timers in it), and tables.

Everything changes in `commit` alone, in one transaction, so that a position never lies beside state it does not belong to. What
is much to write may be brought before, a little at a time.
Keys, states and tables are bytes of somebody else's making. State carries its key group, by which it can move to another
shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from .database import Database

__all__ = ["Changed", "Checkpoint", "Removed", "ShardStore"]

_MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    CREATE TABLE shapes (analyzer TEXT PRIMARY KEY, shape TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE states (analyzer TEXT NOT NULL, key BLOB NOT NULL, keygroup INTEGER NOT NULL, touched INTEGER NOT NULL,
                         state BLOB NOT NULL, UNIQUE (analyzer, key));
    CREATE INDEX states_by_group ON states (keygroup);
    CREATE TABLE tables (name TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires INTEGER NOT NULL,
                         PRIMARY KEY (name, key)) WITHOUT ROWID;
    """,
)


Changed = tuple[str, bytes, int, int, bytes]  # analyzer, key, key group, touched, state
Removed = tuple[str, bytes]  # analyzer, key


class Checkpoint(msgspec.Struct, kw_only=True):
    """What changed since the last one. `position` is the next offset to process; times are ns.

    Removals are done before additions. A key's group never changes. `shapes` and `meta` are added to what is known, by name.
    """

    position: int
    generation: int
    watermark: int
    shapes: dict[str, str] = {}
    meta: dict[str, int | str | bytes] = {}
    changed: list[Changed] = []
    removed: list[Removed] = []
    tables_set: list[tuple[str, bytes, bytes, int]] = []  # table, key, value, expires
    tables_removed: list[tuple[str, bytes]] = []  # table, key


class ShardStore:
    """The file of one worker. `position`, `generation` and `watermark` are those of the last commit, 0 at first."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _MIGRATIONS)
        self.position, self.generation, self.watermark = (self._number(key) for key in ("position", "generation", "watermark"))

    def _number(self, key: str) -> int:
        value = self.meta(key)
        return value if isinstance(value, int) else 0

    def meta(self, key: str) -> int | str | bytes | None:
        """What was committed under `key`; None if nothing was."""
        found = self._database.rows("SELECT value FROM meta WHERE key = ?", key)
        value: int | str | bytes | None = found[0][0] if found else None
        return value

    def shapes(self) -> dict[str, str]:
        """The shape of each analyzer's state."""
        return dict(self._database.rows("SELECT analyzer, shape FROM shapes"))

    def load(self) -> Iterator[tuple[str, bytes, int, bytes]]:
        """(analyzer, key, touched, state) of every key, the one idle longest first."""
        return self._database.each("SELECT analyzer, key, touched, state FROM states ORDER BY touched, analyzer, key")

    def tables(self) -> Iterator[tuple[str, bytes, bytes, int]]:
        """(table, key, value, expires) of every entry."""
        return self._database.each("SELECT name, key, value, expires FROM tables ORDER BY name, key")

    def add(self, changed: Iterable[Changed], removed: Iterable[Removed]) -> None:
        """Takes a part of the checkpoint that `commit` will end. An error undoes every part since the last commit."""
        with self._database.part():
            self._put(changed, removed)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Takes all of the checkpoint and what was added before, durably, or nothing of it."""
        marks = {"position": checkpoint.position, "generation": checkpoint.generation, "watermark": checkpoint.watermark}
        many = self._database.many
        with self._database.transaction():
            self._put(checkpoint.changed, checkpoint.removed)
            many("DELETE FROM tables WHERE name = ? AND key = ?", checkpoint.tables_removed)
            many("INSERT OR REPLACE INTO tables (name, key, value, expires) VALUES (?, ?, ?, ?)", checkpoint.tables_set)
            many("INSERT OR REPLACE INTO shapes (analyzer, shape) VALUES (?, ?)", checkpoint.shapes.items())
            many("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (checkpoint.meta | marks).items())
        self.position, self.generation, self.watermark = marks.values()

    def _put(self, changed: Iterable[Changed], removed: Iterable[Removed]) -> None:
        many = self._database.many
        many("DELETE FROM states WHERE analyzer = ? AND key = ?", removed)
        many("""INSERT INTO states (analyzer, key, keygroup, touched, state) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (analyzer, key) DO UPDATE SET touched = excluded.touched, state = excluded.state""", changed)

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()
