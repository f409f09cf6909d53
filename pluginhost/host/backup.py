"""Backup and restore of a data folder: which files, in which order, so that what is copied while a host runs is of one piece.

A copy must be able to go on: no shard may be further than the desk, no input further than the journal, and the journal must hold every
row from the least position of them on. So these are copied in this order: the inputs' positions, shards, `alerts.db`, then the rest; and
last the journal, as far as it is durable by then. The host drops nothing of the journal meanwhile, nor any generation that it mentions;
once the files of the journal are open it may, for what is open can be read although it has no name any more.
The one who copies is the process that was asked to, not the host: what may befall it harms nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from .. import __version__
from ..problem import Problem
from ..store.backup import Manifest, Packing, unpack
from ..store.disk import sync_folder
from ..store.segment import NAMES
from .control import ask, running
from .lock import locked

__all__ = ["backup", "restore"]

_DESK, _SHARD = "SELECT MIN(position) FROM positions", "SELECT value FROM meta WHERE key = 'position'"
_OURS = {"lock", "control.sock", "ballast", "resharding", "restoring", "replaced"}  # of the folder or its host, not of what is kept
_PASSING = (".new", "-wal", "-shm", ".trace")  # ends of names of files that need not be kept, or belong to others
_FIRST, _LAST = "alerts.db", "journal"  # of what is put in place: a host refuses to start on the first without the last


def backup(data: Path, path: Path, *, made: str, heard: Callable[[str], object] = bool) -> Manifest:
    """The manifest of the backup of `data` that stands in `path` then; `made` is the time (ISO). `heard` is told each name."""
    if not data.is_dir():
        raise Problem("backup.absent", f"there is no data folder {data}", todo="start the sidecar: pluginhost run")
    try:
        with contextlib.ExitStack() as held:
            packing = Packing(path)
            held.callback(packing.close)
            _copy(data, packing, held, heard)
            return packing.end(__version__, made)
    except OSError as error:
        raise Problem("backup.failed", f"the backup cannot be written: {error}", where=str(path),
                      still="the data folder is as it was, and its host goes on", todo="make room, and try again") from error  # fmt: skip


def _copy(data: Path, packing: Packing, held: contextlib.ExitStack, heard: Callable[[str], object]) -> None:
    with contextlib.ExitStack() as holding:
        durable = _undisturbed(data, holding)
        positions = [_added(data, file, packing, heard) for file in sorted(_files(data), key=lambda file: _order(file.relative_to(data)))]
        segments = [(held.enter_context((data / "journal" / name).open("rb")), name, size) for name, size in durable()]
    least = min((one for one in positions if one is not None), default=0)
    if least < int(Path(segments[0][1]).stem if segments else 0):
        raise Problem("backup.moved", "the host ended while its data folder was copied, and another has started", where=str(packing.path),
                      still="nothing was changed", todo="try again")  # fmt: skip
    for file, name, size in segments:
        heard(f"journal/{name}")
        packing.add(f"journal/{name}", file, size)


def _undisturbed(data: Path, holding: contextlib.ExitStack) -> Callable[[], list[tuple[str, int]]]:
    """What gives the files of the journal with as many bytes as are durable. Until `holding` ends nobody starts a host on the folder, or
    the one that runs lets go of nothing that the copy needs."""
    if running(data):
        promise = cast(Generator[Any, None, None], ask(data, "hold_journal"))  # the host lets go when it is closed
        next(holding.enter_context(contextlib.closing(promise)))
        return lambda: msgspec.convert(next(ask(data, "journal_files")), list[tuple[str, int]])
    holding.enter_context(locked(data))
    return lambda: [(file.name, file.stat().st_size) for file in sorted((data / "journal").glob(NAMES))]


def _files(data: Path) -> Iterator[Path]:
    """Everything that is kept but the journal."""
    for top in data.iterdir():
        if top.name in _OURS or top.name == "journal":
            continue
        for folder, _, names in os.walk(top) if top.is_dir() else [(data, (), [top.name])]:
            yield from (Path(folder) / name for name in names if not name.endswith(_PASSING) and name != "lock")


def _order(name: Path) -> tuple[int, str]:
    """Inputs' positions, then shards (the host's, those of tasks), then everything else: see above."""
    return 0 if name.parts[0] == "inputs" else 1 if name.name.startswith("shard-") else 2, str(name)


def _added(data: Path, file: Path, packing: Packing, heard: Callable[[str], object]) -> int | None:
    """Takes one file; the position in the journal that it stands at, if it has one."""
    name = file.relative_to(data).as_posix()
    heard(name)
    if file.suffix == ".db":
        of_host = file.parent == data
        asked = _DESK if of_host and name == "alerts.db" else _SHARD if of_host and name.startswith("shard-") else ""
        return packing.database(name, file, asked)
    with contextlib.suppress(FileNotFoundError):  # it was needed no longer
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as source:
                packing.add(name, source, os.fstat(source.fileno()).st_size)
    return None


def restore(data: Path, path: Path, *, force: bool = False) -> Manifest:
    """The manifest of the backup `path`, when the folder `data` holds what was backed up; nothing in it changes before all is verified.

    The folder must be new or empty; with `force` what is in it is deleted, once the backup lies whole beside it. If that is cut short, no
    host starts on the folder, and it can be done again.
    """
    if not path.is_file():
        raise Problem("restore.unreadable", "there is no such backup", where=str(path))
    aside, replaced = data / "restoring", data / "replaced"
    with locked(data):
        if not force and (there := {one.name for one in data.iterdir()} - _OURS):
            raise Problem("restore.occupied", f"the data folder is not empty: there is {min(there)}", where=str(data),
                          still="nothing was changed", todo="give an empty folder, or let it be replaced: --force")  # fmt: skip
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=0o700)
            manifest = unpack(path, aside)
            _replace(data, aside, replaced)
        except OSError as error:
            raise Problem("restore.failed", f"the backup cannot be unpacked: {error}", where=str(data),
                          still="no host starts on what was restored in part", todo="make room, and try again") from error  # fmt: skip
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return manifest


def _replace(data: Path, aside: Path, replaced: Path) -> None:
    """Puts what lies in `aside` in place of what is in `data`; at any moment there is the first without the last, or all of one."""
    replaced.mkdir(mode=0o700, exist_ok=True)
    for old in sorted(data.iterdir(), key=lambda one: one.name != _LAST):
        if old.name not in _OURS and old.name != _FIRST:
            _away(old, replaced)
            sync_folder(data)
    (aside / _LAST).mkdir(mode=0o700, exist_ok=True)
    for new in sorted(aside.iterdir(), key=lambda one: (one.name != _FIRST) + (one.name == _LAST)):
        new.rename(data / new.name)
        sync_folder(data)
    shutil.rmtree(replaced)


def _away(old: Path, replaced: Path) -> None:
    there = replaced / old.name
    if there.is_dir() and not there.is_symlink():
        shutil.rmtree(there)
    old.rename(there)


