"""The keys of a batch's records, read by the host for the workers: many records at a time, and mostly without decoding them whole.

A field that stands in a record under its own name is its value, whatever else the record says; so that name alone is picked out,
and texts seen lately have their key bytes at hand. Only where it is missing, and an alias or a mapping might have it, is the record
read as an analyzer would read it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from ..events.address import canonical
from ..events.ecs import ADDRESSES
from ..events.event import Event
from ..events.fields import MISSING, Document
from ..events.keys import key_bytes
from ..events.mapping import OVER, Mapping, Mappings
from ..events.projection import CODECS, projection
from ..events.slice import Batch
from .dispatch import CONTAINED, at_hand

__all__ = ["UNREAD", "Reader"]

UNREAD = b""
"""Stands in a column for a key that could not be read; no key is empty."""

_MEMO = 1 << 16  # key values whose bytes are at hand
_SHORT = 256  # characters of a value that is worth remembering

Column = list[bytes | None]


class Reader:
    """Reads the keys over the fields of each of `keys` from records of `codec`; `kinds` are the mappings that may read them."""

    def __init__(self, keys: Collection[tuple[str, ...]], mappings: Mappings, kinds: Sequence[Mapping], codec: str) -> None:
        self._keys, self._mappings = sorted(keys), mappings
        names = sorted({field for fields in self._keys for field in fields})
        self._memos = [_Memo(fields, kinds) for fields in self._keys]
        self._picks = [attrgetter(*(f"g{names.index(field)}" for field in fields)) for fields in self._keys]
        self._ways: tuple[Callable[[bytes], Any], ...] = projection(names, codec) if codec in CODECS else ()
        self._unread = SimpleNamespace(**{f"g{n}": UNREAD for n in range(len(names))})

    def columns(self, batch: Batch, places: Sequence[int], raws: Sequence[bytes]) -> dict[tuple[str, ...], Column]:
        """By fields, the key bytes of the records at `places`, whose bytes are `raws`; `UNREAD` where a mapping failed."""
        if not self._keys:
            return {}
        found, events = self._found(raws), dict[int, Event]()
        made = {}
        for fields, memo, pick in zip(self._keys, self._memos, self._picks, strict=True):
            column = memo.of(list(map(pick, found)))
            if UNREAD in column:
                column = [self._asked(batch, place, fields, events) if key == UNREAD else key
                          for place, key in zip(places, column, strict=True)]  # fmt: skip
            made[fields] = column
        return made

    def _found(self, raws: Sequence[bytes]) -> list[Any]:
        """What was picked out of each record."""
        if not self._ways:
            return [self._unread] * len(raws)
        try:
            return list(map(self._ways[0], raws))
        except (ValueError, RecursionError):  # one of them is odd
            return [self._carefully(raw) for raw in raws]

    def _carefully(self, raw: bytes) -> Any:
        for way in self._ways:
            with contextlib.suppress(ValueError, RecursionError):
                return way(raw)
        return self._unread

    def _asked(self, batch: Batch, place: int, fields: tuple[str, ...], events: dict[int, Event]) -> bytes | None:
        """The key as an analyzer would have it."""
        event = events.get(place)
        if event is None:
            event = events[place] = Event(batch, self._mappings, batch.arrival, {}, place)
        try:
            return key_bytes(event, fields)
        except CONTAINED:  # a mapping is anybody's code
            return UNREAD


class _Memo(dict[Any, bytes | None]):
    """By the value of a key's field (the values, where there are several), as picked out of a record: the key bytes.

    Values that are equal must have equal bytes to be remembered, but 1 is True.
    """

    def __init__(self, fields: tuple[str, ...], kinds: Iterable[Mapping]) -> None:
        super().__init__()
        self._fields = fields
        self._over = not OVER.isdisjoint(fields)  # what a mapping may read otherwise is only known of a whole record
        self._final = len(at_hand(fields, kinds)) == len({*fields})  # whether what is not there under its name is nowhere

    def of(self, values: Sequence[Any]) -> Column:
        """The key bytes for each of `values`; `UNREAD` where the record must be asked."""
        find: Callable[[Any], bytes | None] = self.__getitem__
        try:
            return list(map(find, values))
        except TypeError:  # a list or an object cannot be remembered
            return [self._key(value) for value in values]

    def __missing__(self, value: Any) -> bytes | None:
        key = self._key(value)
        if key != UNREAD and all(_memorable(one) for one in self._each(value)):
            if len(self) >= _MEMO:
                self.clear()
            self[value] = key
        return key

    def _each(self, value: Any) -> tuple[Any, ...]:
        return (value,) if len(self._fields) == 1 else value

    def _key(self, value: Any) -> bytes | None:
        values = self._each(value)
        if any(one is UNREAD for one in values) or self._over or not (self._final or all(one.__class__ is str for one in values)):
            return UNREAD
        known = {field: (canonical(one) or one) if field in ADDRESSES else one for field, one in zip(self._fields, values, strict=True)}
        return key_bytes(Document(known), self._fields)


def _memorable(value: Any) -> bool:
    if value.__class__ is int:
        return not 0 <= value <= 1
    return value is MISSING or value is None or (value.__class__ is str and len(value) <= _SHORT)
