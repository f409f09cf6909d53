"""A finding → its ECS document, as it will stand in Elasticsearch. Pure; built for findings only, never per record.

What is not known here is added later: `event.sequence` and `event.created` by the desk, `event.ingested` when an output
sends it. The flagged record goes whole under `pluginhost.record`, the evidence under `pluginhost.events`; neither is mapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .. import __version__
from ..detect.finding import SEVERITIES, Alert
from ..events.ecs import TYPES
from ..events.event import Event
from ..wire.times import iso
from .sanitise import clean

__all__ = ["CATEGORIES", "ECS_VERSION", "EVIDENCE", "OUTCOMES", "RESOLVED", "Rule", "document", "laid", "merge", "put"]

ECS_VERSION = "8.17.0"
EVIDENCE = 10
"""The most contributing events an alert keeps."""

RESOLVED = "resolved"
"""What `pluginhost.alert.status` says in the document of a condition that is over."""

_LISTS = ("keywords", "ips")
_RESERVED = ("suppressed", "status", "escalated", "withheld", "vip", "lag", "dashboard")  # said under `pluginhost.alert` by us only
CATEGORIES = frozenset((
    "api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam", "intrusion_detection", "library",
    "malware", "network", "package", "process", "registry", "session", "threat", "vulnerability", "web",
))  # fmt: skip
"""What ECS allows in `event.category`."""

OUTCOMES = frozenset(("failure", "success", "unknown"))
"""What ECS allows in `event.outcome`."""

_TECHNIQUE = "https://attack.mitre.org/techniques/"


class Rule(msgspec.Struct, frozen=True):
    """What an alert says of the analyzer that made it: its name, first docstring line, docstring, and the file it stands in."""

    id: str
    name: str
    description: str
    ruleset: str


def document(rule: Rule, alert: Alert, *, event: Event | None, key: Mapping[str, Any], event_id: str, fingerprint: str, time: int,
             window: tuple[int, int] | None, over: bool = False) -> dict[str, Any]:  # fmt: skip
    """The document of `alert`. `key` holds the key's fields by name, `window` is (count, since in ns) of what was counted.

    `over`: it says that the condition has ended. Then it is no alert for whoever counts those: `event.kind` is `event`.
    """
    count = alert.count if alert.count is not None else window[0] if window else 1
    since = alert.since if alert.since is not None else window[1] if window else time
    made: dict[str, Any] = event.document() if event is not None else {}
    if isinstance(said := made.get("event"), dict):
        for name in ("url", "reference"):  # links that people are to follow are not a sender's to give
            said.pop(name, None)
    put(made, {**key, **alert.fields})
    for name in _RESERVED if isinstance(own := _get(made, "pluginhost.alert"), dict) else ():
        own.pop(name, None)  # whatever stood in the record or in `fields`
    merge(made, {
        "@timestamp": iso(time, 3),
        "ecs": {"version": ECS_VERSION},
        "message": alert.message,
        "event": {
            "id": event_id, "kind": "event" if over else "alert", "action": rule.id, "module": "pluginhost", "dataset": "pluginhost.alerts",
            "provider": rule.id, "severity": SEVERITIES[alert.severity], "reason": alert.reason or alert.message,
            "risk_score": float(SEVERITIES[alert.severity] if alert.risk is None else alert.risk),
            "start": iso(min(since, time), 3), "end": iso(time, 3),
        },
        "log": {"level": alert.severity},
        "rule": {"id": rule.id, "name": rule.name, "description": rule.description, "ruleset": rule.ruleset},
        "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": __version__},
        "pluginhost": {"analyzer": rule.id, "alert": {"fingerprint": fingerprint, "count": count} | _advice(alert, over)},
    })  # fmt: skip
    made["event"]["category"] = _allowed(made["event"].get("category"), CATEGORIES) or ["intrusion_detection"]
    if not _allowed(made["event"].get("outcome"), OUTCOMES):
        made["event"].pop("outcome", None)
    made["event"]["type"] = ["end" if over else "info"]
    made["event"]["risk_score_norm"] = made["event"]["risk_score"]
    if alert.techniques:
        made["threat"] = {"framework": "MITRE ATT&CK", "technique": _techniques(alert.techniques)}
    if event is not None:
        _from_event(made, event, alert.evidence)
    made["related"] = _related(made)
    made["tags"] = ["pluginhost.alert", *([event.tag] if event is not None and event.tag else [])]
    return clean(made)


def _advice(alert: Alert, over: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"status": RESOLVED} if over else {}
    told |= {} if alert.action == "allow" else {"action": alert.action}
    return {**told, "suppressed": list(alert.reasons)} if alert.reasons else told


def _from_event(made: dict[str, Any], event: Event, evidence: Iterable[Event]) -> None:
    message = event.message
    made["event"]["original"] = message if message else event.raw.decode("utf-8", "backslashreplace")
    source = {"tag": event.tag, "input": event.input, **({"message": message} if message else {})}
    kept = [{"@timestamp": iso(one.time, 9), "message": one.message or one.raw.decode("utf-8", "backslashreplace")} for one in evidence]
    made["pluginhost"] |= {"source": source, "record": dict(event.record), **({"events": kept[-EVIDENCE:]} if kept else {})}


def _techniques(ids: tuple[str, ...]) -> dict[str, list[str]]:
    return {"id": list(ids), "reference": [f"{_TECHNIQUE}{one.replace('.', '/')}/" for one in ids]}


def _allowed(value: Any, words: frozenset[str]) -> list[str]:
    """Those of a field's values that ECS allows; a shipper may write there what it likes."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one in words]


def _related(made: Mapping[str, Any]) -> dict[str, list[str]]:
    """The entities that the alert names, and those the record named itself, each kind without repetition."""
    own = made.get("related")
    wanted = {"ip": ("source.ip", "destination.ip", "client.ip", "server.ip"), "user": ("user.name",), "hosts": ("host.name",)}
    found: dict[str, list[str]] = {}
    for kind, fields in wanted.items():
        values = [value for field in fields if isinstance(value := _get(made, field), str) and value]
        values += [one for one in (own or {}).get(kind) or () if isinstance(one, str)] if isinstance(own, dict) else []
        if values:
            found[kind] = list(dict.fromkeys(values))
    return found


def _get(made: Mapping[str, Any], field: str) -> Any:
    value: Any = made
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def put(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Sets dotted fields, those that ECS has as lists to lists; a scalar that stands where an object is needed gives way."""
    for field, value in fields.items():
        *path, last = field.split(".")
        made = into
        for part in path:
            if not isinstance(made.get(part), dict):
                made[part] = {}
            made = made[part]
        made[last] = [value] if TYPES.get(field) in _LISTS and not isinstance(value, (list, tuple)) else value


def merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lays `more` over `into`, object by object; on a clash `more` wins."""
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def laid(document: Mapping[str, Any], path: tuple[str, ...], more: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `more` in the object at `path`; nothing of the document itself is altered."""
    inner = document.get(path[0])
    inner = inner if isinstance(inner, Mapping) else {}
    return {**document, path[0]: laid(inner, path[1:], more) if path[1:] else {**inner, **more}}
