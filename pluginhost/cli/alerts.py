"""`pluginhost alerts`: the embedded store, through the running host or else from its file; those of replays from their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from ..host.config import Configured
from ..host.control import ask, running
from ..host.questions import plain
from ..problem import Problem, printable
from ..replay.kept import names, stored
from ..store.alerts import Archive
from .common import COLORS, alert_line, archive, config_option, configured, laid

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def command() -> None:
    """Look at alerts in the embedded store, or in that of a task or a backtest."""


def _of(inner: F) -> F:
    """The options that name another store than the host's."""
    inner = click.option("--backtest", metavar="ID", help="Alerts of this backtest: it was made with --store.")(inner)
    return click.option("--task", metavar="NAME", help="Alerts of this task of `pluginhost detect`.")(inner)


def _file(setup: Configured, task: str | None, backtest: str | None) -> Archive | None:
    """The store that is meant, opened to read; None where it is that of a host that runs."""
    if task is not None and backtest is not None:
        raise click.UsageError("--task and --backtest name two stores: give one of them")
    if task is not None:
        return stored(setup.data, "task", task)
    if backtest is not None:
        return stored(setup.data, "backtest", backtest)
    return None if running(setup.data) else archive(setup)


@command.command("list")
@config_option
@_of
@click.option("--limit", "-n", default=50, show_default=True, help="How many, newest first.")
@click.option("--severity", type=click.Choice(list(COLORS)), help="Only this severity.")
@click.option("--analyzer", help="Only alerts of this analyzer.")
@click.option("--text", help="Only alerts whose headline holds this text.")
@click.option("--suppressed", is_flag=True, help="Those that were told to nobody, and how many there were for each reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
def list_(config: Path | None, task: str | None, backtest: str | None, as_json: bool, **filters: Any) -> None:
    """List alerts, newest first."""
    setup = configured(config)
    try:
        _list(setup, _file(setup, task, backtest), as_json, filters)
    finally:
        if task is None and backtest is None:
            _elsewhere(setup.data)


def _list(setup: Configured, file: Archive | None, as_json: bool, filters: dict[str, Any]) -> None:
    count = 0
    for one in ask(setup.data, "alerts", **filters) if file is None else map(plain, file.list(**filters)):
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


@command.command()
@config_option
@_of
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The document as one line of JSON.")
def show(config: Path | None, task: str | None, backtest: str | None, id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show one alert whole; the first characters of its id will do."""
    setup = configured(config)
    file = _file(setup, task, backtest)
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
    click.echo()
    for name, value in _flat(one["document"]):
        told = f"\n{'':37}".join(laid(printable(line), 37) for line in str(value).split("\n"))
        click.echo(f"  {click.style(f'{name:<34}', dim=True)} {told}")


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
    click.echo(json.dumps(one["document"], ensure_ascii=True) if as_json else alert_line(one))


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
