"""Tables: what one analyzer knows about any key and all may ask, in every shard. Not a state of the key; the engine moves the rows."""

from __future__ import annotations

from copy import copy
from typing import Any

import msgspec

from ..events.event import Event
from ..options import Duration
from .state import text

__all__ = ["Table"]


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
        value, expires = self._rows.get(text(key), (default, 0))
        return value if expires > event.time else default

    def put(self, key: str, value: Any = True) -> None:
        """Publishes a plain value for `key`."""
        msgspec.msgpack.encode(value)  # what cannot travel is refused here, at the author's line
        self._put.append((text(key), value))
