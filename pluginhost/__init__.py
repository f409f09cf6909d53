"""What the author of an analyzer imports, and nothing else."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

from .detect.declaration import analyzer
from .detect.finding import Alert, Derived, Timer
from .detect.state import FirstSeen, SlidingCount, Table, Timers
from .events.event import Event, MissingField

__all__ = ["Alert", "Derived", "Event", "FirstSeen", "MissingField", "SlidingCount", "Table", "Timer", "Timers", "analyzer"]


def shipped_analyzers() -> Path:
    """The folder of the analyzers that come with pluginhost."""
    here = Path(__file__).parent
    inside = here / "_shipped" / "analyzers"
    return inside if inside.is_dir() else here.parent / "analyzers"
