"""Parts for pluginhost that a shop with tills of its own would write. Each is found by its entry point in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

__all__ = ["analyzers"]


def analyzers() -> Path:
    """The folder of the analyzers that this package brings; `analyzers: [till]` in a configuration names it."""
    return Path(__file__).parent / "analyzers"
