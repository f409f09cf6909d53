"""HAProxy: requests (`option httplog`, also `httpslog`), connections (`option tcplog`), refused handshakes, servers up and down.

The client has a say in captured cookies, headers and the request line only. HAProxy writes quotes, braces and bars in the
latter two as `#22`, `#7b`, `#7c`, so their ends are its own; a line that syslog cut short says what it still holds.

A line whose header was taken off shows nothing of HAProxy in its own text, so it is known by what httplog writes where no
cookie is captured; all others by a tag that names haproxy.
"""

from __future__ import annotations

import re
from typing import Any

from ..aliases import alias, heads, message
from ..fields import MISSING
from ..frozen import frozen
from ..mapping import Example, Line, Mapping, Record
from .syslog import READS, STAMP, split, written
from .web import address, given, number, path, query, request

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]

_HEADER = re.compile(rf"(?:<\d{{1,3}}>)?{STAMP} (?:(\S{{1,255}}) )?(?:haproxy|hapee)[^\s\[\]]{{0,64}}\[(\d{{1,10}})\]: ?")
"""HAProxy writes no host of its own accord, which other syslog readers take for a program's name."""
_CLIENT = r"(\S{1,64}):(\d{1,5}) \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{1,6}\] (\S{1,255}) "
_TIME, _COUNTS = r"\+?-?\d{1,18}", r"\d{1,9}/\d{1,9}/\d{1,9}/\d{1,9}/\+?\d{1,9} \d{1,9}/\d{1,9}"
_SESSION = re.compile(
    rf"{_CLIENT}([^\s/]{{1,255}})/(\S{{1,255}}) {_TIME}/{_TIME}(?:/{_TIME}/{_TIME})?/({_TIME}) (?:(-?\d{{1,3}}) )?\+?(\d{{1,18}}) "
    rf"(?:\S{{1,4096}} \S{{1,4096}} )?(\S{{2,4}}) {_COUNTS}(?: |$)"
)
_REFUSED = re.compile(rf"{_CLIENT.removesuffix(' ')}: ([^\r\n]{{1,255}})\s*")
_SERVER = re.compile(r"(?:Backup )?[Ss]erver ([^\s/]{1,255})/(\S{1,255}) is (UP|DOWN)\b(?:, reason: ([^,\r\n]{1,255}))?")
_TLS = re.compile(r" \S{1,64} ([^\s/]{1,255})/(\S{1,16}?)/(\S{1,64})")
_NAMES = ("haproxy", "hapee")  # the latter is the vendor's own edition

_WEB, _NETWORK, _PROCESS = (frozen([category]) for category in ("web", "network", "process"))
_ACCESS, _START, _END = (frozen([kind]) for kind in ("access", "start", "end"))
_CONNECTION_END, _CONNECTION_DENIED = (frozen(["connection", kind]) for kind in ("end", "denied"))


def _extract(record: Record) -> _Found | None:
    header = _HEADER.match(message(record))
    if header is not None:
        program, pid, body = "haproxy", number(header[2]), message(record)[header.end() :]
    else:
        program, pid, _, body = split(record)
        if program and not program.startswith(_NAMES):
            return None
    return written(_session(body) or _other(body), program, pid)


def _session(body: str) -> _Found | None:
    said = _SESSION.match(body)
    if said is None:
        return None
    client, port, frontend, backend, server, spent, status, size, state = said.groups()
    found = _placed(client, port, frontend)
    milliseconds = number(spent.lstrip("+"))
    found["event.duration"] = milliseconds and milliseconds * 1_000_000  # -1 is no time
    found["haproxy.backend_name"], found["haproxy.server_name"], found["haproxy.termination_state"] = backend, server, state
    if status is None:
        found["event.category"], found["event.type"] = _NETWORK, _CONNECTION_END
        found["event.outcome"], found["destination.bytes"] = "success" if state == "--" else "failure", int(size)
        return found
    code = number(status)
    found["event.category"], found["event.type"] = _WEB, _ACCESS
    found["event.outcome"] = "success" if code and code < 400 else "failure"  # -1 is no answer
    found["http.response.status_code"], found["http.response.bytes"] = code, int(size)
    _request(found, body[said.end() :])
    return found


def _request(found: _Found, rest: str) -> None:
    """What follows the counters: captured headers in braces, the request line in quotes, with httpslog what TLS agreed upon."""
    for name in (_REQUEST_HEADERS, _RESPONSE_HEADERS):
        if not rest.startswith("{") or "}" not in rest:
            break
        inside, _, rest = rest[1:].partition("}")
        found[name] = inside.split("|")
        rest = rest.removeprefix(" ")
    if not rest.startswith('"'):
        return
    line, _, after = rest[1:].partition('"')
    method, target, version = request(line)
    found["http.request.method"], found["http.version"], found["url.original"] = method, version, target
    found["url.path"], found["url.query"] = path(target), query(target)
    if after and (tls := _TLS.match(after)) is not None:
        found["tls.client.server_name"], found["tls.version"] = given(tls[1]), given(tls[2].removeprefix("TLSv"))
        found["tls.cipher"] = given(tls[3])


_REQUEST_HEADERS, _RESPONSE_HEADERS = "haproxy.http.request.captured_headers", "haproxy.http.response.captured_headers"
"""Where nothing is captured of one of the two, HAProxy writes no braces for it: a single pair may be either, mostly the request's."""


def _other(body: str) -> _Found | None:
    if (said := _SERVER.match(body)) is not None:
        up = said[3] == "UP"
        return {
            "event.category": _PROCESS, "event.type": _START if up else _END, "event.action": f"service_{'started' if up else 'stopped'}",
            "event.reason": MISSING if said[4] is None else said[4], "haproxy.backend_name": said[1], "haproxy.server_name": said[2],
        }  # fmt: skip
    if (said := _REFUSED.fullmatch(body)) is not None:
        told = {"event.category": _NETWORK, "event.type": _CONNECTION_DENIED, "event.outcome": "failure", "event.reason": said[4]}
        return _placed(said[1], said[2], said[3]) | told
    return None


def _placed(client: str, port: str, frontend: str) -> _Found:
    ip, digits = address(client), int(port)
    return {
        "source.address": client, "source.ip": ip, "source.port": digits if ip is not MISSING and digits <= 65535 else MISSING,
        "haproxy.frontend_name": frontend.partition("/")[0].removesuffix("~"),  # `~`: over TLS
    }  # fmt: skip


def _host(record: Record) -> Any:
    """What a shipper says of the host goes before what the line says."""
    told = alias(record, "host.name")
    if told is not MISSING:
        return told
    header = _HEADER.match(message(record))
    return (header[1] if header is not None else split(record)[2]) or MISSING


_GIVES = frozenset({
    "event.category", "event.type", "event.action", "event.outcome", "event.reason", "event.duration", "source.address", "source.ip",
    "source.port", "destination.bytes", "http.request.method", "http.version", "http.response.status_code", "http.response.bytes",
    "url.original", "url.path", "url.query", "tls.client.server_name", "tls.version", "tls.cipher", "process.pid",
    "haproxy.frontend_name", "haproxy.backend_name", "haproxy.server_name", "haproxy.termination_state", _REQUEST_HEADERS,
    _RESPONSE_HEADERS,
})  # fmt: skip

_CAME = "203.0.113.9:33317 [21/Nov/2026:10:00:00.655]"
_HTTP = f'{_CAME} http-in shop/web1 10/0/30/69/109 404 2750 - - ---- 1/1/1/1/0 0/0 {{shop.example|curl/8}} {{}} "GET /a?b=c HTTP/1.1"'
_TCP = f"{_CAME} mail smtp/mx1 0/0/5007 212 -- 0/0/0/0/3 0/0"
_SEEN: _Found = {
    "event.category": ["web"], "event.type": ["access"], "event.outcome": "failure", "event.duration": 109_000_000,
    "source.ip": "203.0.113.9", "source.address": "203.0.113.9", "source.port": 33317, "http.request.method": "GET", "http.version": "1.1",
    "http.response.status_code": 404, "http.response.bytes": 2750, "url.original": "/a?b=c", "url.path": "/a", "url.query": "b=c",
    "haproxy.frontend_name": "http-in", "haproxy.backend_name": "shop", "haproxy.server_name": "web1", "haproxy.termination_state": "----",
    _REQUEST_HEADERS: ["shop.example", "curl/8"], _RESPONSE_HEADERS: [""], "process.name": "haproxy",
}  # fmt: skip
_CONNECTED: _Found = {
    "event.category": ["network"], "event.type": ["connection", "end"], "event.outcome": "success", "event.duration": 5_007_000_000,
    "destination.bytes": 212, "source.ip": "203.0.113.9", "source.port": 33317, "haproxy.backend_name": "smtp",
}  # fmt: skip
_LB = "Nov 21 10:00:00 lb1 haproxy[7]: "
_UNASKED = ("http.request.method", "url.original", "url.path")

_EXAMPLES = (
    Example(f"Nov 21 10:00:00 lb1 haproxy[14389]: {_HTTP}", {**_SEEN, "process.pid": 14389, "host.name": "lb1"}),
    Example(f"<134>Nov 21 10:00:00 haproxy[14389]: {_HTTP}", {**_SEEN, "process.pid": 14389}, ("host.name",)),
    Example(f"<134>1 2026-11-21T10:00:00Z lb1 haproxy 14389 - - {_HTTP}", {**_SEEN, "process.pid": 14389, "host.name": "lb1"}),
    Example({"ident": "haproxy", "pid": "14389", "host": "lb1", "message": _HTTP}, {**_SEEN, "process.pid": 14389, "host.name": "lb1"}),
    Example({"log": f"{_HTTP}\n"}, _SEEN, ("process.pid",)),
    Example(
        f'{_LB}{_CAME} www~ www/<NOSRV> -1/-1/-1/-1/0 400 187 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"',
        {"event.outcome": "failure", "http.response.status_code": 400, "haproxy.frontend_name": "www", "haproxy.server_name": "<NOSRV>"},
        (*_UNASKED, _REQUEST_HEADERS),
    ),
    Example(
        f'{_LB}{_CAME} www www/<NOSRV> -1/-1/-1/-1/8490 -1 0 - - CR-- 2/2/2/0/0 0/0 ""',
        {"event.outcome": "failure", "event.duration": 8_490_000_000, "http.response.bytes": 0},
        (*_UNASKED, "http.response.status_code"),
    ),
    Example(
        f'{_LB}{_CAME} www shop/web1 0/0/1/+30/+31 200 +4096 SID=a SID=b --NI 1/1/1/1/+2 0/0 {{a#7cb}} "GET /cut-off',
        {"event.outcome": "success", "http.response.bytes": 4096, _REQUEST_HEADERS: ["a#7cb"], "url.path": "/cut-off"},
        ("http.version",),
    ),
    Example(
        f"{_LB}{_CAME.replace('203.0.113.9', '2001:db8::9')} www~ shop/web1 0/0/1/3/4 302 9 - - ---- 1/1/0/0/0 0/0 "
        '"GET https://shop.example/login HTTP/2.0" 0/0000000000000000/0/0/1 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384',
        {"source.ip": "2001:db8::9", "url.path": "/login", "http.version": "2.0", "tls.client.server_name": "shop.example",
         "tls.version": "1.3", "tls.cipher": "TLS_AES_256_GCM_SHA384"},
        (_REQUEST_HEADERS,),
    ),
    Example(f"{_LB}{_TCP}", _CONNECTED, _UNASKED),
    Example(
        f"{_LB}{_CAME} www~/1: SSL handshake failure",
        {"event.category": ["network"], "event.type": ["connection", "denied"], "event.outcome": "failure", "source.ip": "203.0.113.9",
         "event.reason": "SSL handshake failure", "haproxy.frontend_name": "www"},
    ),
    Example(
        f"{_LB}Server shop/web1 is DOWN, reason: Layer4 timeout, check duration: 2001ms. 1 active servers left.",
        {"event.category": ["process"], "event.type": ["end"], "event.action": "service_stopped", "event.reason": "Layer4 timeout",
         "haproxy.backend_name": "shop", "haproxy.server_name": "web1"},
        ("event.outcome", "source.ip"),
    ),
    Example("Nov 21 10:00:00 lb1 haproxy[7]: Proxy www started.", {"process.pid": 7, "host.name": "lb1"}, ("event.category",)),
    Example(f"Nov 21 10:00:00 web1 app[7]: about haproxy: {_HTTP}", {}, ("event.category", "source.ip")),
    Example({"ident": "app", "message": _HTTP}, {"process.name": "app"}, ("event.category", "source.ip")),
)  # fmt: skip

_READS = (*READS, *heads("host.name"))
_PROCESS_NAME = {"process.name": "haproxy"}
MAPPINGS = (
    Mapping(
        "haproxy", "HAProxy: requests, connections, refused handshakes, servers up and down",
        Line(holds=("haproxy", " - - --"), within=400),
        constants=_PROCESS_NAME, extract=_extract, read={"host.name": _host}, reads=_READS, gives=_GIVES, examples=_EXAMPLES,
    ),
    Mapping(
        "haproxy-tagged", "the same, of lines without header, by a tag that names haproxy", Line(holds="] ", within=400),
        tags=("*haproxy*", "*hapee*"), constants=_PROCESS_NAME, extract=_extract, read={"host.name": _host}, reads=_READS, gives=_GIVES,
        examples=(Example(_TCP, _CONNECTED, tag="lb.haproxy"),),
    ),
)  # fmt: skip
