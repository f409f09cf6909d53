"""MozDef's events: a category, a summary and `details`, all keys in lower case, as clients send them and as MozDef stores them.

Its names stay readable as they stand; beside them the fields that ECS knows are found under ECS's names. `UNKNOWN` is MozDef's
word for what a client left out, and no value. Whether a login succeeded stands in the details under one of several names; where it
does not, the outcome is unknown rather than guessed from the summary, which is written for people; only sshd's is sshd's own line.
audisp-json's records look alike and are the audit mapping's.
"""

from __future__ import annotations

from typing import Any

from ...wire.times import iso, of_value
from ..aliases import first
from ..fields import MISSING, lookup
from ..mapping import Example, Keys, Mapping, Record
from .kinds import Found, Read, choice, deep, given, kind, kinds, number, point
from .sshd import sentence

__all__ = ["MAPPINGS"]

_CATEGORIES = kinds({
    "authentication start": "authentication | login",
    "authentication,session end": "logout",
    "iam user,creation user_created": "account creation | accountcreation | account created",
    "iam user,deletion user_deleted": "account deletion | accountdeletion | account deleted",
    "iam user,change user_unlocked": "account unlock | accountunlock | account unlocked",
    "iam user,change user_locked": "account lock | accountlock | account locked",
    "iam user,change user_enabled": "account enabled",
    "iam user,change user_disabled": "account disabled",
    "iam user,change password_changed": "password change | passwordchange | password changed",
    "iam user,change password_reset": "password reset | passwordreset",
    "iam user,change key_added": "key creation | key added",
    "iam user,change key_removed": "key deletion | key removed",
    "host start host_started": "startup | boot",
    "host end host_stopped": "shutdown",
    "process start": "execve | process",
    "web access": "proxy | squid | http | weblog",
    "- error": "exception | application exception",
})  # fmt: skip
_CHECKED = frozenset(name for name, found in _CATEGORIES.items() if "authentication" in found.get("event.category", ()))
_ALLOWED = {"success": kind("iam allowed"), "failure": kind("iam denied"), "unknown": kind("iam info")}
_NOTICE, _ANY = kind("intrusion_detection info"), Found()
_OUTCOMES = {
    True: "success", False: "failure", "true": "success", "false": "failure", "success": "success", "successful": "success",
    "succeeded": "success", "ok": "success", "accepted": "success", "allowed": "success", "failure": "failure", "fail": "failure",
    "failed": "failure", "error": "failure", "denied": "failure", "rejected": "failure",
}  # fmt: skip
_ERRORS = {True: "failure", False: "success", "true": "failure", "false": "success"}


_PROGRAM = deep("details", "program")


def _category(record: Record) -> str:
    told = record.get("category")
    return told.lower().replace("_", " ").strip() if isinstance(told, str) and len(told) <= 64 else ""


def _extract(record: Record) -> Found | None:
    if not isinstance(record.get("category"), str) or record.get("processname") == "audisp-json":
        return None
    if (record.get("processname") == "sshd" or _PROGRAM(record) == "sshd") and isinstance(record.get("summary"), str):
        return sentence(record["summary"]) or _ANY
    category = _category(record)
    if category == "authorization":
        return _ALLOWED[_outcome(record)]
    if category in ("bro", "zeek"):
        return _NOTICE if record.get("source") == "notice" else _ANY
    return _CATEGORIES.get(category, _ANY)


def _outcome(record: Record) -> Any:
    """Of what can succeed or fail; for the rest only what the details say outright."""
    for path in ("details.success", "details.outcome", "details.status", "details.result"):
        told = lookup(record, path)
        if (found := choice(_OUTCOMES, told.lower() if isinstance(told, str) else told if isinstance(told, bool) else None)) is not MISSING:
            return found
    told = lookup(record, "details.error")
    found = choice(_ERRORS, told.lower() if isinstance(told, str) else told if isinstance(told, bool) else None)
    return "unknown" if found is MISSING and _category(record) in (*_CHECKED, "authorization") else found


def _known(*paths: str) -> Read:
    def read(record: Record) -> Any:
        for path in paths:
            if (found := given(lookup(record, path, None))) is not MISSING and found != "UNKNOWN":
                return found
        return MISSING

    return read


def _received(record: Record) -> Any:
    """When MozDef took it, as ISO 8601 where it can be read as a time at all: with or without a zone, or counted since 1970."""
    told = _known("receivedtimestamp")(record)
    time = of_value(told)
    return told if time is None else iso(time)


def _geo(*names: str) -> Read:
    return _known(*(f"details.sourceipgeolocation.{name}" for name in names))


_LATITUDE, _LONGITUDE = (deep("details", "sourceipgeolocation", part) for part in ("latitude", "longitude"))


def _place(record: Record) -> Any:
    found = point(_LATITUDE(record), _LONGITUDE(record))
    told = lookup(record, "details.sourceipgeopoint", None)
    if found is MISSING and isinstance(told, str):
        lat, _, lon = told.partition(",")
        return point(lat, lon)
    return found


def _pid(record: Record) -> Any:
    found = number(_known("processid", "details.processid")(record))
    return MISSING if found is None else found


_PATHS: dict[str, tuple[str, ...]] = {
    "source.ip": ("details.sourceipaddress",), "destination.ip": ("details.destinationipaddress",),
}  # fmt: skip
_READ: dict[str, Read] = {
    "message": _known("summary"),
    "mozdef.category": _known("category"),
    "event.action": _known("details.eventname", "details.action"),
    "event.outcome": _outcome,
    "event.reason": _known("details.reason", "details.failurereason"),
    "event.provider": _known("source"),
    "event.ingested": _received,
    "host.name": _known("hostname", "details.hostname"),
    "process.name": _known("processname"),
    "process.pid": _pid,
    "process.command_line": _known("details.command", "details.commandline"),
    "log.level": _known("severity"),
    "user.name": _known("details.username", "details.user"),
    "user.target.name": _known("details.targetusername", "details.targetuser"),
    "source.port": lambda record: first(record, "source.port", ("details.sourceport",)),
    "destination.port": lambda record: first(record, "destination.port", ("details.destinationport",)),
    "user_agent.original": _known("details.useragent"),
    "url.original": _known("details.destinationuri", "details.uri"),
    "http.request.referrer": _known("details.sourceuri", "details.referrer"),
    "http.request.method": _known("details.method"),
    "error.message": _known("details.exception", "details.errormessage"),
    "source.geo.city_name": _geo("city"),
    "source.geo.country_iso_code": _geo("country_code", "country_code2"),
    "source.geo.country_name": _geo("country_name"),
    "source.geo.location": _place,
    "pluginhost.signature.name": _known("details.note", "details.sig", "details.alert"),
}
_READS = ("category", "source", "details", "summary", "hostname", "processname", "processid", "severity", "receivedtimestamp")
_GIVES = frozenset({
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "source.address", "source.ip", "source.port",
    "pluginhost.repeated",
})  # fmt: skip

_FAILED: dict[str, Any] = {
    "category": "authentication", "hostname": "vpn1.shop.example", "processid": "UNKNOWN", "processname": "openvpn", "severity": "NOTICE",
    "source": "vpn", "summary": "Login failed for alice", "tags": ["vpn"], "timestamp": "2026-11-21T11:00:00+01:00",
    "utctimestamp": "2026-11-21T10:00:00+00:00", "receivedtimestamp": "2026-11-21T10:00:01", "mozdefhostname": "mozdef1", "type": "event",
    "details": {
        "username": "alice", "success": False, "sourceipaddress": "203.0.113.9", "sourceport": 50000, "useragent": "curl/8",
        "destinationipaddress": "192.0.2.1", "destinationport": 443, "destinationuri": "/login", "sourceuri": "https://shop.example/",
        "sourceipgeolocation": {"city": "Vienna", "country_code": "AT", "latitude": 48.2, "longitude": 0},
    },
}  # fmt: skip
_SEEN: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.provider": "vpn",
    "event.ingested": "2026-11-21T10:00:01.000Z", "mozdef.category": "authentication", "category": "authentication",
    "host.name": "vpn1.shop.example", "process.name": "openvpn", "log.level": "NOTICE", "message": "Login failed for alice",
    "tags": ["vpn"], "user.name": "alice", "source.ip": "203.0.113.9", "source.port": 50000, "destination.ip": "192.0.2.1",
    "destination.port": 443, "url.original": "/login", "user_agent.original": "curl/8", "http.request.referrer": "https://shop.example/",
    "source.geo.city_name": "Vienna", "source.geo.country_iso_code": "AT", "source.geo.location": {"lat": 48.2, "lon": 0},
}  # fmt: skip


def _event(category: str, summary: str = "…", **details: Any) -> dict[str, Any]:
    return {"category": category, "summary": summary, "hostname": "UNKNOWN", "details": details}


_EXAMPLES = (
    Example(_FAILED, _SEEN, ("process.pid",)),
    Example(_event("authentication", username="alice", success="True"), {"event.outcome": "success"}, ("host.name", "source.ip")),
    Example(_event("Authentication", "login failed?"), {"event.outcome": "unknown", "mozdef.category": "Authentication"}, ("user.name",)),
    Example(_event("authorization", outcome="denied", username="alice"), {"event.type": ["denied"], "event.outcome": "failure"}),
    Example(_event("authorization", error=False), {"event.type": ["allowed"], "event.outcome": "success"}),
    Example(_event("account creation", username="ops", targetusername="bob"), {
        "event.category": ["iam"], "event.type": ["user", "creation"], "event.action": "user_created", "user.target.name": "bob",
    }, ("event.outcome",)),
    Example(_event("account_unlock", eventname="unlock"), {"event.action": "user_unlocked"}),
    Example(_event("shutdown"), {"event.category": ["host"], "event.type": ["end"], "event.action": "host_stopped"}),
    Example(
        {**_event("syslog", "Failed password for root from 203.0.113.9 port 50000 ssh2", program="sshd"), "processname": "sshd"},
        {"event.category": ["authentication"], "event.action": "ssh_login", "event.outcome": "failure", "user.name": "root",
         "source.ip": "203.0.113.9", "source.port": 50000, "process.name": "sshd", "mozdef.category": "syslog"},
    ),
    Example({**_event("syslog", "Server listening on :: port 22.", program="sshd")}, {"mozdef.category": "syslog"}, ("event.category",)),
    Example(_event("execve", command="id -u"), {"event.category": ["process"], "process.command_line": "id -u"}),
    Example(
        {**_event("bro", note="SSH::Password_Guessing", sourceipgeopoint="48.2,16.37"), "source": "notice"},
        {"event.category": ["intrusion_detection"], "pluginhost.signature.name": "SSH::Password_Guessing",
         "source.geo.location": {"lat": 48.2, "lon": 16.37}},
    ),
    Example(
        _event("application exception", errormessage="no disk"), {"event.type": ["error"], "error.message": "no disk"}, ("event.category",),
    ),
    Example(
        {**_event("syslog"), "receivedtimestamp": 1795255201, "processid": "42"},
        {"event.ingested": "2026-11-21T10:00:01.000Z", "process.pid": 42, "mozdef.category": "syslog"}, ("event.category", "event.outcome"),
    ),
    Example(
        {"category": "x", "summary": None, "details": [1], "receivedtimestamp": "yesterday"}, {"event.ingested": "yesterday"}, ("message",),
    ),
    Example({"category": ["x"], "summary": "y", "details": {}}, {}, ("event.category", "mozdef.category")),
)  # fmt: skip

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "mozdef", "MozDef's events: category, summary, details", Keys(("details", "category", "summary")), paths=_PATHS, extract=_extract,
        read=_READ, reads=_READS, gives=_GIVES, examples=_EXAMPLES,
    ),
)  # fmt: skip
