"""The scripts that make pages of the docs, and whether what they make is what stands there."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path

import pytest

__all__ = ["DOCS", "script", "stale"]

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
