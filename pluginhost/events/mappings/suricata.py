"""Suricata's EVE records: alerts, and what it saw of web, names, TLS, SSH, files and flows; as fields, or as text in the message.

One record holds one event by its `event_type`; an alert may hold what was known of the protocol beside it. Source and
destination are those of the packet or flow, as Suricata has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import given, nanoseconds, outcome, path, query, text, version

__all__ = ["MAPPINGS"]

_KINDS = {
    "alert": ("intrusion_detection", "info"), "drop": ("network", "connection,denied"), "http": ("web", "access"),
    "http2": ("web", "access"), "fileinfo": ("file", "info"), "flow": ("network", "connection,end"),
    "netflow": ("network", "connection,end"), "anomaly": ("network", "info"),
}  # fmt: skip
"""Event type → category and types; whatever else it saw is a protocol on the network."""

_CATEGORIES = {name: frozen([category]) for name, (category, _) in _KINDS.items()}
_TYPES = {name: frozen(types.split(",")) for name, (_, types) in _KINDS.items()}
_NETWORK, _PROTOCOL = frozen(["network"]), frozen(["protocol"])
_ALLOWED, _DENIED = frozen(["allowed"]), frozen(["denied"])
_OTHERS = {"", *_KINDS} - {"http", "http2"}
"""Event types that are no protocol's name."""


def _event(record: Record) -> str:
    return text(record.get("event_type")) or ""


def _said(record: Record, path: str) -> Any:
    """The text at `path`."""
    return text(lookup(record, path, None))


def _types(record: Record) -> Any:
    kind = _event(record)
    verdict = _said(record, "alert.action") if kind == "alert" else MISSING
    return _ALLOWED if verdict == "allowed" else _DENIED if verdict == "blocked" else _TYPES.get(kind, _PROTOCOL)


def _outcome(record: Record) -> Any:
    kind = _event(record)
    if kind in ("http", "http2"):
        return outcome(lookup(record, "http.status"))
    if kind == "dns" and (code := _said(record, "dns.rcode")) is not MISSING:
        return "success" if code == "NOERROR" else "failure"
    return MISSING


def _protocol(record: Record) -> Any:
    told = _said(record, "app_proto")
    if told is MISSING:
        return MISSING if _event(record) in _OTHERS else _event(record)
    return MISSING if told == "failed" else told.lower()  # failed: nobody knows


def _target(record: Record) -> Any:
    return lookup(record, "http.url", None)


_PATHS: dict[str, tuple[str, ...]] = {
    "source.ip": ("src_ip",), "source.address": ("src_ip",), "source.port": ("src_port",), "source.mac": ("ether.src_mac",),
    "source.bytes": ("flow.bytes_toserver",), "source.packets": ("flow.pkts_toserver",),
    "destination.ip": ("dest_ip",), "destination.address": ("dest_ip",), "destination.port": ("dest_port",),
    "destination.mac": ("ether.dest_mac",), "destination.bytes": ("flow.bytes_toclient",), "destination.packets": ("flow.pkts_toclient",),
    "network.community_id": ("community_id",), "event.reason": ("anomaly.event", "flow.reason", "drop.reason"),
    "event.severity": ("alert.severity",),
    "pluginhost.signature.id": ("alert.signature_id",), "pluginhost.signature.name": ("alert.signature",),
    "pluginhost.signature.category": ("alert.category",),
    "http.request.method": ("http.http_method",), "http.request.referrer": ("http.http_refer",),
    "http.response.status_code": ("http.status",), "http.response.body.bytes": ("http.length",),
    "user_agent.original": ("http.http_user_agent",), "url.domain": ("http.hostname",), "url.original": ("http.url",),
    "dns.question.name": ("dns.rrname", "dns.queries.rrname", "dns.query.rrname"),
    "dns.question.type": ("dns.rrtype", "dns.queries.rrtype", "dns.query.rrtype"), "dns.response_code": ("dns.rcode",),
    "dns.resolved_ip": ("dns.grouped.A", "dns.grouped.AAAA"), "tls.client.server_name": ("tls.sni",), "tls.client.ja3": ("tls.ja3.hash",),
    "tls.server.ja3s": ("tls.ja3s.hash",), "file.path": ("fileinfo.filename",), "file.size": ("fileinfo.size",),
    "file.hash.md5": ("fileinfo.md5",), "file.hash.sha1": ("fileinfo.sha1",), "file.hash.sha256": ("fileinfo.sha256",),
}  # fmt: skip
_READ: dict[str, Callable[[Record], Any]] = {
    "event.category": lambda record: _CATEGORIES.get(_event(record), _NETWORK),
    "event.type": _types,
    "event.action": lambda record: given(_event(record)),
    "event.outcome": _outcome,
    "event.duration": lambda record: nanoseconds(lookup(record, "flow.age")),
    "network.transport": lambda record: _said(record, "proto") and record["proto"].lower(),
    "network.protocol": _protocol,
    "http.version": lambda record: version(lookup(record, "http.protocol")),
    "url.path": lambda record: path(_target(record)),
    "url.query": lambda record: query(_target(record)),
}
_READS = ("event_type", "proto", "app_proto",
          *tops(("alert.action", "http.status", "http.url", "http.protocol", "dns.rcode", "flow.age")))  # fmt: skip


def _eve(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-21T10:00:00.251547+0000", "flow_id": 586497171462735, "in_iface": "eth0", "event_type": kind,
        "src_ip": "203.0.113.9", "src_port": 50096, "dest_ip": "192.0.2.1", "dest_port": 80, "proto": "TCP", **more,
    }  # fmt: skip


_SEEN: dict[str, Any] = {
    "source.ip": "203.0.113.9", "source.port": 50096, "destination.ip": "192.0.2.1", "destination.port": 80, "network.transport": "tcp",
}  # fmt: skip
_SIGNATURE = {
    "action": "blocked", "gid": 1, "signature_id": 2018358, "rev": 10, "signature": "ET WEB_SERVER possible SQL injection",
    "category": "Web Application Attack", "severity": 1,
}  # fmt: skip
_HTTP = {
    "hostname": "shop.example", "url": "/a?b=1'--", "http_user_agent": "curl/8", "http_method": "GET", "protocol": "HTTP/1.1",
    "status": 404, "length": 153, "http_refer": "https://example/",
}  # fmt: skip
_REQUESTED: dict[str, Any] = {
    "url.domain": "shop.example", "url.original": "/a?b=1'--", "url.path": "/a", "url.query": "b=1'--", "user_agent.original": "curl/8",
    "http.request.method": "GET", "http.version": "1.1", "http.response.status_code": 404, "http.response.body.bytes": 153,
    "http.request.referrer": "https://example/", "network.protocol": "http",
}  # fmt: skip
_DNS = {
    "version": 3, "type": "response", "rcode": "NXDOMAIN", "queries": [{"rrname": "a.example", "rrtype": "A"}],
}  # fmt: skip
_COUNTED = {"pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 500, "bytes_toclient": 400, "age": 60, "reason": "timeout"}

_EXAMPLES = (
    Example(
        _eve("alert", alert=_SIGNATURE, http=_HTTP, app_proto="http"),
        {**_SEEN, **_REQUESTED, "event.category": ["intrusion_detection"], "event.type": ["denied"], "event.action": "alert",
         "event.severity": 1, "pluginhost.signature.id": 2018358, "pluginhost.signature.category": "Web Application Attack",
         "pluginhost.signature.name": "ET WEB_SERVER possible SQL injection"},
        ("event.outcome", "user.name"),
    ),
    Example(
        _eve("http", http=_HTTP),
        {**_SEEN, **_REQUESTED, "event.category": ["web"], "event.type": ["access"], "event.outcome": "failure"},
        ("pluginhost.signature.id",),
    ),
    Example(
        _eve("dns", dns=_DNS, proto="UDP"),
        {"event.category": ["network"], "event.type": ["protocol"], "event.outcome": "failure", "network.transport": "udp",
         "network.protocol": "dns", "dns.question.name": ["a.example"], "dns.response_code": "NXDOMAIN"},
    ),
    Example(
        _eve("dns", dns={"type": "query", "rrname": "a.example", "rrtype": "A"}),
        {"dns.question.name": "a.example", "dns.question.type": "A", "network.protocol": "dns"},
        ("event.outcome",),
    ),
    Example(
        _eve("tls", tls={"sni": "shop.example", "version": "TLS 1.2", "ja3": {"hash": "e7d7"}, "ja3s": {"hash": "f4fe"}}),
        {"network.protocol": "tls", "tls.client.server_name": "shop.example", "tls.client.ja3": "e7d7", "tls.server.ja3s": "f4fe"},
    ),
    Example(
        _eve("flow", flow=_COUNTED, app_proto="failed", community_id="1:abc="),
        {**_SEEN, "event.category": ["network"], "event.type": ["connection", "end"], "event.duration": 60_000_000_000,
         "event.reason": "timeout", "source.bytes": 500, "destination.packets": 4, "network.community_id": "1:abc="},
        ("network.protocol", "event.outcome"),
    ),
    Example(
        _eve("fileinfo", fileinfo={"filename": "/a.exe", "size": 9, "sha256": "9f86", "state": "CLOSED"}, app_proto="http"),
        {"event.category": ["file"], "event.type": ["info"], "file.path": "/a.exe", "file.size": 9, "file.hash.sha256": "9f86"},
    ),
    Example(
        _eve("anomaly", anomaly={"type": "decode", "event": "decoder.ipv4.trunc_pkt"}),
        {"event.category": ["network"], "event.type": ["info"], "event.action": "anomaly", "event.reason": "decoder.ipv4.trunc_pkt"},
    ),
    Example(_eve("ssh", ssh={"client": {"software_version": "OpenSSH_9.6"}}), {"event.type": ["protocol"], "network.protocol": "ssh"}),
    Example(
        {"event_type": ["alert"], "src_ip": "x", "dest_ip": None, "alert": [5], "http": {"status": "x", "url": 5}, "proto": 6, "dns": None},
        {"event.category": ["network"], "event.type": ["protocol"]},
        ("source.ip", "destination.ip", "event.action", "url.path", "network.transport", "network.protocol"),
    ),
)  # fmt: skip

_FIELDS = Mapping(
    "suricata", "Suricata's EVE records", Keys(("event_type", "src_ip", "dest_ip")), paths=_PATHS, read=_READ, reads=_READS,
    examples=_EXAMPLES,
)  # fmt: skip
MAPPINGS = (_FIELDS, texted("suricata-text", "the same as JSON text in the message", '"event_type"', (_FIELDS,)))
