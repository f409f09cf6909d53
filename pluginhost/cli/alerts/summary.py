"""`pluginhost alerts summary`: how many alerts there were, by analyzer, severity, user or source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from ...host.control import ask
from ...problem import printable
from ...store.rollups import KINDS, Per
from ..common import config_option, configured
from .spans import since_option
from .which import of_store, opened

__all__ = ["summary"]


@click.command()
@config_option
@of_store
@click.option("--by", type=click.Choice(KINDS), default="analyzer", show_default=True, help="What is counted.")
@since_option("7d")
@click.option("--per", type=click.Choice(["hour", "day"]), help="Each hour or day (UTC) apart, the newest first; else all together.")
@click.option("--limit", "-n", default=1000, show_default=True, help="How many lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def summary(config: Path | None, task: str | None, backtest: str | None, by: str, after: int, per: Per | None, limit: int,
            as_json: bool) -> None:  # fmt: skip
    """Count alerts, told and suppressed, also those that are no longer stored."""
    setup = configured(config)
    file = opened(setup, task, backtest)
    found: Iterable[Any] = (
        ask(setup.data, "alerts_summary", by=by, after=after, per=per, limit=limit) if file is None
        else map(msgspec.to_builtins, file.rollups.summary(by, after, per=per, limit=limit))
    )  # fmt: skip
    lines = [json.dumps(_named(one, by)) if as_json else _line(one, per) for one in found]
    if not as_json:
        head = f"{'told':>10} {'suppressed':>10}  {f'{per:<16}  ' if per else ''}{by}"
        click.echo(click.style(head, bold=True) if lines else "no alerts")
    for line in lines:
        click.echo(line)


def _named(one: dict[str, Any], by: str) -> dict[str, Any]:
    """A count for programs: the name is null where it stands for all that there was no room for."""
    start = {"start": _moment(one["start"], "%Y-%m-%dT%H:%M:%SZ")} if one["start"] else {}
    return {**start, by: one["name"] or None, "told": one["told"], "suppressed": one["suppressed"]}


def _line(one: dict[str, Any], per: str | None) -> str:
    when = f"{_moment(one['start'], '%Y-%m-%d %H:%M'):<16}  " if per else ""
    return f"{one['told']:>10,} {one['suppressed']:>10,}  {when}{printable(one['name'], 120) or '(all others)'}"


def _moment(ns: int, form: str) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime(form)
