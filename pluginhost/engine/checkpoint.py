"""A checkpoint of a shard: all of it at one position, written little by little while the shard goes on, in the store at one moment.

So a shard that remembers millions of keys does not stop for the seconds that packing and writing them takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from ..events.keys import key_group
from ..store.shard import Checkpoint, ShardStore
from .state import ShardState

__all__ = ["Saving"]

_PAUSE = 0.006  # seconds between two parts although nothing else is to be done: without it the caches and a core are gone for everybody


class Saving:
    """One checkpoint on its way into the store. What changed and was removed is that of now; `head` is the rest."""

    def __init__(self, store: ShardStore, state: ShardState, head: Checkpoint) -> None:
        self._store, self._state, self._head = store, state, head
        self._parts = state.changes()
        self._written = False
        self._ending: Future[None] | None = None

    def patience(self) -> float:
        """For how many seconds nothing is to be done here, if no news of the desk comes."""
        if not self._written:
            return _PAUSE
        return 1.0 if self._ending is None else 0.02

    def go_on(self, seconds: float, desk: int, *, wait: bool = False) -> bool:
        """Goes on for about so long; whether it is in the store, which it may be once the desk has come that far.

        With `wait` it does not return while the disk is at work. An `OSError` means that nothing of it is in the store, nor will be.
        """
        try:
            done = (self._written or self._write(seconds)) and desk >= self._head.position and self._end(wait)
        except OSError:
            self._state.settled(written=False)
            raise
        if done:
            self._state.settled(written=True)
        return done

    def _write(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        for changed, removed in self._parts:
            self._store.add([(analyzer, key, key_group(key), touched, blob) for analyzer, key, touched, blob in changed], removed)
            if time.monotonic() >= until:
                return False
        self._written = True
        return True

    def _end(self, wait: bool) -> bool:
        if self._ending is None:
            self._ending = _aside(lambda: self._store.commit(self._head))
        if not wait and not self._ending.done():
            return False
        self._ending.result()
        return True


def _aside(task: Callable[[], None]) -> Future[None]:
    """Does what waits for the disk in a thread of its own; here and now where there is no room for one."""
    ended: Future[None] = Future()

    def run() -> None:
        try:
            task()
            ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            ended.set_exception(error)

    try:
        Thread(target=run, name="checkpoint").start()
    except RuntimeError:
        run()
    return ended
