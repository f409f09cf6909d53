"""Caddy's access log in JSON, and the errors that it logs beside it; as fields, or as text in the message.

`client_ip` is whom Caddy takes for the client, a trusted proxy's word considered; `remote_ip` is whoever is connected, and the
port is his. Caddy before 2.5 wrote both in `remote_addr`. Headers are lists, and the client's to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import address, given, nanoseconds, number, outcome, path, query, text, version

__all__ = ["MAPPINGS"]

_TLS_VERSIONS = {769: "1.0", 770: "1.1", 771: "1.2", 772: "1.3"}


def _asked(record: Record, name: str) -> Any:
    """A part of the request."""
    return lookup(record, f"request.{name}", None)


def _header(record: Record, name: str) -> Any:
    """The first value of a header of the request."""
    found = _asked(record, f"headers.{name}")
    return text(found[0] if isinstance(found, list) and found else found)


def _peer(record: Record) -> tuple[Any, Any]:
    """Address and port of whoever is connected."""
    ip = _asked(record, "remote_ip")
    if ip is not None:
        return ip, _asked(record, "remote_port")
    both = _asked(record, "remote_addr")
    host, _, port = both.rpartition(":") if isinstance(both, str) else (None, "", None)
    return (host.removeprefix("[").removesuffix("]") if host else None), port


def _client(record: Record) -> Any:
    return _asked(record, "client_ip") or _peer(record)[0]


def _port(record: Record) -> Any:
    ip, port = _peer(record)
    return number(port) if _client(record) == ip else MISSING


def _domain(record: Record) -> Any:
    """The host that was asked for, without its port."""
    host = text(_asked(record, "host"))
    name, colon, port = host.rpartition(":") if host is not MISSING else ("", "", "")
    return name if colon and port.isdigit() else host


def _tls_version(record: Record) -> Any:
    told = _asked(record, "tls.version")
    return _TLS_VERSIONS.get(told, MISSING) if isinstance(told, int) else MISSING


_READ: dict[str, Callable[[Record], Any]] = {
    "event.outcome": lambda record: outcome(record.get("status")),
    "event.duration": lambda record: nanoseconds(record.get("duration")),
    "source.address": lambda record: given(_client(record)),
    "source.ip": lambda record: address(_client(record)),
    "source.port": _port,
    "user.name": lambda record: text(record.get("user_id")),
    "http.request.method": lambda record: text(_asked(record, "method")),
    "http.version": lambda record: version(_asked(record, "proto")),
    "http.request.body.bytes": lambda record: number(record.get("bytes_read")),
    "http.request.referrer": lambda record: _header(record, "Referer"),
    "http.response.status_code": lambda record: number(record.get("status")),
    "http.response.body.bytes": lambda record: number(record.get("size")),
    "user_agent.original": lambda record: _header(record, "User-Agent"),
    "url.domain": _domain,
    "url.original": lambda record: text(_asked(record, "uri")),
    "url.path": lambda record: path(_asked(record, "uri")),
    "url.query": lambda record: query(_asked(record, "uri")),
    "tls.version": _tls_version,
    "tls.client.server_name": lambda record: text(_asked(record, "tls.server_name")),
}
_BELOW = ("remote_ip", "remote_port", "remote_addr", "client_ip", "method", "proto", "host", "uri", "headers.User-Agent",
          "headers.Referer", "tls.version", "tls.server_name")  # fmt: skip
_READS = (*tops(f"request.{name}" for name in _BELOW), "status", "duration", "user_id", "bytes_read", "size")

_REQUEST: dict[str, Any] = {
    "remote_ip": "203.0.113.9", "remote_port": "41342", "client_ip": "203.0.113.9", "proto": "HTTP/2.0", "method": "GET",
    "host": "shop.example:8443", "uri": "/a?b=c", "headers": {"User-Agent": ["curl/8"], "Referer": ["https://example/"], "Accept": ["*/*"]},
    "tls": {"resumed": False, "version": 772, "cipher_suite": 4865, "proto": "h2", "server_name": "shop.example"},
}  # fmt: skip
_ACCESS: dict[str, Any] = {
    "level": "info", "ts": 1795255200.25, "logger": "http.log.access.log0", "msg": "handled request", "request": _REQUEST, "bytes_read": 12,
    "user_id": "", "duration": 0.0025, "size": 153, "status": 404, "resp_headers": {"Server": ["Caddy"]},
}  # fmt: skip
_SEEN: dict[str, Any] = {
    "event.category": ["web"], "event.type": ["access"], "event.outcome": "failure", "event.duration": 2_500_000,
    "source.ip": "203.0.113.9", "source.address": "203.0.113.9", "source.port": 41342, "http.request.method": "GET", "http.version": "2.0",
    "http.request.body.bytes": 12, "http.request.referrer": "https://example/", "http.response.status_code": 404,
    "http.response.body.bytes": 153, "user_agent.original": "curl/8", "url.domain": "shop.example", "url.original": "/a?b=c",
    "url.path": "/a", "url.query": "b=c", "tls.version": "1.3", "tls.client.server_name": "shop.example",
}  # fmt: skip
_BEHIND = {**_REQUEST, "client_ip": "2001:db8::9", "host": "[2001:db8::1]", "headers": {}}
_OLD = {"remote_addr": "[2001:db8::9]:5", "proto": "HTTP/1.1", "method": "POST", "uri": "/login", "headers": {"User-Agent": "x"}}

_EXAMPLES = (
    Example(_ACCESS, {**_SEEN, "log.level": "info", "log.logger": "http.log.access.log0"}, ("user.name", "host.name")),
    Example(
        {**_ACCESS, "request": _BEHIND, "user_id": "bob", "status": 200},
        {"source.ip": "2001:db8::9", "user.name": "bob", "event.outcome": "success", "url.domain": "[2001:db8::1]"},
        ("source.port", "user_agent.original", "http.request.referrer"),
    ),
    Example(
        {**_ACCESS, "request": _OLD, "duration": "2ms"},
        {"source.ip": "2001:db8::9", "source.port": 5, "url.path": "/login", "user_agent.original": "x"},
        ("event.duration", "url.domain", "url.query", "tls.version"),
    ),
    Example(
        {**_ACCESS, "request": {"headers": [], "tls": None, "uri": 5, "remote_ip": ["x"]}, "status": None, "size": "x"},
        {"event.category": ["web"]},
        ("event.outcome", "http.response.status_code", "http.response.body.bytes", "source.ip", "url.path", "user_agent.original"),
    ),
)
_ERROR = {
    "level": "error", "ts": 1795255200.25, "logger": "http.log.error", "msg": "dial tcp 192.0.2.5:80: connect: connection refused",
    "request": _REQUEST, "duration": 0.0025, "status": 502, "err_id": "j5zhi12bv",
    "err_trace": "reverseproxy.statusError (reverseproxy.go:1267)",
}  # fmt: skip
_FAILED = {
    "event.category": ["web"], "event.type": ["error"], "event.outcome": "failure", "source.ip": "203.0.113.9", "url.path": "/a",
    "http.response.status_code": 502, "error.message": "dial tcp 192.0.2.5:80: connect: connection refused",
}  # fmt: skip

_WEB = frozen(["web"])
_FIELDS = (
    Mapping(
        "caddy", "Caddy's access log", Keys(("size", "request", "duration", "status")),
        constants={"event.category": _WEB, "event.type": frozen(["access"])}, read=_READ, reads=_READS, examples=_EXAMPLES,
    ),
    Mapping(
        "caddy-error", "requests that Caddy could not serve, told beside its access log", Keys(("err_id", "request")),
        paths={"error.message": ("msg",)}, constants={"event.category": _WEB, "event.type": frozen(["error"])}, read=_READ, reads=_READS,
        examples=(Example(_ERROR, _FAILED),),
    ),
)  # fmt: skip
MAPPINGS = (*_FIELDS, texted("caddy-text", "both as JSON text in the message", '"http.log.', _FIELDS))
