"""The ECS fields that an alert takes over from its record, each with its type in the index, and the fitting of values to it.

A document with a value of the wrong type loses the whole alert in Elasticsearch, so what does not fit is left out here;
the record itself goes along whole, unmapped. What the alert says of itself (`rule.*`, `threat.*`, `observer.*`, `event.id` …) is
the alert's to write and not listed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .address import canonical
from .fields import MISSING, lookup, text, values

__all__ = ["ADDRESSES", "TYPES", "fit"]

_KEYWORD = """message event.action event.outcome event.code event.provider event.reason event.original log.level log.logger log.file.path
 log.syslog.appname log.syslog.hostname user.name user.id user.domain user.email user.full_name user.target.name user.effective.name
 group.name host.name host.hostname host.id source.address source.domain source.mac source.geo.country_iso_code source.geo.country_name
 source.geo.region_name source.geo.city_name source.geo.continent_name source.as.organization.name source.user.name destination.address
 destination.domain destination.mac destination.geo.country_iso_code destination.geo.country_name destination.geo.city_name
 destination.as.organization.name destination.user.name client.address client.domain client.user.name server.address server.domain
 url.original url.full url.scheme url.domain url.path url.query url.fragment url.username http.request.method http.request.referrer
 http.request.id http.request.body.content http.version user_agent.original user_agent.name user_agent.version user_agent.os.name
 user_agent.os.version user_agent.device.name process.name process.executable process.command_line process.working_directory
 process.parent.name
 process.parent.executable process.parent.command_line process.hash.md5 process.hash.sha1 process.hash.sha256 file.name file.path
 file.extension file.directory file.owner file.hash.md5 file.hash.sha1 file.hash.sha256 service.name service.type service.id
 network.protocol network.transport network.type network.direction network.application network.community_id dns.question.name
 dns.question.type dns.response_code email.subject registry.key registry.path registry.value cloud.provider cloud.region cloud.account.id
 cloud.instance.id container.id container.name container.image.name orchestrator.cluster.name orchestrator.namespace
 orchestrator.resource.name tls.version tls.cipher tls.client.server_name tls.client.ja3 tls.server.ja3s trace.id span.id transaction.id
 agent.name agent.id agent.type error.message error.code error.type organization.name organization.id event.dataset event.module
 user.target.id user.changes.name user.risk.static_level source.intelligence_category device.id session.id winlog.logon.type
 system.filesystem.mount_point system.filesystem.device_name monitor.id monitor.name monitor.status file.mime_type
 orchestrator.resource.type user.audit.id log.origin.file.name pluginhost.audit.key pluginhost.audit.type pluginhost.interface
 pluginhost.signature.category pluginhost.signature.id pluginhost.signature.name"""
_KEYWORDS = "event.category event.type tags related.user related.hosts related.hash user.roles user.target.roles process.args"
_LONG = """event.sequence event.duration source.bytes source.packets source.as.number destination.bytes destination.packets
 destination.as.number http.response.status_code
 http.request.body.bytes http.response.body.bytes http.request.bytes http.response.bytes process.pid
 process.parent.pid process.exit_code file.size network.bytes network.packets system.filesystem.available system.uptime.duration.ms
 log.origin.file.line log.syslog.facility.code log.syslog.priority log.syslog.severity.code pluginhost.repeated"""
_DOUBLE = """system.cpu.total.norm.pct system.load.1 system.load.5 system.load.15 system.memory.actual.used.pct
 system.memory.swap.used.pct system.filesystem.used.pct system.process.cpu.total.norm.pct"""
_PORT = "source.port destination.port client.port server.port source.nat.port destination.nat.port"
_IP = "source.ip destination.ip client.ip server.ip source.nat.ip destination.nat.ip network.forwarded_ip"
_IPS = "host.ip related.ip dns.resolved_ip"
_POINT = "source.geo.location destination.geo.location"

_KINDS = {"keyword": _KEYWORD, "keywords": _KEYWORDS, "long": _LONG, "double": _DOUBLE, "port": _PORT, "ip": _IP, "ips": _IPS,
          "point": _POINT}  # fmt: skip

TYPES: dict[str, str] = {field: kind for kind, fields in _KINDS.items() for field in fields.split()}
"""Field → keyword, long, double, port, ip or point; a plural is a list. The fields do not contain one another."""

ADDRESSES = frozenset(field for field, kind in TYPES.items() if kind in ("ip", "ips"))
"""The fields whose values are addresses: read in their shortest form wherever they parse."""


def fit(field: str, value: Any) -> Any:
    """`value` as the index takes it in `field` (a key of `TYPES`), or `MISSING` if nothing of it fits."""
    kind = TYPES[field]
    if kind == "point":
        return _point(value)
    one, several = _FITTING[kind]
    found = [made for item in values(value) if (made := one(item)) is not None]
    return (found if several else found[0]) if found else MISSING


def _address(value: Any) -> str | None:
    return canonical(value) if isinstance(value, str) else None


def _long(value: Any, low: int = -(1 << 63), high: int = (1 << 63) - 1) -> int | None:
    whole = isinstance(value, float) and value.is_integer()
    if whole or (isinstance(value, str) and len(value) <= 20 and value.isascii() and value.isdigit()):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _double(value: Any) -> float | None:
    """A finite number, or the text of one."""
    if isinstance(value, str) and len(value) <= 32:
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if type(value) in (int, float) and abs(value) <= 1e300 else None


def _port(value: Any) -> int | None:
    return _long(value, 0, 65535)


_FITTING: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "keyword": (text, False), "keywords": (text, True), "long": (_long, False), "double": (_double, False), "port": (_port, False),
    "ip": (_address, False), "ips": (_address, True),
}  # fmt: skip


def _point(value: Any) -> Any:
    """A place given as an object; the other spellings of a geo point are too easily confused (latitude first or last)."""
    if not isinstance(value, dict):
        return MISSING
    lat, lon = lookup(value, "lat"), lookup(value, "lon")
    fits = all(type(part) in (int, float) and -limit <= part <= limit for part, limit in ((lat, 90), (lon, 180)))
    return {"lat": lat, "lon": lon} if fits else MISSING
