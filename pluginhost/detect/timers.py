"""What does *not* happen: timers in event time, and the silence of a key that was heard before.

Both need a class with `on_timer`. Only the engine's ticks fire timers: a timer falls due when the watermark passes its time.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from ..options import Duration
from .state import State, span_of, text

__all__ = ["Absence", "Timers"]

_YEAR = Duration.of("365d").ns


class Timers(State, gc=False, eq=False, kw_only=True):
    """Timers of the key, in event time; the analyzer's `on_timer` is called when the watermark passes one's time."""

    shape: ClassVar[str] = "Timers/1"
    _due: dict[str, int] = msgspec.field(default_factory=dict)
    _moved: list[tuple[str, int]] = msgspec.field(default_factory=list)

    @property
    def idle(self) -> int:
        """A year: so far may a timer lie ahead of the last event."""
        return _YEAR

    def load(self, plain: Any) -> None:
        """Takes over {name: due}."""
        self._due = dict(plain) if plain else {}
        self._moved = list(self._due.items())

    def dump(self) -> Any:
        """{name: due time in ns}."""
        return self._due

    def set(self, name: str, due: int) -> None:
        """Sets or moves the timer `name` to the time `due`, ns UTC."""
        if not isinstance(name, str) or not isinstance(due, int) or not 0 <= due < 1 << 63:
            raise TypeError(f"a timer is a name and a time in ns UTC such as event.time + …, not {name!r} and {due!r}")
        name = text(name)
        self._due[name] = due
        self._moved.append((name, due))

    def moved(self) -> list[tuple[str, int]]:
        """(name, due) of what was set since this was last asked; for the engine."""
        moved, self._moved = self._moved, []
        return moved

    def cancel(self, name: str) -> bool:
        """Whether there was such a timer; now there is none."""
        return self._due.pop(name, None) is not None

    def due(self, name: str) -> int | None:
        """When the timer `name` falls due, ns UTC, or None."""
        return self._due.get(name)


class Absence(Timers, gc=False, eq=False):
    """The silence of a key: `on_timer` is called once when the key, heard before, was not heard for `span`.

    The timer's time is `span` after the newest event, so `timer.due - span` is when the key was last heard. Late events do not
    shorten the wait; when the key is heard again the watch begins anew.

        class quiet_host:
            silence: Absence = Absence("1h")

            def on_event(self, event: Event) -> None:
                self.silence.heard(event)

            def on_timer(self, timer: Timer) -> Alert:
                return Alert("low", "not heard for an hour")

        >>> silence = Absence("1h")
        >>> [silence.heard(at(second)) // 10**9 for second in (0, 60, 30)]
        [3600, 3660, 3660]
    """

    shape: ClassVar[str] = "Absence/1"
    span: Any = "1h"

    def __post_init__(self) -> None:
        self.span = span_of(self.span)

    def heard(self, event: Event) -> int:
        """When the key will count as silent unless it is heard again, ns UTC."""
        due, known = event.time + int(self.span), self._due.get("silent")
        if known is not None and known >= due:
            return known
        if 0 <= due < 1 << 63:
            self.set("silent", due)
        return due
