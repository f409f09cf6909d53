r"""ArcSight's Common Event Format, bare or behind a syslog header: `CEF:0|vendor|product|version|id|name|severity|key=value …`.

In the header a bar is escaped, in the extension an equals sign. A value goes on up to the next blank that a key and `=` follow, so a
sender that does not escape lets an attacker write keys; a key that stands twice with different values therefore names nothing. All of
it is linear in the line's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

from ...wire.times import iso
from ..aliases import heads
from ..fields import MISSING
from ..frozen import frozen
from ..mapping import Example, Line, Mapping, Record
from .syslog import READS, host, split
from .web import address, number

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]

_HEADER = re.compile(r"\s?\d{1,2}((?:\|(?:[^|\\]|\\.){0,1023}){6})(?:\|(.*))?", re.DOTALL)
_PART = re.compile(r"\|((?:[^|\\]|\\.)*)", re.DOTALL)
_KEY = re.compile(r"(?:^|(?<= ))([A-Za-z0-9_.\-\[\]]{1,128})=")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BREAKS = {"n": "\n", "r": "\r"}
_MOST_KEYS = 256
_LOGIN = re.compile(r"log[ -]?(?:in|on)\b|sign[ -]?(?:in|on)\b|authenticat", re.IGNORECASE)
_SEVERITIES = {"unknown": 0, "low": 3, "medium": 6, "high": 8, "very-high": 10}
_OUTCOMES = {
    **dict.fromkeys(("success", "successful", "succeeded", "ok", "pass", "passed", "allowed", "accepted"), "success"),
    **dict.fromkeys(("failure", "failed", "fail", "error", "denied", "rejected", "blocked", "unsuccessful"), "failure"),
}  # fmt: skip
_ALLOWED = frozenset({"allow", "allowed", "accept", "accepted", "permit", "permitted", "pass", "passed"})
_DENIED = frozenset({"deny", "denied", "block", "blocked", "drop", "dropped", "reject", "rejected", "reset"})


def _port(value: str) -> Any:
    return port if (port := number(value)) is not MISSING and port <= 65535 else MISSING


def _text(value: str) -> Any:
    return value


def _lower(value: str) -> Any:
    return value.lower()


def _direction(value: str) -> Any:
    return {"0": "inbound", "1": "outbound"}.get(value, MISSING)


def _time(value: str) -> Any:
    """ISO 8601 of ms since 1970; a date that is written out as it is."""
    since = number(value)
    return value if since is MISSING or since > 253402300799999 else iso(since * 1_000_000)


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "src": ("source.ip", address), "shost": ("source.domain", _text), "spt": ("source.port", _port), "smac": ("source.mac", _text),
    "dst": ("destination.ip", address), "dhost": ("destination.domain", _text), "dpt": ("destination.port", _port),
    "dmac": ("destination.mac", _text), "suser": ("source.user.name", _text), "duser": ("destination.user.name", _text),
    "suid": ("user.id", _text), "sntdom": ("user.domain", _text), "act": ("event.action", _text), "reason": ("event.reason", _text),
    "rt": ("event.created", _time), "start": ("event.start", _time), "end": ("event.end", _time), "cnt": ("pluginhost.repeated", number),
    "request": ("url.original", _text), "requestMethod": ("http.request.method", _text),
    "requestClientApplication": ("user_agent.original", _text), "requestContext": ("http.request.referrer", _text),
    "in": ("source.bytes", number), "out": ("destination.bytes", number), "proto": ("network.transport", _lower),
    "app": ("network.protocol", _lower), "deviceDirection": ("network.direction", _direction), "fname": ("file.name", _text),
    "filePath": ("file.path", _text), "fsize": ("file.size", number), "dvchost": ("host.name", _text), "dproc": ("process.name", _text),
    "dpid": ("process.pid", number), "deviceProcessName": ("process.name", _text),
}  # fmt: skip
"""Key of the extension → ECS name, and how its value is read."""


def _extract(record: Record) -> _Found | None:
    program, _, _, body = split(record)
    body = body.strip()
    if body.startswith("CEF:"):
        body = body[4:]
    elif program != "CEF":  # what a header seems to end with: `fw1 CEF:0|…`
        return None
    said = _HEADER.fullmatch(body)
    if said is None:
        return None
    vendor, product, _, code, name, severity = (_plain(part) for part in _PART.findall(said[1]))
    given = _extension(said[2] or "")
    found = {ecs: value for key, (ecs, read) in _FIELDS.items() if key in given and (value := read(given[key])) is not MISSING}
    found |= {
        "event.provider": f"{vendor} {product}".strip() or MISSING, "event.code": code or MISSING, "event.severity": _severity(severity),
        "pluginhost.signature.id": code or MISSING, "pluginhost.signature.name": name or MISSING,
        "process.name": found.get("process.name", MISSING), "process.pid": found.get("process.pid", MISSING),
        "cef.extensions": _labelled(given),
    }  # fmt: skip
    return {**found, **_users(given), **_kind(name, given)}


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: _BREAKS.get(found[1], found[1]), text) if "\\" in text else text


def _extension(text: str) -> dict[str, str]:
    """Values by key. What is said twice in different ways is said by nobody."""
    places = list(islice(_KEY.finditer(text), _MOST_KEYS))
    ends = [*(one.start() for one in places[1:]), len(text)]
    made: dict[str, str] = {}
    twice = set()
    for found, following in zip(places, ends, strict=False):
        key, value = found[1], _plain(text[found.end() : following].strip(" "))
        if made.setdefault(key, value) != value:
            twice.add(key)
    return {key: value for key, value in made.items() if key not in twice and value}


def _labelled(given: dict[str, str]) -> dict[str, str]:
    """All that the extension says; a custom field (`cs1`) under its label, if it has one."""
    made = {given.get(f"{key}Label", key): value for key, value in given.items() if not key.endswith("Label")}
    return frozen(made)  # type: ignore[no-any-return] # a frozen dict is a dict


def _severity(text: str) -> Any:
    level = number(text)
    return _SEVERITIES.get(text.lower(), MISSING) if level is MISSING else level


def _users(given: dict[str, str]) -> _Found:
    """Who acts is the source's user; of a login only the destination's may be named."""
    source, destination = given.get("suser", MISSING), given.get("duser", MISSING)
    if source is MISSING:
        return {"user.name": destination}
    return {"user.name": source} if destination is MISSING else {"user.name": source, "user.target.name": destination}


def _kind(name: str, given: dict[str, str]) -> _Found:
    """Category and outcome, as far as the format lets one know: it has no field for the first."""
    act = given.get("act", "").lower()
    outcome = _OUTCOMES.get(given.get("outcome", "").lower(), MISSING)
    verdict = ["denied"] if act in _DENIED else ["allowed"] if act in _ALLOWED else []
    if _LOGIN.search(f"{name[:256]} {given.get('cat', '')[:256]}"):
        return {"event.category": ["authentication"], "event.type": ["start"], "event.outcome": outcome or "unknown"}
    if "request" in given:
        return {"event.category": ["web"], "event.type": ["access", *verdict], "event.outcome": outcome}
    if "src" in given and "dst" in given:
        return {"event.category": ["network"], "event.type": ["connection", *verdict], "event.outcome": outcome}
    return {"event.outcome": outcome}


_WAF = (
    r"CEF:0|Ex\|ample|W\\AF|1.2|100|SQL injection|8|src=203.0.113.9 spt=50000 dst=192.0.2.1 dpt=443 act=blocked "
    r"request=https://shop/?a\=b c requestMethod=GET suser=bob rt=1795255200000 cs1Label=Policy cs1=strict mode cn1=5 msg=two\nlines"
)
_SEEN: _Found = {
    "event.category": ["web"], "event.type": ["access", "denied"], "event.action": "blocked", "event.provider": r"Ex|ample W\AF",
    "event.code": "100", "event.severity": 8,
    "pluginhost.signature.id": "100", "pluginhost.signature.name": "SQL injection", "source.ip": "203.0.113.9",
    "source.port": 50000, "destination.ip": "192.0.2.1", "destination.port": 443, "url.original": "https://shop/?a=b c", "user.name": "bob",
    "event.created": "2026-11-21T10:00:00.000Z",
}  # fmt: skip
_LOGGED = "CEF:0|Example|VPN|1|auth|User login|Low|src=203.0.113.9 duser=bob outcome="

_EXAMPLES = (
    Example(_WAF, _SEEN, ("process.name", "event.outcome")),
    Example(f"<134>Nov 21 10:00:00 fw1 {_WAF}", {**_SEEN, "host.name": "fw1"}, ("process.name",)),
    Example(f"<134>1 2026-11-21T10:00:00Z fw1 waf 42 - - {_WAF}", {**_SEEN, "host.name": "fw1"}),
    Example({"ident": "CEF", "host": "fw1", "message": _WAF.removeprefix("CEF:")}, {**_SEEN, "host.name": "fw1"}, ("process.name",)),
    Example(f"{_LOGGED}failed reason=bad password", {
        "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.reason": "bad password",
        "user.name": "bob", "source.ip": "203.0.113.9", "event.severity": 3,
    }, ("user.target.name",)),
    Example(f"{_LOGGED}Success suser=alice", {"event.outcome": "success", "user.name": "alice", "user.target.name": "bob"}),
    Example("CEF:0|E|FW|1|7|drop|5|src=203.0.113.9 dst=192.0.2.1 act=deny proto=TCP deviceDirection=0 dvchost=fw1 cnt=3", {
        "event.category": ["network"], "event.type": ["connection", "denied"], "network.transport": "tcp", "network.direction": "inbound",
        "host.name": "fw1", "pluginhost.repeated": 3,
    }),
    Example("CEF:0|E|P|1|7|x|5|suser=eve suser=root src=9.9.9 spt=99999", {"event.code": "7"}, ("user.name", "source.ip", "source.port")),
    Example("CEF:0|E|P|1|7|no extension|5|", {"pluginhost.signature.name": "no extension"}, ("event.category",)),
    Example("CEF:0|cut short|P", {}, ("event.code",)),
    Example("Nov 21 10:00:00 web1 app[1]: said CEF:0|E|P|1|7|x|5|suser=root", {"process.name": "app"}, ("user.name", "event.code")),
)  # fmt: skip

MAPPINGS = (
    Mapping(
        "cef", "Common Event Format, bare or behind a syslog header", Line(begins=("0|", "1|"), holds="CEF:", within=400), extract=_extract,
        read={"host.name": host}, reads=(*READS, *heads("host.name")), examples=_EXAMPLES,
        gives=frozenset({
            *(field for field, _ in _FIELDS.values()), "event.category", "event.type", "event.outcome", "event.provider", "event.code",
            "event.severity", "user.name", "user.target.name", "pluginhost.signature.id", "pluginhost.signature.name", "cef.extensions",
        }),
    ),
)  # fmt: skip
