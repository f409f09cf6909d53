"""One host at a time on a data folder: a lock that the system lets go of when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from ..problem import Problem

__all__ = ["locked"]


def locked(data: Path) -> IO[str]:
    """The lock on the folder `data`, which is made if it is not there; held until it is closed. `Problem` if another process has it."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (data / "lock").open("a")
    except OSError as error:
        raise Problem("host.data", f"the data folder cannot be used: {error}", where=str(data),
                      todo="make it a folder that this user may write to, on a file system with room") from None  # fmt: skip
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise Problem("host.running", f"another pluginhost runs on {data}",
                      todo="stop it, or give this one another `data` folder") from None  # fmt: skip
    held.truncate(0)
    held.write(f"{os.getpid()}\n")
    held.flush()
    return held
