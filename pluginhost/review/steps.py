"""What is there of ours, and what should be done about it. Only looked at here: `importing` and `undoing` do it.

What is older than ours is updated, what is newer or somebody else's is left alone. Who may not look is told so, and all is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from ..outputs.cluster import Answered
from .server import Server
from .shipped import VIEW, Key, Object, Reference, marked

__all__ = ["Found", "Step", "found", "steps"]

_OPAQUE = (400, 403, 404, 405)
"""Answers to a look that say nothing of what stands: the interface is closed, or closed to us."""


class Step(msgspec.Struct, frozen=True):
    """One object that should stand, or go. `leave`: as it is, for a reason; `cannot`: nothing we may or the server can do.

    Without a type it is about no object in particular: `title` says about what.
    """

    state: Literal["create", "update", "remove", "ok", "leave", "cannot"]
    type: str
    id: str
    title: str
    why: str = ""

    @property
    def key(self) -> Key:
        """What the object is known by."""
        return self.type, self.id

    @property
    def todo(self) -> bool:
        """Whether something is to be done."""
        return self.state in ("create", "update", "remove")


class _Error(msgspec.Struct):
    statusCode: int = 0  # noqa: N815 - their name
    message: str = ""


class Found(msgspec.Struct):
    """An object as the server has it, or `error`."""

    type: str
    id: str
    attributes: dict[str, Any] = {}
    references: tuple[Reference, ...] = ()
    error: _Error | None = None


class _Answer(msgspec.Struct):
    saved_objects: tuple[Found, ...]


async def found(server: Server, objects: Iterable[Object]) -> dict[Key, Found]:
    """Those of `objects` that are there, and those that could not be looked at. Raises what the server raises."""
    asked = [{"type": one.type, "id": one.id, "fields": ["title", "description"]} for one in objects]
    answer: _Answer = await server.ask("POST", "/api/saved_objects/_bulk_get", body=asked, shape=_Answer)
    return {(one.type, one.id): one for one in answer.saved_objects if one.error is None or one.error.statusCode != 404}


async def steps(server: Server, objects: Sequence[Object]) -> list[Step]:
    """What should be done for `objects` to stand. Raises what the server raises, unless the answer is a plain no."""
    try:
        there = await found(server, objects)
    except Answered as error:
        if error.status not in _OPAQUE:
            raise
        blind = Step("leave", "", "", "what stands", f"it may not be looked at, so all is sent: {error.reason}")
        return [blind, *(Step("create", *one.key, one.title) for one in objects)]
    return [_step(server, one, there.get(one.key), objects) for one in objects]


def _step(server: Server, one: Object, there: Found | None, objects: Sequence[Object]) -> Step:
    newest = marked(one.attributes)
    told = "" if newest is None else f"version {newest}"
    step = Step("ok", *one.key, one.title, told)
    change = msgspec.structs.replace
    if there is None:
        return change(step, state="create")
    if there.error is not None:
        return change(step, state="cannot", why=server.safe(f"{there.error.statusCode} {there.error.message}"))
    if one.type == VIEW:
        pattern = there.attributes.get("title")
        other = change(step, state="leave", why=f"it is of other indices: {server.safe(str(pattern))}")
        return step if pattern == one.attributes.get("title") else other
    standing = marked(there.attributes)
    if standing is None:
        return change(step, state="leave", why="it is not pluginhost's")
    if standing > (newest or 0):
        return change(step, state="leave", why=f"it is newer ({standing}) than ours ({newest})")
    if standing < (newest or 0):
        return change(step, state="update", why=f"from version {standing} to {newest}")
    return change(step, state="update", why="from the other form") if _other_form(there, objects) else step


def _other_form(there: Found, objects: Sequence[Object]) -> bool:
    """Whether it shows panels of ours as the other file has them: of the same ids, but of other types."""
    keys = {one.key for one in objects}
    ids = {id_ for _, id_ in keys}
    return any(one.id in ids and (one.type, one.id) not in keys for one in there.references)
