"""Alerts in short, as the answer to somebody who waits for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..detect.finding import ACTIONS

__all__ = ["verdict"]


def verdict(alerts: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """What a door answers to somebody who waits for it: the worst of the alerts, and each in short."""
    told = [_in_short(index, document) for index, document in alerts]
    action = max((one["action"] for one in told), key=ACTIONS.index, default="allow")
    return {"flagged": bool(told), "action": action, "risk_score": max((one["risk_score"] for one in told), default=0), "alerts": told}


def _in_short(index: int, document: Mapping[str, Any]) -> dict[str, Any]:
    event, rule = document.get("event", {}), document.get("rule", {})
    action = document.get("pluginhost", {}).get("alert", {}).get("action", "allow")
    return {
        "id": event.get("id", ""), "index": index, "severity": document.get("log", {}).get("level", ""),
        "action": action if action in ACTIONS else "allow", "risk_score": event.get("risk_score", 0),
        "rule": {"id": rule.get("id", ""), "name": rule.get("name", "")},
        "message": document.get("message", ""), "reason": event.get("reason", ""),
    }  # fmt: skip
