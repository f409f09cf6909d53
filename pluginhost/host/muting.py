"""Mutes, as people lay them down through `control.sock`: a control row of the journal each, so that every replay knows of them.

A mute must say what it means. One that would silence everything is refused unless that is said too, and then lasts a day at most.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.splitter import Control, control_row
from ..engine.standing import mute_of
from ..match import parse
from ..match.tree import All
from ..problem import Problem, printable
from ..store.mutes import StoredMute

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Muting", "told"]

_MOST = 1000  # mutes that hold at a time: each is asked of every alert
_LONGEST = 366 * 86400.0  # seconds
_WHOLE = 86400.0
_NAME = re.compile("[a-z][a-z0-9_]{0,39}")
_WAIT = 30.0
_GLOBS, _GLOB, _QUERY = 100, 200, 10_000  # patterns; characters of one, and of a query


class Muting:
    """Answers for one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turn = asyncio.Lock()  # what is said about a name holds until the row about it is passed

    async def mutes(self) -> AsyncIterator[Any]:
        """Every mute that is remembered, with how many alerts it has silenced; those that hold first."""
        store = self._host.store
        known, counted = await self._host.desk.within(lambda: (store.mutes.all(), store.suppressions()))
        now = self._host.desk.clock()
        for one in sorted((told(one, now, counted) for one in known), key=lambda one: (not one["holds"], -one["since"])):
            yield one

    async def mute(self, seconds: float, *, analyzers: Sequence[str] = (), alert: str = "", query: str = "", everything: bool = False,
                   name: str = "", author: str = "", reason: str = "") -> AsyncIterator[Any]:  # fmt: skip
        """Lays down a mute for so many seconds: of these analyzers, of the group of an alert (by its id), of what a query means; all that
        is given must hold. Gives it once it holds."""
        _bounded(analyzers, query)
        fingerprint = await self._group(alert) if alert else ""
        _meant(seconds, everything=everything, narrow=bool(fingerprint or _narrows(analyzers, query)), said=bool(analyzers or query))
        async with self._turn:
            now = self._host.desk.clock()
            known = await self._host.desk.within(self._host.store.mutes.all)
            if sum(one.ended is None and one.until > now for one in known) >= _MOST:
                raise Problem("mute.many", f"{_MOST} mutes hold already", todo="end some: pluginhost alerts unmute NAME")
            mute = msgspec.convert({"name": _named(name, known, now), "since": now, "until": now + round(seconds * 1e9),
                                    "analyzers": analyzers, "fingerprint": fingerprint, "query": query, "author": author[:200],
                                    "reason": reason[:1000]}, StoredMute)  # fmt: skip
            mute_of(mute)  # a query that is none is told now
            await self._laid(Control(mute=mute))
        yield told(mute, now, {})

    async def unmute(self, name: str) -> AsyncIterator[Any]:
        """Ends a mute; gives its name once it holds no more."""
        async with self._turn:
            known = await self._host.desk.within(self._host.store.mutes.all)
            now = self._host.desk.clock()
            if not any(one.name == name and one.ended is None and one.until > now for one in known):
                raise Problem("mute.unknown", f"there is no mute `{printable(name, 60)}` that holds", todo="list them: pluginhost mutes")
            await self._laid(Control(unmute=name))
        yield name

    async def _group(self, alert: str) -> str:
        found = await self._host.desk.within(self._host.store.get, alert)
        if found is None:
            raise Problem("alert.unknown", f"there is no alert {alert}")
        return str(found.fingerprint)

    async def _laid(self, control: Control) -> None:
        """Journals the row and waits until the desk has passed it."""
        row = control_row(control)
        await self._host.committer.insist([row])
        if not await self._host.desk.passed(row.offset, _WAIT):
            raise Problem("mute.later", "it is laid down, but the analyzers are behind: it holds for what comes from now on")


def told(one: StoredMute, now: int, counted: dict[str, int]) -> dict[str, Any]:
    """A mute as plain data: with whether it holds at `now` (ns) and how many alerts it has silenced."""
    return {**msgspec.structs.asdict(one), "holds": one.ended is None and one.until > now, "silenced": counted.get(one.name, 0)}


def _bounded(analyzers: Sequence[str], query: str) -> None:
    """A `Problem` for what could not be kept as it is said."""
    if wrong := [one for one in analyzers if not one or len(one) > _GLOB or one != "".join(printable(one, _GLOB).split())]:
        raise Problem("mute.meaning", f"{printable(repr(wrong[0]), 80)} names no analyzer", todo="write a name, `*` for any part of it")
    if len(analyzers) > _GLOBS or len(query) > _QUERY:
        raise Problem("mute.meaning", f"at most {_GLOBS} analyzers and {_QUERY:,} characters of a query are muted at once",
                      todo="lay down several mutes, or a rule: `suppress` in pluginhost.yaml")  # fmt: skip


def _narrows(analyzers: Sequence[str], query: str) -> bool:
    """Whether they mean less than every alert there is, as far as that can be seen."""
    named = bool(analyzers) and all(one.strip("*?") for one in analyzers)
    return named or (bool(query) and parse(query) != All(()))


def _meant(seconds: float, *, everything: bool, narrow: bool, said: bool) -> None:
    if not 0 < seconds <= _LONGEST:
        raise Problem("mute.span", "a mute lasts for some time, and a year at most",
                      todo="what holds for good is a rule: `suppress` in pluginhost.yaml")  # fmt: skip
    if everything == narrow:
        told = "that means every alert" if said else "say what to mute: an alert, analyzers, a query"
        raise Problem("mute.meaning", "everything, or a part: not both" if narrow else told,
                      todo="for everything, and a day at most: --everything")  # fmt: skip
    if everything and seconds > _WHOLE:
        raise Problem("mute.everything", "everything is muted for a day at most", todo="give --for 1d, or say what you mean")


def _named(name: str, known: Sequence[StoredMute], now: int) -> str:
    """The name that is asked for, or the next number; one that is taken is refused while it holds."""
    if name and not _NAME.fullmatch(name):
        raise Problem("mute.name", f"{name!r} is no name", todo="write a word such as `migration`: lower case, digits, _")
    if name and any(one.name == name and one.ended is None and one.until > now for one in known):
        raise Problem("mute.twice", f"there is a mute `{name}` already", todo="give another name, or end it: pluginhost alerts unmute")
    numbers = [int(one.name[5:]) for one in known if re.fullmatch("mute_[0-9]{1,9}", one.name)]
    return name or f"mute_{max(numbers, default=0) + 1}"
