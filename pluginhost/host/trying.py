"""Trying a configuration without running it: what `list` and `check` show when no host runs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from ..engine.generations import Generations
from ..engine.reload import Checker, Reloader
from ..inputs.port import Context as InputContext
from ..inputs.port import Receipt, Way
from ..metrics import Registry
from ..outputs.port import Context as OutputContext
from ..outputs.port import Output, Unavailable
from ..problem import Problem
from ..wire.chunk import Chunk
from .beside import output_beside, takers
from .config import Configured, Part
from .control import running

__all__ = ["Finding", "checks", "tried"]

Clock = Callable[[], int]
Finding = tuple[str, str, str | None]
"""What was looked at, in words; what was found; the page of what is wrong, or None."""


def tried(setup: Configured) -> list[dict[str, Any]]:
    """Every analyzer as it would run, and `{"name": None, "problem": page}` for each file that would not."""
    return asyncio.run(_tried(setup))


async def _tried(setup: Configured) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        reloader = Reloader(setup.folders, setup.config.options, Generations(Path(folder)), Checker())
        try:
            await reloader.scan()
            broken = [{"name": None, "file": file, "problem": problem.page()} for file, problem in reloader.problems.items()]
            return [*reloader.snapshot(), *broken]
        finally:
            await reloader.close()


async def checks(setup: Configured, clock: Clock) -> AsyncIterator[Finding]:
    """Looks at folders, analyzers, ports and outputs in turn."""
    for folder in setup.folders:
        yield "analyzers", str(folder), None if folder.is_dir() else f"there is no folder {folder}"
    names = set()
    for one in await _tried(setup):
        names.add(one["name"])
        yield "analyzer", one["name"] or one["file"], one["problem"]
    options = setup.config.options
    unknown = options.keys() - names if None not in names else ()  # what a broken file declares is not known
    for name in sorted(unknown):
        yield "options", name, f"config.unknown: $.options.{name}: there is no analyzer `{options[name].get('use', name)}`"
    used = running(setup.data)
    for part in setup.inputs:
        yield "input", part.name, None if used else await _input(part)
    for part in setup.outputs:
        context = OutputContext(part.name, Registry(), clock, setup.hostname, setup.config.namespace)
        yield "output", part.name, await _output(part.type(part.options, context))
        for what in (one for one, taker in takers(setup) if taker is part):
            yield "output", f"{part.name}, {what}", await _output(output_beside(part, context, what))


async def _nowhere(chunk: Chunk, *, source: str, carried: Way | None = None) -> Receipt:
    raise AssertionError(f"a check takes no records, yet {source} sent {chunk.count}")


async def _input(part: Part) -> str | None:
    try:
        made = part.type(part.options, InputContext(part.name, _nowhere, Registry()))
        await made.start()
        await made.drain(1.0)
    except Problem as problem:
        return problem.page()
    return None


async def _output(made: Output) -> str | None:
    try:
        await made.check()
    except (Problem, Unavailable) as error:
        return str(error)
    finally:
        await made.close()
    return None
