r"""Access logs of web servers: nginx's and Apache's lines, the fields that parsers make of them, and nginx's own JSON.

Paths, referrers, agents and user names are the client's to write. nginx and Apache escape a quote in them (`\x22`, `\"`), so
the first unescaped quote behind a time stamp in brackets begins the request, and every quoted part is read to its own end;
nothing is searched for inside. All of it is linear in the line's length.
"""

from __future__ import annotations

import re
from typing import Any

from ..address import packed
from ..aliases import ALIASES, first
from ..fields import MISSING
from ..mapping import Example, Mapping, Record
from .syslog import message

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]

_STAMP = re.compile(r' \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "')
_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_REST = re.compile(rf"{_QUOTED} (\d{{3}}) (\d{{1,18}}|-)(?: {_QUOTED} {_QUOTED})?", re.DOTALL)
_METHOD = re.compile(r"[A-Za-z_-]{1,32}")
_VERSION = re.compile(r"HTTP/(\d(?:\.\d)?)")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_HOSTS = tuple(path for path in ALIASES["host.name"] if path != "host")


def _line(record: Record) -> _Found | None:
    """A line in the common or combined format, of one virtual host or with its name before it."""
    line = message(record)
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
    request, status, size, referrer, agent = rest.groups()
    return _fields(client, _plain(user), _request(_plain(request)), (status, size), (_plain(referrer), _plain(agent)))


def _parsed(record: Record) -> _Found | None:
    """What the nginx and apache2 parsers of Fluentd and Fluent Bit make; in Apache's form `host` is the client."""
    given = record.get
    request = given("method"), given("path"), given("protocol") or given("http_version")
    answer, said = (given("code"), given("size")), (given("referer"), given("agent"))
    made = _fields(given("remote", given("host")), given("user"), request, answer, said)
    return made | {"host.name": first(record, "host.name", _HOSTS)}


def _variables(record: Record) -> _Found | None:
    """nginx's variables under their own names, as its JSON log formats write them."""
    given = record.get
    request = given("request")
    method, target, version = _request(request) if isinstance(request, str) else (None, None, None)
    whole = given("request_method") or method, given("request_uri") or target or given("uri"), given("server_protocol") or version
    answer, said = (given("status"), given("body_bytes_sent", given("bytes_sent"))), (given("http_referer"), given("http_user_agent"))
    return _fields(given("remote_addr"), given("remote_user"), whole, answer, said)


def _fields(client: Any, user: Any, request: tuple[Any, Any, Any], answer: tuple[Any, Any], said: tuple[Any, Any]) -> _Found:
    """By ECS name; `request` is method, target, version, `answer` status, size, `said` referrer, agent.

    What is not given is `MISSING` outright: an alias would find the "-" that the server writes instead.
    """
    (method, target, version), (status, size), (referrer, agent) = request, answer, said
    code = _number(status)
    return {
        "event.outcome": MISSING if code is MISSING else "success" if code < 400 else "failure",
        "source.address": _given(client),
        "source.ip": client if isinstance(client, str) and packed(client) is not None else MISSING,
        "user.name": _given(user),
        "http.request.method": _given(method),
        "http.version": _given(version.removeprefix("HTTP/") if isinstance(version, str) else None),
        "http.response.status_code": code,
        "http.response.body.bytes": _number(size),
        "http.request.referrer": _given(referrer),
        "user_agent.original": _given(agent),
        **_url(_given(target)),
    }


def _request(request: str) -> tuple[str | None, str | None, str | None]:
    """Method, target and version; only a request that is one has them (scanners send TLS hellos, Apache logs `-`)."""
    method, blank, rest = request.partition(" ")
    if not blank or _METHOD.fullmatch(method) is None:
        return None, None, None
    target, _, version = rest.rpartition(" ")
    found = _VERSION.fullmatch(version)
    return (method, target, found[1]) if found and target else (method, rest, None)


def _url(target: Any) -> _Found:
    if not isinstance(target, str):
        return {"url.original": MISSING, "url.path": MISSING, "url.query": MISSING}
    path, asked, query = target.partition("?")
    scheme, absolute, rest = path.partition("://")
    if absolute and scheme.isalpha():  # a proxy's request line names the whole URL
        path = f"/{rest.partition('/')[2]}"
    return {"url.original": target, "url.path": path, "url.query": query if asked else MISSING}


def _given(value: Any) -> Any:
    return MISSING if value in (None, "", "-") else value


def _number(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else MISSING


def _plain(quoted: str | None) -> str:
    """The text that the server escaped; escaped bytes are UTF-8 where they can be."""
    if not quoted or "\\" not in quoted:
        return quoted or ""
    return _ESCAPE.sub(_unescaped, quoted.encode("utf-8", "backslashreplace")).decode("utf-8", "backslashreplace")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else _CONTROL.get(found[2], found[2])


def _is_line(record: Record) -> bool:
    return '] "' in message(record)


def _is_parsed(record: Record) -> bool:
    return "code" in record and "path" in record and "method" in record and ("remote" in record or "host" in record)


def _is_variables(record: Record) -> bool:
    return "remote_addr" in record and "status" in record and ("request" in record or "request_uri" in record)


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
)  # fmt: skip
_WEB: _Found = {"event.category": ["web"], "event.type": ["access"]}

MAPPINGS = (
    Mapping("access-line", "access log lines of nginx and Apache", _is_line, constants=_WEB, extract=_line, examples=_LINES),
    Mapping("access-parsed", "access logs parsed by Fluentd or Fluent Bit", _is_parsed, constants=_WEB, extract=_parsed, examples=_PARSED),
    Mapping("access-nginx", "nginx's access logs in JSON", _is_variables, constants=_WEB, extract=_variables, examples=_VARIABLES),
)
