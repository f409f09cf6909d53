"""GELF messages: what their senders put into additional fields, each of which begins with `_`.

Asked last: where the short message is a line that another mapping reads, such as sshd's behind Docker's GELF driver, that one
knows more.
"""

from __future__ import annotations

from typing import Any

from ..aliases import ALIASES
from ..fields import MISSING
from ..mapping import Example, Keys, Mapping, Record

__all__ = ["MAPPINGS"]

_FIELDS = """event.category event.type event.action event.outcome event.reason user.name user.id user.email user.target.name source.ip
 source.port destination.ip destination.port url.original http.request.method http.response.status_code user_agent.original process.name
 process.pid service.name error.message error.type log.logger container.id container.name trace.id"""
_SYSLOG_LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")


def _spelled(field: str) -> tuple[str, ...]:
    """The additional fields that may hold an ECS field: `_source_ip`, `_source.ip`, and the like for its other names."""
    return tuple(dict.fromkeys(f"_{name}" for raw in (field, *ALIASES.get(field, ())) for name in (raw, raw.replace(".", "_"))))


def _level(record: Record) -> Any:
    level = record.get("level")
    return level if type(level) is int and 0 <= level < len(_SYSLOG_LEVELS) else MISSING


def _word(record: Record) -> Any:
    return MISSING if (level := _level(record)) is MISSING else _SYSLOG_LEVELS[level]


_PATHS = {
    **{field: _spelled(field) for field in _FIELDS.split()},
    "log.origin.file.name": ("file", "_file"), "log.origin.file.line": ("line", "_line"),
}  # fmt: skip
_PATHS["log.logger"] = ("facility", *_PATHS["log.logger"])

_EXAMPLES = (
    Example(
        {"version": "1.1", "host": "web1", "short_message": "login refused", "timestamp": 1795255200.5, "level": 4, "facility": "shop.auth",
         "_user_name": "bob", "_source_ip": "203.0.113.9", "_event_outcome": "failure", "_event_category": "authentication"},
        {"host.name": "web1", "message": "login refused", "log.level": "warning", "log.syslog.severity.code": 4, "log.logger": "shop.auth",
         "user.name": "bob", "source.ip": "203.0.113.9", "event.outcome": "failure", "event.category": "authentication"},
    ),
    Example({"version": "1.1", "host": "web1", "short_message": "x", "_username": "bob", "_client_ip": "unknown", "level": "high"},
            {"user.name": "bob"}, ("source.ip", "log.syslog.severity.code")),
    Example({"version": "1.1", "host": "web1", "short_message": "Failed password for root from 203.0.113.9 port 50000 ssh2"},
            {"event.action": "ssh_login", "source.ip": "203.0.113.9", "host.name": "web1"}),
)  # fmt: skip

MAPPINGS = (
    Mapping(
        "gelf", "GELF messages with their additional fields", Keys(("short_message", "host"), either=("version", "timestamp")),
        paths=_PATHS, read={"log.level": _word, "log.syslog.severity.code": _level}, reads=("level",), examples=_EXAMPLES, last=True,
    ),
)  # fmt: skip
