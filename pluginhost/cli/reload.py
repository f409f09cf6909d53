"""`pluginhost reload`: look at the analyzer folders now; let an analyzer out of quarantine, or begin anew."""

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
    """Look at the analyzer folders now. The analyzers NAMES come out of quarantine, if they are in it."""
    if reset_state and not names:
        raise click.UsageError("name the analyzers whose state is to be reset")
    answer = next(ask(configured(config).data, "reload", names=list(names), reset=list(names) if reset_state else []))
    for page in answer["problems"]:
        click.echo(click.style(page, fg="red"), err=True)
    for name in answer["released"]:
        click.echo(f"{name} is out of quarantine")
    click.echo(f"generation {answer['generation']}{' is new' if answer['changed'] else ', as before'}")
    sys.exit(1 if answer["problems"] else 0)
