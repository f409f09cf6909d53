"""What a detection task keeps between its runs, in a folder of its own: the state of its analyzers, its alerts, and its runs.

One process at a time holds it. How far the task has come stands in the shard's own file and changes with the state in one transaction; so
whoever is killed goes on at the last checkpoint, finds again what he had found since, and the store knows it by its id.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from ..engine.worker import Shard
from ..problem import Problem
from ..store.database import Database
from ..store.shard import Checkpoint

__all__ = ["Run", "Task", "TaskShard", "tasks"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_KEPT = 1000
_MIGRATIONS = (
    """
    CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
                       by_hand INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0, reached INTEGER NOT NULL,
                       records INTEGER NOT NULL DEFAULT 0, alerts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '');
    """,
)
_COLUMNS = "number, source, start, end, by_hand, began, ended, reached, records, alerts, error"


class Run(msgspec.Struct, frozen=True, array_like=True):
    """One run over the window `start` to `end`; `reached` is up to where it came. Times are ns UTC; `ended` is 0 for one that runs, or
    was killed since."""

    number: int
    source: str
    start: int
    end: int
    by_hand: bool
    began: int
    ended: int
    reached: int
    records: int
    alerts: int
    error: str


class Task:
    """The task `name` under `data`; a `Problem` if another process holds it. `readonly` only looks."""

    def __init__(self, data: Path, name: str, *, readonly: bool = False) -> None:
        if not _NAME.fullmatch(name):
            raise Problem("task.name", f"`{name}` is no name for a task", todo="use a-z, 0-9, `_`, `-` and `.`, at most 64")
        self.name, self.folder = name, data / "tasks" / name
        self._lock: IO[str] | None = None
        if not readonly:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._locked()
        self._runs = Database(self.folder / "runs.db", _MIGRATIONS, readonly=readonly)

    def _locked(self) -> IO[str]:
        held = (self.folder / "lock").open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.close()
            raise Problem("task.running", f"the task {self.name} runs already", where=str(self.folder), still="that run goes on",
                          todo="wait for it, or give this one another name") from None  # fmt: skip
        return held

    def begin(self, source: str, start: int, end: int, now: int, *, by_hand: bool) -> int:
        """Notes that a run begins; gives its number. One before it that has not ended was killed. Only the last are kept."""
        with self._runs.transaction():
            self._runs.run("UPDATE runs SET ended = began, error = 'killed' WHERE ended = 0")
            self._runs.run("INSERT INTO runs (source, start, end, by_hand, began, reached) VALUES (?, ?, ?, ?, ?, ?)",
                           source, start, end, by_hand, now, start)  # fmt: skip
            number = int(self._runs.rows("SELECT last_insert_rowid()")[0][0])
            self._runs.run("DELETE FROM runs WHERE number <= ?", number - _KEPT)
        return number

    def note(self, number: int, *, reached: int, records: int, alerts: int, ended: int = 0, error: str = "") -> None:
        """Notes how far a run has come, or how it ended."""
        with self._runs.transaction():
            self._runs.run("UPDATE runs SET reached = ?, records = ?, alerts = ?, ended = ?, error = ? WHERE number = ?",
                           reached, records, alerts, ended, error, number)  # fmt: skip

    def runs(self, limit: int = 20) -> list[Run]:
        """The last runs, the newest first."""
        found = self._runs.rows(f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?", limit)  # noqa: S608 - columns from above
        return [msgspec.convert(row, Run, strict=False) for row in found]

    def close(self) -> None:
        """Lets others have it."""
        self._runs.close()
        if self._lock is not None:
            self._lock.close()


def tasks(data: Path) -> list[str]:
    """The names of all tasks that have run."""
    return sorted(path.parent.name for path in (data / "tasks").glob("*/runs.db"))


class TaskShard(Shard):
    """A worker's shard that keeps, beside its state, the time `reached` (ns) before which everything is in that state."""

    def __init__(self, folder: Path, scores: Sequence[str] = ()) -> None:
        super().__init__(0, 1, folder, scores=scores)
        found = self._store.meta("reached")
        self.reached = found if isinstance(found, int) else 0

    def _head(self) -> Checkpoint:
        head = super()._head()
        return msgspec.structs.replace(head, meta=head.meta | {"reached": self.reached})

    def checkpoint(self, reached: int) -> None:
        """Writes all of the state as of now, when the time `reached` is behind it; a `Problem` if the disk does not take it."""
        self.reached = reached
        if self.save() is None:
            raise Problem("task.disk", "the state of the task cannot be written", still="what was found is stored; the next run goes on",
                          todo="see to the data folder's owner and free space")  # fmt: skip

    def close(self) -> None:
        """Lets go of the file."""
        self._store.close()
