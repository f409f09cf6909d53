"""A data folder as one file, and back: a tar that any tool reads, with a manifest at its end that says what must be in it.

Written beside its name and synced before it is called so. Read with distrust: only plain files are taken, only under names that lead
into the folder, and only as large as the file itself is. Memory is bounded both ways. Databases are copied as they stand at one moment,
while others go on writing them. Which files a host has, in which order they must be copied, and who may be at work meanwhile, is `host`'s.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..problem import Problem
from .disk import sync_folder

__all__ = ["Entry", "Manifest", "Packing", "unpack"]

_FORMAT = 1
_MANIFEST = "manifest.json"
_BLOCK, _BITE = tarfile.BLOCKSIZE, 1 << 20
_LONGEST, _MANIFEST_BYTES = 4096, 64 << 20  # bytes of a name, and of the manifest
_MODE = 0o600


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself: its format, the version of the program that made it, when (ISO), and every file by name."""

    format: int
    version: str
    made: str
    files: dict[str, Entry]


class Packing:
    """A backup on its way into `path`; `Problem` if something is there already. Without `end` nothing of it stays after `close`."""

    def __init__(self, path: Path) -> None:
        self.path, self._new, self._aside = path, path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.part")
        self._refuse()
        self._new.unlink(missing_ok=True)  # of one that was killed
        self._file = _created(self._new)
        self.files: dict[str, Entry] = {}

    def _refuse(self) -> None:
        if self.path.exists():
            raise Problem("backup.exists", "there is such a file already", where=str(self.path), still="it was not touched",
                          todo="give another name, or move it away")  # fmt: skip

    def add(self, name: str, source: BinaryIO, size: int) -> None:
        """Takes the next `size` bytes of `source` as the file `name`; an `OSError` if there are fewer."""
        self._file.write(_header(name, size))
        digest, left = sha256(), size
        while left:
            bite = source.read(min(_BITE, left))
            if not bite:
                raise OSError(f"{name} became shorter while it was read")
            self._file.write(bite)
            digest.update(bite)
            left -= len(bite)
        self._file.write(bytes(-size % _BLOCK))
        self.files[name] = Entry(size, digest.hexdigest())

    def database(self, name: str, source: Path, asked: str = "") -> int | None:
        """Takes the database `source` as it is now; what it answers when `asked` a number, None if nothing was asked or it has none."""
        self._aside.unlink(missing_ok=True)
        _created(self._aside).close()
        try:
            with closing(_reading(source)) as live, closing(sqlite3.connect(self._aside, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous=OFF")
                live.backup(copy)  # all pages in one step: one moment, and no writer waits for it
                found = copy.execute(asked).fetchone() if asked else None
            with self._aside.open("rb") as file:
                self.add(name, file, os.fstat(file.fileno()).st_size)
        except sqlite3.DatabaseError as error:
            raise Problem("backup.database", f"the database cannot be copied: {error}", where=str(source), still="nothing was changed",
                          todo="make room beside the backup; if the database is damaged, its host will say so") from error  # fmt: skip
        finally:
            for end in ("", "-wal", "-shm", "-journal"):
                self._aside.with_name(f"{self._aside.name}{end}").unlink(missing_ok=True)
        return found[0] if found and isinstance(found[0], int) else None

    def end(self, version: str, made: str) -> Manifest:
        """The manifest, when the backup is whole, durable and has its name."""
        manifest = Manifest(_FORMAT, version, made, self.files)
        told = msgspec.json.format(msgspec.json.encode(manifest))
        self._file.write(_header(_MANIFEST, len(told)) + told + bytes(-len(told) % _BLOCK) + bytes(2 * _BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._refuse()
        self._new.rename(self.path)
        sync_folder(self.path.parent)
        return manifest

    def close(self) -> None:
        """Lets go of the file; what is not whole is removed."""
        self._file.close()
        self._new.unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> Manifest:
    """The manifest of the backup `path`, when every file that it names lies in the empty `folder`, durable and as it was."""
    found: dict[str, Entry] = {}
    manifest = None
    with path.open("rb") as file:
        for name, size in _members(file, path):
            if manifest is not None:
                raise _damaged(path, "something stands behind its manifest")
            if name == _MANIFEST:
                manifest = _manifest(file.read(size) if size <= _MANIFEST_BYTES else b"", path)
            elif name in found:
                raise _damaged(path, f"it has {name!r} twice")
            else:
                found[name] = _written(file, folder.joinpath(*name.split("/")), size)
            file.seek(-size % _BLOCK, os.SEEK_CUR)
    if manifest is None or manifest.files != found:
        odd = min(name for name, _ in manifest.files.items() ^ found.items()) if manifest else _MANIFEST
        raise _damaged(path, f"{odd!r} is missing in it, or is not what it was")
    for inner, _, _ in os.walk(folder):
        sync_folder(Path(inner))
    return manifest


def _members(file: BinaryIO, path: Path) -> Iterator[tuple[str, int]]:
    """(name, size) of each plain file in a tar; who takes them reads the bytes, up to the next block."""
    room, long = os.fstat(file.fileno()).st_size, ""
    while any(block := file.read(_BLOCK)):
        try:
            head = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise _damaged(path, f"byte {file.tell() - len(block)}: {error}") from None
        if not 0 <= head.size <= room - file.tell():
            raise _damaged(path, "it ends too early")
        if head.type == tarfile.GNUTYPE_LONGNAME and head.size <= _LONGEST:
            long = file.read(head.size).rstrip(b"\0").decode("utf-8", "surrogateescape")
            file.seek(-head.size % _BLOCK, os.SEEK_CUR)
            continue
        name, long = long or head.name, ""
        if head.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or not _inside(name):
            raise _damaged(path, f"{name!r} is no plain file with a name of ours")
        yield name, head.size


def _inside(name: str) -> bool:
    """Whether a name leads into the folder, and nowhere else."""
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _manifest(told: bytes, path: Path) -> Manifest:
    try:
        head = msgspec.json.decode(told, type=dict[str, msgspec.Raw])
        if msgspec.json.decode(head["format"], type=int) > _FORMAT:
            raise Problem("restore.newer", "the backup was made by a newer version", where=str(path), still="nothing was changed",
                          todo="restore it with the version that made it, or a newer one")  # fmt: skip
        return msgspec.json.decode(told, type=Manifest)
    except (msgspec.MsgspecError, KeyError) as error:
        raise _damaged(path, f"its manifest cannot be read: {error}") from None


def _written(source: BinaryIO, target: Path, size: int) -> Entry:
    """Writes the next `size` bytes to `target`, durably."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, left = sha256(), size
    with _created(target) as file:
        while left:
            bite = source.read(min(_BITE, left))
            if not bite:
                raise OSError("the backup became shorter while it was read")
            file.write(bite)
            digest.update(bite)
            left -= len(bite)
        file.flush()
        os.fsync(file.fileno())
    return Entry(size, digest.hexdigest())


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE), "wb")


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30)


def _header(name: str, size: int) -> bytes:
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, _MODE
    return head.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _damaged(path: Path, what: str) -> Problem:
    return Problem("restore.damaged", f"this is no whole backup: {what}", where=str(path), still="nothing was changed",
                   todo="take another backup; a file that was cut short or changed cannot be restored in part")  # fmt: skip
