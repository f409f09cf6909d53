"""A score → its ECS document (`event.kind: metric`), and what a sender adds to it. Pure.

A score is no alert: it has no severity, no sequence and no risk, nobody is told of it, and it is the same document however often it is
made, by its id. What a host says of its own health, minute by minute, goes the same way as a document of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .. import __version__
from ..detect.finding import Scored
from ..wire.times import iso
from .document import ECS_VERSION, Rule, merge, put
from .ids import score_id
from .sanitise import clean, plain

__all__ = ["HEALTH", "Health", "health_document", "health_identity", "score_document", "score_identity", "sent"]

HEALTH = "pluginhost.health"
"""What stands in the place of an analyzer's name where a host speaks of itself."""

_STREAM = {"type": "metrics", "dataset": "pluginhost.scores"}
_OBSERVER = {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": __version__}
_TEXT = 1024  # characters of a text that the index takes


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a host was in a span of time: what it counted meanwhile, then what waited and held at its end.

    `alerts` are all that were made, `suppressed` those of them that were told to nobody; `errors` is what went wrong at inputs, analyzers
    and outputs, and workers that were replaced. Rows of the journal wait to be analysed, alerts and messages to be delivered; ages are of
    the oldest, in seconds. `quarantined` are analyzers, `memory` is of the host and its workers, in bytes.
    """

    records: int = 0
    alerts: int = 0
    suppressed: int = 0
    dead_letters: int = 0
    errors: int = 0
    journal_rows: int = 0
    journal_age: float = 0.0
    undelivered: int = 0
    undelivered_age: float = 0.0
    quarantined: int = 0
    memory: int = 0


def score_identity(rule: str, key: bytes, scored: Scored, at: int) -> str:
    """The id of a score by its interval: of the same key, entity, `of` and beginning there is one."""
    about = plain([scored.of, sorted((name, str(value)) for name, value in scored.entity.items())])
    return score_id(rule, key, msgspec.json.encode(about), at)


def score_document(rule: Rule, scored: Scored, *, key: Mapping[str, Any], event_id: str, time: int) -> dict[str, Any]:
    """The document of `scored`, whose interval begins at `time` (ns). `key` holds the key's fields by name."""
    made: dict[str, Any] = {}
    put(made, {**key, **scored.entity})
    merge(made, {
        "@timestamp": iso(time, 3),
        "ecs": {"version": ECS_VERSION},
        "event": {"id": event_id, "kind": "metric", "module": "pluginhost", "dataset": _STREAM["dataset"], "provider": rule.id,
                  "start": iso(time, 3), "end": iso(time + scored.span, 3), "duration": scored.span},
        "rule": {"id": rule.id, "name": rule.name, "ruleset": rule.ruleset},
        "observer": _OBSERVER,
        "pluginhost": {"analyzer": rule.id, "score": _told(scored)},
    })  # fmt: skip
    return clean(made)


def health_identity(host: str, end: int) -> str:
    """The id of what the host of that name says of the span that ended at `end` (ns): of each there is one."""
    return score_id(HEALTH, host.encode("utf-8", "surrogatepass"), b"", end)


def health_document(health: Health, *, event_id: str, end: int, span: int) -> dict[str, Any]:
    """The document of the span of `span` ns that ended at `end`. No rule has made it."""
    return {
        "@timestamp": iso(end, 3),
        "ecs": {"version": ECS_VERSION},
        "event": {"id": event_id, "kind": "metric", "module": "pluginhost", "dataset": _STREAM["dataset"], "provider": HEALTH,
                  "start": iso(end - span, 3), "end": iso(end, 3), "duration": span},
        "observer": _OBSERVER,
        "pluginhost": {"analyzer": HEALTH, "health": {name: round(value, 3) if isinstance(value, float) else value
                                                      for name, value in msgspec.structs.asdict(health).items()}},
    }  # fmt: skip


def _told(scored: Scored) -> dict[str, Any]:
    """As in an alert: numbers under `expected` and `actual`, texts under `usual_value` and `actual_value`."""
    expected, actual = ("usual_value" if isinstance(scored.expected, str) else "expected",
                        "actual_value" if isinstance(scored.actual, str) else "actual")  # fmt: skip
    told = {"value": scored.value, "threshold": scored.threshold, "grade": scored.grade, "confidence": scored.confidence,
            expected: scored.expected, actual: scored.actual, "of": scored.of, "parts": dict(scored.parts)}  # fmt: skip
    return {name: round(value, 6) if isinstance(value, float) else value[:_TEXT] if isinstance(value, str) else value
            for name, value in told.items() if value not in (None, "", {})}


def sent(document: Mapping[str, Any], namespace: str, observer: str) -> dict[str, Any]:
    """The document as one namespace gets it from the host called `observer`."""
    told = document.get("observer")
    return {**document, "data_stream": {**_STREAM, "namespace": namespace},
            "observer": {**(told if isinstance(told, Mapping) else {}), "name": observer}}  # fmt: skip
