"""The command `pluginhost`: one module a subcommand. A `Problem` is printed as its page and ends with status 2."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..problem import Problem

__all__ = ["main"]

logging.getLogger("pluginhost").addHandler(logging.NullHandler())  # what is logged is for `run` to show; the others print it themselves
_COMMANDS = ("run", "check", "test", "new", "list", "status", "top", "tap", "alerts", "incidents", "mutes", "risk", "dead-letters",
             "notify", "reload", "schema", "conf", "demo", "generate", "backtest", "detect", "setup", "backup", "restore")  # fmt: skip


class _Commands(click.Group):
    """Loads a command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS]  # `list` may be the submodule of that name here

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name.replace('-', '_')}", __name__).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            click.echo(click.style(problem.page(), fg="red") if sys.stderr.isatty() else problem.page(), err=True)
            ctx.exit(2)
        except BrokenPipeError:
            sys.stderr.close()  # whoever read us is gone; say nothing
            ctx.exit(1)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pluginhost")
def main() -> None:
    """A sidecar beside your log shipper: records go through Python analyzers, flagged records come back at once."""
