"""A peer: a program of the package index in a virtual environment and a process of its own, told when to run a round.

`peers/<name>.txt` pins it and everything it needs, `peers/<name>_peer.py` drives it by its own API and knows nothing of us. The two
speak lines of JSON: we name a run, it answers what a round of it took of its own CPU time, and what was found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Peer", "cache"]

_HERE = Path(__file__).parent / "peers"


class Peer:
    """`peers/<name>_peer.py` on `inputs`, a folder whose files it knows. `found` is what each run last counted."""

    def __init__(self, name: str, inputs: Path) -> None:
        python = _environment(name, _HERE / f"{name}.txt")
        command = [str(python), str(_HERE / f"{name}_peer.py"), str(inputs)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PROMETHEUS", "LOGPREP"))}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.found: dict[str, int] = {}
        self.about: str = self._answer()["about"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer ended with status {self._process.wait()}; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, name: str) -> float:
        """The µs of CPU time a record took in a round of the run `name`."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(name) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.found[name] = answer["found"]
        return float(answer["cpu"]) * 1e6 / int(answer["records"])


def cache() -> Path:
    """The folder of all that benchmarks keep or write to: on a real disk, which temporary folders often are not."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pluginhost-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _environment(name: str, pinned: Path) -> Path:
    """The interpreter of the peer's virtual environment, made when it is not there; the Python is the one that runs us."""
    mark = sha256(pinned.read_bytes() + sys.version.encode() + sys.base_prefix.encode()).hexdigest()[:12]
    folder = cache() / f"{name}-{mark}"
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        print(f"installing {name} into {folder} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True, symlinks=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", pinned], check=True)
        done.touch()
    return python
