"""`pluginhost check`: whether this configuration would run: analyzers, their examples, ports, outputs."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import click

from ..host.config import Configured
from ..host.trying import checks
from ..problem import printable
from .common import config_option, configured

__all__ = ["command"]


@click.command()
@config_option
def command(config: Path | None) -> None:
    """Check configuration, analyzers, ports and whether outputs can be reached."""
    wrong = asyncio.run(_check(configured(config)))
    click.echo()
    click.echo(click.style(f"{wrong} to mend", fg="red") if wrong else click.style("all well", fg="green"))
    sys.exit(1 if wrong else 0)


async def _check(setup: Configured) -> int:
    wrong = 0
    async for kind, name, page in checks(setup, time.time_ns):
        wrong += page is not None
        mark = click.style("ok ", fg="green") if page is None else click.style("bad", fg="red")
        click.echo(f"{mark}  {kind:<10} {printable(name)}")
        for line in (page or "").splitlines():
            click.echo(f"       {line}")
    return wrong
