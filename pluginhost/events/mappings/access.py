r"""Access logs of web servers: nginx's and Apache's lines, the fields that parsers make of them, and nginx's own JSON.

Paths, referrers, agents and user names are the client's to write. nginx and Apache escape a quote in them (`\x22`, `\"`), so
the first unescaped quote behind a time stamp in brackets begins the request, and every quoted part is read to its own end;
nothing is searched for inside. All of it is linear in the line's length.

Nearly all lines hold no backslash and no blank in a user's name, so one expression reads those; what it does not match goes
to the careful function below, which would say the same of what it does match (a property test holds them together). What
parsers send is read field by field: an analyzer rarely asks for more than a few.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..address import packed
from ..aliases import ALIASES, first, message, tops
from ..fields import MISSING
from ..frozen import frozen
from ..mapping import Example, Keys, Line, Mapping, Record
from .web import address, given, number, outcome, path, query, request, text, version

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]

_STAMP = re.compile(r' \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "')
_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_REST = re.compile(rf"{_QUOTED} (\d{{3}}) (\d{{1,18}}|-)(?: {_QUOTED} {_QUOTED})?", re.DOTALL)
_PLAIN_LINE = re.compile(
    r'([^ "\[\\]++) [^ "\[\\]*+ ([^ "\[\\]*+) \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\] '
    r'"([A-Za-z_-]{1,32}+) ([^"\\]+) HTTP/([0-9](?:\.[0-9])?)" ([0-9]{3}) ([0-9]{1,18}+|-)(?: "([^"\\]*+)" "([^"\\]*+)"|\n?\Z)'
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_HOSTS = tuple(path for path in ALIASES["host.name"] if path != "host")


def _line(record: Record) -> _Found | None:
    """A line in the common or combined format, of one virtual host or with its name before it."""
    line = message(record)
    return _plain_line(line) or _careful_line(line)


def _plain_line(line: str) -> _Found | None:
    said = _PLAIN_LINE.match(line)
    if said is None:
        return None
    client, user, method, target, spoken, status, size, referrer, agent = said.groups()
    known = packed(client) is not None
    if not known and ":" in client:
        return None
    code = int(status)
    before, asked, after = target.partition("?")
    return {
        "event.outcome": "success" if code < 400 else "failure",
        "source.address": MISSING if client == "-" else client,
        "source.ip": client if known else MISSING,
        "user.name": MISSING if user == "-" or not user else user,
        "http.request.method": MISSING if method == "-" else method,
        "http.version": spoken,
        "http.response.status_code": code,
        "http.response.body.bytes": MISSING if size == "-" else int(size),
        "http.request.referrer": MISSING if referrer == "-" or not referrer else referrer,
        "user_agent.original": MISSING if agent == "-" or not agent else agent,
        "url.original": MISSING if target == "-" else target,
        "url.path": path(target) if target == "-" or "://" in before else before,
        "url.query": after if asked else MISSING,
    }


def _careful_line(line: str) -> _Found | None:
    stamp = _STAMP.search(line)
    rest = _REST.match(line, stamp.end() - 1) if stamp else None
    if stamp is None or rest is None:
        return None
    client, blank, ident_and_user = line[: stamp.start()].partition(" ")
    if packed(client) is None and ":" in client:  # `www.example:443 203.0.113.9 - -`
        client, blank, ident_and_user = ident_and_user.partition(" ")
    _, second, user = ident_and_user.partition(" ")
    if not client or not blank or not second:
        return None
    quoted, status, size, referrer, agent = rest.groups()
    method, target, spoken = request(_plain(quoted))
    return {
        "event.outcome": outcome(status),
        "source.address": given(client),
        "source.ip": address(client),
        "user.name": given(_plain(user)),
        "http.request.method": method,
        "http.version": spoken,
        "http.response.status_code": number(status),
        "http.response.body.bytes": number(size),
        "http.request.referrer": given(_plain(referrer)),
        "user_agent.original": given(_plain(agent)),
        "url.original": target,
        "url.path": path(target),
        "url.query": query(target),
    }


def _plain(quoted: str | None) -> str:
    """The text that the server escaped; escaped bytes are UTF-8 where they can be."""
    if not quoted or "\\" not in quoted:
        return quoted or ""
    return _ESCAPE.sub(_unescaped, quoted.encode("utf-8", "backslashreplace")).decode("utf-8", "backslashreplace")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else _CONTROL.get(found[2], found[2])


# --- what the nginx and apache2 parsers of Fluentd and Fluent Bit make; in Apache's form `host` is the client ---


def _remote(record: Record) -> Any:
    return record.get("remote", record.get("host"))


def _protocol(record: Record) -> Any:
    return record.get("protocol") or record.get("http_version")


_PARSED_READ: dict[str, Callable[[Record], Any]] = {
    "event.outcome": lambda record: outcome(record.get("code")),
    "source.address": lambda record: given(_remote(record)),
    "source.ip": lambda record: address(_remote(record)),
    "user.name": lambda record: given(record.get("user")),
    "http.request.method": lambda record: given(record.get("method")),
    "http.version": lambda record: version(_protocol(record)),
    "http.response.status_code": lambda record: number(record.get("code")),
    "http.response.body.bytes": lambda record: number(record.get("size")),
    "http.request.referrer": lambda record: given(record.get("referer")),
    "user_agent.original": lambda record: given(record.get("agent")),
    "url.original": lambda record: text(record.get("path")),
    "url.path": lambda record: path(record.get("path")),
    "url.query": lambda record: query(record.get("path")),
    "host.name": lambda record: first(record, "host.name", _HOSTS),
}
_PARSED_READS = ("remote", "host", "user", "method", "path", "protocol", "http_version", "code", "size", "referer", "agent", *tops(_HOSTS))


# --- nginx's variables under their own names, as its JSON log formats write them ---


def _requested(record: Record) -> tuple[Any, Any, Any]:
    line = record.get("request")
    return request(line) if isinstance(line, str) else (MISSING, MISSING, MISSING)


def _method(record: Record) -> Any:
    return record.get("request_method") or _requested(record)[0]


def _target(record: Record) -> Any:
    return record.get("request_uri") or _requested(record)[1] or record.get("uri")


def _server_protocol(record: Record) -> Any:
    return record.get("server_protocol") or _requested(record)[2]


_NGINX_READ: dict[str, Callable[[Record], Any]] = {
    "event.outcome": lambda record: outcome(record.get("status")),
    "source.address": lambda record: given(record.get("remote_addr")),
    "source.ip": lambda record: address(record.get("remote_addr")),
    "user.name": lambda record: given(record.get("remote_user")),
    "http.request.method": lambda record: given(_method(record)),
    "http.version": lambda record: version(_server_protocol(record)),
    "http.response.status_code": lambda record: number(record.get("status")),
    "http.response.body.bytes": lambda record: number(record.get("body_bytes_sent", record.get("bytes_sent"))),
    "http.request.referrer": lambda record: given(record.get("http_referer")),
    "user_agent.original": lambda record: given(record.get("http_user_agent")),
    "url.original": lambda record: text(_target(record)),
    "url.path": lambda record: path(_target(record)),
    "url.query": lambda record: query(_target(record)),
}
_NGINX_READS = (
    "remote_addr", "remote_user", "request", "request_method", "request_uri", "uri", "server_protocol", "status", "body_bytes_sent",
    "bytes_sent", "http_referer", "http_user_agent",
)  # fmt: skip

_LINE = Line(holds='] "')
_PARSED_SHAPE = Keys(("code", "path", "method"), either=("remote", "host"))
_NGINX_SHAPE = Keys(("remote_addr", "status"), either=("request", "request_uri"))


_SEEN: _Found = {
    "event.category": ["web"], "event.type": ["access"], "event.outcome": "failure", "source.ip": "203.0.113.9",
    "source.address": "203.0.113.9", "http.request.method": "GET", "http.version": "1.1", "url.original": "/a?b=c d", "url.path": "/a",
    "url.query": "b=c d", "http.response.status_code": 404, "http.response.body.bytes": 153, "user_agent.original": "curl/8",
    "http.request.referrer": "https://example/",
}  # fmt: skip
_COMBINED = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET /a?b=c d HTTP/1.1" 404 153 "https://example/" "curl/8"'
_NOBODY = ("user.name",)

_LINES = (
    Example(_COMBINED, _SEEN, _NOBODY),
    Example({"log": f'{_COMBINED} "198.51.100.7"\n', "user": "app"}, _SEEN, _NOBODY),
    Example(f"www.example:443 {_COMBINED}", _SEEN, _NOBODY),
    Example(
        '2001:DB8::1 - bob [21/Nov/2026:10:00:00 +0000] "POST /login HTTP/2.0" 200 -',
        {"source.ip": "2001:db8::1", "user.name": "bob", "event.outcome": "success", "http.version": "2.0", "url.path": "/login"},
        ("http.response.body.bytes", "url.query", "user_agent.original"),
    ),
    Example(
        r'203.0.113.9 - a [b] \x22c [21/Nov/2026:10:00:00 +0000] "GET /\" 200 1 HTTP/1.1" 403 7 "-" "\xD0\xBF\x22 \"x\\"',
        {"user.name": 'a [b] "c', "url.original": '/" 200 1', "http.response.status_code": 403, "user_agent.original": 'п" "x\\'},
        ("http.request.referrer",),
    ),
    Example(
        r'host.example - - [21/Nov/2026:10:00:00 +0000] "\x16\x03\x01" 400 157 "-" "-"',
        {"source.address": "host.example", "event.outcome": "failure", "http.response.status_code": 400},
        ("source.ip", "http.request.method", "url.original", "user_agent.original"),
    ),
    Example('203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET http://example/x?y HTTP/1.0" 200 1', {"url.path": "/x", "url.query": "y"}),
)
_PARSED = (
    Example(
        {"remote": "203.0.113.9", "host": "-", "user": "-", "method": "GET", "path": "/a?b=c d", "code": "404", "size": "153",
         "referer": "https://example/", "agent": "curl/8", "protocol": "HTTP/1.1"},
        _SEEN, ("host.name", "user.name"), "nginx.access",
    ),
    Example(
        {"host": "203.0.113.9", "user": None, "method": "GET", "path": "/", "code": 200, "size": None, "referer": None, "agent": "-",
         "hostname": "web1"},
        {"source.ip": "203.0.113.9", "event.outcome": "success", "http.response.status_code": 200, "url.path": "/", "host.name": "web1"},
        ("user.name", "user_agent.original", "http.response.body.bytes"),
    ),
)  # fmt: skip
_VARIABLES = (
    Example(
        {"remote_addr": "203.0.113.9", "remote_user": "", "request": "GET /a?b=c d HTTP/1.1", "status": "404", "body_bytes_sent": 153,
         "http_referer": "https://example/", "http_user_agent": "curl/8", "host": "web1"},
        {**_SEEN, "host.name": "web1"}, _NOBODY,
    ),
    Example(
        {"remote_addr": "203.0.113.9", "request_method": "GET", "request_uri": "/a?b=c d", "server_protocol": "HTTP/1.1", "status": 404,
         "bytes_sent": "153", "http_referer": "https://example/", "http_user_agent": "curl/8"},
        _SEEN,
    ),
    Example({"remote_addr": "203.0.113.9", "request": "", "uri": "/a", "status": 400}, {"url.path": "/a"}, ("http.request.method",)),
)  # fmt: skip
_WEB: _Found = {"event.category": frozen(["web"]), "event.type": frozen(["access"])}
_LINE_GIVES = frozenset(_NGINX_READ)

MAPPINGS = (
    Mapping(
        "access-line", "access log lines of nginx and Apache", _LINE, constants=_WEB, extract=_line, reads=(), gives=_LINE_GIVES,
        examples=_LINES,
    ),
    Mapping(
        "access-parsed", "access logs parsed by Fluentd or Fluent Bit", _PARSED_SHAPE, constants=_WEB, read=_PARSED_READ,
        reads=_PARSED_READS, examples=_PARSED,
    ),
    Mapping(
        "access-nginx", "nginx's access logs in JSON", _NGINX_SHAPE, constants=_WEB, read=_NGINX_READ, reads=_NGINX_READS,
        examples=_VARIABLES,
    ),
)  # fmt: skip
