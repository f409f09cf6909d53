"""The time that `--since` means: so long ago, or since when."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...options import Duration
from ...wire.times import parse

__all__ = ["since_option"]

F = TypeVar("F", bound=Callable[..., Any])


def since_option(default: str | None = None) -> Callable[[F], F]:
    """The option `--since`, given to the command as `after`, in ns; None where it is not given and has no default."""
    return click.option("--since", "after", callback=_after, default=default, show_default=default is not None, metavar="SPAN|TIME",
                        help="Only events of the last 7d, 12h …, or since a time: 2026-01-31, 2026-01-31T10:00:00Z.")  # fmt: skip


def _after(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    when = parse(f"{value}T00:00:00" if len(value) == 10 else value)
    if when is not None:
        return when
    try:
        return time.time_ns() - Duration.of(value).ns  # noqa: TID251 - the command's own
    except ValueError:
        raise click.BadParameter(f"expected a span such as 7d or a time such as 2026-01-31, got {value}") from None
