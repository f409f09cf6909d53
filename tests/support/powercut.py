"""What a power cut leaves of a data folder: only what was synced for sure, and of the rest any part or none.

`shims/powercut.c` notes what each sync makes durable; here the folder is put together from these notes. A file's name is durable
with the sync of its folder, its bytes with its own. Without `rng` everything unsynced is lost; with it each page and each folder
written since may have reached the disk or not, in any order: what the files of the killed processes hold is the other extreme.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from shims import shim

__all__ = ["Disk"]

_PAGE = 4096
_Names = dict[str, tuple[str, str]]  # name → (inode, f or d)


class Disk:
    """The disk under the data folder `data`; processes behind `before` write to it."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.data, self._shadow = data, folder / "shadow"
        data.mkdir(mode=0o700, exist_ok=True)
        self.before = shim("powercut", folder, PH_DISK=data, PH_SHADOW=self._shadow)
        self._settle()

    def cut(self, rng: Random | None = None) -> None:
        """The power is gone, and there again. Nothing may run on the folder."""
        after = self.data.with_suffix(".after")
        self._restore(self.data, after, rng)
        shutil.rmtree(self.data)
        after.rename(self.data)
        self._settle()

    def _restore(self, live: Path, after: Path, rng: Random | None) -> None:
        after.mkdir(mode=0o700)
        names = self._durable(str(live.stat().st_ino)) if live.is_dir() else {}
        if rng and rng.random() < 0.5:
            names = _names(live)
        for name, (inode, kind) in names.items():
            if kind == "d":
                self._restore(live / name, after / name, rng)
            elif not name.endswith("-shm"):  # shared memory that happens to have a name: SQLite makes it anew
                durable = self._bytes("files", inode)
                now = self._bytes("held", inode) or ((live / name).read_bytes() if (live / name).exists() else durable)
                (after / name).write_bytes(_torn(durable, now, rng) if rng else durable)

    def _durable(self, inode: str) -> _Names:
        note = self._shadow / "folders" / inode
        lines = [line.split(" ", 2) for line in note.read_text().splitlines()] if note.exists() else []
        return {name: (inode, kind) for inode, kind, name in lines}

    def _bytes(self, kind: str, inode: str) -> bytes:
        note = self._shadow / kind / inode
        return note.read_bytes() if note.exists() else b""

    def _settle(self) -> None:
        """Everything that is there now is durable."""
        shutil.rmtree(self._shadow, ignore_errors=True)
        for kind in ("files", "folders", "held"):
            (self._shadow / kind).mkdir(parents=True)
        for folder in (self.data, *(path for path in self.data.rglob("*") if path.is_dir())):
            names = _names(folder)
            lines = [f"{inode} {kind} {name}\n" for name, (inode, kind) in names.items()]
            (self._shadow / "folders" / str(folder.stat().st_ino)).write_text("".join(lines))
            for name, (inode, kind) in names.items():
                if kind == "f":
                    shutil.copy(folder / name, self._shadow / "files" / inode)
                    (self._shadow / "held" / inode).hardlink_to(folder / name)


def _names(folder: Path) -> _Names:
    """What stands in a folder now; sockets and the like are nothing to a disk."""
    if not folder.is_dir():
        return {}
    return {path.name: (str(path.stat().st_ino), "d" if path.is_dir() else "f")
            for path in folder.iterdir() if path.is_dir() or path.is_file()}  # fmt: skip


def _torn(durable: bytes, now: bytes, rng: Random) -> bytes:
    """The file with any of the pages written since its last sync, and a length between then and now."""
    size = rng.choice((len(durable), len(now), rng.randint(*sorted((len(durable), len(now))))))
    pages = []
    for at in range(0, size, _PAGE):
        page, fresh = durable[at : at + _PAGE], now[at : at + _PAGE]
        if fresh and rng.random() < 0.5:
            page = fresh + page[len(fresh) :]
        pages.append(page.ljust(_PAGE, b"\0"))
    return b"".join(pages)[:size]
