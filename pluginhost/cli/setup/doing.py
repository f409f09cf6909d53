"""What all of `setup` have in common: who it is done as, and how it is shown, asked for and done."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import click
import msgspec

from ...options import Secret
from ...problem import Problem, printable
from ..common import config_option

__all__ = ["Line", "done", "from_env", "key_option", "login", "options", "run", "unreachable"]

F = TypeVar("F", bound=Callable[..., Any])

PASSWORD = "PLUGINHOST_SETUP_PASSWORD"  # noqa: S105 - the name of a variable
_COLORS = {"create": "green", "update": "yellow", "remove": "red", "cannot": "red", "failed": "red"}


class Line(msgspec.Struct, frozen=True):
    """One line of what is told. `todo` is how much of it is to be done."""

    word: str
    what: str
    why: str = ""
    todo: int = 0


def options(inner: F) -> F:
    """The options that all have."""
    for option in reversed((
        config_option,
        click.option("--dry-run", is_flag=True, help="Only show what would be done."),
        click.option("--yes", is_flag=True, help="Do it without asking."),
        click.option("--undo", is_flag=True, help="Take away what is pluginhost's, and only that."),
        click.option("--username", default="", help=f"Do it as this user; the password is in {PASSWORD}. Default: as configured."),
    )):  # fmt: skip
        inner = option(inner)
    return inner


key_option = click.option("--api-key-from-env", "key_in", default="", metavar="NAME",
                          help="Do it with the API key in this environment variable.")  # fmt: skip


def login(username: str, key_in: str = "") -> dict[str, Any]:
    """What it is done as in place of what the configuration says; nothing if nobody is named."""
    if username:
        return {"api_key": None, "username": username, "password": Secret(from_env(PASSWORD))}
    return {"api_key": Secret(from_env(key_in)), "username": "", "password": None} if key_in else {}


def from_env(name: str) -> str:
    """What a variable of the environment holds; a `Problem` if there is none."""
    found = os.environ.get(name)
    if not found:
        raise Problem("setup.credentials", f"the environment has no {printable(name, 100)}", todo="export it, then try again")
    return found


def run(work: Coroutine[Any, Any, int]) -> None:
    """Does it, and ends the process with its exit code."""
    sys.exit(asyncio.run(work))


async def done(look: Callable[[], AsyncIterator[Line]], do: Callable[[], AsyncIterator[Line]], *, dry_run: bool, yes: bool,
               warning: str = "") -> int:  # fmt: skip
    """Shows what is to be done and, once that is wanted, does it. The exit code: 1 if something could not be done."""
    planned = [line async for line in look()]
    for line in planned:
        click.echo(_told(line))
    todo, lacking = sum(line.todo for line in planned), any(line.word == "cannot" for line in planned)
    click.echo(f"\n{f'{todo} to do' if todo else 'nothing to do'}")
    if dry_run or not todo:
        return 1 if lacking and not dry_run else 0
    if not yes:
        click.confirm("do it?", abort=True)
        if warning:
            click.confirm(warning, abort=True)
    failed = 0
    async for line in do():
        failed += line.todo if line.word == "failed" else 0
        click.echo(_told(line))
    click.echo(f"\n{f'{failed} failed' if failed else 'done'}")
    return 1 if failed or lacking else 0


def unreachable(address: str, reason: str, todo: str) -> Problem:
    """That no answer came, or none that is of use."""
    return Problem("setup.unreachable", f"{address}: {printable(reason, 300)}", todo=todo)


def _told(line: Line) -> str:
    return f"  {click.style(f'{line.word:<7}', fg=_COLORS.get(line.word))} {line.what}{f': {line.why}' if line.why else ''}"
