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
    for group in ("inputs", "outputs"):
        made["properties"][group]["items"] = {"oneOf": [_part(group, name) for name in names(group)]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "pluginhost.yaml", **made}


def _part(group: str, name: str) -> dict[str, Any]:
    made = schema(find(group, name).Options)
    shared = schema(Route)["properties"]
    if group == "inputs":
        shared = {"name": shared["name"]}
    made["properties"] = {"type": {"const": name}, **shared, **made["properties"]}
    made["required"] = ["type", *made["required"]]
    return made
