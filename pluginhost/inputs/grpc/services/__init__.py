"""The families of services of the gRPC door, by name: one file each."""

from __future__ import annotations

from collections.abc import Callable

from ..call import Service
from .alerts import Alerts
from .analyze import Analyze
from .health import Health
from .ingest import Ingest
from .otlp import Otlp
from .reflection import Reflection

__all__ = ["FAMILIES"]

FAMILIES: dict[str, Callable[..., Service]] = {
    "ingest": Ingest, "analyze": Analyze, "alerts": Alerts, "otlp": Otlp, "health": Health, "reflection": Reflection,
}  # fmt: skip
