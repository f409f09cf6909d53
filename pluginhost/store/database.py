"""SQLite as all our files are opened: WAL, every commit synced, mode 0600, schema brought forward by numbered scripts.

Trouble comes in two kinds, whatever SQLite calls it: an `OSError` when the disk is full or fails (try again later), a
`Problem` when somebody has to act. What tables hold belongs to the stores.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..problem import Problem
from .disk import sync_folder

__all__ = ["Database"]

_BUSY_MS = 5_000
_WAL_BYTES = 64 << 20
_DISK = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNOPENED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Database:
    """The database in `path`, made if it is not there. `migrations[n]` is the script from version n to n + 1.

    One thread at a time. With `readonly` nothing is made, changed or brought forward.
    """

    def __init__(self, path: Path, migrations: Sequence[str], *, readonly: bool = False) -> None:
        self.path = path
        if readonly and not path.exists():
            raise Problem("store.missing", "there is no such database yet", where=str(path), todo="start the host once")
        with self._told():
            if not readonly:
                _made(path)
            mode = "ro" if readonly else "rw"
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
            )
            try:
                self._prepare(migrations, readonly)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, migrations: Sequence[str], readonly: bool) -> None:
        version: int = self.rows("PRAGMA user_version")[0][0]
        known, where = len(migrations), str(self.path)
        if version > known:
            raise Problem("store.newer", f"the database has version {version}, this program knows up to {known}", where=where,
                          still="nothing was changed", todo="start the version that wrote it, or a newer one")  # fmt: skip
        if readonly and version < known:
            raise Problem("store.older", f"the database has version {version}, this program reads {known}", where=where,
                          still="nothing was changed", todo="start the host once: it brings the database forward")  # fmt: skip
        if readonly:
            return
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF", f"journal_size_limit={_WAL_BYTES}"):
            self._connection.execute(f"PRAGMA {pragma}")
        for number, script in enumerate(migrations[version:], version + 1):
            try:
                self._connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT")
            except BaseException:
                self._undo()
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything done inside is durable when it ends, or nothing of it is; with it, what was done in `part` before."""
        with self.part():
            yield
            self._connection.execute("COMMIT")

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is done inside waits for the next `transaction`; if it fails, all that waits is undone."""
        with self._told():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        if self._connection.in_transaction:  # SQLite itself rolls back on some errors
            self._connection.execute("ROLLBACK")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows that `sql` gives."""
        with self._told():
            return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, *values: Any) -> Generator[tuple[Any, ...], None, None]:
        """The same one by one, for more rows than memory should hold; nothing may be written until it is at its end, or closed."""
        with self._told():
            yield from self._connection.execute(sql, values)

    def run(self, sql: str, *values: Any) -> int:
        """How many rows `sql` changed. Inside a transaction."""
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> int:
        """How many rows `sql` changed, run once for each of `values`. Inside a transaction."""
        return self._connection.executemany(sql, values).rowcount

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code; errors of the module itself have none
            if code in _DISK:
                raise OSError(_DISK[code], f"{error}", str(self.path)) from error
            if code in _BROKEN:
                name = self.path.name
                raise Problem("store.corrupt", f"the database is damaged: {error}", where=str(self.path), still="nothing was changed",
                              todo="check the disk; put the data folder back from a copy, or move "
                                   f"{name}, {name}-wal and {name}-shm aside and start afresh") from error  # fmt: skip
            if code in _UNOPENED:
                raise Problem("store.unopened", f"cannot use the database: {error}", where=str(self.path), still="nothing was changed",
                              todo="see to its owner and mode, and that no other process holds it") from error  # fmt: skip
            raise


def _made(path: Path) -> None:
    """Makes an empty file that nobody else may read; SQLite gives its -wal and -shm the same mode."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise Problem("store.unopened", f"cannot make the database: {error}", where=str(path),
                      todo="see to the folder's owner, mode and free space") from None  # fmt: skip
    sync_folder(path.parent)
