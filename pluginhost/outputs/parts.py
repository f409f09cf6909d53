"""A batch in parts: as many requests as its bytes ask for, and a part that is refused whole is halved until the culprit is alone.

For outputs whose peer takes many alerts in one request. What one request means stays with the output.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from .port import DONE, Dead, Outcome, Outgoing, Retry, Unavailable

__all__ = ["Part", "Refused", "in_parts", "made_of", "settled"]


class Part(msgspec.Struct, frozen=True):
    """One alert of a batch and the bytes that it is sent as."""

    alert: Outgoing
    body: bytes


class Refused(Exception):
    """The peer will never take this request as it is: halve it; if it holds one alert, that one is dead."""


_Part = TypeVar("_Part", bound=Part)


def made_of(alerts: Iterable[Outgoing], make: Callable[[Outgoing], _Part], outcomes: dict[str, Outcome]) -> list[_Part]:
    """What `make` gives for each alert that has no outcome yet; one of which nothing can be made gets its outcome here: it is dead."""
    parts = []
    for alert in alerts:
        if alert.id in outcomes:
            continue
        try:
            parts.append(make(alert))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            outcomes[alert.id] = Dead(f"not a document: {error}")
    return parts


async def in_parts(
    parts: Sequence[_Part], send: Callable[[Sequence[_Part]], Awaitable[Sequence[Outcome]]], most_bytes: int
) -> dict[str, Outcome]:
    """The outcome of each alert by id, sending at most `most_bytes` at once (or a single alert, however large).

    Once something is known of the batch, a peer that goes away costs the rest a `Retry`; before that, `Unavailable` is raised.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = list(_requests(parts, most_bytes))[::-1]
    while waiting:
        request = waiting.pop()
        try:
            answers = await send(request)
        except Refused as refused:
            if len(request) == 1:
                outcomes[request[0].alert.id] = Dead(str(refused))
            else:
                middle = len(request) // 2
                waiting += [request[middle:], request[:middle]]
            continue
        except Unavailable as lost:
            if not outcomes:
                raise
            later = Retry(lost.reason, lost.after, lost.slow)
            outcomes |= {part.alert.id: later for rest in (request, *waiting) for part in rest}
            break
        outcomes |= {part.alert.id: answer for part, answer in zip(request, answers, strict=True)}
    return outcomes


def settled(alerts: Sequence[Outgoing], outcomes: dict[str, Outcome]) -> list[Outcome]:
    """The outcomes in the order of `alerts`; what nobody spoke of is there already."""
    return [outcomes.get(alert.id, DONE) for alert in alerts]


def _requests(parts: Sequence[_Part], most_bytes: int) -> Iterator[Sequence[_Part]]:
    start = size = 0
    for index, part in enumerate(parts):
        if index > start and size + len(part.body) > most_bytes:
            yield parts[start:index]
            start, size = index, 0
        size += len(part.body)
    if parts:
        yield parts[start:]
