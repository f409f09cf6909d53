"""A sign that something in some folders changed, sooner than the next look. Native notification where there is one; never relied upon."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from watchfiles import Change, awatch

__all__ = ["Waker"]

_LOG = logging.getLogger(__name__)
_STEP, _DEBOUNCE = 20, 100  # ms in which further changes join the first


class Waker:
    """Watches folders, not those below them. `changed` says that files came or went since it was last set to False."""

    def __init__(self) -> None:
        self.changed = True
        self._folders: frozenset[str] = frozenset()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._deaf = False

    def watch(self, folders: frozenset[str]) -> None:
        """Watches these from now on."""
        if folders == self._folders or self._deaf:
            return
        self._folders = folders
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._watching(folders))

    def wake(self) -> None:
        """Ends the wait that is under way, or else the next one."""
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Returns at a change since the last wait, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def close(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _watching(self, folders: frozenset[str]) -> None:
        try:
            async for changes in awatch(*folders, watch_filter=None, recursive=False, step=_STEP, debounce=_DEBOUNCE):
                self.changed = self.changed or any(change != Change.modified for change, _ in changes)
                self._woken.set()
        except (OSError, RuntimeError) as error:  # the system's bound on watches, a folder that went away
            self._folders = frozenset()
            if not self._deaf and "limit" in str(error).lower():
                self._deaf = True
                _LOG.warning("the system tells no more of changes (%s): files are looked at from time to time", error)
