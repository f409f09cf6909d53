"""`pluginhost list`: which analyzers run, on what, and how often they fired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..host.control import ask, running
from ..host.trying import tried
from .common import config_option, configured, quarantined

__all__ = ["command"]


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object an analyzer.")
def command(config: Path | None, as_json: bool) -> None:
    """List analyzers with their keys, options and counts."""
    setup = configured(config)
    live = running(setup.data)
    found = list(ask(setup.data, "analyzers")) if live else tried(setup)
    for one in sorted(found, key=lambda one: one["name"] or "~"):
        click.echo(json.dumps(one) if as_json else _told(one, live))
    if not found and not as_json:
        click.echo("no analyzers")


def _told(one: dict[str, Any], live: bool) -> str:
    if one["name"] is None:
        return click.style(one["problem"], fg="red")
    key = "pinned to one shard" if one["pinned"] else " + ".join(one["key"]) or "no key"
    options = ", ".join(f"{name}={value}" for name, value in one["options"].items())
    lines = [f"{click.style(one['name'], bold=True)}  {one['title']}", f"    key {key}; where {one['where'] or 'every record'}"]
    if options:
        lines.append(f"    options {options}")
    if live:
        lines.append("    " + ", ".join(f"{name} {value}" for name, value in one["counts"].items()) + f", {one['seconds']:.1f} s")
        if one["quarantine"]:
            lines.append(f"    {quarantined(one['quarantine'])}")
    if one["problem"]:
        lines.append(click.style("\n".join(f"    {line}" for line in one["problem"].splitlines()), fg="red"))
    return "\n".join(lines)
