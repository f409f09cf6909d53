"""Alerts as lines of JSON in a file, scores in one beside it. Done when synced; a torn write is taken back, so that every line is whole.

Delivers at least once: a crash between the sync and the outbox's note of it writes a line again, with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ..options import Size, doc
from ..problem import Problem
from .lines import line, score_line
from .port import DONE, Context, Dead, Outcome, Outgoing, Unavailable

__all__ = ["File"]


class File:
    """One file, appended to, rotated by size, and found again when somebody moved it away."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"
    scores = True

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Which file, what stands in it, and when it is rotated."""

        path: Annotated[Path, doc("the file; its folder must exist; scores go to `alerts.scores.ndjson` beside `alerts.ndjson`")]
        what: Annotated[Literal["alert", "record"], doc("the alert document, or the flagged record enriched under `pluginhost`")] = "alert"
        rotate_bytes: Annotated[Size, doc("the size beyond which a new file is begun")] = Size(64 << 20)
        keep: Annotated[int, doc("how many earlier files are kept, as `path.1` (the newest) …", ge=1, le=1000)] = 5
        batch: Annotated[int, doc("most alerts to a sync", ge=1, le=5000)] = 500

    def __init__(self, options: Options, context: Context) -> None:
        self._of_scores = context.what == "scores"
        if self._of_scores:
            options = msgspec.structs.replace(options, path=options.path.with_name(f"{options.path.stem}.scores{options.path.suffix}"))
        self.address = str(options.path)
        self.batch = options.batch
        self._options, self._context = options, context
        self._counts = context.metrics.counts(f"output.{context.name}", "bytes", "rotations")
        self._file = -1
        self._held = threading.Lock()  # a delivery that was cancelled still writes to its end

    async def check(self) -> None:
        """Opens the file for writing."""
        try:
            await asyncio.to_thread(self._opened)
        except OSError as error:
            raise Problem("output.file.path", f"cannot write: {error.strerror}", where=self.address, todo="mend its folder") from None

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Appends a line for each alert and syncs once."""
        outcomes: list[Outcome] = []
        lines = []
        for alert in alerts:
            try:
                lines.append(self._line(alert))
                outcomes.append(DONE)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                outcomes.append(Dead(f"not a document: {error}"))
        if lines:
            try:
                await asyncio.shield(asyncio.to_thread(self._append, b"".join(lines)))  # half a write is taken back by itself
            except OSError as error:
                raise Unavailable(f"{self.address}: {error.strerror}", slow=True) from None
        return outcomes

    def _line(self, alert: Outgoing) -> bytes:
        context, now = self._context, self._context.clock()
        if self._of_scores:
            return score_line(alert, context.namespace, context.hostname, now)
        return line(alert, self._options.what, context.hostname, now)

    async def close(self) -> None:
        """Closes the file, once nobody writes to it."""
        await asyncio.to_thread(self._closed)

    def _closed(self) -> None:
        with self._held:
            self._let_go()

    def _opened(self) -> None:
        with self._held:
            self._open()

    def _append(self, data: bytes) -> None:
        with self._held:
            self._synced(data)

    def _synced(self, data: bytes) -> None:
        self._open()
        size = os.fstat(self._file).st_size
        if size and size + len(data) > self._options.rotate_bytes:
            self._rotate()
            size = 0
        try:
            self._write(data)
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            self._let_go()  # after a failed sync only a new descriptor tells the truth
            raise
        self._counts["bytes"] += len(data)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def _open(self) -> None:
        """The file under its name: opened anew if there is none, or if the open one was moved away."""
        if self._file >= 0:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._file), self._options.path.stat()):
                    return
            self._let_go()
        self._file = os.open(self._options.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")  # a crash left half a line: it must not spoil the next one
        self._sync_folder()

    def _rotate(self) -> None:
        path, keep = self._options.path, self._options.keep
        for number in range(keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _numbered(path, number).replace(_numbered(path, number + 1))
        path.replace(_numbered(path, 1))
        self._counts["rotations"] += 1
        self._open()

    def _sync_folder(self) -> None:
        folder = os.open(self._options.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
