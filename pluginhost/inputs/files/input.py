"""Files as an input: lines that programs append, taken as they come, over rotations and restarts.

A line is taken once: the position of a file moves when its lines are durable, and is kept with its identity, so that a restart goes
on where the journal ends. When nothing can be taken, nothing is read. Here is the order of things; what is read of one file is in
`tailing`, what is remembered in `positions`, which files are meant in `finding`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ...options import Duration, Size, doc
from ...problem import Busy, Problem
from ...wire.bodies import TOO_LARGE, Limits, Unreadable, decode_body
from ...wire.chunk import Chunk, Columns, Rejection
from ...wire.lines import Form, messages
from ..once import Once
from ..port import Context
from .finding import elsewhere, folders, found, shown, tag_of
from .journald import legible
from .positions import Book, Entry
from .tailing import BLOCK, Fifo, Piece, Source, Tail, opened
from .waking import Waker

__all__ = ["Files", "FilesOptions"]

_LOG = logging.getLogger(__name__)
_SHARE = 16  # pieces of one file before others have their turn
_AT_ONCE = 8  # files that are read at a time
_SAVED = 1.0  # seconds between two savings of positions
_KINDS = {"auto": "text/plain", "lines": "application/x-ndjson", "json": "application/x-ndjson"}


class FilesOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `files`."""

    paths: Annotated[tuple[str, ...], doc("patterns of absolute paths: `*`, `?`, `[a-z]`, `**` for any folders", min_length=1)]
    exclude: Annotated[tuple[str, ...], doc("patterns of paths or names to leave out, such as `*.gz`")] = ("*.gz", "*.xz", "*.zst", "*.bz2")
    tag: Annotated[str, doc("tag of the records; `{file}` is the file's name without its suffix", min_length=1)] = "files.{file}"
    start: Annotated[Literal["end", "beginning"], doc("where files begin that are there when a pattern is first looked for")] = "end"
    format: Annotated[
        Form,
        doc("`auto`: a line that is a JSON object is a record, any other a message; `lines`: each is a message; `json`: only objects"),
    ] = "auto"
    max_line: Annotated[Size, doc("most bytes of a line; a longer one is a dead letter", ge=1024, le=64 << 20)] = Size(1 << 20)
    max_files: Annotated[int, doc("most files open at a time; further ones, the oldest, wait", ge=1, le=100_000)] = 1000
    poll: Annotated[Duration, doc("how often is looked where nothing tells of changes", ge=0.1)] = Duration(1)
    rotate_wait: Annotated[Duration, doc("how long a file that was moved away or deleted must be silent before it is let go")] = Duration(5)


class Files:
    """The input; see the head of this file."""

    Options = FilesOptions

    def __init__(self, options: FilesOptions, context: Context) -> None:
        if relative := [pattern for pattern in options.paths if not Path(pattern).is_absolute()]:
            raise Problem("input.files.path", f"input {context.name}: `{relative[0]}` is no absolute path",
                          todo="begin it with `/`: what is meant must not depend on where pluginhost was started")  # fmt: skip
        self.options, self.address = options, ", ".join(options.paths)
        self._context = context
        self._counts = context.metrics.counts(f"input.{context.name}", "records", "rejected", "bytes", "rotated", "truncated", "unreadable",
                                              "left_out", "busy")  # fmt: skip
        self._once = Once(_LOG)
        self._book = Book(context.folder, 4 * options.max_files)
        self._sources: dict[tuple[int, int], Source] = {}
        self._silent: dict[tuple[int, int], tuple[float, int]] = {}  # files that are gone: since when they are silent, and at which size
        self._waker = Waker()
        self._closing, self._saved = asyncio.Event(), 0.0
        self._limits = Limits(body=Size(max(BLOCK, options.max_line) + 1), data=Size(16 * max(BLOCK, options.max_line)),
                              entries=2 * max(BLOCK, options.max_line), record=options.max_line)  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on where an earlier process ended, and looks for files."""
        await asyncio.to_thread(self._recover)
        await self._look()
        if not self._sources:
            _LOG.info("no file is there yet under %s", self.address)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"files-{self._context.name}")

    async def drain(self, grace: float) -> None:
        """Ends behind the piece that is being made durable, and saves the positions."""
        self._closing.set()
        self._waker.wake()
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=grace)
            if not done:
                self._task.cancel()
                await asyncio.wait([self._task])
        await self._waker.close()
        await self._save()
        sources, self._sources = self._sources, {}  # a look that was cut off may still be under way in its thread
        for source in sources.values():
            source.close()

    # --- the loop

    async def _run(self) -> None:
        looked = time.monotonic()
        while not self._closing.is_set():
            try:
                if self._waker.changed or time.monotonic() - looked >= self.options.poll:
                    looked = time.monotonic()
                    await self._look()
                await self._round()
                if self._book.changed and time.monotonic() - self._saved >= _SAVED:
                    await self._save()
                if not any(source.waiting for source in self._sources.values()):
                    await self._waker.wait(self.options.poll)
            except Exception:  # noqa: BLE001  # our own bug: what was read and is not durable is read again
                _LOG.exception("files are not read for a moment")
                await self._pause(1)

    async def _round(self) -> None:
        """Gives every file that has something its share. Files that were found under one path go one after the other, the older first."""
        groups: dict[str, list[Source]] = {}
        for source in self._sources.values():
            if source.waiting:
                groups.setdefault(source.entry.name if source.entry else source.path, []).append(source)
        room = asyncio.Semaphore(_AT_ONCE)

        async def read(group: list[Source]) -> None:
            async with room:
                for source in group:
                    await self._read(source)

        async with asyncio.TaskGroup() as tasks:
            for group in groups.values():
                tasks.create_task(read(group))

    async def _read(self, source: Source) -> None:
        for _ in range(_SHARE):
            if self._closing.is_set():
                return
            try:
                piece = await asyncio.to_thread(source.read)
            except OSError as error:
                self._unreadable(source.path, error)
                self._drop(source)  # the next look opens it again
                return
            if isinstance(source, Tail) and source.cut_short:
                self._counts["truncated"] += 1
                del self._book.entries[source.entry.serial]
                source.begin()
                self._book.entries[source.entry.serial] = source.entry
            if piece is None or not await self._keep(source, piece):
                return

    async def _keep(self, source: Source, piece: Piece) -> bool:
        """Whether the piece became durable; not if the door closes first."""
        entry = source.entry
        if entry is not None and not self._book.settled(entry) and not await self._save():
            await self._pause(1)
            return False
        name = entry.name if entry else source.path
        chunk = await asyncio.to_thread(self._chunk, piece, tag_of(self.options.tag, name))
        if entry is not None:
            chunk = msgspec.structs.replace(chunk, chunk_id=_place(entry, piece))
        while chunk.count or chunk.rejected:
            try:
                await self._context.accept(chunk, source=shown(name))
                break
            except Busy as busy:
                self._counts["busy"] += 1
                if await self._pause(busy.retry_after):
                    return False
        source.taken(piece)
        self._counts["records"] += chunk.count
        self._counts["rejected"] += len(chunk.rejected)
        self._counts["bytes"] += len(piece.body)
        if chunk.rejected:
            self._once.warn(f"rejected {name}", f"lines of {shown(name)} are with the dead letters: {chunk.rejected[0].reason}")
        return True

    async def _pause(self, seconds: float) -> bool:
        """Waits, but not longer than the door is open; whether it closes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        return self._closing.is_set()

    def _chunk(self, piece: Piece, tag: str) -> Chunk:
        if piece.cut:
            return Chunk(tag, "line", piece.body, piece.body, Columns.of([]), rejected=(Rejection(TOO_LARGE, 0, len(piece.body)),))
        kind = self.options.format
        body = b"\n".join(messages(piece.body.split(b"\n"))) if kind == "lines" else legible(piece.body)
        try:
            return decode_body(body, content_type=_KINDS[kind], tag=tag, limits=self._limits)
        except Unreadable as error:
            return error.chunk

    # --- files come and go

    async def _look(self) -> None:
        """Finds what is new and lets go of what is over; all that is new is in the book before anything of it is read."""
        self._waker.changed = False
        watched = await asyncio.to_thread(self._scan)
        self._waker.watch(watched)
        if self._book.incomplete:
            await self._save()

    def _scan(self) -> frozenset[str]:
        present: dict[tuple[int, int], str] = {}
        first: set[str] = set()
        for pattern in self.options.paths:
            for path in found(pattern, self.options.exclude):
                with contextlib.suppress(OSError):
                    found_there = os.stat(path)  # noqa: PTH116  # of many
                    if stat.S_ISREG(found_there.st_mode) or stat.S_ISFIFO(found_there.st_mode):
                        present.setdefault((found_there.st_dev, found_there.st_ino), path)
                    if pattern not in self._book.patterns:
                        first.add(path)
        self._book.patterns |= set(self.options.paths)
        for path in self._newest([path for key, path in present.items() if key not in self._sources]):
            self._open(path, path in first)
        self._let_go(present)
        return folders(self.options.paths, (source.path for source in self._sources.values()))

    def _newest(self, paths: list[str]) -> list[str]:
        """Those for which there is room."""
        room = self.options.max_files - len(self._sources)
        if len(paths) <= room:
            return paths
        self._counts["left_out"] += len(paths) - room
        self._once.warn("room", f"{len(paths) - room} files are left out: {self.options.max_files} are open (`max_files`)")
        return sorted(paths, key=lambda path: -_changed(path))[:room]

    def _open(self, path: str, first: bool) -> None:
        try:
            made = opened(path)
        except OSError as error:
            self._unreadable(path, error)
            return
        if made is None:
            return
        descriptor, what = made
        key = what.st_dev, what.st_ino
        if stat.S_ISFIFO(what.st_mode):
            self._sources[key] = Fifo(path, descriptor, self.options.max_line)
            return
        entry = self._book.known(path, what, descriptor)
        tail = Tail(path, descriptor, entry or Entry.new(path, *key), self.options.max_line)
        if entry is None and first and self.options.start == "end":
            tail.skip()
        tail.entry.device = what.st_dev
        self._book.entries[tail.entry.serial] = tail.entry
        self._sources[key] = tail

    def _let_go(self, present: dict[tuple[int, int], str]) -> None:
        """Closes files that are no longer under any path, once they were read to their end and nobody wrote to them for a while."""
        now = time.monotonic()
        for key, source in list(self._sources.items()):
            if key in present:
                source.path, source.finished = present[key], False
                self._silent.pop(key, None)
                continue
            size = source.size if isinstance(source, Tail) else 0
            since, before = self._silent.get(key, (now, -1))
            if size != before:
                since = now
            self._silent[key] = (since, size)
            if now - since < self.options.rotate_wait:
                continue
            source.finished = True
            if not source.waiting:
                self._counts["rotated"] += 1
                if isinstance(source, Tail) and source.deleted:
                    del self._book.entries[source.entry.serial]
                self._drop(source)

    def _drop(self, source: Source) -> None:
        key = next(key for key, one in self._sources.items() if one is source)
        del self._sources[key]
        self._silent.pop(key, None)
        source.close()

    # --- what is remembered

    def _recover(self) -> None:
        """The positions as the journal knows them: it may be ahead of the book by what was read since the last saving."""
        self._book.load()
        for entry in self._book.entries.values():
            newest = self._context.last(shown(entry.name))
            if newest is not None and (position := _position(entry, newest)) is not None:
                entry.position = max(entry.position, position)
        meant = {path for pattern in self.options.paths for path in found(pattern, self.options.exclude)}
        moved = elsewhere({entry.inode: entry.name for entry in self._book.entries.values()})
        for entry in list(self._book.entries.values()):  # what was moved away meanwhile is read to its end
            path = moved.get(entry.inode)
            if path is not None and path not in meant:
                self._reopen(path, entry)

    def _reopen(self, path: str, entry: Entry) -> None:
        with contextlib.suppress(OSError):
            made = opened(path)
            if made is None:
                return
            descriptor, what = made
            if self._book.known(entry.name, what, descriptor) is entry and entry.position < what.st_size:
                self._sources[what.st_dev, what.st_ino] = Tail(path, descriptor, entry, self.options.max_line)
            else:
                os.close(descriptor)

    async def _save(self) -> bool:
        self._saved = time.monotonic()
        open_now = {source.entry.serial for source in list(self._sources.values()) if source.entry}
        try:
            await asyncio.to_thread(self._book.save, open_now)
        except OSError as error:
            self._once.warn("positions", f"the positions in files cannot be saved ({error.strerror or error}): no other file is begun")
            return False
        return True

    def _unreadable(self, path: str, error: OSError) -> None:
        self._counts["unreadable"] += 1
        self._once.warn(f"unreadable {path}", f"{shown(path)} cannot be read: {error.strerror or error}")


def _place(entry: Entry, piece: Piece) -> bytes:
    """What the journal keeps of where a piece ends."""
    return msgspec.msgpack.encode((entry.serial, piece.end))


def _position(entry: Entry, chunk_id: bytes) -> int | None:
    """Where the piece with this id ended, if it was of this file."""
    try:
        serial, end = msgspec.msgpack.decode(chunk_id, type=tuple[bytes, int])
    except msgspec.MsgspecError:
        return None
    return end if serial == entry.serial else None


def _changed(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    return 0

