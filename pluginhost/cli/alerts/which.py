"""Which store a command on alerts means: the host's, through the host if it runs, else from its file; or that of a task or a backtest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...host.config import Configured
from ...host.control import running
from ...replay.kept import stored
from ...store.alerts import Archive
from ..common import archive

__all__ = ["of_store", "opened"]

F = TypeVar("F", bound=Callable[..., Any])


def of_store(inner: F) -> F:
    """The options that name another store than the host's."""
    inner = click.option("--backtest", metavar="ID", help="Alerts of this backtest: it was made with --store.")(inner)
    return click.option("--task", metavar="NAME", help="Alerts of this task of `pluginhost detect`.")(inner)


def opened(setup: Configured, task: str | None, backtest: str | None) -> Archive | None:
    """The store that is meant, opened to read; None where it is that of a host that runs."""
    if task is not None and backtest is not None:
        raise click.UsageError("--task and --backtest name two stores: give one of them")
    if task is not None:
        return stored(setup.data, "task", task)
    if backtest is not None:
        return stored(setup.data, "backtest", backtest)
    return None if running(setup.data) else archive(setup)
