"""`pluginhost setup`: what must stand in a search cluster, shown before it is done, done when it is wanted, and undone.

What that is, is `outputs.standing`'s and `outputs.undoing`'s; here it is told and asked for. It may be done as somebody else than the
output writes as: secrets come from the environment, and are never shown.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ..alerts.template import Home, Kind, home
from ..engine.parts import find
from ..host.config import Configured, Part
from ..metrics import Registry
from ..options import Secret, close
from ..outputs.cluster import Answered, version_of
from ..outputs.elasticsearch import role
from ..outputs.port import Context, Unavailable
from ..outputs.search import SearchOutput
from ..outputs.standing import Step, carry_out, steps
from ..outputs.undoing import removals
from ..problem import Problem, printable
from .common import config_option, configured

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

PASSWORD = "PLUGINHOST_SETUP_PASSWORD"  # noqa: S105 - the name of a variable
_COLORS = {"create": "green", "update": "yellow", "remove": "red", "cannot": "red", "failed": "red"}
_clock = time.time_ns  # noqa: TID251 - an output wants one


@click.group()
def command() -> None:
    """Prepare what alerts are written into: show what is to be done, then do it."""


def _options(inner: F) -> F:
    for option in reversed((
        config_option,
        click.option("--output", "name", default="", help="Which output, where there are several of this type."),
        click.option("--dry-run", is_flag=True, help="Only show what would be done."),
        click.option("--yes", is_flag=True, help="Do it without asking."),
        click.option("--undo", is_flag=True, help="Take away what is pluginhost's, and only that."),
        click.option("--data", is_flag=True, help="With --undo: also the alerts, states and scores that are there."),
        click.option("--username", default="", help=f"Do it as this user; the password is in {PASSWORD}. Default: as the output writes."),
    )):  # fmt: skip
        inner = option(inner)
    return inner


@command.command()
@_options
@click.option("--api-key-from-env", "key_in", default="", metavar="NAME", help="Do it with the API key in this environment variable.")
@click.option("--print-role", is_flag=True, help="Only print the role of least privilege that the output needs, as JSON.")
def elasticsearch(config: Path | None, name: str, key_in: str, print_role: bool, **given: Any) -> None:
    """Templates, state index and retention in Elasticsearch."""
    setup = configured(config)
    part = _chosen(setup, "elasticsearch", name)
    if print_role:
        click.echo(json.dumps(role(_homes(setup, part)), indent=2))
        return
    own = {"api_key": Secret(_from_env(key_in)), "username": "", "password": None} if key_in else {}
    _run(_set_up(setup, part, own, **given))


@command.command()
@_options
def opensearch(config: Path | None, name: str, **given: Any) -> None:
    """Templates, streams, state index and retention in OpenSearch."""
    setup = configured(config)
    _run(_set_up(setup, _chosen(setup, "opensearch", name), {}, **given))


def _chosen(setup: Configured, kind: str, name: str) -> Part:
    """The output that is meant; a `Problem` if it is not clear."""
    parts = {part.name: part for part in setup.outputs if part.type is find("outputs", kind)}
    if name and name not in parts:
        raise Problem("setup.output", f"there is no output `{printable(name, 100)}` of type {kind}", todo=close(name, parts))
    if not name and len(parts) != 1:
        todo = f"name one: --output {' or '.join(parts)}" if parts else f"write one into pluginhost.yaml: `type: {kind}`"
        raise Problem("setup.output", f"there are {len(parts) or 'no'} outputs of type {kind} in the configuration", todo=todo)
    return parts[name] if name else next(iter(parts.values()))


def _homes(setup: Configured, part: Part) -> list[Home]:
    """Where what the output takes lies."""
    taken: dict[Kind, bool] = {"alerts": True, "states": part.options.states, "scores": part.name in setup.policy.trends}
    return [home(kind, setup.config.namespace) for kind, wanted in taken.items() if wanted]


def _from_env(name: str) -> str:
    found = os.environ.get(name)
    if not found:
        raise Problem("setup.credentials", f"the environment has no {printable(name, 100)}", todo="export it, then try again")
    return found


def _run(work: Coroutine[Any, Any, int]) -> None:
    sys.exit(asyncio.run(work))


async def _set_up(setup: Configured, part: Part, own: dict[str, Any], *, username: str, undo: bool, data: bool,
                  **given: bool) -> int:  # fmt: skip
    if data and not undo:
        raise Problem("setup.data", "--data says what --undo takes away", todo="say --undo --data, or leave --data out")
    if username:
        own = {"username": username, "password": Secret(_from_env(PASSWORD))}
        own |= {"api_key": None} if hasattr(part.options, "api_key") else {}
    options = msgspec.structs.replace(part.options, **own)
    output: SearchOutput = part.type(options, Context(part.name, Registry(), _clock, setup.hostname, setup.config.namespace))
    try:
        version = await version_of(output.cluster)
        click.echo(f"{part.type.__name__} {printable(version, 40)} at {output.address}, namespace {setup.config.namespace}\n")
        homes = _homes(setup, part)
        look = functools.partial(_removed if undo else _made, output, homes, version, data=data)
        return await _done(output, look, data=data, **given)
    except Answered as error:
        raise Problem("setup.refused", f"{output.address} does not let us go on: {error.reason}",
                      todo="do it as somebody who may: --username NAME, or --api-key-from-env NAME") from None  # fmt: skip
    except Unavailable as error:
        raise Problem("setup.unreachable", f"{output.address}: {printable(error.reason, 300)}", todo="look at `hosts`, `tls` and the "
                      "network; `pluginhost check` tries the same") from None  # fmt: skip
    finally:
        await output.close()


async def _made(output: SearchOutput, homes: list[Home], version: str, *, data: bool) -> AsyncIterator[Step]:
    del data
    for one in homes:
        async for step in steps(output.cluster, one, version, output.retention):
            yield step


async def _removed(output: SearchOutput, homes: list[Home], version: str, *, data: bool) -> AsyncIterator[Step]:
    del version
    for one in homes:
        async for step in removals(output.cluster, one, data=data):
            yield step


async def _done(output: SearchOutput, look: Callable[[], AsyncIterator[Step]], *, data: bool, dry_run: bool, yes: bool) -> int:
    """The exit code: 1 if something could not be done."""
    planned = [step async for step in look()]
    for step in planned:
        click.echo(_line(step.state, step))
    todo, lacking = sum(bool(step.requests) for step in planned), any(step.state == "cannot" for step in planned)
    click.echo(f"\n{f'{todo} to do' if todo else 'nothing to do'}")
    if dry_run or not todo:
        return 1 if lacking and not dry_run else 0
    if not yes:
        click.confirm("do it?", abort=True)
        if data:
            click.confirm("every document in what is removed is lost for good. Remove it?", abort=True)
    failed = 0
    async for step in look():
        failed += bool(step.requests) and not await _carried_out(output, step)
    click.echo(f"\n{f'{failed} failed' if failed else 'done'}")
    return 1 if failed or lacking else 0


async def _carried_out(output: SearchOutput, step: Step) -> bool:
    try:
        await carry_out(output.cluster, step)
    except (Answered, Unavailable) as error:
        click.echo(_line("failed", step, f"{printable(str(error), 300)}{f'; {step.cure}' if step.cure else ''}"))
        return False
    click.echo(_line("done", step))
    return True


def _line(word: str, step: Step, why: str = "") -> str:
    told = why or step.why
    return f"  {click.style(f'{word:<7}', fg=_COLORS.get(word))} {step.what}{f': {told}' if told else ''}"
