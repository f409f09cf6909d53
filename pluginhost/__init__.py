"""What the author of an analyzer imports, and nothing else."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

from .detect.average import EwmaZ, MovingAverage, RobustZ, WindowAverage
from .detect.clients import ClientCounts
from .detect.cuckoo import Cuckoo
from .detect.decay import DecayCount, LeakyBucket
from .detect.declaration import analyzer, by_options
from .detect.distinct import Distinct, SlidingDistinct
from .detect.finding import Alert, Derived, Resolved, Scored, Timer, Unjudged
from .detect.forest import RandomCutForest
from .detect.geo import GeoProfile, Standing, haversine_km, place
from .detect.markov import Pace, PageOrder, normalised
from .detect.order import Sequence, Streak
from .detect.peaks import Peaks
from .detect.rare import RareValue
from .detect.seasonal import SeasonalSlots
from .detect.seen import FirstSeen, LastSeen, Neighbours, Recent
from .detect.series import Interval, Intervals, Score
from .detect.surprise import CountSurprise, Holt
from .detect.table import Table
from .detect.timers import Absence, Timers
from .detect.topk import TopK
from .detect.windows import MinuteCounts, SlidingCount, TumblingCount
from .events.event import Event, MissingField
from .events.references import Entry, Listing
from .options import Duration

__all__ = ["Absence", "Alert", "ClientCounts", "CountSurprise", "Cuckoo", "DecayCount", "Derived", "Distinct", "Duration", "Entry",
           "Event", "EwmaZ", "FirstSeen", "GeoProfile", "Holt", "Interval", "Intervals", "LastSeen", "LeakyBucket", "Listing",
           "MinuteCounts", "MissingField", "MovingAverage", "Neighbours", "Pace", "PageOrder", "Peaks", "RandomCutForest", "RareValue",
           "Recent", "Resolved", "RobustZ", "Score", "Scored", "SeasonalSlots", "Sequence", "SlidingCount", "SlidingDistinct", "Standing",
           "Streak", "Table", "Timer", "Timers", "TopK", "TumblingCount", "Unjudged", "WindowAverage", "analyzer", "by_options",
           "haversine_km", "normalised", "place"]  # fmt: skip


def shipped_analyzers() -> Path:
    """The folder of the analyzers that come with pluginhost."""
    here = Path(__file__).parent
    inside = here / "_shipped" / "analyzers"
    return inside if inside.is_dir() else here.parent / "analyzers"
