"""Who sends during a soak: our own Python sender, IBM's Go client, and a second pluginhost that forwards what it flags.

Each has users of its own, numbers each user's records from 1, and resends what was not acknowledged under the same chunk id.
`sent` and `acked` count records of each user.
"""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from go_client import go_client
from sidecars import Sender, Sidecar, until

__all__ = ["Direct", "Go", "Relayed"]

USERS, EACH = 7, 3  # users of a sender, and records of each in a chunk
FLAG_ALL = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each record."""
    return Alert("low", "relayed")
'''


class Direct:
    """A thread with a forward connection."""

    ordered = True  # records of a user arrive in the order they were sent

    def __init__(self, name: str, port: int, *, each: int = EACH, pause: float = 0.005) -> None:
        self.users = [f"{name}u{number}" for number in range(USERS)]
        self.sent = self.acked = 0
        self.failed: Exception | None = None
        self._each, self._pause, self._sender = each, pause, Sender(port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Sends from now on."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                numbers = range(self.sent + 1, self.sent + self._each + 1)
                self.sent += self._each
                self._sender.send([{"user": user, "seq": number} for number in numbers for user in self.users], attempts=600)
                self.acked = self.sent
                time.sleep(self._pause)
        except Exception as error:  # noqa: BLE001 - told at the end
            self.failed = error

    def stop(self) -> None:
        """Returns once everything sent is acknowledged, and has arrived."""
        self._stopping.set()
        self._thread.join(120)
        self._sender.close()


class Relayed(Direct):
    """A thread that feeds another sidecar, which flags every record and forwards it. `one` is the sidecar under test.

    One alert a frame: a frame's id is that of its alerts, and what is sent again may find itself beside others by then. What
    a receiver hung up on comes again a second later, behind records that came after it.
    """

    ordered = False

    def __init__(self, folder: Path, one: Sidecar, **more: Any) -> None:
        folder.mkdir()
        output = {"type": "forward", "servers": [f"127.0.0.1:{one.forward}"], "tag_prefix": "relayed", "batch": 1, "ack_timeout": "10s"}
        self.relay = Sidecar(folder, hostname="relay", outputs=[output])
        (self.relay.analyzers / "every.py").write_text(FLAG_ALL)
        self.relay.start()
        super().__init__("relayed", self.relay.forward, each=1, pause=0.5, **more)  # a frame and a sync for each

    def stop(self) -> None:
        super().stop()
        self.relay.settled()
        until(lambda: self.relay.status()["counts"]["output.forward"]["delivered"] >= self.acked * USERS, 900, "the relay's outbox")
        self.relay.stop()

    def kill(self) -> None:
        """Ends the relay, whatever happens."""
        self.relay.kill()


class Go:
    """The program `support/go`: IBM's client, with `RequireAck`."""

    ordered, failed = True, None

    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.users = [f"{name}u{number}" for number in range(USERS)]
        self._said = folder / f"{name}.acked"
        self._command = [str(go_client()), str(port), name, str(USERS), str(EACH)]

    def start(self) -> None:
        """Sends from now on."""
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=out)

    @property
    def acked(self) -> int:
        """Records of each user that are acknowledged."""
        return self._said.read_bytes().count(b"\n") * EACH

    @property
    def sent(self) -> int:
        """The same, and a chunk on its way as long as it runs."""
        return self.acked + (EACH if self._process.poll() is None else 0)

    def stop(self) -> None:
        """Returns once everything sent is acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(120) == 0

    def kill(self) -> None:
        """Ends it, whatever happens."""
        self._process.kill()
        self._process.wait()
