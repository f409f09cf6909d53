"""The scripts that make pages of the docs, whether what they make is what stands there, and what pages have readers type."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["DOCS", "run", "script", "stale"]

DOCS = Path(__file__).parents[2] / "docs"


@contextlib.contextmanager
def script(name):
    """The module `docs/<name>.py`, while it may import what lies beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module(name)


def stale(pages):
    """The names of those pages (text by file) that do not stand there so."""
    return [file.name for file, text in pages.items() if not file.exists() or file.read_text("utf-8") != text]


def run(shell, folder, within=120, **environment):
    """What the lines of a page say, run in one shell in `folder` as somebody would who has the command; they must all go well."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (folder / "said").open("w+") as log:
        made = subprocess.Popen(["bash", "-eu", "-o", "pipefail", "-c", shell], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                cwd=folder, env={**os.environ, "PATH": path, **environment}, start_new_session=True)  # fmt: skip
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                made.wait(within)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)  # also a sidecar, where the page did not get as far as ending it
    said = (folder / "said").read_text()
    assert made.wait() == 0, said
    return said
