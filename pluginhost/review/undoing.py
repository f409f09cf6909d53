"""What is taken away again: what is ours, and only that; and nothing that anything else needs, be it a dashboard of somebody's own.

Data views go last: as long as something fails to go, they stay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from ..outputs.cluster import Answered
from ..outputs.port import Unavailable
from .server import Params, Server, path_of
from .shipped import VIEW, Key, Object, marked
from .steps import Found, Step, found

__all__ = ["removals", "remove"]

_DASHBOARD = "dashboard"
_PAGE, _PAGES = 1000, 10  # more than this many are not found at a time anyway


class _Page(msgspec.Struct):
    total: int
    saved_objects: tuple[Found, ...]


async def removals(server: Server, objects: Sequence[Object]) -> list[Step]:
    """What should go of `objects`, in the order in which it must. Raises what the server raises, unless it may not be looked at."""
    objects = sorted(objects, key=lambda one: one.type == VIEW)
    try:
        there = await found(server, objects)
    except Answered as error:
        if error.status == 401 or error.status >= 500:
            raise
        return [Step("cannot", "", "", "what stands", f"it may not be looked at: {error.reason}")]
    made = [_removal(server, one, there.get(one.key)) for one in objects]
    if not any(step.todo for step in made):
        return made
    try:
        others = await _others(server, [step.id for step in made if step.type == VIEW and step.todo])
    except Answered as error:
        why = f"whether others need it may not be looked at: {error.reason}"
        made = [msgspec.structs.replace(step, state="leave", why=why) if step.type == VIEW and step.todo else step for step in made]
        others = []
    going = {step.key for step in made if step.todo}
    stay = [one for one in (*others, *there.values()) if (one.type, one.id) not in going]
    needed = _needed(server, stay, {key: one for key, one in there.items() if key in going})
    return [msgspec.structs.replace(step, state="leave", why=needed[step.key]) if step.key in needed else step for step in made]


async def remove(server: Server, planned: Iterable[Step]) -> AsyncIterator[tuple[Step, str]]:
    """Removes what is to be, and tells of each why it could not be, or ""."""
    kept = False
    for step in planned:
        why = "others that need it still stand" if step.type == VIEW and kept else await _gone(server, step)
        kept |= bool(why)
        yield step, why


async def _gone(server: Server, step: Step) -> str:
    try:
        await server.ask("DELETE", path_of(step.type, step.id))
    except Answered as error:
        return "" if error.status == 404 else error.reason
    except Unavailable as error:
        return error.reason
    return ""


def _removal(server: Server, one: Object, there: Found | None) -> Step:
    """What its own look says."""
    if there is None:
        return Step("ok", *one.key, one.title, "not there")
    if there.error is not None:
        return Step("leave", *one.key, one.title, server.safe(f"{there.error.statusCode} {there.error.message}"))
    same = there.attributes.get("title") == one.attributes.get("title") if one.type == VIEW else marked(there.attributes) is not None
    return Step("remove", *one.key, one.title) if same else Step("leave", *one.key, one.title, "it is not pluginhost's")


async def _others(server: Server, views: Iterable[str]) -> list[Found]:
    """All dashboards, and whatever needs one of these data views."""
    held = ("lens", "map") if server.kibana else ("visualization-visbuilder", "explore")
    holders = [("type", one) for one in (_DASHBOARD, "search", "visualization", *held)]
    made = await _all(server, [("type", _DASHBOARD)])
    for view in views:
        reference = msgspec.json.encode({"type": VIEW, "id": view}).decode()
        made += await _all(server, [*holders, ("has_reference", reference)])
    return made


async def _all(server: Server, params: Params) -> list[Found]:
    made: list[Found] = []
    for number in range(1, _PAGES + 1):
        asked = [*params, ("fields", "title"), ("per_page", str(_PAGE)), ("page", str(number))]
        page: _Page = await server.ask("GET", "/api/saved_objects/_find", params=asked, shape=_Page)
        made += page.saved_objects
        if len(made) >= page.total or not page.saved_objects:
            break
    return made


def _needed(server: Server, stay: Sequence[Found], going: Mapping[Key, Found]) -> dict[Key, str]:
    """Which of those that were to go must stay, and why: what stays needs them, or one of them that must stay."""
    made: dict[Key, str] = {}
    waiting = [*stay]
    for holder in waiting:  # which grows
        for one in holder.references:
            key = one.type, one.id
            if key in going and key not in made:
                made[key] = f'"{server.safe(str(holder.attributes.get("title") or holder.id))}" needs it'
                waiting.append(going[key])
    return made
