"""`pluginhost run`: the sidecar, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from pathlib import Path
from random import Random

import click

from .. import __version__
from ..host.host import Host
from ..problem import Problem, set_in
from .common import config_option, configured

__all__ = ["command"]


class _Lines(logging.Formatter):
    """One line a message, safe to print; pages keep their lines, set in."""

    default_time_format = "%H:%M:%S"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{self.formatTime(record)}  {record.levelname.lower():7}  {set_in(text, 19)}"


@click.command()
@config_option
@click.option("--verbose", "-v", is_flag=True, help="Say more.")
def command(config: Path | None, verbose: bool) -> None:
    """Run the sidecar until it gets SIGINT or SIGTERM."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for library in ("asyncio", "aiohttp", "elastic_transport", "watchfiles", "grpc"):  # what they warn of, our parts tell in their words
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        asyncio.run(_run(config))
    except* Problem as problems:
        raise _first(problems) from None
    sys.exit(0)


def _first(group: BaseExceptionGroup[Problem]) -> Problem:
    """The first problem of a group, however deep."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _run(config: Path | None) -> None:
    log = logging.getLogger("pluginhost")
    host = Host(configured(config), clock=time.time_ns, rng=Random())  # noqa: S311 - jitter of back-off, no secret
    log.info("pluginhost %s, data in %s", __version__, host.data)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await host.run(stopping)
    log.info("stopped; %s", "everything is analysed" if host.desk.frontier >= host.journal.end else "the rest is in the journal")
