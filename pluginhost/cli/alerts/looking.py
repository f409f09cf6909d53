"""`pluginhost alerts list|show|follow`: stored alerts, as they are and as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ...alerts.cases import STATUSES
from ...host.casework import case_of
from ...host.config import Configured
from ...host.control import ask
from ...host.questions import listed, plain
from ...problem import Problem, printable
from ...replay.kept import names
from ...store.alerts import Archive
from ..casework import history, state_told
from ..common import COLORS, alert_line, config_option, configured, laid, moment
from .which import of_store, opened

__all__ = ["flat", "follow", "list_", "show"]


@click.command("list")
@config_option
@of_store
@click.option("--limit", "-n", default=50, show_default=True, help="How many, newest first.")
@click.option("--severity", type=click.Choice(list(COLORS)), help="Only this severity.")
@click.option("--analyzer", help="Only alerts of this analyzer.")
@click.option("--text", help='Only alerts that have these words, the one stored last first: failed "from one address" adm*.')
@click.option("--suppressed", is_flag=True, help="Those that were told to nobody, and how many there were for each reason.")
@click.option("--status", type=click.Choice([*STATUSES, "all"]), default="all", help="Only alerts of groups in this state.")
@click.option("--assignee", help="Only alerts that are assigned to this person.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
def list_(config: Path | None, task: str | None, backtest: str | None, as_json: bool, **filters: Any) -> None:
    """List alerts, newest first."""
    setup = configured(config)
    filters["status"] = None if filters["status"] == "all" else filters["status"]
    try:
        _list(setup, opened(setup, task, backtest), as_json, filters)
    finally:
        if task is None and backtest is None:
            _elsewhere(setup.data)


def _list(setup: Configured, file: Archive | None, as_json: bool, filters: dict[str, Any]) -> None:
    count = 0
    for one in ask(setup.data, "alerts", **filters) if file is None else listed(file, filters):
        _print(one, as_json)
        count += 1
    if not count and not as_json:
        click.echo("no alerts")
    if filters["suppressed"] and not as_json:
        _reasons(setup, file)


def _reasons(setup: Configured, file: Archive | None) -> None:
    """How many alerts each reason has suppressed, with what the configuration says of it."""
    counted = next(ask(setup.data, "suppressions")) if file is None else file.suppressions()
    why = {one.name: one.reason for one in setup.config.suppress}
    click.echo()
    for reason, count in counted.items():
        click.echo(f"{count:>8}  {reason:<20}  {printable(why.get(reason, ''), 160)}".rstrip())


def _elsewhere(data: Path) -> None:
    """Says that there are alerts in other stores, if so, and how to come to them."""
    found = [(kind, names(data, kind)) for kind in ("task", "backtest")]
    told = [f"{len(known)} {kind}{'s' if len(known) > 1 else ''} (--{kind} {known[-1]}{' …' if len(known) > 1 else ''})"
            for kind, known in found if known]  # fmt: skip
    if told:
        click.echo(click.style(f"alerts of their own have: {' and '.join(told)}", dim=True), err=True)


@click.command()
@config_option
@of_store
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The document as one line of JSON.")
def show(config: Path | None, task: str | None, backtest: str | None, id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show one alert whole; the first characters of its id will do."""
    setup = configured(config)
    file = opened(setup, task, backtest)
    if file is None:
        one = next(ask(setup.data, "alert", id=id))
    else:
        found = file.get(id)
        if found is None:
            raise Problem("alert.unknown", f"there is no alert {id}")
        one = plain(found)
    if as_json:
        click.echo(json.dumps(one["document"], ensure_ascii=True))
        return
    click.echo(alert_line(one))
    known = next(ask(setup.data, "case", group=one["fingerprint"], alert=one["id"])) if file is None else \
        case_of(file, one["fingerprint"], one["id"])  # fmt: skip
    _told(known)
    click.echo()
    for name, value in flat(one["document"]):
        told = f"\n{'':37}".join(laid(printable(line), 37) for line in str(value).split("\n"))
        click.echo(f"  {click.style(f'{name:<34}', dim=True)} {told}")


def _told(known: Mapping[str, Any]) -> None:
    """The state of the alert's group, who was told of the alert and where it waits or is dead, and the history, if there is any."""
    state = known["state"]
    lines = {"state": state_told(state), "links": "  ".join(state["links"])} if state else {}
    for one in known["fates"]:
        lines[printable(one["output"], 60)] = _fate(one)
    for name, text in lines.items():
        if text:
            click.echo(f"  {click.style(f'{name:<34}', dim=True)} {laid(printable(text), 37)}")
    if known["history"]:
        click.echo()
        for line in history(known["history"]):
            click.echo(line)


def _fate(one: Mapping[str, Any]) -> str:
    """What became of the alert at an output."""
    status, failed = str(one["status"]), one["attempts"] - (one["status"] == "delivered")
    told = {"waiting": "waits", "open": "is gathered, to be told", "delivered": "told"}.get(status, status)
    told += f" {moment(one['at'])}" if one["at"] and status != "waiting" else ""
    told += f", with {one['count'] - 1} more" if one["count"] > 1 else ""
    told += f", after {failed} {'tries' if failed > 1 else 'try'} that failed" if failed > 0 else ""
    return f"{told}: {one['reason']}" if one["reason"] else told


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
def follow(config: Path | None, as_json: bool) -> None:
    """Print alerts as they come, until interrupted."""
    try:
        for one in ask(configured(config).data, "follow"):
            _print(one, as_json)
    except KeyboardInterrupt:
        pass


def _print(one: Any, as_json: bool) -> None:
    click.echo(json.dumps(one["document"], ensure_ascii=True) if as_json else alert_line(one))


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, scalar or list of scalars) of every leaf, in the document's order."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{name}[{index}]")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else value
