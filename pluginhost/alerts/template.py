"""The index templates of the alert stream, the state index and the score stream: what Elasticsearch or OpenSearch is told of our documents.

The three JSON files beside this module are the mapping; only types that every server accepts are in them. What some
servers know and others refuse is added here, by product and version. A change of a file raises its `_meta.version`: by that, what
stands in a cluster is brought up to date. Pure: putting a template is an output's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

__all__ = ["ALERTS_TEMPLATE", "SCORES_TEMPLATE", "STATE_TEMPLATE", "Home", "Kind", "Product", "alerts_stream", "alerts_template",
           "home", "mapped", "mapped_type", "release", "scores_stream", "scores_template", "state_index", "state_template",
           "template_of"]  # fmt: skip

Product = Literal["elasticsearch", "opensearch"]
Kind = Literal["alerts", "scores", "states"]
"""What documents are."""
ALERTS_TEMPLATE = "logs-pluginhost.alerts"
"""The name under which the alerts' template is put."""
STATE_TEMPLATE = "pluginhost-alert-state"
"""The name under which the states' template is put."""
SCORES_TEMPLATE = "metrics-pluginhost.scores"
"""The name under which the scores' template is put."""

_NOT_OF_SCORES = ("message", "tags", "log", "threat", "related")
_CUSTOM = "pluginhost@custom"  # a component template that is its operator's: what is in it outlives our updates


class Home(msgspec.Struct, frozen=True):
    """Where documents of one kind lie: `target` is a data stream or an ordinary index, made as the index template `template` says."""

    kind: Kind
    template: str
    target: str
    stream: bool = True


def home(kind: Kind, namespace: str) -> Home:
    """Where the documents of `kind` lie in `namespace`."""
    if kind == "states":
        return Home(kind, STATE_TEMPLATE, state_index(namespace), stream=False)
    if kind == "scores":
        return Home(kind, SCORES_TEMPLATE, scores_stream(namespace))
    return Home(kind, ALERTS_TEMPLATE, alerts_stream(namespace))


def alerts_stream(namespace: str) -> str:
    """The data stream that holds the alerts of `namespace`, each change a document of its own."""
    return f"logs-pluginhost.alerts-{namespace}"


def state_index(namespace: str) -> str:
    """The ordinary index that holds the current state of each alert of `namespace`, one document a fingerprint."""
    return f"pluginhost-alert-state-{namespace}"


def scores_stream(namespace: str) -> str:
    """The data stream that holds the scores of `namespace`, one document an interval and entity."""
    return f"metrics-pluginhost.scores-{namespace}"


def template_of(kind: Kind, version: str, product: Product = "elasticsearch", retention: str = "") -> dict[str, Any]:
    """The body of `PUT _index_template/…` for documents of `kind`, as a server of `version` ("8.19.21") takes it.

    `retention` ("90d") is how long a stream keeps them, where the server sees to that by itself; a state is kept as long as its alert.
    """
    if kind == "states":
        return state_template(version, product)
    return (scores_template if kind == "scores" else alerts_template)(version, product, retention)


def alerts_template(version: str, product: Product = "elasticsearch", retention: str = "") -> dict[str, Any]:
    """The body for the alert stream."""
    return _as_taken(deepcopy(_read("alerts-template.json")), version, product, retention)


def scores_template(version: str, product: Product = "elasticsearch", retention: str = "") -> dict[str, Any]:
    """The body for the score stream: the entities are mapped as in an alert."""
    body = deepcopy(_read("scores-template.json"))
    entities = {name: deepcopy(spec) for name, spec in mapped().items() if name not in _NOT_OF_SCORES}
    body["template"]["mappings"]["properties"] = entities | body["template"]["mappings"]["properties"]
    return _as_taken(body, version, product, retention)


def state_template(version: str, product: Product = "elasticsearch") -> dict[str, Any]:
    """The body for the state index: an alert's last document and its state, mapped alike."""
    body = deepcopy(_read("state-template.json"))
    own = body["template"]["mappings"]["properties"]["pluginhost"]["properties"]
    properties = deepcopy(alerts_template(version, product)["template"]["mappings"]["properties"])
    properties["pluginhost"]["properties"] |= own
    body["template"]["mappings"]["properties"] = properties
    return _marked(body)


def _as_taken(body: dict[str, Any], version: str, product: Product, retention: str) -> dict[str, Any]:
    made = body["template"]
    if product == "opensearch":
        return _marked(body)
    if release(version) >= (8, 14):
        # One analyzer's wealth of fields must not make the next one's alerts unwritable.
        made["settings"]["index.mapping.total_fields.ignore_dynamic_beyond_limit"] = True
        body |= {"composed_of": [_CUSTOM], "ignore_missing_component_templates": [_CUSTOM]}
        if retention:
            made["lifecycle"] = {"data_retention": retention}
    if release(version) >= (8, 19):
        # A refused alert comes back to us, with its reason, instead of lying in a place that nobody watches.
        made["data_stream_options"] = {"failure_store": {"enabled": False}}
    if release(version) >= (9, 0):
        made["settings"]["index.mode"] = "standard"  # `logsdb` sorts what is in a list: evidence stays as it was sent
    return _marked(body)


def _marked(body: dict[str, Any]) -> dict[str, Any]:
    """With the version in the mapping, too: an index that stands says by it whose fields it has."""
    body["template"]["mappings"]["_meta"] = dict(body["_meta"])
    return body


def release(version: str) -> tuple[int, int]:
    """(major, minor) of a server's version, for comparing; (0, 0) if it says none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@cache
def mapped() -> Mapping[str, Any]:
    """The mapped properties of an alert, as in the file. For reading only."""
    properties: dict[str, Any] = _read("alerts-template.json")["template"]["mappings"]["properties"]
    return properties


def mapped_type(field: str) -> str | None:
    """The type that the dotted `field` of an alert is mapped to; `object` for what holds others, None if it is not mapped."""
    properties, spec = mapped(), None
    for part in field.split("."):
        spec = properties.get(part)
        if spec is None:
            return None
        properties = spec.get("properties", {})
    return str(spec.get("type", "object")) if spec is not None else None


@cache
def _read(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = msgspec.json.decode((files(__package__) / name).read_bytes())
    return parsed
