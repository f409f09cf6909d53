"""Faults that need a lie of the operating system: small C libraries, compiled by the test and put before a sidecar by LD_PRELOAD."""

from __future__ import annotations

import subprocess
from pathlib import Path

from needs import need_command

__all__ = ["Clock", "ReadOnly", "shim"]

SOURCES = Path(__file__).parent / "shims"


def shim(name: str, folder: Path, **environment: object) -> list[str]:
    """What to put before a command so that it runs under `shims/<name>.c`, with its variables set."""
    need_command("cc")
    made = folder / f"{name}.so"
    subprocess.run(["cc", "-Wall", "-O1", "-shared", "-fPIC", "-o", made, SOURCES / f"{name}.c", "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={made}", *(f"{key}={value}" for key, value in environment.items())]


class ReadOnly:
    """Makes what lies below a path read-only for the processes behind `before`, until it is made writable again."""

    def __init__(self, folder: Path) -> None:
        self._flag = folder / "readonly"
        self.before = shim("readonly", folder, PH_READONLY=self._flag)

    def freeze(self, path: Path) -> None:
        """From now on nothing whose path begins so can be changed."""
        aside = self._flag.with_suffix(".new")
        aside.write_text(str(path))
        aside.replace(self._flag)

    def thaw(self) -> None:
        """Everything can be written again."""
        self._flag.unlink()


class Clock:
    """The wall clock of the processes behind `before`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(bytes(8))
        self.before = shim("clock", folder, PH_CLOCK=self._file)

    def shift(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the real one (behind, if negative)."""
        with self._file.open("r+b", buffering=0) as file:  # in place: the processes have it mapped
            file.write(seconds.to_bytes(8, "little", signed=True))
