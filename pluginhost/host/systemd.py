"""What systemd is told about a service of `Type=notify`: lines in a datagram, as sd_notify(3) says. Nothing without `NOTIFY_SOCKET`."""

from __future__ import annotations

import contextlib
import os
import socket
import time

__all__ = ["notify", "reloading", "watchdog"]


def notify(*lines: str) -> None:
    """Sends the lines; whoever does not listen is not waited for."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] in ("/", "@"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), "\0" + path[1:] if path[0] == "@" else path)


def reloading() -> None:
    """Says that a reload begins; `READY=1` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog() -> float | None:
    """How long (s) systemd waits for a sign of life; None if it does not wait for one of ours."""
    given, whose = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    return int(given) / 1e6 if given.isdigit() and int(given) and whose in ("", str(os.getpid())) else None
