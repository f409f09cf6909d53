"""Keyed state: what an analyzer remembers about one key. Plain data, bounded, in event time.

A state object stands as the default of an analyzer's parameter and is there only a declaration: its bounds. For each key
the engine makes a live copy with `fresh`, hands it to the analyzer, and keeps it as the plain data of `dump` (anything
msgpack can hold). `shape` names the layout of that data: as long as it stays, state is kept when the analyzer changes.
No clock here: time is the event's. A million keys are usual, so live copies are small and unknown to the garbage collector:
they hold plain data only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from copy import copy
from typing import Any, ClassVar, Self

import msgspec

from ..events.event import Event
from ..options import Duration

__all__ = ["FirstSeen", "SlidingCount", "State", "Table", "Timers"]

_YEAR = Duration.of("365d").ns


class State(msgspec.Struct, gc=False, eq=False):
    """One primitive. Subclasses set `shape` (raised when the layout of `dump` changes) and `idle`."""

    shape: ClassVar[str] = ""

    @property
    def idle(self) -> int:
        """After how many ns without an event of its key the state is worth nothing, so that the key may be forgotten."""
        raise NotImplementedError

    def fresh(self) -> Self:
        """An empty live copy with the same bounds."""
        live = copy(self)
        live.load(None)
        return live

    def load(self, plain: Any) -> None:
        """Takes over what `dump` gave; None is the empty state."""
        raise NotImplementedError

    def dump(self) -> Any:
        """The state as plain data."""
        raise NotImplementedError

    def evidence(self) -> tuple[int, int] | None:
        """(count, earliest time in ns) of what it holds, for the alert; None where that says nothing."""
        return None


class SlidingCount(State, gc=False, eq=False):
    """How many events of the key fell into the last `span` of event time, given as "10m" or in seconds and kept in ns.

    The window ends at the newest event seen and is open at its old end: an event exactly `span` older no longer counts.
    A late event counts if it still falls into it. At most `limit` times are kept (the count saturates there).
    """

    shape: ClassVar[str] = "SlidingCount/2"
    span: Any
    limit: int = 10_000
    _times: Any = msgspec.field(default_factory=lambda: array("q"))
    _fired: int = 0

    def __post_init__(self) -> None:
        self.span = Duration.of(self.span).ns

    @property
    def idle(self) -> int:
        """The span: an older event no longer counts."""
        return int(self.span)

    def load(self, plain: Any) -> None:
        """Takes over [times, fired]."""
        self._times = array("q", plain[0] if plain else b"")
        self._fired = plain[1] if plain else 0

    def dump(self) -> Any:
        """[times in ns, ascending, eight bytes each; time of the last `reaches`]."""
        return [self._times.tobytes(), self._fired]

    def __len__(self) -> int:
        return len(self._times)

    def add(self, event: Event) -> int:
        """The count with this event in it."""
        times, when = self._times, event.time
        if not times:
            times.append(when)
            return 1
        if when < times[-1]:
            return self._late(when, times[-1] - self.span)
        times.append(when)
        oldest = when - self.span
        if times[0] <= oldest:
            if times[1] > oldest:  # mostly one goes where one comes
                del times[0]
            else:
                del times[: bisect_right(times, oldest)]
        count = len(times)
        if count <= self.limit:
            return count
        del times[0]
        return count - 1

    def _late(self, when: int, oldest: int) -> int:
        times = self._times
        if when > oldest:
            insort(times, when)
            if len(times) > self.limit:
                del times[0]
        return len(times)

    def reaches(self, event: Event, count: int) -> bool:
        """Adds the event; True when the window holds `count` or more, and at most once per `span` while it goes on."""
        if count > self.limit:
            raise ValueError(f"a window that keeps {self.limit} times never reaches {count}: give it a larger `limit`")
        if self.add(event) < count or (self._fired and event.time < self._fired + self.span):
            return False
        self._fired = event.time
        return True

    def evidence(self) -> tuple[int, int] | None:
        """How many events the window holds, and the time of the oldest."""
        return (len(self._times), self._times[0]) if self._times else None


class FirstSeen(State, gc=False, eq=False):
    """The values a key has shown, each remembered for `expire` (as a duration, kept in ns) after it was last seen.

    At most `limit` values are kept; when full, the one seen longest ago is forgotten.
    """

    shape: ClassVar[str] = "FirstSeen/1"
    expire: Any = "90d"
    limit: int = 1000
    _seen: dict[str, int] = {}

    def __post_init__(self) -> None:
        self.expire = Duration.of(self.expire).ns

    @property
    def idle(self) -> int:
        """As long as a value is remembered."""
        return int(self.expire)

    def load(self, plain: Any) -> None:
        """Takes over {value: time last seen}."""
        self._seen = dict(plain) if plain else {}

    def dump(self) -> Any:
        """{value: time last seen in ns}, seen longest ago first."""
        return self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, value: object) -> bool:
        return _text(value) in self._seen

    def first(self, value: object, event: Event) -> bool:
        """True when the key has not shown `value` within `expire` before; from now on it has."""
        text = value if value.__class__ is str and value.isascii() else _text(value)
        when, seen = event.time, self._seen
        if seen and when - seen[next(iter(seen))] > self.expire:
            self._forget(when)
        last = seen.pop(text, None)
        seen[text] = when if last is None or when > last else last
        if len(seen) > self.limit:
            del seen[next(iter(seen))]
        return last is None or when - last > self.expire

    def _forget(self, when: int) -> None:
        seen = self._seen
        while seen and when - seen[oldest := next(iter(seen))] > self.expire:
            del seen[oldest]


class Timers(State, gc=False, eq=False):
    """Timers of the key, in event time; the analyzer's `on_timer` is called when the watermark passes one's time."""

    shape: ClassVar[str] = "Timers/1"
    _due: dict[str, int] = {}
    _moved: list[tuple[str, int]] = []

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
        name = _text(name)
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


class Table:
    """Small values with expiry that one analyzer publishes and all can read, in every shard, from the next tick on.

    Not a state of the key: a declaration with the same `name` in another analyzer reads the same table.
    """

    __slots__ = ("_put", "_rows", "expire", "name")

    def __init__(self, name: str, expire: str | float = "1d") -> None:
        self.name, self.expire = name, Duration.of(expire).ns
        self._rows: dict[str, tuple[Any, int]] = {}
        self._put: list[tuple[str, Any]] = []

    def bound(self, rows: dict[str, tuple[Any, int]], put: list[tuple[str, Any]]) -> Table:
        """A live copy over the shard's rows (value, expiry in ns) that collects what is put."""
        live = copy(self)
        live._rows, live._put = rows, put  # noqa: SLF001 - a copy of ourselves
        return live

    def get(self, key: str, event: Event, default: Any = None) -> Any:
        """The value published for `key`, unless it has expired at the event's time."""
        value, expires = self._rows.get(_text(key), (default, 0))
        return value if expires > event.time else default

    def put(self, key: str, value: Any = True) -> None:
        """Publishes a plain value for `key`."""
        msgspec.msgpack.encode(value)  # what cannot travel is refused here, at the author's line
        self._put.append((_text(key), value))


def _text(value: object) -> str:
    """As text that can be stored: lone surrogates, which a decoder may leave in a text, are escaped."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
