"""A command of yours, run for each notification: no shell, no words of an alert among its arguments.

The notification comes as JSON on its standard input, the chief of it in variables named `PLUGINHOST_…`. Exit status 0 is delivered, 75
(the `EX_TEMPFAIL` of sysexits.h) is tried again later, every other is a dead letter with what the command printed last. One that takes
too long is ended with all that it started, and tried again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ...problem import Problem
from ..port import DONE, Context, Dead, Outcome, Retry, Unavailable
from .processes import Running, no_http, started, status
from .sender import Notifier, NotifyOptions, Said

__all__ = ["Command"]

_LINES = 3  # of what it printed, in a reason


class Command(Notifier):
    """Runs a command."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """What to run, and that it may be run."""

        command: Annotated[tuple[str, ...], doc("the program and its arguments, handed on as they are", min_length=1)]
        allow: Annotated[bool, doc("must be true: whoever writes this configuration runs programs as the sidecar's user")] = False
        folder: Annotated[Path | None, doc("the folder that it runs in; default: ours")] = None
        environment: Annotated[
            dict[str, Secret], doc("variables for it, beside PATH, HOME and the like; ours it does not inherit")
        ] = msgspec.field(default_factory=dict)

    def __init__(self, options: Options, context: Context) -> None:
        no_http(options, "command")
        if not options.allow:
            raise Problem("output.notify.options", "the command may not be run", todo="say `allow: true` beside it, if you mean it")
        super().__init__(options, context)
        self.address = Path(options.command[0]).name
        self._options = options

    async def check(self) -> None:
        """Looks whether the program is there, and runs nothing."""
        if shutil.which(self._options.command[0], path=self._options.environment.get("PATH", os.environ.get("PATH"))) is None:
            raise Problem("output.notify.options", f"there is no program `{self.address}` that may be run", todo="give its whole path")

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """Runs it once."""
        self._counts["requests"] += 1
        with tempfile.TemporaryFile() as given:
            given.write(msgspec.json.encode(told))
            given.seek(0)
            try:
                running = await started(self._options.command, self._variables(told, said), stdin=given, folder=self._options.folder)
            except (OSError, ValueError) as error:
                raise Unavailable(f"the command cannot be run: {error}", slow=True) from None
        outcome = await self._ended(running)
        self._heard |= outcome == DONE
        self._counts["refused"] += outcome != DONE
        return outcome

    async def _ended(self, running: Running) -> Outcome:
        try:
            async with asyncio.timeout(self._options.timeout):
                code = await running.ended()
        except TimeoutError:
            return Retry(f"the command did not end within {self._options.timeout} and was ended")
        finally:
            await running.end()
        if code == 0:
            return DONE
        reason = self.hidden(" | ".join([f"the command ended with {status(code)}", *running.printed()[-_LINES:]]))
        return Retry(reason) if code == os.EX_TEMPFAIL else Dead(reason)

    def _variables(self, told: Notification, said: Said) -> dict[str, str]:
        about = self.about(told, said)
        words = {name: about[name] for name in ("title", "kind", "severity", "count", "id", "group", "link")}
        return {**self._options.environment, **{f"PLUGINHOST_{name.upper()}": value for name, value in words.items()}}
