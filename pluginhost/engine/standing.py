"""What holds at a row of the journal beside the operator's policy: mutes that people laid down, and the lists of the generation in force.

Both come as control rows and hold from their rows on, live and in every replay. Findings of a row are judged by what stood there; what a
commit changes is kept by it (`store.mutes`), and taken over here only once that is durable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container

import msgspec

from ..alerts.calendar import Span
from ..alerts.desk import Held
from ..alerts.scope import Scope
from ..alerts.suppression import Lists, Mute
from ..match import compile as compiled
from ..match import parse
from ..problem import Problem
from ..store import mutes
from ..store.row import Kind, Row
from .generations import Generations
from .splitter import Control, control_of

__all__ = ["Look", "Standing", "lists_of", "mute_of"]

_LATE = 86_400 * 10**9
"""How long (ns) behind its end a mute is still asked, for records that come late."""


def mute_of(laid: mutes.StoredMute) -> Mute:
    """The rule that a mute is; a `Problem` if its query is none."""
    test = compiled(parse(laid.query)) if laid.query else None
    return Mute(laid.name, Span(until=laid.until), Scope(test, laid.analyzers, laid.fingerprint))  # from its row on, however late a record


def lists_of(generations: Generations, names: Container[str]) -> Callable[[int], Lists]:
    """A function that gives, of those lists that are called so, what a generation has."""

    def lists(number: int) -> Lists:
        manifest = generations.manifest(number)
        asked = tuple(one for one in manifest.contents if one.name in names)
        return generations.references(msgspec.structs.replace(manifest, contents=asked)).lists

    return lists


class Standing:
    """For one desk, whose position is `start`. `store` remembers mutes and generation as they are there, `lists` gives those of a
    generation."""

    def __init__(self, store: mutes.Mutes, lists: Callable[[int], Lists], start: int) -> None:
        self._lists_of, self._orders = lists, deque[tuple[int, Control]]()
        known = [one for one in store.all() if one.row < start]
        self._mutes: dict[str, Mute] = {}
        for one in known:
            _lay(self._mutes, one)
        for one in known:
            if one.ended is not None and one.ended < start:
                self._mutes.pop(one.name, None)
        self._generation = store.generation()
        self._opened: tuple[int, Lists] = (0, {})

    def seen(self, row: Row) -> None:
        """Notes a row that the desk has not passed yet."""
        if row.kind == Kind.CONTROL:
            control = control_of(row)
            if control.mute is not None or control.unmute is not None or control.swap:
                self._orders.append((row.offset, control))

    def recall(self, row: Row) -> None:
        """Notes a row that the desk has passed: a store that was brought forward does not remember the generation."""
        if row.kind == Kind.CONTROL and (swap := control_of(row).swap):
            self._generation = swap

    def look(self) -> Look:
        """A look at what holds, for the findings of one commit in their order."""
        return Look(self, dict(self._mutes), self._generation)

    def took(self, look: Look, frontier: int) -> None:
        """The commit of a look is durable: everything before row `frontier` is behind us."""
        look.until(frontier)
        self._mutes, self._generation = look.mutes, look.generation
        while self._orders and self._orders[0][0] < frontier:
            self._orders.popleft()

    def pending(self) -> tuple[tuple[int, Control], ...]:
        """What the desk has not passed yet, in journal order."""
        return tuple(self._orders)

    def lists(self, generation: int) -> Lists:
        """The lists of a generation, opened when they are asked for first; none of 0."""
        if self._opened[0] != generation:
            self._opened = (generation, self._lists_of(generation))
        return self._opened[1]


class Look:
    """What holds, row by row; `keep` has the store remember what has changed on the way."""

    def __init__(self, standing: Standing, known: dict[str, Mute], generation: int) -> None:
        self._standing, self._orders = standing, deque(standing.pending())
        self.mutes, self.generation = known, generation
        self._held: Held | None = None
        self._changes: list[mutes.StoredMute | tuple[str, int]] = []  # a mute that began, or the name of one and the row where it ended
        self._before = generation

    def at(self, offset: int) -> Held:
        """What holds at the row `offset`, which lies behind those asked for before."""
        self.until(offset)
        if self._held is None:
            self._held = Held(tuple(self.mutes.values()), self._standing.lists(self.generation))
        return self._held

    def until(self, offset: int) -> None:
        """Takes in what the rows before `offset` say."""
        while self._orders and self._orders[0][0] < offset:
            self._take(*self._orders.popleft())
            self._held = None

    def keep(self, store: mutes.Mutes) -> None:
        """Writes what has changed, into the transaction that is open."""
        for one in self._changes:
            if isinstance(one, mutes.StoredMute):
                store.put(one)
            else:
                store.end(*one)
        if self.generation != self._before:
            store.swap(self.generation)

    def _take(self, row: int, control: Control) -> None:
        if control.mute is not None:
            laid = msgspec.structs.replace(control.mute, row=row)
            if _lay(self.mutes, laid):
                self._changes.append(laid)
        if control.unmute is not None:
            self.mutes.pop(control.unmute, None)
            self._changes.append((control.unmute, row))
        if control.swap:
            self.generation = control.swap


def _lay(known: dict[str, Mute], laid: mutes.StoredMute) -> bool:
    """Whether a mute could be laid beside those that are known. Those that ended long before go, by what stands in the journal only."""
    for name in [name for name, one in known.items() if one.span.until < laid.since - _LATE]:
        del known[name]
    known.pop(laid.name, None)
    try:
        known[laid.name] = mute_of(laid)
    except Problem:
        return False  # who laid it down was told; only another version's query can come here
    return True
