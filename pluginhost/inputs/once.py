"""A log that nobody floods: what peers do wrong is told once, then counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..problem import printable

__all__ = ["Once"]

_SUBJECTS = 256  # remembered at a time


class Once:
    """Says a thing once in `every` seconds per subject, and how often it was kept back; loud, but never a flood."""

    def __init__(self, logger: logging.Logger, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._every, self._clock = logger, every, clock
        self._said: dict[str, tuple[float, int]] = {}

    def warn(self, subject: str, text: str) -> None:
        """Logs `text` as a warning unless `subject` was heard of lately."""
        now = self._clock()
        at, held = self._said.pop(subject, (float("-inf"), 0))
        if now - at < self._every:
            self._said[subject] = (at, held + 1)
            return
        if len(self._said) >= _SUBJECTS:
            del self._said[next(iter(self._said))]
        self._said[subject] = (now, 0)
        self._logger.warning("%s%s", printable(text, 500), f" ({held} more like it)" if held else "")
