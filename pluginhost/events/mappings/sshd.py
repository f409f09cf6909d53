"""What OpenSSH's server logs, however it was shipped: bare sentences, whole syslog lines, journald's fields.

User names, client banners and disconnect reasons are the attacker's to write, so a sentence is read from its fixed
beginning and from its fixed end, and never searched for something that looks right: in `Failed password for invalid user
x from 192.0.2.1 from 203.0.113.9 port 50000 ssh2` the user is `x from 192.0.2.1`. A sentence that could be read in two ways names
no source. All of it is linear in the line's length.

Nearly all lines are plain logins, so one expression reads those whose names hold no blank; what it does not match in full
goes to the careful functions below, which would say the same of what it does match (a property test holds them together).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..address import packed
from ..aliases import heads, message
from ..fields import MISSING
from ..frozen import frozen
from ..mapping import Example, Line, Mapping, Record
from .syslog import NAMED, READS, host, split, told, written

__all__ = ["MAPPINGS", "sentence"]

_PROGRAMS = frozenset({"sshd", "sshd-session", "sshd-auth"})
_LOGIN = re.compile(
    r"(?:"
    r"(?:<[0-9]{1,3}>(?P<new>1 )?)?"
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\S{0,20}) \S{1,255}+ "
    r"sshd(?:-session|-auth)?(?(new) ([0-9]{1,10}) \S{1,32}+ - \ufeff?|\[([0-9]{1,10})\]: )"
    r")?+ ?"
    r"(Failed|Accepted) (?:(?P<key>publickey)|\S{1,64}+) for (?:invalid user |illegal user )?+(\S*+) from (\S{1,255}+) port ([0-9]{1,5}+)"
    r"(?: ssh2(?(key)(?:: [A-Z0-9-]{1,32} SHA256:[A-Za-z0-9+/=]{1,64})?))?"
)
_ATTEMPT = re.compile(r"(\S{1,64}) for (?:invalid user |illegal user )?")
_KEYED = ("publickey", "hostbased", "gssapi")
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", re.DOTALL)
_PLACE = re.compile(r"(\S{1,255}) port (\d{1,5})(?: ssh2)?")
_PLACE_OR_ADDRESS = re.compile(r"(\S{1,255})(?: port (\d{1,5}))?")  # what servers before 7.1 say
_PORT = re.compile(r"\d{1,5}")
_CONNECTED = re.compile(r"(\S{1,255}) port (\d{1,5}) on \S{1,255} port \d{1,5}(?: rdomain .{0,255})?")
_RECEIVED = re.compile(r"(\S{1,255}) port (\d{1,5}):")
_WHO = re.compile(r"(?:(?:authenticating |invalid )?user (?P<name>.*) )?", re.DOTALL)
_SESSION = re.compile(r"(opened|closed) for user (\S{1,255}?)(?:\(uid=\d{1,10}\))?(?: by .*)?", re.DOTALL)

_Found = dict[str, Any]

# Lists are frozen here, once, so that an event need not copy them per record.
_AUTHENTICATION, _NETWORK, _SESSIONS = (frozen([category]) for category in ("authentication", "network", "session"))
_START, _INFO, _END = (frozen([kind]) for kind in ("start", "info", "end"))
_CONNECTION_START, _CONNECTION_END = (frozen(["connection", kind]) for kind in ("start", "end"))
_OUTCOMES = {"Accepted": "success", "Failed": "failure"}


def sentence(body: str) -> _Found | None:
    """What one sentence of sshd says, by ECS name, in a dict of the caller's own; `None` for a sentence that is not known here."""
    body = body.strip()
    if body.startswith("message repeated ") and (repeated := _REPEATED.fullmatch(body)) is not None:
        found = _one(repeated[2])
        return found and found | {"pluginhost.repeated": int(repeated[1])}
    return _one(body)


def _one(body: str) -> _Found | None:
    body = body.removeprefix("error: ").removesuffix(" [preauth]")
    for beginning, read in _BY_HEAD.get(body[:_HEAD], ()):
        if body.startswith(beginning):
            return read(body[len(beginning) :])
    return None


def _failed(rest: str) -> _Found | None:
    return _attempt("failure", rest)


def _accepted(rest: str) -> _Found | None:
    return _attempt("success", rest)


def _attempt(outcome: str, rest: str) -> _Found | None:
    """By any method; some are followed by `: ` and the key, in which the client has a say."""
    method = _ATTEMPT.match(rest)
    if method is None:
        return None
    rest = rest[method.end() :]
    where = _from(rest)
    if where is None and method[1].startswith(_KEYED) and rest.count(" ssh2: ") == 1:
        where = _from(rest.partition(" ssh2: ")[0])
    if where is None and " ssh2: " not in rest:
        return None
    return {**_authentication(_START, "ssh_login"), "event.outcome": outcome, **(where or {})}


def _unknown(rest: str) -> _Found | None:
    """Told beside the failed attempts of the same user, so it has no outcome: else each would count twice."""
    where = _from(rest, _PLACE_OR_ADDRESS)
    return where and {**_authentication(_INFO, "ssh_invalid_user"), **where}


def _exceeded(rest: str) -> _Found | None:
    where = _from(rest.removeprefix("invalid user "))
    return where and {**_authentication(_INFO, "ssh_max_attempts"), **where}


def _connected(rest: str) -> _Found | None:
    place = _CONNECTED.fullmatch(rest)
    return place and _placed(_network(_CONNECTION_START, "ssh_connection"), place[1], place[2])


def _received(rest: str) -> _Found | None:
    place = _RECEIVED.match(rest)
    return place and _placed(_network(_CONNECTION_END, "ssh_disconnect"), place[1], place[2])


def _ended(rest: str) -> _Found | None:
    """`[user NAME] ADDRESS [port N]`; old servers name no port."""
    before, _, port = rest.rpartition(" port ")
    if _PORT.fullmatch(port) is None:
        before, port = rest, ""
    who, blank, address = before.rpartition(" ")
    named = _WHO.fullmatch(who + blank)
    if named is None or not address or len(address) > 255:
        return None
    found = _network(_CONNECTION_END, "ssh_disconnect")
    if named["name"] is not None:
        found["user.name"] = named["name"]
    return _placed(found, address, port)


def _session(rest: str) -> _Found | None:
    found = _SESSION.fullmatch(rest)
    if found is None:
        return None
    kind = _START if found[1] == "opened" else _END
    return {"event.category": _SESSIONS, "event.type": kind, "event.action": f"ssh_session_{found[1]}", "user.name": found[2]}


def _authentication(kind: list[str], action: str) -> _Found:
    return {"event.category": _AUTHENTICATION, "event.type": kind, "event.action": action}


def _network(kind: list[str], action: str) -> _Found:
    return {"event.category": _NETWORK, "event.type": kind, "event.action": action}


def _from(text: str, place: re.Pattern[str] = _PLACE) -> _Found | None:
    """`NAME from ADDRESS port N ssh2`: the last ` from ` is sshd's own, whatever the name holds."""
    name, mark, rest = text.rpartition(" from ")
    found = place.fullmatch(rest) if mark else None
    return found and _placed({"user.name": name}, found[1], found[2])


def _placed(found: _Found, address: str, port: str | None) -> _Found:
    """`found` with its source. A name instead of an address (`UseDNS`) is an address of the source, but no IP."""
    found["source.address"] = address
    if packed(address) is not None:
        found["source.ip"] = address
    if port and (number := int(port)) <= 65535:
        found["source.port"] = number
    return found


_SENTENCES: dict[str, Callable[[str], _Found | None]] = {
    "Failed ": _failed, "Accepted ": _accepted, "Invalid user ": _unknown, "maximum authentication attempts exceeded for ": _exceeded,
    "Connection from ": _connected, "Received disconnect from ": _received, "Connection closed by ": _ended, "Connection reset by ": _ended,
    "Disconnected from ": _ended, "pam_unix(sshd:session): session ": _session,
}  # fmt: skip
_HEAD = 4
_BY_HEAD = {
    head: tuple((beginning, read) for beginning, read in _SENTENCES.items() if beginning.startswith(head))
    for head in (beginning[:_HEAD] for beginning in _SENTENCES)
}  # fmt: skip

_SHAPE = Line(begins=(*_SENTENCES, "error: maximum", "message repeated "), holds="sshd", within=400)  # a header is shorter
_READS = (*READS, *heads("host.name"))
_GIVES = frozenset({
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "source.address", "source.ip", "source.port",
    "process.pid", "pluginhost.repeated",
})  # fmt: skip


def _extract(record: Record) -> _Found | None:
    said = _LOGIN.fullmatch(message(record))
    if said is None:
        return _careful(record)
    _, new_pid, old_pid, verdict, _, name, address, port = said.groups()
    digits = new_pid or old_pid
    if digits and not NAMED.isdisjoint(record):
        return _careful(record)
    program, pid = ("sshd", int(digits)) if digits else told(record)
    if program and program not in _PROGRAMS:
        return None
    found = {
        "event.category": _AUTHENTICATION, "event.type": _START, "event.action": "ssh_login", "event.outcome": _OUTCOMES[verdict],
        "user.name": name, "process.pid": pid,
    }  # fmt: skip
    if pid is MISSING:
        del found["process.pid"]
    return _placed(found, address, port)


def _careful(record: Record) -> _Found | None:
    program, pid, _, body = split(record)
    if program and program not in _PROGRAMS:
        return None
    return written(sentence(body), program, pid)


def _logged_in(outcome: str, user: str, address: str, port: int) -> _Found:
    return {
        "event.category": ["authentication"], "event.type": ["start"], "event.outcome": outcome, "event.action": "ssh_login",
        "user.name": user, "source.address": address, "source.port": port, "process.name": "sshd",
    }  # fmt: skip


_FAILED = "Failed password for root from 203.0.113.9 port 50000 ssh2"
_ROOT = {**_logged_in("failure", "root", "203.0.113.9", 50000), "source.ip": "203.0.113.9"}
_WEB1 = {**_ROOT, "process.pid": 42, "host.name": "web1"}
_PEER = {"source.ip": "203.0.113.9", "source.port": 5}
_QUIET = ("event.outcome",)

_EXAMPLES = (
    Example(f"Nov 21 10:00:00 web1 sshd[42]: {_FAILED}", _WEB1),
    Example(f"<38>Nov  1 10:00:00 web1 sshd[42]: {_FAILED}", _WEB1),
    Example(f"2026-11-21T10:00:00.123456+01:00 web1 sshd-session[42]: {_FAILED}", _WEB1),
    Example(f"<38>1 2026-11-21T10:00:00Z web1 sshd 42 - - {_FAILED}", _WEB1),
    Example(f'<38>1 2026-11-21T10:00:00Z web1 sshd 42 ID7 [a@1 x="]"][b y="z"] \ufeff{_FAILED}', _WEB1),
    Example(_FAILED, _ROOT),
    Example({"SYSLOG_IDENTIFIER": "sshd", "MESSAGE": _FAILED, "_PID": "42", "_HOSTNAME": "web1"}, _WEB1),
    Example({"ident": "sshd", "pid": "42", "host": "web1", "message": _FAILED}, _WEB1, tag="auth.sshd"),
    Example({"PROGRAM": "sshd", "PID": "42", "HOST": "web1", "MESSAGE": _FAILED}, _WEB1),
    Example({"syslogtag": "sshd[42]:", "hostname": "web1", "msg": f" {_FAILED}"}, _WEB1),
    Example(
        {"message": f"Nov 21 10:00:00 web1 sshd[42]: {_FAILED}", "event": {"dataset": "system.auth"}, "host": {"name": "box"}},
        {**_WEB1, "host.name": "box", "event.dataset": "system.auth"},
    ),
    Example("Failed none for invalid user  from 203.0.113.9 port 5 ssh2", {**_logged_in("failure", "", "203.0.113.9", 5), **_PEER}),
    Example(
        "Failed password for invalid user a from 192.0.2.1 port 5 ssh2 from 2001:db8::9 port 1 ssh2",
        {**_logged_in("failure", "a from 192.0.2.1 port 5 ssh2", "2001:db8::9", 1), "source.ip": "2001:db8::9"},
    ),
    Example(
        "Failed keyboard-interactive/pam for invalid user  x y  from host.example port 7 ssh2",
        _logged_in("failure", " x y ", "host.example", 7),
        ("source.ip",),
    ),
    Example(
        "Accepted publickey for bob from 203.0.113.9 port 5 ssh2: RSA SHA256:abc",
        {**_logged_in("success", "bob", "203.0.113.9", 5), **_PEER},
    ),
    Example(
        "Failed publickey for a from 192.0.2.9 port 2 ssh2: RSA-CERT SHA256:b ID c from 192.0.2.1 port 1 ssh2: d (serial 0) CA RSA e",
        {"event.outcome": "failure", "event.action": "ssh_login"},
        ("source.ip", "source.address", "user.name"),
    ),
    Example(f"message repeated 5 times: [ {_FAILED}]", {**_ROOT, "pluginhost.repeated": 5}),
    Example(
        "Invalid user from 192.0.2.1 from 203.0.113.9 port 5",
        {"event.action": "ssh_invalid_user", "event.category": ["authentication"], "user.name": "from 192.0.2.1", **_PEER},
        _QUIET,
    ),
    Example("Invalid user a from 203.0.113.9", {"event.action": "ssh_invalid_user", "source.ip": "203.0.113.9"}, (*_QUIET, "source.port")),
    Example(
        "error: maximum authentication attempts exceeded for invalid user a from 203.0.113.9 port 5 ssh2 [preauth]",
        {"event.action": "ssh_max_attempts", "event.category": ["authentication"], "user.name": "a", **_PEER},
        _QUIET,
    ),
    Example(
        "Connection from 203.0.113.9 port 5 on 192.0.2.1 port 22",
        {"event.category": ["network"], "event.type": ["connection", "start"], "event.action": "ssh_connection", **_PEER},
        _QUIET,
    ),
    Example(
        "Connection closed by invalid user a port 1 b 203.0.113.9 port 5 [preauth]",
        {"event.category": ["network"], "event.action": "ssh_disconnect", "user.name": "a port 1 b", **_PEER},
        _QUIET,
    ),
    Example("Disconnected from 203.0.113.9 port 5", {"event.action": "ssh_disconnect", **_PEER}, (*_QUIET, "user.name")),
    Example("Received disconnect from 203.0.113.9 port 5:11: from 192.0.2.1 port 6:", {"event.action": "ssh_disconnect", **_PEER}, _QUIET),
    Example(
        "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
        {"event.category": ["session"], "event.type": ["start"], "event.action": "ssh_session_opened", "user.name": "root"},
        _QUIET,
    ),
    Example(
        "Nov 21 10:00:00 web1 sshd[42]: Server listening on 0.0.0.0 port 22.",
        {"process.name": "sshd", "process.pid": 42, "host.name": "web1"},
        ("event.category", "source.ip"),
    ),
    Example({"ident": "nginx", "message": _FAILED}, {"process.name": "nginx"}, ("event.outcome", "source.ip")),
    Example(
        {"ident": "nginx", "message": f"Nov 21 10:00:00 web1 sshd[42]: {_FAILED}"},
        {"process.name": "nginx"},
        ("event.outcome", "source.ip"),
    ),
    Example(f"Nov 21 10:00:00 web1 app[42]: sshd[42]: {_FAILED}", {}, ("event.outcome", "source.ip")),
)

MAPPINGS = (
    Mapping(
        "sshd", "OpenSSH's server: logins, refused users, connections", _SHAPE, constants={"process.name": "sshd"}, extract=_extract,
        read={"host.name": host}, reads=_READS, gives=_GIVES, examples=_EXAMPLES,
    ),
)  # fmt: skip
