"""`pluginhost list`: which analyzers run, on what, and how often they fired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..host.control import ask, running
from ..host.trying import tried
from ..problem import printable
from .common import config_option, configured, quarantined

__all__ = ["command"]


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object an analyzer, or a kind of records.")
@click.option("--cost", is_flag=True, help="What each analyzer and each kind of records costs, of a host that runs.")
def command(config: Path | None, as_json: bool, cost: bool) -> None:
    """List analyzers with their keys, options and counts, or what they cost."""
    setup = configured(config)
    live = running(setup.data)
    if cost:
        _costs(setup.data, as_json)
        return
    found = list(ask(setup.data, "analyzers")) if live else tried(setup)
    for one in sorted(found, key=lambda one: one["name"] or "~"):
        click.echo(json.dumps(one) if as_json else _told(one, live))
    if not found and not as_json:
        click.echo("no analyzers")


def _costs(data: Path, as_json: bool) -> None:
    found, kinds = list(ask(data, "analyzers")), list(ask(data, "costs"))
    if as_json:
        for one in (*found, *kinds):
            click.echo(json.dumps(one))
        return
    spent = sum(one["seconds"] for one in found if one["name"]) or 1.0
    click.echo(click.style(f"{'analyzer':<32}{'records':>12}{'alerts':>10}{'seconds':>10}{'share':>8}", bold=True))
    for one in sorted((one for one in found if one["name"]), key=lambda one: -one["seconds"]):
        counts = one["counts"]
        click.echo(f"{one['name']:<32}{counts['seen']:>12,}{counts['fired']:>10,}{one['seconds']:>10.1f}{one['seconds'] / spent:>8.0%}")
    head = f"{'records of the kind of tag':<32}{'passed over':>12}{'judged':>12}{'analyzers':>10}  why each is judged"
    click.echo(click.style(f"\n{head}", bold=True))
    for one in kinds:
        told = f"{printable(one['tag'], 24)} ({one['codec']})"
        click.echo(f"{told:<32}{one['passed']:>12,}{one['judged']:>12,}{one['analyzers']:>10}  {_why(one)}")


def _why(one: dict[str, Any]) -> str:
    """Why the records of a kind are looked at one by one."""
    if one["whole"]:
        return f"{', '.join(one['whole'][:3])}{', …' if len(one['whole']) > 3 else ''} must be asked about every record"
    return one["because"] or "only those that something in them gives away"


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
