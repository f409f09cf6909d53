"""Another number of workers: what the shards remember is shared out anew by key group, all of it or nothing.

All shards must stand at one position, so that no row is judged twice or never: `level` tells. The new files are written aside and
made durable; a marker beside them then says that they are whole. From there on the change is carried out, whatever cuts it short:
`finish`, at every start, takes a marked change to its end and throws away an unmarked one. So at any moment either the old files
are all there, or the new ones.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from zlib import crc32

import msgspec

from ..events.keys import key_group, shard
from ..problem import Problem
from ..store.alerts import AlertStore
from ..store.disk import sync_folder
from ..store.shard import Checkpoint, ShardStore

__all__ = ["finish", "former", "level", "reshard"]

log = logging.getLogger(__name__)

_ASIDE, _MARK = "resharding", "ready"
_ROWS = 10_000  # of one new file that wait for their commit
_META = ("pending", "quarantined")

State = tuple[str, bytes, int, int, bytes]


class _Change(msgspec.Struct, frozen=True):
    """What the marker says: how many shards there were and are from now on, how many keys moved, and where the desk stands."""

    before: int
    shards: int
    keys: int
    position: int


def former(data: Path, store: AlertStore) -> int:
    """How many shards the folder holds, 0 if it is new; a `Problem` if a file of theirs is missing, or there are more."""
    files, positions = _files(data), store.positions()
    if not any(positions.values()):  # nothing is remembered yet: a first start may have been cut short anywhere
        return max(len(positions), *(number + 1 for number in files), 0)
    if files != set(positions):
        told = f"the data folder is one of {len(positions)} workers, but it holds the state of {len(files)}"
        raise Problem("host.workers", told, where=str(data), still="nothing was changed",
                      todo="put the missing shard-N.db back, or restore the folder from a backup")  # fmt: skip
    return len(positions)


def level(data: Path, shards: int) -> bool:
    """Whether all shards have come to the same row."""
    positions = set()
    for number in range(shards):
        with ExitStack() as held:
            positions.add(held.enter_context(closing(ShardStore(_path(data, number)))).position if _path(data, number).exists() else 0)
    return len(positions) == 1


def reshard(data: Path, before: int, shards: int, store: AlertStore) -> None:
    """Makes `shards` shards of those there were `before`, which are level; a `Problem` if the disk does not let it."""
    try:
        _write(data, before, shards, store)
        finish(data, store)
    except OSError as error:
        raise Problem("host.workers", f"the state of {before} workers cannot be shared out among {shards}: {error}", where=str(data),
                      still="nothing is lost, and the next start begins anew or carries on", todo="make room, and start again") from None


def _write(data: Path, before: int, shards: int, store: AlertStore) -> None:
    """Writes the new files, whole, durable and marked."""
    aside = data / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    with ExitStack() as held:
        olds = [held.enter_context(closing(ShardStore(_path(data, number)))) for number in range(before) if _path(data, number).exists()]
        news = [held.enter_context(closing(ShardStore(_path(aside, number)))) for number in range(shards)]
        moved = _share(olds, news)
    for number in range(shards):
        _durable(_path(aside, number))
    sync_folder(data)
    _marked(aside, _Change(before, shards, moved, min(store.positions().values(), default=0)))


def finish(data: Path, store: AlertStore) -> None:
    """Ends a change that was cut short: to its end if the new files were whole, else as if it had not begun."""
    aside = data / _ASIDE
    if not aside.is_dir():
        return
    if (mark := aside / _MARK).exists():
        change = msgspec.json.decode(mark.read_bytes(), type=_Change)
        _swap(data, aside, change.shards)
        store.share(change.shards, change.position)
        log.info("%d workers instead of %d: %d keys were shared out anew", change.shards, change.before, change.keys)
        mark.unlink()
        sync_folder(aside)
    shutil.rmtree(aside)
    sync_folder(data)


def _share(olds: Sequence[ShardStore], news: Sequence[ShardStore]) -> int:
    """Fills the new files; gives the number of keys. What all shards have alike comes from the first."""
    waiting: list[list[State]] = [[] for _ in news]
    first, moved = (olds[0] if olds else news[0]), 0
    at = Checkpoint(position=first.position, generation=first.generation, watermark=first.watermark)
    for state in (state for old in olds for state in _states(old)):
        home = shard(_group(state[0], state[1]), len(news))
        waiting[home].append(state)
        moved += 1
        if len(waiting[home]) >= _ROWS:
            news[home].commit(msgspec.structs.replace(at, changed=waiting[home]))
            waiting[home] = []
    meta = {name: value for name in _META if (value := first.meta(name)) is not None}
    shapes, tables = first.shapes(), list(first.tables())
    for new, changed in zip(news, waiting, strict=True):
        new.commit(msgspec.structs.replace(at, changed=changed, shapes=shapes, tables_set=tables, meta=meta))
    return moved


def _states(old: ShardStore) -> Iterator[State]:
    return ((analyzer, key, key_group(key), touched, state) for analyzer, key, touched, state in old.load())


def _group(analyzer: str, key: bytes) -> int:
    """The group a key lives in: one without bytes is that of a pinned analyzer, which has its name's."""
    return key_group(key) if key else crc32(analyzer.encode()) & 255


def _swap(data: Path, aside: Path, shards: int) -> None:
    """Puts the new files in place of the old ones; may be done again after any part of it."""
    fresh = [number for number in range(shards) if _path(aside, number).exists()]
    for number in fresh:  # a log of the old file beside the new one would be the end of it: it goes first, for good
        for beside in ("-wal", "-shm"):
            _path(data, number).with_name(f"{_path(data, number).name}{beside}").unlink(missing_ok=True)
    sync_folder(data)
    for number in fresh:
        _path(aside, number).replace(_path(data, number))
    sync_folder(aside)
    for file in data.glob("shard-*"):
        if (_number(file) or 0) >= shards:
            file.unlink()
    sync_folder(data)


def _marked(aside: Path, change: _Change) -> None:
    """Says, durably, that the new files are whole."""
    made = aside / f"{_MARK}.new"
    made.write_bytes(msgspec.json.encode(change))
    _durable(made)
    made.replace(aside / _MARK)
    sync_folder(aside)


def _durable(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number}.db"


def _files(data: Path) -> set[int]:
    """The numbers of the shards that have a file."""
    return {number for file in data.glob("shard-*.db") if (number := _number(file)) is not None}


def _number(file: Path) -> int | None:
    digits = file.name.removeprefix("shard-").split(".")[0]
    return int(digits) if digits.isdecimal() else None
