"""The index templates of the alert stream, the state index and the score stream: what Elasticsearch or OpenSearch is told of our documents.

The three JSON files beside this module are the mapping; only types that every server accepts are in them. What some
servers know and others refuse is added here, by product and version. Pure: putting a template is an output's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

__all__ = ["ALERTS_TEMPLATE", "SCORES_TEMPLATE", "STATE_TEMPLATE", "Product", "alerts_stream", "alerts_template", "mapped", "mapped_type",
           "release", "scores_stream", "scores_template", "state_index", "state_template"]  # fmt: skip

Product = Literal["elasticsearch", "opensearch"]
ALERTS_TEMPLATE = "logs-pluginhost.alerts"
"""The name under which the alerts' template is put."""
STATE_TEMPLATE = "pluginhost-alert-state"
"""The name under which the states' template is put."""
SCORES_TEMPLATE = "metrics-pluginhost.scores"
"""The name under which the scores' template is put."""

_NOT_OF_SCORES = ("message", "tags", "log", "threat", "related")


def alerts_stream(namespace: str) -> str:
    """The data stream that holds the alerts of `namespace`, each change a document of its own."""
    return f"logs-pluginhost.alerts-{namespace}"


def state_index(namespace: str) -> str:
    """The ordinary index that holds the current state of each alert of `namespace`, one document a fingerprint."""
    return f"pluginhost-alert-state-{namespace}"


def scores_stream(namespace: str) -> str:
    """The data stream that holds the scores of `namespace`, one document an interval and entity."""
    return f"metrics-pluginhost.scores-{namespace}"


def alerts_template(version: str, product: Product = "elasticsearch") -> dict[str, Any]:
    """The body of `PUT _index_template/…` for the alert stream, as a server of `version` ("8.19.21") takes it."""
    return _as_taken(deepcopy(_read("alerts-template.json")), version, product)


def scores_template(version: str, product: Product = "elasticsearch") -> dict[str, Any]:
    """The body for the score stream: the entities are mapped as in an alert."""
    body = deepcopy(_read("scores-template.json"))
    entities = {name: deepcopy(spec) for name, spec in mapped().items() if name not in _NOT_OF_SCORES}
    body["template"]["mappings"]["properties"] = entities | body["template"]["mappings"]["properties"]
    return _as_taken(body, version, product)


def _as_taken(body: dict[str, Any], version: str, product: Product) -> dict[str, Any]:
    if product == "opensearch":
        return body
    if release(version) >= (8, 14):
        # One analyzer's wealth of fields must not make the next one's alerts unwritable.
        body["template"]["settings"]["index.mapping.total_fields.ignore_dynamic_beyond_limit"] = True
    if release(version) >= (8, 19):
        # A refused alert comes back to us, with its reason, instead of lying in a place that nobody watches.
        body["template"]["data_stream_options"] = {"failure_store": {"enabled": False}}
    return body


def state_template(version: str, product: Product = "elasticsearch") -> dict[str, Any]:
    """The body for the state index: an alert's last document and its state, mapped alike."""
    body = deepcopy(_read("state-template.json"))
    own = body["template"]["mappings"]["properties"]["pluginhost"]["properties"]
    properties = deepcopy(alerts_template(version, product)["template"]["mappings"]["properties"])
    properties["pluginhost"]["properties"] |= own
    body["template"]["mappings"]["properties"] = properties
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
