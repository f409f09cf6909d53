"""Keyed state: what an analyzer remembers about one key. Plain data, bounded, in event time.

A state object stands as the default of an analyzer's parameter and is there only a declaration: its bounds. For each key
the engine makes a live copy with `fresh`, hands it to the analyzer, and keeps it as the plain data of `dump` (anything
msgpack can hold). `shape` names the layout of that data: as long as it stays, state is kept when the analyzer changes, so
`load` takes what was kept under other bounds too. No clock here: time is the event's. A million keys are usual, so live
copies are small and unknown to the garbage collector: they hold plain data only.

This is the contract; the primitives lie beside it by kind: windows, decay, clients, distinct, cuckoo, topk, seen, order,
timers, table. Those whose parts can be put together have `merge(other)`, which takes over what another copy of the same
declaration saw: the docstring says how exact the sum is.
"""

from __future__ import annotations

from copy import copy
from hashlib import blake2b
from typing import Any, ClassVar, Self

import msgspec

from ..options import Duration

__all__ = ["LONGEST", "State", "plain", "span_of", "text"]

LONGEST = 256
"""The most characters of a text that is remembered as it is; a longer one is shortened and told from others by its hash."""


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


def span_of(given: object) -> int:
    """The duration in ns; `ValueError` unless it is one and longer than nothing."""
    if not (span := Duration.of(given).ns):
        raise ValueError(f"a span of time must be longer than `{given}`")
    return span


def text(value: object) -> str:
    """As text that can be stored: short, and lone surrogates, which a decoder may leave in a text, are escaped."""
    if value.__class__ is str and len(value) <= LONGEST and value.isascii():
        return value
    shown = str(value)
    if not shown.isascii():
        shown = shown.encode("utf-8", "backslashreplace").decode()
    if len(shown) > LONGEST:
        shown = f"{shown[:64]}…{blake2b(shown.encode(), digest_size=16).hexdigest()}"
    return shown


def plain(value: object) -> Any:
    """A number, truth value or None as it is, anything else as `text`: what a record says, made fit to be kept."""
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63):
        return value
    return text(value)
