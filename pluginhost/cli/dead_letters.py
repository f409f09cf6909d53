"""`pluginhost dead-letters`: what could not be accepted or delivered, and why."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import click
import msgspec

from ..host.control import ask, running
from ..problem import printable
from ..store.alerts import AlertStore
from .common import config_option, configured, moment

__all__ = ["command"]


@click.command()
@config_option
@click.option("--limit", "-n", default=50, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the body is base64.")
def command(config: Path | None, limit: int, as_json: bool) -> None:
    """Show what could not be accepted or delivered, with the reason."""
    setup = configured(config)
    if running(setup.data):
        found = list(ask(setup.data, "dead_letters", limit=limit))
    else:
        path = setup.data / "alerts.db"
        found = [msgspec.to_builtins(one) for one in AlertStore.readonly(path).dead_letters(limit)] if path.exists() else []
    for one in found:
        click.echo(json.dumps(one) if as_json else _line(one))
    if not found and not as_json:
        click.echo("no dead letters")


def _line(one: dict[str, Any]) -> str:
    when = moment(one["at"])
    body = base64.b64decode(one["body"]).decode("utf-8", "backslashreplace")
    return f"{when}  {one['stage']:<8} {printable(one['reason'], 60):<24} {printable(body, 120)}"
