"""Mutes that people have laid down: a table of the desk's database. What they ask for is the desk's to read; here it is text.

A mute and its end are control rows of the journal, and hold from their rows on: a replay of a part of the journal needs to know which
held before it, so the rows at which a mute began and ended are kept with it. Beside them: the generation whose lists hold where the desk
is, for the row that said so may be long gone from the journal.
"""

from __future__ import annotations

import msgspec

from .database import Database

__all__ = ["SCRIPT", "Mutes", "StoredMute"]

SCRIPT = """
    CREATE TABLE mutes (name TEXT PRIMARY KEY, row INTEGER NOT NULL, ended INTEGER, since INTEGER NOT NULL, until INTEGER NOT NULL,
                        analyzers TEXT NOT NULL, fingerprint TEXT NOT NULL, query TEXT NOT NULL, author TEXT NOT NULL,
                        reason TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX mutes_by_until ON mutes (until);
    CREATE TABLE generation (number INTEGER NOT NULL);
    INSERT INTO generation VALUES (0);
"""


class StoredMute(msgspec.Struct, frozen=True):
    """A mute: its name, from when until when it holds (ns), for which analyzers (globs), group and query ("": any), by whom and why.

    `row` is where in the journal it began, `ended` where somebody ended it (None: nobody did).
    """

    name: str
    since: int
    until: int
    analyzers: tuple[str, ...] = ()
    fingerprint: str = ""
    query: str = ""
    author: str = ""
    reason: str = ""
    row: int = -1
    ended: int | None = None


class Mutes:
    """The table; `AlertStore.mutes` and `Archive.mutes`. Writing goes into the transaction that is open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, mute: StoredMute) -> None:
        """Keeps a mute; one of the same name gives way."""
        self._database.run("""INSERT OR REPLACE INTO mutes (name, row, ended, since, until, analyzers, fingerprint, query, author, reason)
                              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                           mute.name, mute.row, mute.ended, mute.since, mute.until, " ".join(mute.analyzers), mute.fingerprint, mute.query,
                           mute.author, mute.reason)  # fmt: skip

    def end(self, name: str, row: int) -> bool:
        """Whether there was such a mute; it has ended at a row of the journal."""
        return bool(self._database.run("UPDATE mutes SET ended = ? WHERE name = ? AND ended IS NULL", row, name))

    def generation(self) -> int:
        """The generation that is in force where the desk is; 0: none yet."""
        return int(self._database.rows("SELECT number FROM generation")[0][0])

    def swap(self, generation: int) -> None:
        """Keeps that another generation is in force."""
        self._database.run("UPDATE generation SET number = ?", generation)

    def all(self) -> list[StoredMute]:
        """Every mute that is remembered, also those that have ended, in the order in which they were laid down."""
        found = self._database.rows("""SELECT name, since, until, analyzers, fingerprint, query, author, reason, row, ended
                                       FROM mutes ORDER BY row, name""")
        return [StoredMute(name, since, until, tuple(analyzers.split()), *more) for name, since, until, analyzers, *more in found]

    def expire(self, before: int, limit: int) -> int:
        """How many went because they had ended by `before` (ns), at most `limit`."""
        return self._database.run("DELETE FROM mutes WHERE name IN (SELECT name FROM mutes WHERE until < ? LIMIT ?)", before, limit)
