"""How the sidecar speaks on stderr: one message a line for people, or one JSON object a line; never a flood, never a control character.

What is warned of again and again is told once in ten seconds, then how often it was kept back: peers and records decide how often a
thing goes wrong, and a log that they can fill hides what matters.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO

from ..problem import printable, set_in
from ..wire.times import iso

__all__ = ["Calm", "JsonLines", "TextLines", "speak"]

_EVERY = 10.0
_DIFFERENT = 5  # messages of one template that are told in that time, if each says something else
_TEMPLATES = 1024  # remembered at a time
_QUIET = ("asyncio", "aiohttp", "elastic_transport", "opensearch", "watchfiles", "grpc")  # what they warn of, our parts tell in their words


class TextLines(logging.Formatter):
    """One line a message, safe to print; pages keep their lines, set in."""

    default_time_format = "%H:%M:%S"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return f"{self.formatTime(record)}  {record.levelname.lower():7}  {set_in(_told(self, record), 19)}"


class JsonLines(logging.Formatter):
    """One object a message, in one line of ASCII: `time` (UTC), `level`, `logger`, `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        return json.dumps({"time": iso(round(record.created * 1e9), 3), "level": record.levelname.lower(), "logger": record.name,
                           "message": set_in(_told(self, record), 0)})  # fmt: skip


def _told(form: logging.Formatter, record: logging.LogRecord) -> str:
    text = record.getMessage()
    return f"{text}\n{form.formatException(record.exc_info)}" if record.exc_info else text


class _Heard:
    """What was told of one template since `since`, and how often more of it was `held` back."""

    __slots__ = ("held", "record", "since", "texts")

    def __init__(self, record: logging.LogRecord, since: float) -> None:
        self.record, self.since, self.held = record, since, 0
        self.texts: set[str] = set()

    def passes(self, text: str) -> bool:
        if text in self.texts or len(self.texts) >= _DIFFERENT:
            self.held += 1
            return False
        self.texts.add(text)
        return True


class Calm(logging.Filter):
    """Lets a warning through once in `every` seconds, and a few that differ of one template, then says how many more there were.

    `tell` gets the record that says so, brought about by the next warning or by a timer (`later` seconds on, a call). Information
    always passes: it is about ourselves.
    """

    def __init__(self, tell: Callable[[logging.LogRecord], object], *, every: float = _EVERY, clock: Callable[[], float] = time.monotonic,
                 later: Callable[[float, Callable[[], None]], object] | None = None) -> None:  # fmt: skip
        super().__init__()
        self._tell, self._every, self._clock, self._later = tell, every, clock, later or _timer
        self._heard: dict[tuple[str, int, str], _Heard] = {}  # the oldest first
        self._lock = threading.Lock()
        self._timed = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be told."""
        if record.levelno < logging.WARNING:
            return True
        with self._lock:
            over = self._over(_TEMPLATES - 1)
            key = (record.name, record.levelno, str(record.msg))
            heard = self._heard.setdefault(key, _Heard(record, self._clock()))
            passes = heard.passes(record.getMessage())
            timer, self._timed = not passes and not self._timed, self._timed or not passes
        self._sum_up(over)
        if timer:
            self._later(self._every, self.flush)
        return passes

    def flush(self) -> None:
        """Tells what was held back long enough, and comes again while there is more."""
        with self._lock:
            over = self._over(_TEMPLATES)
            self._timed = any(one.held for one in self._heard.values())
            timer = self._timed
        self._sum_up(over)
        if timer:
            self._later(self._every, self.flush)

    def _over(self, most: int) -> list[_Heard]:
        """Takes away those whose time is over, and the oldest of too many; gives those that held something back."""
        over = []
        while self._heard:
            oldest = next(iter(self._heard))
            if len(self._heard) <= most and self._clock() - self._heard[oldest].since < self._every:
                break
            over.append(self._heard.pop(oldest))
        return [one for one in over if one.held]

    def _sum_up(self, over: Iterable[_Heard]) -> None:
        for one in over:
            told = printable(one.record.getMessage().split("\n")[0], 100)
            more = ("… %d more like this in the last %.0f s: %s", (one.held, self._clock() - one.since, told))
            self._tell(logging.LogRecord(one.record.name, one.record.levelno, one.record.pathname, one.record.lineno, *more, None))


def _timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


def speak(form: str, level: str, stream: IO[str] | None = None) -> None:
    """Sends everything from `level` on to `stream` (stderr), in this form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())

    def tell(record: logging.LogRecord) -> None:
        with handler.lock or contextlib.nullcontext():
            handler.emit(record)

    handler.addFilter(Calm(tell))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.ERROR)
