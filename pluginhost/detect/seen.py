"""What a key has shown and when: values (`FirstSeen`), its last sign of life (`LastSeen`), its last few events (`Recent`)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Any, ClassVar, NamedTuple

import msgspec

from ..events.event import Event
from .state import State, plain, span_of, text

__all__ = ["FirstSeen", "LastSeen", "Neighbours", "Recent"]

_NEVER = -(1 << 63)


class FirstSeen(State, gc=False, eq=False):
    """The values a key has shown, each remembered for `expire` (as a duration, kept in ns) after it was last seen.

    At most `limit` values are kept; when full, the one seen longest ago is forgotten. Merged copies
    know the values of both, up to the limit.

        >>> countries = FirstSeen("90d")
        >>> [countries.first(code, at(second)) for second, code in enumerate(("FR", "DE", "FR"))], countries.seen("DE")
        ([True, True, False], 1000000000)
    """

    shape: ClassVar[str] = "FirstSeen/1"
    expire: Any = "90d"
    limit: int = 1000
    _seen: dict[str, int] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.expire = span_of(self.expire)

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
        return text(value) in self._seen

    def seen(self, value: object) -> int | None:
        """When the key last showed `value`, ns UTC; None if that is not known (any more). Ask before `first`."""
        return self._seen.get(text(value))

    def first(self, value: object, event: Event) -> bool:
        """True when the key has not shown `value` within `expire` before; from now on it has."""
        name, when, seen = text(value), event.time, self._seen
        if seen and when - seen[next(iter(seen))] > self.expire:
            self._forget(when)
        last = seen.pop(name, None)
        seen[name] = when if last is None or when > last else last
        if len(seen) > self.limit:
            del seen[next(iter(seen))]
        return last is None or when - last > self.expire

    def merge(self, other: FirstSeen) -> None:
        """Takes over the values of `other`, each as of when it was last seen by either."""
        seen = dict(self._seen)
        for value, when in other._seen.items():
            seen[value] = max(when, seen.get(value, when))
        latest = sorted(seen.items(), key=lambda one: one[1])
        self._seen = dict(latest[-self.limit :])

    def _forget(self, when: int) -> None:
        seen = self._seen
        while seen and when - seen[oldest := next(iter(seen))] > self.expire:
            del seen[oldest]


class LastSeen(State, gc=False, eq=False):
    """When the key was last active, and so for how long it was silent, in ns; remembered for `expire`. Merged copies know the later time.

        >>> login = LastSeen("365d")
        >>> [login.gap(at(second)) for second in (0, 5, 3, 6)]
        [None, 5000000000, 0, 1000000000]
    """

    shape: ClassVar[str] = "LastSeen/1"
    expire: Any = "365d"
    _last: int = _NEVER

    def __post_init__(self) -> None:
        self.expire = span_of(self.expire)

    @property
    def idle(self) -> int:
        """As long as it is remembered."""
        return int(self.expire)

    def load(self, plain: Any) -> None:
        """Takes over the time."""
        self._last = _NEVER if plain is None else plain

    def dump(self) -> Any:
        """The newest event's time in ns."""
        return self._last

    @property
    def last(self) -> int | None:
        """When the key was last active, ns UTC; None if never."""
        return None if self._last == _NEVER else self._last

    def gap(self, event: Event) -> int | None:
        """For how many ns the key had been silent before this event; 0 for a late event; None if it was not active within `expire`."""
        gap = event.time - self._last
        if gap < 0:
            return 0
        self._last = event.time
        return gap if gap <= self.expire else None

    def merge(self, other: LastSeen) -> None:
        """Takes over the later time."""
        self._last = max(self._last, other._last)


class Neighbours(NamedTuple):
    """What stood just before and just after an event that was new to `Recent`, each as (time in ns, item), or None."""

    before: tuple[int, tuple[Any, ...]] | None
    after: tuple[int, tuple[Any, ...]] | None


class Recent(State, gc=False, eq=False):
    """The last `limit` events of the key in the order of their times, each with an item: a tuple of numbers, texts, truth values, None.

    A late event is put in its place. One of a time and item that are there already, or older than all when the room is full, is
    not new: so an event that comes twice is judged once. Anything else in an item, and a long text, is kept as a short text.
    The key's events are remembered for `expire`. Merged copies hold the newest events of both.

        >>> places = Recent(8)
        >>> places.insert(at(0), ("Rome",)), places.insert(at(9), ("Oslo",)), places.insert(at(9), ("Oslo",))
        (Neighbours(before=None, after=None), Neighbours(before=(0, ('Rome',)), after=None), None)
        >>> places.insert(at(5), ("Bonn",))
        Neighbours(before=(0, ('Rome',)), after=(9000000000, ('Oslo',)))
    """

    shape: ClassVar[str] = "Recent/1"
    limit: int = 8
    expire: Any = "90d"
    _times: Any = msgspec.field(default_factory=lambda: array("q"))
    _items: list[tuple[Any, ...]] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        self.expire = span_of(self.expire)
        if self.limit < 1:
            raise ValueError(f"room for {self.limit} events is none")

    @property
    def idle(self) -> int:
        """As long as an event is remembered."""
        return int(self.expire)

    def load(self, plain: Any) -> None:
        """Takes over [times, items]."""
        times, items = plain or (b"", ())
        self._times, self._items = array("q", times)[-self.limit :], [tuple(item) for item in items][-self.limit :]

    def dump(self) -> Any:
        """[times in ns, ascending, eight bytes each; items]."""
        return [self._times.tobytes(), self._items]

    def __len__(self) -> int:
        return len(self._items)

    def insert(self, event: Event, item: tuple[Any, ...]) -> Neighbours | None:
        """Its neighbours if the event is new, else None; from now on it stands between them."""
        when, times, items = event.time, self._times, self._items
        kept = tuple(map(plain, item))
        if times and times[0] <= times[-1] - self.expire:
            gone = bisect_right(times, times[-1] - self.expire)
            del times[:gone], items[:gone]
        at = bisect_right(times, when)
        if kept in items[bisect_left(times, when) : at] or (not at and len(times) >= self.limit):
            return None
        found = Neighbours((times[at - 1], items[at - 1]) if at else None, (times[at], items[at]) if at < len(times) else None)
        times.insert(at, when)
        items.insert(at, kept)
        if len(times) > self.limit:
            del times[0], items[0]
        return found

    def newest(self) -> tuple[int, tuple[Any, ...]] | None:
        """The newest event as (time in ns, item), or None."""
        return (self._times[-1], self._items[-1]) if self._items else None

    def items(self) -> list[tuple[int, tuple[Any, ...]]]:
        """All events, oldest first, each as (time in ns, item)."""
        return list(zip(self._times, self._items, strict=True))

    def merge(self, other: Recent) -> None:
        """Takes over the events of `other`."""
        mine = self.items()
        both = sorted([*mine, *(one for one in other.items() if one not in mine)], key=lambda one: one[0])[-self.limit :]
        self._times, self._items = array("q", [when for when, _ in both]), [item for _, item in both]

    def evidence(self) -> tuple[int, int] | None:
        """How many events it holds, and the time of the oldest."""
        return (len(self._times), self._times[0]) if self._times else None
