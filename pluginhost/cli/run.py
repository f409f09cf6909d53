"""`pluginhost run`: the sidecar, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import sys
import time
from pathlib import Path
from random import Random

import click

from .. import __version__
from ..host.config import Configured
from ..host.host import Host
from ..host.logs import speak
from ..problem import Problem
from .common import config_option, configured

__all__ = ["command"]

_FILES = 1 << 16


@click.command()
@config_option
@click.option("--verbose", "-v", is_flag=True, help="Say more.")
def command(config: Path | None, verbose: bool) -> None:
    """Run the sidecar until it gets SIGINT or SIGTERM; a second one does not wait. SIGHUP looks at the analyzer folders."""
    setup = configured(config)
    speak(setup.config.log.format, "debug" if verbose else setup.config.log.level)
    _allow_many_files()
    try:
        asyncio.run(_run(setup))
    except* Problem as problems:
        raise _first(problems) from None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is done: an impatient second signal must not make a failure of it
    sys.exit(0)


def _allow_many_files() -> None:
    """As many open files as this user may have, within reason: each connection is one, and without any left nobody is let in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # then the doors' bounds must do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _first(group: BaseExceptionGroup[Problem]) -> Problem:
    """The first problem of a group, however deep."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _run(setup: Configured) -> None:
    log = logging.getLogger("pluginhost")
    host = Host(setup, clock=time.time_ns, rng=Random())  # noqa: S311 - jitter of back-off, no secret
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, host.upkeep.reload.set)
    log.info("pluginhost %s, data in %s", __version__, host.data)  # from here on a stop is heard
    await host.run(stopping, hurry)
    log.info("stopped; %s", "everything is analysed" if host.desk.frontier >= host.journal.end else "the rest is in the journal")
