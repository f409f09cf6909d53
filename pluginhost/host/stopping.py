"""Time that runs out, and work that is cut short: what an orderly end is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["countdown", "unless"]


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` ended, raising what it raised, before `event` was set; else it is cancelled."""
    loop = asyncio.get_running_loop()
    working, waiting = loop.create_task(work), loop.create_task(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def countdown(seconds: float) -> Callable[[], float]:
    """A function that gives how much is left of them, at least 0."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    return lambda: max(end - clock(), 0.0)
