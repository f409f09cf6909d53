"""`pluginhost setup elasticsearch` and `opensearch`: templates, streams, the state index, retention, and a monitor."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ...alerts.template import Home, Kind, home
from ...engine.parts import find
from ...host.config import Configured, Part
from ...metrics import Registry
from ...options import close
from ...outputs.cluster import Answered, version_of
from ...outputs.elasticsearch import role
from ...outputs.monitor import monitor_removal, monitor_step
from ...outputs.port import Context, Unavailable
from ...outputs.search import SearchOutput
from ...outputs.standing import Step, carry_out, steps
from ...outputs.undoing import removals
from ...problem import Problem, printable
from ...review import shipped
from ..common import configured
from . import doing
from .doing import Line

__all__ = ["elasticsearch", "opensearch"]

F = TypeVar("F", bound=Callable[..., Any])

_clock = time.time_ns  # noqa: TID251 - an output wants one


def _options(inner: F) -> F:
    for option in reversed((
        doing.options,
        click.option("--output", "name", default="", help="Which output, where there are several of this type."),
        click.option("--data", is_flag=True, help="With --undo: also the alerts, states and scores that are there."),
    )):  # fmt: skip
        inner = option(inner)
    return inner


@click.command()
@_options
@doing.key_option
@click.option("--print-role", is_flag=True, help="Only print the role of least privilege that the output needs, as JSON.")
def elasticsearch(config: Path | None, name: str, key_in: str, username: str, print_role: bool, **given: Any) -> None:
    """Templates, state index and retention in Elasticsearch."""
    setup = configured(config)
    part = _chosen(setup, "elasticsearch", name)
    if print_role:
        click.echo(json.dumps(role(_homes(setup, part)), indent=2))
        return
    doing.run(_set_up(setup, part, doing.login(username, key_in), monitor=False, **given))


@click.command()
@_options
@click.option("--monitor", is_flag=True, help="Also a monitor of OpenSearch's alerting over the alerts, switched off at first.")
def opensearch(config: Path | None, name: str, username: str, **given: Any) -> None:
    """Templates, streams, state index and retention in OpenSearch."""
    setup = configured(config)
    own = {name: value for name, value in doing.login(username).items() if name != "api_key"}
    doing.run(_set_up(setup, _chosen(setup, "opensearch", name), own, **given))


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


async def _set_up(setup: Configured, part: Part, own: dict[str, Any], *, undo: bool, data: bool, monitor: bool, **given: bool) -> int:
    if data and not undo:
        raise Problem("setup.data", "--data says what --undo takes away", todo="say --undo --data, or leave --data out")
    options = msgspec.structs.replace(part.options, **own)
    output: SearchOutput = part.type(options, Context(part.name, Registry(), _clock, setup.hostname, setup.config.namespace))
    try:
        version = await version_of(output.cluster)
        click.echo(f"{part.type.__name__} {printable(version, 40)} at {output.address}, namespace {setup.config.namespace}\n")
        homes = _homes(setup, part)
        look = functools.partial(_removed if undo else _made, output, homes, monitor=monitor, version=version, data=data)
        warning = "every document in what is removed is lost for good. Remove it?" if data else ""
        return await doing.done(functools.partial(_shown, look), functools.partial(_did, output, look), warning=warning, **given)
    except Answered as error:
        raise Problem("setup.refused", f"{output.address} does not let us go on: {error.reason}",
                      todo="do it as somebody who may: --username NAME, or --api-key-from-env NAME") from None  # fmt: skip
    except Unavailable as error:
        todo = "look at `hosts`, `tls` and the network; `pluginhost check` tries the same"
        raise doing.unreachable(output.address, error.reason, todo) from None
    finally:
        await output.close()


async def _made(output: SearchOutput, homes: list[Home], *, monitor: bool, version: str, data: bool) -> AsyncIterator[Step]:
    del data
    for one in homes:
        async for step in steps(output.cluster, one, version, output.retention):
            yield step
    if monitor:
        yield await monitor_step(output.cluster, shipped.monitor())


async def _removed(output: SearchOutput, homes: list[Home], *, monitor: bool, version: str, data: bool) -> AsyncIterator[Step]:
    del version
    if monitor:
        yield await monitor_removal(output.cluster, shipped.monitor())
    for one in homes:
        async for step in removals(output.cluster, one, data=data):
            yield step


async def _shown(look: Callable[[], AsyncIterator[Step]]) -> AsyncIterator[Line]:
    async for step in look():
        yield Line(step.state, step.what, step.why, int(bool(step.requests)))


async def _did(output: SearchOutput, look: Callable[[], AsyncIterator[Step]]) -> AsyncIterator[Line]:
    """Each is looked at again before it is done: what stands behind it may depend on that."""
    async for step in look():
        if step.requests:
            yield await _carried_out(output, step)


async def _carried_out(output: SearchOutput, step: Step) -> Line:
    try:
        await carry_out(output.cluster, step)
    except (Answered, Unavailable) as error:
        return Line("failed", step.what, f"{printable(str(error), 300)}{f'; {step.cure}' if step.cure else ''}", 1)
    return Line("done", step.what, step.why)
