"""The source `journal`: the journal in a host's data folder, of a host that runs or one that does not. Read only, without its lock.

It holds more than records: what analyzers derived, ticks, swaps, mutes. `as_it_ran` gives every row, for the code that judged it then;
`records` what came from outside, the ticks and the mutes, for other code. The files are linked aside first: what the host lets go of
meanwhile stays readable.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from ...engine.splitter import control_of
from ...problem import Problem
from ...store.database import Database
from ...store.migrations import MIGRATIONS
from ...store.mutes import Mutes, StoredMute
from ...store.row import Kind, Row
from ...store.segment import NAMES, Segment, corrupt

__all__ = ["JournalSource"]


class JournalSource:
    """The journal of the data folder `data`, as of now; `aside` is an empty folder to work in.

    `first` and `end` are its offsets, `ticks` is whether time is told in it, `skips` are the calls that were never made again.
    """

    kind = "journal"

    def __init__(self, data: Path, aside: Path) -> None:
        self.label, self._data = str(data), data
        self.troubles: list[str] = []
        self._read = 0
        found = [Segment.open(path) for path in _linked(data / "journal", aside)]
        self._segments = [segment for segment in found if segment is not None]  # one without a head was made this moment
        if not self._segments:
            raise Problem("replay.journal", "there is no journal", where=str(data), todo="name the data folder of a host")
        self.first, self.end = self._segments[0].first, self._segments[-1].recover()[0]
        for before, after in pairwise(self._segments):
            if before.first >= after.first:
                raise corrupt(after.path, 0, after.first)
        self._survey()

    def _survey(self) -> None:
        """Reads it once for what must be known before it begins."""
        self.ticks, self.skips = False, list[tuple[str, int, int]]()
        self._swaps = list[int]()
        for row in self.as_it_ran():
            self.ticks = self.ticks or row.kind == Kind.TICK
            if row.kind == Kind.CONTROL:
                control = control_of(row)
                self.skips += [control.skip] if control.skip else []
                self._swaps += [control.swap] if control.swap is not None else []
        self._read = 0

    def generations(self, into: Path) -> int:
        """Copies the generations into the folder `into`; gives the one that held at the first row, 0 if there was none."""
        shutil.copytree(self._data / "generations", into, dirs_exist_ok=True)
        known = {int(path.stem) for path in into.glob("*.json") if path.stem.isdecimal()}
        if lost := sorted({*self._swaps} - known):
            raise Problem("replay.journal", f"the code of generation {lost[0]}, which judged some of it, is gone", where=self.label,
                          todo="name the analyzers that should judge it: --analyzers FOLDER")  # fmt: skip
        if not self.first and self._swaps:
            return 0
        return max((number for number in known if not self._swaps or number <= self._swaps[0]), default=0)

    def as_it_ran(self) -> Iterator[Row]:
        """Every row, in order; a `Problem` where one is damaged."""
        ends = [*(segment.first for segment in self._segments[1:]), self.end]
        for segment, end in zip(self._segments, ends, strict=True):
            for row in segment.rows(segment.first, end) if segment.first < end else ():
                self._read += len(row.body) + len(row.columns)
                yield row

    def records(self) -> Iterator[Row]:
        """The rows that came from outside, the ticks, and what people muted."""
        return (row for row in self.as_it_ran() if row.kind in (Kind.RECORDS, Kind.TICK) or _mutes(row))

    def mutes(self) -> list[StoredMute]:
        """Those that held at the first row, as the host's store remembers them; none where it cannot be read, which is told."""
        try:
            with contextlib.closing(Database(self._data / "alerts.db", MIGRATIONS, readonly=True)) as database:
                known = Mutes(database).all()
        except (Problem, OSError) as error:
            self.troubles.append(f"mutes that were laid down before its first row are not known: {error}")
            return []
        return [one for one in known if one.row < self.first and (one.ended is None or one.ended >= self.first)]

    def progress(self) -> tuple[int, int]:
        """Bytes, heads of rows aside."""
        return self._read, sum(segment.size for segment in self._segments)

    def close(self) -> None:
        """Does nothing: the folder aside is whose it is."""


def _mutes(row: Row) -> bool:
    control = control_of(row) if row.kind == Kind.CONTROL else None
    return control is not None and (control.mute is not None or control.unmute is not None)


def _linked(folder: Path, aside: Path) -> list[Path]:
    """The journal's files under names of our own; copies where there can be no links."""
    made = []
    for path in sorted(folder.glob(NAMES)):
        try:
            os.link(path, aside / path.name)
        except FileNotFoundError:  # the host let go of it this moment
            continue
        except OSError:
            shutil.copyfile(path, aside / path.name)
        made.append(aside / path.name)
    return made
