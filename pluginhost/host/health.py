"""How a host is, told once a minute by a document among the scores: what came, what was made of it, what waits and what fails.

The numbers are those of `measures`, so that whoever reads charts sees what whoever reads metrics does. Documents go where scores go, under
the same bounds; what is in one is not told again, and what no disk took is told with the next. A restart begins at zero.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from ..alerts.scores import HEALTH, Health, health_document, health_identity
from ..store.alerts import Commit
from ..store.scores import NewScore
from ..wire.times import SECOND
from .exposition import Sample

if TYPE_CHECKING:
    from .host import Host

__all__ = ["health", "tell_health"]

log = logging.getLogger(__name__)

_MINUTE = 60 * SECOND
_AFTER = 0.01  # of the span: it is over then, however clocks differ
Totals = Mapping[tuple[str, tuple[str, ...]], float]


async def tell_health(host: Host, clock: Callable[[], int], span: int = _MINUTE) -> None:
    """Never ends; one document for each `span` of ns on the `clock`, which begins where it does for every host."""
    before: Totals = {}
    while True:
        await asyncio.sleep(((span - clock() % span) + span * _AFTER) / SECOND)
        samples, end = await host.measures.take(), clock() // span * span
        try:
            counted = await host.desk.within(_stored, host, health(samples, before), end, span)
        except OSError as error:
            log.error("the host's health cannot be stored just now (%s)", error)  # noqa: TRY400 - no bug of ours
            host.ballast.hit(error)
            continue
        for name, count in counted.items():
            host.store.scores.counts[name] += count
        before = {**before, **_totals(samples)}  # also of analyzers that are gone: they may come back, and count on
        host.beside.wake()


def _stored(host: Host, told: Health, end: int, span: int) -> Mapping[str, int]:
    """In the desk's thread: puts the document where scores wait; what became of it."""
    name = health_identity(host.configured.hostname, end)
    document = msgspec.json.encode(health_document(told, event_id=name, end=end, span=span))
    with host.store.turn():
        counted = host.store.scores.add([NewScore(name, end, end, HEALTH, document)], host.desk.policy.trends, host.desk.policy.per_minute)
        host.store.commit(Commit())
    return counted


def health(samples: Iterable[Sample], before: Totals) -> Health:
    """What the samples say, totals as far as they are above those `before`."""
    found: defaultdict[str, float] = defaultdict(float)
    for one in samples:
        value = max(one.value - before.get((one.name, one.labels), 0), 0) if one.name.endswith("_total") else one.value
        for name in _numbers(one):
            found[name] = max(found[name], value) if name.endswith("_age") else found[name] + value
    return msgspec.convert({name: value if name.endswith("_age") else int(value) for name, value in found.items()}, Health)


def _totals(samples: Iterable[Sample]) -> Totals:
    return {(one.name, one.labels): one.value for one in samples if one.name.endswith("_total")}


def _numbers(one: Sample) -> tuple[str, ...]:
    """The numbers of a `Health` that the sample is a part of."""
    match one.name.removeprefix("pluginhost_"), one.labels:
        case ("component_received_events_total", ("input", *_)):
            return ("records",)
        case ("component_discarded_events_total", ("output", *_, "false")):
            return ("dead_letters",)
        case ("component_errors_total", (*_, "expired")):  # waited too long, and so a dead letter, too
            return "errors", "dead_letters"
        case ("buffer_events", (kind, *_)):
            return ("journal_rows",) if kind == "journal" else ("undelivered",)
        case ("buffer_oldest_seconds", (kind, *_)):
            return ("journal_age",) if kind == "journal" else ("undelivered_age",)
        case (name, _):
            return _WHOLE.get(name, ())


_WHOLE: Mapping[str, tuple[str, ...]] = {
    "desk_alerts_total": ("alerts",), "desk_suppressed_total": ("suppressed",), "dead_letters_total": ("dead_letters",),
    "desk_overflowed_total": ("dead_letters",), "component_errors_total": ("errors",), "worker_restarts_total": ("errors",),
    "analyzer_quarantined": ("quarantined",), "process_resident_memory_bytes": ("memory",), "worker_resident_memory_bytes": ("memory",),
}  # fmt: skip
