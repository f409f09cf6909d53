"""Metricbeat's system metrics and Heartbeat's monitors. Both speak ECS already; what they leave unsaid is what kind of event it is.

A metric is told about its host, without an outcome. A monitor's status is the outcome of its check; `host.name` is then the host
that asked, and the destination is who was asked.
"""

from __future__ import annotations

from typing import Any

from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .kinds import Read, choice, given

__all__ = ["MAPPINGS"]

_HOST: dict[str, Any] = {"event.category": frozen(["host"]), "event.type": frozen(["info"])}
_STATUSES = {"up": "success", "down": "failure"}
_ACTIONS = {"up": "monitor_up", "down": "monitor_down"}


def _dataset(record: Record) -> Any:
    name = lookup(record, "metricset.name")
    return f"system.{name}" if isinstance(name, str) and name else MISSING


def _duration(record: Record) -> Any:
    """Heartbeat counts microseconds, ECS nanoseconds."""
    told = lookup(record, "monitor.duration.us")
    return told * 1000 if type(told) is int and 0 <= told < 1 << 50 else MISSING


def _name(record: Record) -> Any:
    """What a person called the monitor, else its id."""
    told = (given(lookup(record, f"monitor.{part}", None)) for part in ("name", "id"))
    return next((name for name in told if name is not MISSING), MISSING)


_METRIC_READ: dict[str, Read] = {"event.dataset": _dataset}
_MONITOR_READ: dict[str, Read] = {
    "event.outcome": lambda record: choice(_STATUSES, lookup(record, "monitor.status")),
    "event.action": lambda record: choice(_ACTIONS, lookup(record, "monitor.status")),
    "event.duration": _duration,
    "service.name": _name,
}
_MONITOR_PATHS: dict[str, tuple[str, ...]] = {
    "destination.ip": ("monitor.ip",), "destination.domain": ("url.domain",), "destination.port": ("url.port",),
}  # fmt: skip


def _metric(name: str, **values: Any) -> dict[str, Any]:
    return {
        "@timestamp": "2026-11-21T10:00:00.000Z", "metricset": {"name": name, "period": 10000}, "system": {name: values},
        "service": {"type": "system"}, "agent": {"type": "metricbeat"}, "host": {"name": "web1"},
    }  # fmt: skip


def _monitor(status: Any, **others: Any) -> dict[str, Any]:
    checked = {"id": "shop", "name": "Shop", "type": "http", "status": status, "ip": "203.0.113.9", "duration": {"us": 1500}}
    return {
        "@timestamp": "2026-11-21T10:00:00.000Z", "monitor": checked, "summary": {"up": 0, "down": 1}, "agent": {"type": "heartbeat"},
        "url": {"full": "https://shop.example/", "domain": "shop.example", "port": 443}, "host": {"name": "probe1"}, **others,
    }  # fmt: skip


_DISK = _metric("filesystem", mount_point="/var", device_name="/dev/sda2", used={"pct": 0.97, "bytes": 970}, total=1000, available=30)
_METRICS = (
    Example(_DISK, {
        "event.category": ["host"], "event.type": ["info"], "event.dataset": "system.filesystem", "host.name": "web1",
        "system.filesystem.used.pct": 0.97, "system.filesystem.mount_point": "/var", "service.type": "system",
    }, ("event.outcome",)),
    Example({**_metric("load", **{"1": 12.5}), "event": {"dataset": "system.load", "module": "system"}},
            {"event.dataset": "system.load", "system.load.1": 12.5, "event.category": ["host"]}),
    Example(_metric("cpu", total={"norm": {"pct": 0.99}}), {"system.cpu.total.norm.pct": 0.99, "event.dataset": "system.cpu"}),
    Example(_metric("uptime", duration={"ms": 90000}), {"system.uptime.duration.ms": 90000}),
    Example({"metricset": [], "system": None}, {"event.category": ["host"]}, ("event.dataset",)),
)  # fmt: skip
_MONITORS = (
    Example(_monitor("down", error={"type": "io", "message": "connection refused"}), {
        "event.category": ["host"], "event.type": ["info"], "event.outcome": "failure", "event.action": "monitor_down",
        "service.name": "Shop", "destination.ip": "203.0.113.9", "destination.domain": "shop.example", "destination.port": 443,
        "event.duration": 1_500_000, "error.message": "connection refused", "host.name": "probe1", "url.full": "https://shop.example/",
        "event.dataset": "uptime",
    }),
    Example(_monitor("up"), {"event.outcome": "success", "event.action": "monitor_up", "monitor.id": "shop"}, ("error.message",)),
    Example({"monitor": {"id": "db", "name": "", "status": None, "ip": "db.example"}, "summary": {}}, {"service.name": "db"},
            ("event.outcome", "destination.ip", "event.duration")),
    Example({"monitor": 7, "summary": None}, {"event.category": ["host"]}, ("event.outcome", "service.name")),
)  # fmt: skip

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "metricbeat-system", "Metricbeat's `system.*` metrics: load, memory, disks, processes", Keys(("metricset", "system")),
        constants=_HOST, read=_METRIC_READ, reads=("metricset",), examples=_METRICS,
    ),
    Mapping(
        "heartbeat", "Heartbeat's monitors: what is up and what is down", Keys(("monitor",), ("summary", "state", "error", "url")),
        paths=_MONITOR_PATHS, constants={**_HOST, "event.dataset": "uptime"}, read=_MONITOR_READ, reads=("monitor", "url"),
        examples=_MONITORS,
    ),
)  # fmt: skip
