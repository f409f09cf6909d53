"""What a test needs of the machine: skipped without it for a developer, failed where `CI` is set, so that green means tested."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Ends the test: `what` is not there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def need(what: str, present: object) -> None:
    """Goes on only if `present`."""
    if not present:
        missing(what)


def need_command(name: str) -> None:
    """Goes on only if there is a command of this name."""
    need(name, shutil.which(name))
