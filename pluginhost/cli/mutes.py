"""`pluginhost mutes`: what people have silenced, until when, why, and how much it was."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..host.control import ask, running
from ..host.muting import told
from ..problem import printable
from .common import archive, config_option, configured

__all__ = ["command", "line"]

_clock = time.time_ns  # noqa: TID251 - the command's own


@click.command()
@config_option
@click.option("--all", "every", is_flag=True, help="Also those that hold no more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(config: Path | None, every: bool, as_json: bool) -> None:
    """List the mutes that hold: what is told to nobody, until when, who said so and why."""
    setup = configured(config)
    if running(setup.data):
        found = list(ask(setup.data, "mutes"))
    else:
        file = archive(setup)
        counted, now = file.suppressions(), _clock()
        found = [told(one, now, counted) for one in file.mutes.all()]
    shown = [one for one in found if every or one["holds"]]
    for one in shown:
        click.echo(json.dumps(one) if as_json else line(one))
    if not shown and not as_json:
        click.echo("nothing is muted")


def line(one: Mapping[str, Any]) -> str:
    """A mute in a line: its name, until when, how many alerts it has silenced, what it means, who laid it down and why."""
    until = datetime.fromtimestamp(one["until"] / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
    state = f"until {until}" if one["holds"] else click.style(f"{'ended' if one['ended'] is not None else 'was until'} {until}", dim=True)
    means = [f"group {one['fingerprint'][:12]}"] if one["fingerprint"] else []
    means += [", ".join(map(printable, one["analyzers"]))] if one["analyzers"] else []
    means += [printable(one["query"], 160)] if one["query"] else []
    said = f"  {printable(one['author'], 60)}" + (f": {printable(one['reason'], 160)}" if one["reason"] else "")
    return f"{one['name']:<20}  {state}  {one['silenced']:>6} silenced  {' and '.join(means) or 'everything'}{said if said.strip() else ''}"
