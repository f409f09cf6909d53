"""The source `files`: log files of any age and form, packed or not, read block by block.

What a file is, its name and its first bytes say (`formats.kind_of`). Rotated files of one log are one log: they share its tag, and the
replay merges them by time. A file that is damaged or cut short gives what can be read of it, and says so.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, cast

from ...brokers import package
from ...problem import Problem
from ...wire.chunk import Chunk
from ...wire.compression import GZIP_MAGIC, ZSTD_MAGIC
from .formats import FORMATS, Kind, kind_of
from .port import Stream

__all__ = ["Files", "Form", "tag_of"]

Form = Kind | Literal["auto"]

_PACKED = re.compile(r"\.(?:gz|zst|zstd)\Z")
_ROTATED = re.compile(r"[.-][0-9]{1,14}\Z")
_HEAD = 4096
_WINDOW = 128 << 20  # bytes of memory that a zstd frame may ask for
_MOST = 500  # files are open all at once, and a process may usually have 1024


class Files:
    """The files at `paths`, and those directly in a folder among them; `-` is standard input. `{name}` in `tag` is the log's name."""

    kind = "files"

    def __init__(self, paths: Sequence[Path], *, tag: str = "{name}", form: Form = "auto") -> None:
        self._tag, self._form = tag, form
        self.label = ", ".join(str(path) for path in paths)
        self.troubles: list[str] = []
        self._open: list[IO[bytes]] = []
        self._size = 0
        self._paths = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
        if len(self._paths) > _MOST:
            raise Problem("replay.files", f"{len(self._paths)} files are too many to be read side by side", todo=f"give {_MOST} at a time")

    def streams(self) -> list[Stream]:
        """A stream for each file."""
        return [self._stream(path) for path in self._paths]

    def _stream(self, path: Path) -> Stream:
        if str(path) == "-":
            return Stream("-", self._chunks("stdin", sys.stdin.buffer))
        try:
            raw = path.open("rb")
            stat = path.stat()
        except OSError as error:
            raise Problem("replay.files", f"the file cannot be read: {error.strerror}", where=str(path)) from None
        self._open.append(raw)
        self._size += stat.st_size
        return Stream(str(path), self._chunks(path.name, raw), stat.st_mtime_ns)

    def _chunks(self, name: str, raw: IO[bytes]) -> Iterator[Chunk]:
        file = _Read(raw)
        form = kind_of(_PACKED.sub("", name), file.head) if self._form == "auto" else self._form
        yield from FORMATS[form](file.read, self._tag.replace("{name}", tag_of(name)))
        if file.trouble:
            self.troubles.append(f"{name}: {file.trouble}; what stands before was read")
        if raw is not sys.stdin.buffer:
            raw.close()

    def progress(self) -> tuple[int, int]:
        """Bytes as they lie on the disk."""
        left = sum(0 if raw.closed else max(Path(raw.name).stat().st_size - raw.tell(), 0) for raw in self._open)
        return max(self._size - left, 0), self._size

    def close(self) -> None:
        """Closes the files."""
        for raw in self._open:
            raw.close()


def tag_of(name: str) -> str:
    """The log that a file is of: `auth.log.2.gz` is `auth.log`."""
    return _ROTATED.sub("", _PACKED.sub("", name)) or name


def _inside(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not found:
        raise Problem("replay.files", "there is no file in the folder", where=str(folder))
    return found


class _Read:
    """A file unpacked. `head` is how it begins; `trouble` says why reading it ended too early."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.trouble = ""
        self._file = _unpacked(raw)
        self.head = self._first = self._more(_HEAD)

    def read(self, size: int) -> bytes:
        """At most so many bytes more, the head first; none at the end, or where it is damaged."""
        first, self._first = self._first, b""
        return first or self._more(size)

    def _more(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except _damage() as error:
            self.trouble = f"it is damaged or cut short ({error})"
            return b""


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    """`raw` itself, or what is packed in it; standard input may be a pipe, so it is looked at but not turned back."""
    buffered = io.BufferedReader(cast(io.RawIOBase, raw), 1 << 16)  # whatever reads
    magic = buffered.peek(4)[:4]
    if magic.startswith(GZIP_MAGIC):
        return gzip.GzipFile(fileobj=buffered)  # type: ignore[return-value]  # it reads like a file
    if magic != ZSTD_MAGIC:
        return buffered
    opening = package("zstandard", "zstd").ZstdDecompressor(max_window_size=_WINDOW)
    opened: IO[bytes] = opening.stream_reader(buffered, read_across_frames=True)
    return opened


def _damage() -> tuple[type[Exception], ...]:
    """What is raised where a packed file is broken; zstandard is an extra."""
    found = sys.modules.get("zstandard")
    return (EOFError, OSError, zlib.error, *((found.ZstdError,) if found is not None else ()))
