"""`pluginhost incidents`: what belongs together, with its time line, and what is done to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..host.casework import incident_of, incidents_of
from ..host.control import ask, running
from ..problem import printable
from .alerts.working import group_line
from .casework import actions, head, history, state_told
from .common import archive, config_option, configured, laid, moment

__all__ = ["command"]


@click.group()
def command() -> None:
    """Look at incidents: alerts that share a user, a host or an address; work through them."""


@command.command("list")
@config_option
@click.option("--all", "every", is_flag=True, help="Also those that are resolved.")
@click.option("--limit", "-n", default=50, show_default=True, help="How many, that with the latest alert first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, every: bool, limit: int, as_json: bool) -> None:
    """List incidents, that with the latest alert first."""
    setup = configured(config)
    host = running(setup.data)
    found = list(ask(setup.data, "incidents", limit=limit, every=every)) if host else incidents_of(archive(setup), limit, every)
    for one in found:
        click.echo(json.dumps(one) if as_json else _line(one))
    if not found and not as_json:
        click.echo("no incidents" if every else "no incident is open")


@command.command()
@config_option
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def show(config: Path | None, number: int, as_json: bool) -> None:
    """Show an incident: what is shared, its groups, and its time line, the oldest first."""
    setup = configured(config)
    found = next(ask(setup.data, "incident", number=number)) if running(setup.data) else incident_of(archive(setup), number)
    if as_json:
        click.echo(json.dumps(found))
        return
    incident = found["incident"]
    click.echo(_line(incident))
    told = {"state": state_told(incident), "shared": ", ".join(incident["entities"]), "common": ", ".join(incident["common"]),
            "linked to": ", ".join(map(str, incident["linked"])), "alerts": f"{incident['alerts']} in {incident['groups']} groups, "
            f"{moment(incident['first'])} – {moment(incident['last'])}"}  # fmt: skip
    for name, text in told.items():
        if text:
            click.echo(f"  {click.style(f'{name:<10}', dim=True)} {laid(printable(text), 13)}")
    click.echo()
    for state in found["groups"]:
        click.echo(group_line(state))
    click.echo()
    for line in history(found["timeline"], {state["fingerprint"]: state["headline"] for state in found["groups"]}):
        click.echo(line)


def _line(one: Mapping[str, Any]) -> str:
    """An incident in one line: number, status, severity, title, how many alerts of how many groups, since when, whose it is."""
    text = f"{printable(one['title'], 200)}  {one['alerts']} alerts of {one['groups']} groups since {moment(one['first'])[:16]}"
    text += f"  {printable(one['assignee'], 60)}" if one["assignee"] else ""
    return f"{one['number']:>5}  {head(one)}  {laid(text, 34)}"


for _one in actions("incident_act", "numbers", click.INT, "incidents", _line):
    command.add_command(_one)
