"""Made-up records with known attacks among them, without end and by seed: what demonstrations, loads and evaluations are made of."""

from .buffalogs import buffalogs
from .hosts import hosts
from .item import Incidents, Item, Label, Record
from .logins import logins
from .mixed import mixed
from .waf import FIELDS, waf
from .web import web

__all__ = ["FIELDS", "Incidents", "Item", "Label", "Record", "buffalogs", "hosts", "logins", "mixed", "waf", "web"]
