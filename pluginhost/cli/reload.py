"""`pluginhost reload`: look at the analyzer folders now; with `--reset-state`, let an analyzer begin anew."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..host.control import ask
from .common import config_option, configured

__all__ = ["command"]


@click.command()
@config_option
@click.argument("names", nargs=-1)
@click.option("--reset-state", is_flag=True, help="Forget what the named analyzers remember.")
def command(config: Path | None, names: tuple[str, ...], reset_state: bool) -> None:
    """Look at the analyzer folders now. NAMES are the analyzers whose state is to be reset."""
    if bool(names) != reset_state:
        raise click.UsageError("name analyzers together with --reset-state, or neither")
    answer = next(ask(configured(config).data, "reload", reset=list(names)))
    for page in answer["problems"]:
        click.echo(click.style(page, fg="red"), err=True)
    click.echo(f"generation {answer['generation']}{' is new' if answer['changed'] else ', as before'}")
    sys.exit(1 if answer["problems"] else 0)
