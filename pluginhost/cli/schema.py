"""`pluginhost schema`: the JSON Schema of `pluginhost.yaml`, for editors and for those who generate it."""

from __future__ import annotations

import json
from typing import Any

import click

from ..engine.parts import find, names
from ..host.config import Config, Route
from ..options import schema

__all__ = ["command", "whole"]


@click.command()
def command() -> None:
    """Print the JSON Schema of the configuration."""
    click.echo(json.dumps(whole(), indent=2))


def whole() -> dict[str, Any]:
    """The schema of the configuration with every part that is installed."""
    made = schema(Config)
    definitions: dict[str, Any] = made["$defs"]
    for group in ("inputs", "outputs"):
        parts = []
        for name in names(group):
            part = _struct(find(group, name).Options, definitions)
            shared = _struct(Route, definitions)["properties"] if group == "outputs" else {"name": {"type": "string"}}
            part["properties"] = {"type": {"const": name}, **shared, **part["properties"]}
            part["required"] = ["type", *part.get("required", [])]
            parts.append(part)
        definitions["Config"]["properties"][group]["items"] = {"oneOf": parts}
    definitions["Config"]["additionalProperties"] = False
    return made


def _struct(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one struct by itself; what it refers to goes into `definitions`."""
    made = schema(kind)
    inner = made.pop("$defs")
    own = inner.pop(kind.__name__)
    definitions.update(inner)
    return {**own, "additionalProperties": False}
