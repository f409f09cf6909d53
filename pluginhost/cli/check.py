"""`pluginhost check`: whether this configuration would run: analyzers, their examples, ports, outputs; or what a sample shows."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import IO

import click

from ..host.config import Configured
from ..host.trying import checks
from ..problem import printable
from .common import config_option, configured
from .coverage import survey, told

__all__ = ["command"]


@click.command()
@config_option
@click.option("--records", type=click.File("rb"), help="Look at these records instead (NDJSON or lines; - is standard input): which "
              "mappings read them, and which kinds of event worth logging are never among them.")  # fmt: skip
@click.option("--tag", default="", help="The tag that --records have.")
def command(config: Path | None, records: IO[bytes] | None, tag: str) -> None:
    """Check configuration, analyzers, ports and whether outputs can be reached, or what a sample of records shows."""
    if records is not None:
        for line in told(survey(records, tag)):
            click.echo(line)
        return
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
