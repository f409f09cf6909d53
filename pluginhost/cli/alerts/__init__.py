"""`pluginhost alerts`: the embedded store, through the running host or else from its file; those of replays from their files.

Here is the group; each family of its commands has a module of its own.
"""

from __future__ import annotations

import click

from .carrying import export, import_
from .looking import follow, list_, show
from .muting import mute, unmute
from .summary import summary
from .working import history_, open_, work

__all__ = ["command"]


@click.group()
def command() -> None:
    """Look at alerts in the embedded store, or in that of a task or a backtest."""


for _one in (list_, show, follow, open_, history_, *work, mute, unmute, summary, export, import_):
    command.add_command(_one)
