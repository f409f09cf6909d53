"""Alerts as files in a folder, one each, named by the alert's id: an alert that is sent again replaces itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pluginhost.options import doc
from pluginhost.outputs.port import DONE, Context, Outcome, Outgoing, Unavailable
from pluginhost.problem import Problem

__all__ = ["Folder"]


class Folder:
    """The output; `type: folder` in a configuration."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Each field is an option; its documentation and its bounds are shown by `pluginhost schema`."""

        path: Annotated[Path, doc("the folder; it must exist")]
        batch: Annotated[int, doc("most alerts at once", ge=1, le=1000)] = 100

    def __init__(self, options: Options, context: Context) -> None:
        self.address, self.batch = str(options.path), options.batch
        self._path = options.path
        self._counts = context.metrics.counts(f"output.{context.name}", "files")

    async def check(self) -> None:
        """Whether there is a folder to write to."""
        if not os.access(self._path, os.W_OK | os.X_OK) or not self._path.is_dir():
            raise Problem("output.folder.path", "cannot write into the folder", where=self.address, todo="make it, writable for this user")

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Done is what is on the disk. Nothing is known of a batch that failed: all of it comes again."""
        try:
            await asyncio.to_thread(self._write, alerts)
        except OSError as error:
            raise Unavailable(f"{self.address}: {error.strerror}", slow=True) from None
        self._counts["files"] += len(alerts)
        return [DONE] * len(alerts)

    async def close(self) -> None:
        """Nothing is held open."""

    def _write(self, alerts: Sequence[Outgoing]) -> None:
        for alert in alerts:
            aside = self._path / f".{alert.id}.new"
            with aside.open("wb") as file:
                file.write(alert.document + b"\n")
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path / f"{alert.id}.json")  # whole, or not at all
