"""`pluginhost risk`: how risky users, hosts and addresses have become, and what an analyst says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from ..alerts.risk import ENTITIES, LEVELS
from ..host.control import ask, running
from ..host.risks import risk_of
from ..options import Duration
from ..problem import printable
from .common import COLORS, archive, config_option, configured, moment
from .common import span as span_of

__all__ = ["command"]

_clock = time.time_ns  # noqa: TID251 - the command's own


@click.group()
def command() -> None:
    """Look at the risk of users, hosts and addresses; set a level by hand."""


def _kind(inner: Callable[..., None]) -> Callable[..., None]:
    return click.option("--kind", type=click.Choice(list(ENTITIES)), default="user", show_default=True, help="Of what.")(inner)


@command.command("list")
@config_option
@_kind
@click.option("--limit", "-n", default=50, show_default=True, help="How many, the highest score first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, kind: str, limit: int, as_json: bool) -> None:
    """List the riskiest, with score and level as of now."""
    setup = configured(config)
    if running(setup.data):
        found: Iterable[Any] = ask(setup.data, "risks", kind=kind, limit=limit)
    else:
        found = [risk_of(one, setup.policy.risk, _clock()) for one in archive(setup).risks.highest(kind, limit)]
    count = 0
    for count, one in enumerate(found, 1):  # noqa: B007 - asked below
        click.echo(json.dumps(one) if as_json else _line(one))
    if not count and not as_json:
        click.echo("no alerts have weighed yet")


@command.command()
@config_option
@_kind
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def show(config: Path | None, kind: str, name: str, as_json: bool) -> None:
    """Show the risk of one user (or host, or address), and the latest alerts that made it."""
    setup = configured(config)
    if running(setup.data):
        one = next(ask(setup.data, "risk", kind=kind, name=name))
    else:
        one = risk_of(archive(setup).risks.get(kind, name), setup.policy.risk, _clock())
    if as_json:
        click.echo(json.dumps(one))
        return
    click.echo(_line(one))
    for alert in one["alerts"]:
        click.echo(f"  {moment(alert['time'])}  {alert['severity']:8}  {alert['analyzer']:<20}  {click.style(alert['id'][:12], dim=True)}")


@command.command("set")
@config_option
@_kind
@click.argument("name")
@click.argument("level", type=click.Choice(LEVELS))
@click.option("--for", "span", default="30d", show_default=True, callback=span_of, help="How long it holds, such as 12h or 30d.")
@click.option("--by", "author", default="", help="Who says so.")
@click.option("--note", default="", help="Why.")
def set_(config: Path | None, kind: str, name: str, level: str, span: Duration, author: str, note: str) -> None:
    """Say that this level holds, whatever the score; the score itself is reckoned on."""
    found = ask(configured(config).data, "risk_set", kind=kind, name=name, level=level, seconds=float(span), author=author, note=note)
    click.echo(_line(next(found)))


@command.command()
@config_option
@_kind
@click.argument("name")
def clear(config: Path | None, kind: str, name: str) -> None:
    """Forget what was set by hand."""
    there = next(ask(configured(config).data, "risk_clear", kind=kind, name=name))
    click.echo("cleared" if there else "nothing was set")


def _line(one: dict[str, Any]) -> str:
    level = click.style(f"{one['level']:8}", fg=COLORS.get(one["level"]))
    said = one["override"]
    told = f"  set until {moment(said['until'])}" if said else ""
    told += f" by {printable(said['author'], 60)}" if said and said["author"] else ""
    told += f": {printable(said['note'], 160)}" if said and said["note"] else ""
    last = f"last alert {moment(one['last'])}" if one["last"] else "no alert"
    return f"{level}  {one['score']:>8.1f}  {printable(one['name'], 60):<28}  {last}{told}"
