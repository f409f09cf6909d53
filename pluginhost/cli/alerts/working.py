"""`pluginhost alerts open|history` and what is done to alerts: ack, assign, start, resolve, reopen, note, tag, untag, link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...host.casework import case_of, to_do
from ...host.config import Configured
from ...host.control import ask, running
from ...host.questions import plain
from ...problem import Problem, printable
from ..casework import actions, head, history
from ..common import archive, config_option, configured, laid

__all__ = ["case", "group_line", "history_", "open_", "work"]


@click.command("open")
@config_option
@click.option("--assignee", help="Only what is assigned to this person; '' for nobody's.")
@click.option("--limit", "-n", default=50, show_default=True, help="How many, the gravest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def open_(config: Path | None, assignee: str | None, limit: int, as_json: bool) -> None:
    """List what is to do: every group of alerts that is not resolved, the gravest first."""
    setup = configured(config)
    host = running(setup.data)
    found = list(ask(setup.data, "to_do", limit=limit, assignee=assignee)) if host else to_do(archive(setup), limit, assignee)
    for one in found:
        click.echo(json.dumps(one) if as_json else group_line(one))
    if not found and not as_json:
        click.echo("nothing is open")


def group_line(state: Mapping[str, Any]) -> str:
    """A group in one line: status, severity, headline, id, how many alerts from when to when, whose it is, its incident."""
    count = f"{state['alerts']} alerts" if state["alerts"] != 1 else "1 alert"
    told = [printable(state["headline"], 160), state["alert"][:12], f"{count}, {_span(state['first'], state['last'])}"]
    told += [printable(state["assignee"], 60)] if state["assignee"] else []
    told += [f"incident {state['incident']}"] if state["incident"] else []
    return f"{head(state)}  {laid('  '.join(told), 27)}"


def _span(first: int, last: int) -> str:
    begun, ended = (datetime.fromtimestamp(ns / 1e9, UTC) for ns in (first, last))
    end = f"{ended:%H:%M}" if begun.date() == ended.date() else f"{ended:%Y-%m-%d %H:%M}"
    return f"{begun:%Y-%m-%d %H:%M}" if last - first < 60 * 10**9 else f"{begun:%Y-%m-%d %H:%M} – {end}"


@click.command("history")
@config_option
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def history_(config: Path | None, id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show what became of an alert's group, the oldest first: who did what, when, and why."""
    setup = configured(config)
    alert = next(ask(setup.data, "alert", id=id)) if running(setup.data) else _alert(setup, id)
    entries = case(setup, alert["fingerprint"], alert["id"])["history"]
    for line in map(json.dumps, entries) if as_json else history(entries):
        click.echo(line)
    if not entries and not as_json:
        click.echo("nothing has become of it: nobody was told")


def _alert(setup: Configured, id_: str) -> dict[str, Any]:
    file = archive(setup)
    found = file.get(id_)
    if found is None:
        raise Problem("alert.unknown", f"there is no alert {id_}")
    return plain(found)


def case(setup: Configured, group: str, alert: str) -> dict[str, Any]:
    """What is known of a group (see `case_of`), from the host, or from its file."""
    found: dict[str, Any] = (
        next(ask(setup.data, "case", group=group, alert=alert)) if running(setup.data) else case_of(archive(setup), group, alert)
    )
    return found


work = tuple(actions("case_act", "ids", click.STRING, "alerts", group_line))
"""The commands that do something to alerts."""
