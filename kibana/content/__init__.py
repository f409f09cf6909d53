"""What there is to see: the dashboards, in the order in which they are read."""

from __future__ import annotations

from .health import HEALTH
from .logins import LOGINS
from .overview import OVERVIEW
from .summary import SUMMARY
from .web import WEB

__all__ = ["DASHBOARDS"]

DASHBOARDS = (OVERVIEW, LOGINS, WEB, SUMMARY, HEALTH)
