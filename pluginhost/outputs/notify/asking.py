"""Asking services something: who we are there, known before the first alert; and what an answer says, where it is to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..port import DONE, Dead, Retry, Unavailable
from .sender import Answer, Notifier, Request

__all__ = ["understood", "welcomed"]


async def welcomed(notifier: Notifier, request: Request) -> None:
    """Returns if the service says yes to `request`, which must change nothing there; raises `Unavailable` with its words otherwise."""
    means = (await notifier.ask(request)).means
    if isinstance(means, (Retry, Dead)):
        raise Unavailable(means.reason, slow=True)


def understood(answer: Answer, form: Any, sound: Callable[[Any], bool], service: str) -> tuple[Any, Answer]:
    """What a good answer says in `form`, and the answer; it means "again" where it cannot be read, or is not `sound`."""
    if answer.means != DONE:
        return None, answer
    try:
        made = msgspec.json.decode(answer.body, type=form)
    except (msgspec.MsgspecError, UnicodeError):
        made = None
    if made is None or not sound(made):
        return None, msgspec.structs.replace(answer, means=Retry(f"this is no answer of {service}"))
    return made, answer
