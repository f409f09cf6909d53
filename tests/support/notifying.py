"""Notifications for tests, and how a notifier is made and run."""

from __future__ import annotations

import asyncio
import copy

import msgspec

from pluginhost.alerts.notification import Notification, Table
from pluginhost.engine.parts import find
from pluginhost.metrics import Registry
from pluginhost.options import Tree, build
from pluginhost.outputs.port import Context, Outgoing

__all__ = ["NOW", "alert", "delivered", "made", "notification", "outgoing"]

NOW = 1767323050 * 10**9  # 2026-01-02T03:04:10Z

_ALERT = {
    "@timestamp": "2026-01-02T03:04:05.123Z", "message": "25 failures for root from 203.0.113.7",
    "event": {"id": "9f2c" * 16, "kind": "alert", "severity": 73, "risk_score": 88.0, "start": "2026-01-02T03:03:05.000Z",
              "end": "2026-01-02T03:04:05.123Z", "reason": "25 failed logins in 60 s (limit 20)", "url": "https://kibana.example/app/discover#/a"},
    "log": {"level": "high"}, "rule": {"id": "ssh_brute_force", "name": "SSH brute force"},
    "threat": {"framework": "MITRE ATT&CK", "technique": {"id": ["T1110"], "name": ["Brute Force"]}},
    "user": {"name": "root"}, "host": {"name": "web1", "ip": ["10.0.0.5", "10.0.0.6"]},
    "source": {"ip": "203.0.113.7", "port": 51122, "geo": {"country_iso_code": "NL", "city_name": "Amsterdam"},
               "as": {"organization": {"name": "Example Net"}}},
    "pluginhost": {"analyzer": "ssh_brute_force", "alert": {"fingerprint": "c1d9" * 16, "count": 25},
                   "events": [{"message": f"Failed password {number}"} for number in range(10)]},
}  # fmt: skip


def alert(level="high", **more):
    """An alert's document; `more` lies over it at its top level."""
    made = copy.deepcopy(_ALERT)
    made["log"]["level"] = level
    return made | more


def notification(kind="alert", *alerts, id="note-1", **more):  # noqa: A002 - its name
    """A notification; a digest is of three alerts and has a table."""
    if kind == "digest" and not alerts:
        other = alert("critical", message="ann: Paris to Lima in 20 min", rule={"id": "impossible_travel", "name": "Impossible travel"})
        alerts = (alert(), other, alert("low"))
        table = Table(("source.ip", "user.name"), ((("203.0.113.7", "root"), 9), (("2001:db8::1", ""), 3)))
        more = {"count": 12, "why": "every 15 minutes", "table": table} | more
    return Notification(id, kind, alerts or (alert(),), **more)


def outgoing(told, attempts=0):
    """A notification on its way out."""
    return Outgoing(1, told.id, NOW, told.severity, "ssh_brute_force", msgspec.json.encode(told), attempts)


def made(service, options, clock=lambda: NOW):
    """The notifier of that type with these options, given as in a configuration."""
    type_ = find("outputs", service)
    return type_(build(type_.Options, Tree(options)), Context("n", Registry(), clock, "pluginhost.test"))


def delivered(service, options, *batches, clock=lambda: NOW, check=False):
    """The outcomes of each batch of notifications."""
    async def go():
        notifier = made(service, options, clock)
        try:
            if check:
                await notifier.check()
            return [await notifier.deliver([outgoing(told) for told in batch]) for batch in batches]
        finally:
            await notifier.close()

    return asyncio.run(go())
