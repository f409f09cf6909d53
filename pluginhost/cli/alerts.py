"""`pluginhost alerts`: the embedded store, through the running host or, when none runs, from its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..host.config import Configured
from ..host.control import ask, running
from ..host.questions import plain
from ..problem import Problem, printable, set_in
from .common import COLORS, alert_line, archive, config_option, configured

__all__ = ["command"]


@click.group()
def command() -> None:
    """Look at alerts in the embedded store."""


def _listed(setup: Configured, **filters: Any) -> Iterator[Any]:
    if running(setup.data):
        return ask(setup.data, "alerts", **filters)
    return (plain(one) for one in archive(setup).list(**filters))


@command.command("list")
@config_option
@click.option("--limit", "-n", default=50, show_default=True, help="How many, newest first.")
@click.option("--severity", type=click.Choice(list(COLORS)), help="Only this severity.")
@click.option("--analyzer", help="Only alerts of this analyzer.")
@click.option("--text", help="Only alerts whose headline holds this text.")
@click.option("--suppressed", is_flag=True, help="Those that were told to nobody, and how many there were for each reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
def list_(config: Path | None, as_json: bool, **filters: Any) -> None:
    """List alerts, newest first."""
    setup, count = configured(config), 0
    for one in _listed(setup, **filters):
        _print(one, as_json)
        count += 1
    if not count and not as_json:
        click.echo("no alerts")
    if filters["suppressed"] and not as_json:
        _reasons(setup)


def _reasons(setup: Configured) -> None:
    """How many alerts each reason has suppressed, with what the configuration says of it."""
    counted = next(ask(setup.data, "suppressions")) if running(setup.data) else archive(setup).suppressions()
    why = {one.name: one.reason for one in setup.config.suppress}
    click.echo()
    for reason, count in counted.items():
        click.echo(f"{count:>8}  {reason:<20}  {printable(why.get(reason, ''), 160)}".rstrip())


@command.command()
@config_option
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The document as one line of JSON.")
def show(config: Path | None, id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show one alert whole; the first characters of its id will do."""
    setup = configured(config)
    if running(setup.data):
        one = next(ask(setup.data, "alert", id=id))
    else:
        found = archive(setup).get(id)
        if found is None:
            raise Problem("alert.unknown", f"there is no alert {id}")
        one = plain(found)
    if as_json:
        click.echo(json.dumps(one["document"], ensure_ascii=True))
        return
    click.echo(alert_line(one))
    click.echo()
    for name, value in _flat(one["document"]):
        click.echo(f"  {click.style(f'{name:<34}', dim=True)} {set_in(str(value), 37)}")


@command.command()
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
    told = f"  ({one['suppressed'].replace(' ', ', ')})" if one["suppressed"] else ""
    click.echo(json.dumps(one["document"], ensure_ascii=True) if as_json else alert_line(one) + told)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, scalar or list of scalars) of every leaf, in the document's order."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{index}]")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else value
