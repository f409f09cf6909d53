"""A hook: a Python file of yours whose `on_alert` is called with each alert, in a process of its own.

The process lives on from alert to alert, and whatever the file does cannot harm the host: what it raises is the reason of a dead letter,
`TryLater` brings the alert back, one that hangs is ended and tried again, one that ends its process has given its answer by that.
When the file changes it is loaded into a new process, and the old one goes only once the new one is ready.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ...alerts.document import laid
from ...alerts.notification import Notification
from ...options import Secret, Size, doc
from ...problem import Problem, printable
from ..port import DONE, Context, Dead, Outcome, Retry, Unavailable
from .hooks import Answer as Told
from .hooks import framed
from .processes import Running, no_http, started, status
from .sender import Answer, Notifier, NotifyOptions, Request, Said

__all__ = ["Hook"]

log = logging.getLogger(__name__)

_MAIN = "import sys; from pluginhost.outputs.notify.hooks import main; main(*sys.argv[1:])"
"""What the process runs; by `-m` the file that is called would import a second copy of `TryLater`."""
_START = 30.0  # seconds that a file may take to load
_SHOWN = 20  # lines that it prints at an alert
_LAST_WORD = 0.5  # seconds
_LINE = 64 << 10  # bytes of an answer

_Look = tuple[int, int, int]
_decode = msgspec.json.Decoder(Told).decode


class _Child(msgspec.Struct):
    """The process with one loaded file, and our end of its socket."""

    running: Running
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, patience: float) -> Told | None:
        """What it says next; None if it ended instead. `TimeoutError` if it says nothing in time."""
        said, ended = asyncio.ensure_future(self.reader.readline()), asyncio.ensure_future(self.running.ended())
        try:
            done, _ = await asyncio.wait({said, ended}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({said}, timeout=_LAST_WORD if done else 0)  # what it said before it ended may still be on its way
        finally:
            said.cancel()
            ended.cancel()
        if not done:
            raise TimeoutError
        try:
            return _decode(said.result()) if said.done() else None
        except (OSError, ValueError, msgspec.DecodeError):  # it is gone, or a file of yours has written to our socket
            return None

    async def end(self) -> None:
        """Ends it."""
        self.writer.close()
        await self.running.end()


class Hook(Notifier):
    """Calls a function. A request here is a call with one alert: those of a digest that were taken are not called again."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which file, and what its process may use."""

        file: Annotated[Path, doc("the Python file; it defines `def on_alert(alert: dict) -> None`")]
        memory: Annotated[Size, doc("how large the process's address space may grow; 0: no bound", ge=0)] = Size(1 << 30)
        environment: Annotated[
            dict[str, Secret], doc("variables for it, beside PATH, HOME and the like; ours it does not inherit")
        ] = msgspec.field(default_factory=dict)

    def __init__(self, options: Options, context: Context) -> None:
        no_http(options, "hook")
        super().__init__(options, context)
        self.address = str(options.file)
        self._name, self._options = context.name, options
        self._child: _Child | None = None
        self._look: _Look | None = None  # at the file, when it was last loaded or could not be

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """A call for each alert, which is told what the notification is."""
        about = {"notification": {"id": told.id, "kind": told.kind, "count": told.count}}
        return [Request("CALL", self.address, {}, msgspec.json.encode(laid(alert, ("pluginhost",), about))) for alert in told.alerts]

    async def check(self) -> None:
        """Loads the file in a process, and calls nothing."""
        await (await self._loaded()).end()

    async def ask(self, request: Request) -> Answer:
        """Calls `on_alert`."""
        child = await self._current()
        outcome = await self._called(child, request.body)
        self._heard |= outcome == DONE
        return Answer(0, b"", outcome)

    async def close(self) -> None:
        """Ends the process."""
        await self._ended()

    async def _called(self, child: _Child, alert: bytes) -> Outcome:
        self._counts["requests"] += 1
        told = None
        try:
            child.writer.write(framed(alert))
            told = await child.answer(self._options.timeout)
        except TimeoutError:
            return Retry(f"the hook did not return within {self._options.timeout} and was ended")
        finally:
            if told is None:  # also when we are cancelled: its next answer would be to this alert
                await self._ended()
            printed = self._printed(child)
        if told is None:
            self._counts["refused"] += 1
            last = f": {printed[-1]}" if printed else ""
            return Dead(f"the hook ended its process ({status(await child.running.ended())}){last}")
        return self._meant(told)

    def _meant(self, told: Told) -> Outcome:
        if told.word == "done":
            return DONE
        reason = self.hidden(printable(told.reason))
        if told.word == "later":
            return Retry(reason, told.after)
        self._counts["refused"] += 1
        return Dead(reason)

    def _printed(self, child: _Child) -> list[str]:
        """What it printed at this alert, which is logged."""
        lines = [self.hidden(line) for line in child.running.printed()]
        for line in lines[-_SHOWN:]:
            log.info("hook %s: %s", self._name, line)
        return lines

    async def _current(self) -> _Child:
        """The process with the file as it is now; with the file as it was, if that cannot be loaded."""
        look, child = self._looked(), self._child
        if child is not None and look in (self._look, None):
            return child
        try:
            loaded = await self._loaded()
        except Problem as problem:
            if child is None:
                raise Unavailable(problem.what, slow=True) from None
            log.error("hook %s: the file as it was goes on: %s", self._name, problem.what)  # noqa: TRY400 - no bug of ours
            loaded = child
        else:
            await self._ended()
        self._child, self._look = loaded, look
        return loaded

    async def _loaded(self) -> _Child:
        """A process that has loaded the file; a `Problem` if it cannot."""
        options, (ours, theirs) = self._options, socket.socketpair()
        with theirs:
            command = (sys.executable, "-P", "-u", "-X", "faulthandler", "-c", _MAIN, str(theirs.fileno()), self.address,
                       str(int(options.memory)))  # fmt: skip
            running = await started(command, options.environment, pass_fds=(theirs.fileno(),))
        child = _Child(running, *await asyncio.open_connection(sock=ours, limit=_LINE))
        told = None
        try:
            told = await child.answer(_START)
            reason = told.reason if told else "its process ended while it was loaded"
        except TimeoutError:
            reason = f"it was not loaded within {_START:.0f} seconds"
        finally:
            if told is None or told.word != "done":
                await child.end()
        if told is None or told.word != "done":
            raise Problem("output.notify.hook", f"the hook cannot be loaded: {self.hidden(printable(reason))}", where=self.address,
                          todo="mend the file; it is tried again by itself")  # fmt: skip
        return child

    def _looked(self) -> _Look | None:
        """What tells whether the file has changed; None while it is not there."""
        try:
            stat = self._options.file.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    async def _ended(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()
