"""Lines that come while something is under way: above a bar that stays at the bottom of a terminal, or plain and now and then."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Self

import click

__all__ = ["WIDTH", "Screen"]

WIDTH = 110
"""The widest line, however wide the terminal is."""
_REDRAW = 0.05  # seconds
_QUARTERS = 4
_CLEAR = "\r\x1b[2K"


class Screen:
    """`total` steps to go. Several threads may write; where output is no terminal there is a line for each quarter instead of a bar."""

    def __init__(self, total: int, unit: str) -> None:
        self._total, self._unit = total, unit
        self._lively = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._bar, self._drawn, self._quarter = "", 0.0, 0
        self._full, self._rest = ("━", "─") if "utf" in (sys.stdout.encoding or "").lower() else ("=", ".")

    @property
    def width(self) -> int:
        """How many characters fit into a line."""
        return min(shutil.get_terminal_size().columns - 1, WIDTH) if self._lively else WIDTH

    def line(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            click.echo(f"{_CLEAR}{text}\n{self._bar}" if self._bar else text, nl=not self._bar)

    def moved(self, doing: str, done: int) -> None:
        """So many steps of `doing` are done."""
        if self._lively:
            self._moved(doing, done)
        elif (quarter := done * _QUARTERS // self._total) > self._quarter:
            self._quarter = quarter
            self.line(f"{doing}: {done:,} of {self._total:,} {self._unit}")

    def _moved(self, doing: str, done: int) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW and done < self._total:
            return
        told = f"{done * 100 // self._total:>3} %  {done:,} of {self._total:,} {self._unit}"
        room = self.width - len(doing) - len(told) - 6  # two spaces twice, and a `^C`
        full = room * done // self._total
        bar = f"{click.style(self._full * full, fg='green')}{click.style(self._rest * (room - full), dim=True)}  " if room >= 10 else ""
        with self._lock:
            self._bar, self._drawn = f"{doing}  {bar}{told}"[: None if bar else self.width], now
            click.echo(_CLEAR + self._bar, nl=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Takes the bar away."""
        with self._lock:
            if self._bar:
                click.echo(_CLEAR, nl=False)
            self._bar = ""
