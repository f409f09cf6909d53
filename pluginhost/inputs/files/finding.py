"""Which files are meant: patterns → paths, paths → names that are safe to show. Holds no file open."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from ...problem import printable

__all__ = ["elsewhere", "folders", "found", "shown", "tag_of"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def found(pattern: str, exclude: Sequence[str]) -> list[str]:
    """The paths that fit, sorted; `**` stands for any folders, a leading dot must be named. What cannot be looked into is left out."""
    paths = sorted(glob.iglob(pattern, recursive=True))  # noqa: PTH207  # pathlib's takes no absolute pattern
    return [path for path in paths if not any(fnmatchcase(path, one) or fnmatchcase(Path(path).name, one) for one in exclude)]


def elsewhere(files: Mapping[int, str]) -> dict[int, str]:
    """Where files (inode → path) lie that are no longer under their paths: inode → another name in the same folder."""
    moved = {inode: str(Path(path).parent) for inode, path in files.items() if _inode(path) != inode}
    made: dict[int, str] = {}
    for folder in set(moved.values()):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            made |= {entry.inode(): entry.path for entry in entries if moved.get(entry.inode()) == folder}
    return made


def folders(patterns: Iterable[str], paths: Iterable[str]) -> frozenset[str]:
    """The folders in which something may change: those that patterns begin with, those of the files, and where links lead."""
    near = {_fixed(pattern) for pattern in patterns}
    for path in paths:
        near |= {str(Path(path).parent), str(Path(os.path.realpath(path)).parent)}
    return frozenset(folder for folder in near if Path(folder).is_dir())


@lru_cache(4096)
def shown(path: str) -> str:
    """A path as text that is safe wherever it goes: a file's name may be anybody's to choose."""
    return printable(os.fsencode(path).decode("utf-8", "backslashreplace"), 500)


def tag_of(template: str, path: str) -> str:
    """The tag with `{file}` filled in: the file's name without its last suffix, of characters that tags are made of."""
    return template.replace("{file}", _UNSAFE.sub("_", shown(Path(path).stem))[:100])


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116  # of many
    except OSError:
        return -1


def _fixed(pattern: str) -> str:
    """The folder that a pattern names before its first sign."""
    parts = Path(pattern).parent.parts
    plain = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:plain])) if plain else "."
