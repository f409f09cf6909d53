"""Folders of analyzers, and single files → a sign whenever something in them may have changed.

Native notification tells at once; a look at names, sizes and times every few seconds finds what it cannot see: a symbolic link
above the folder that was swapped (as Kubernetes does with config maps), a network file system, a folder that comes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from watchfiles import awatch

__all__ = ["changes", "look"]


def look(folders: Iterable[Path], files: Iterable[Path] = ()) -> tuple[tuple[str, int, int, int], ...]:
    """What can be seen of the Python files in the folders, and of `files`, without reading them."""
    seen = []
    for path in (*(path for folder in folders for path in sorted(folder.glob("*.py"))), *files):
        try:
            stat = path.stat()
        except OSError:
            continue
        seen.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(seen)


async def changes(folders: tuple[Path, ...], every: float, files: tuple[Path, ...] = ()) -> AsyncIterator[None]:
    """Yields after each change, soon after it was made, of `files` within `every` seconds; runs until cancelled."""
    before, unsettled = look(folders, files), False
    while True:
        present = [folder for folder in folders if folder.is_dir()]
        if not present:
            await asyncio.sleep(every)
            continue
        async for _ in awatch(*present, recursive=False, yield_on_timeout=True, rust_timeout=int(every * 1000), step=30, debounce=60):
            now = look(folders, files)
            if now != before or unsettled:
                unsettled = len(now) < len(before)  # a file is gone: look once more before believing it
                before = now
                yield
            if [folder for folder in folders if folder.is_dir()] != present:
                break
