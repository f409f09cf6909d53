"""Puts objects there, and says of each that does not stand then why not.

They go in one upload. A server writes nothing at all where an object meets certain obstacles (`_HALTING`), whatever its answer counts as
done: then the rest is sent again without it. Where a space of the same Kibana holds an id already, the upload makes a copy of another
id: no link leads there and no later upload finds it, so a new copy is taken away again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..outputs.cluster import Answered
from ..outputs.port import Unavailable
from .server import Server, path_of
from .shipped import Key, Object, Reference

__all__ = ["put"]

_HALTING = ("conflict", "ambiguous_conflict", "missing_references")
_ROUNDS = 5
_NEWER = "more recent version"


class _Failure(msgspec.Struct):
    type: str = ""
    destinationId: str = ""  # noqa: N815 - their name
    destinations: tuple[Reference, ...] = ()
    references: tuple[Reference, ...] = ()
    statusCode: int = 0  # noqa: N815
    message: str = ""


class _Refused(msgspec.Struct):
    type: str
    id: str
    error: _Failure


class _Taken(msgspec.Struct):
    type: str
    id: str
    destinationId: str = ""  # noqa: N815
    overwrite: bool = False


class _Answer(msgspec.Struct):
    success: bool
    errors: tuple[_Refused, ...] = ()
    successResults: tuple[_Taken, ...] = ()  # noqa: N815


async def put(server: Server, objects: Sequence[Object]) -> dict[Key, str]:
    """Why those of `objects` that do not stand now do not. Raises nothing of the server's."""
    failed: dict[Key, str] = {}
    left = list(objects)
    for _ in range(_ROUNDS):
        try:
            answer = await _sent(server, left)
        except Answered as error:
            return failed | dict.fromkeys((one.key for one in left), _whole(error, server))
        except Unavailable as error:
            return failed | dict.fromkeys((one.key for one in left), f"{error.reason}; whether it was written nobody knows: run it again")
        failed |= {(one.type, one.id): _why(one, server) for one in answer.errors}
        halted = any(one.error.type in _HALTING for one in answer.errors)
        left = [one for one in left if one.key not in failed]
        if not halted:
            return failed | await _copies(server, answer.successResults)
        if not left:
            return failed
    return failed | dict.fromkeys((one.key for one in left), "others kept the whole from being written: run it again")


async def _sent(server: Server, objects: Sequence[Object]) -> _Answer:
    answer: _Answer = await server.ask("POST", "/api/saved_objects/_import", params=[("overwrite", "true")],
                                       file=b"".join(one.line + b"\n" for one in objects), shape=_Answer)  # fmt: skip
    if not answer.success and not answer.errors:
        raise Unavailable("it says that not all was taken, and not what")
    return answer


async def _copies(server: Server, taken: Sequence[_Taken]) -> dict[Key, str]:
    """What came to stand under another id: the new ones are taken away."""
    failed = {}
    for one in taken:
        if one.destinationId in ("", one.id):
            continue
        why = f"its id is taken in another space of this {server.product}"
        if one.overwrite:
            why += f"; the copy {server.safe(one.destinationId)} here was brought up to date"
        else:
            try:
                await server.ask("DELETE", path_of(one.type, one.destinationId))
            except (Answered, Unavailable) as error:
                why += f"; a copy stands here as {server.safe(one.destinationId)}: {error}"
        failed[one.type, one.id] = why
    return failed


def _whole(error: Answered, server: Server) -> str:
    if _NEWER not in error.reason:
        return error.reason
    return f"{error.reason} (this {server.product} is too old for it{': try --classic' if server.kibana else ''})"


def _why(one: _Refused, server: Server) -> str:
    error = one.error
    needed: dict[str, Any] = {
        "conflict": f"another object stands for it: {error.destinationId or one.id}",
        "ambiguous_conflict": f"several objects stand for it: {', '.join(other.id for other in error.destinations[:3])}",
        "missing_references": f"it needs what is not there: {', '.join(f'{other.type} {other.id}' for other in error.references[:3])}",
        "unsupported_type": f"this {server.product} has no objects of type {one.type}",
    }
    return server.safe(needed.get(error.type) or f"{error.statusCode or error.type} {error.message}")
