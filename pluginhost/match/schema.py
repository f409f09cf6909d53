"""Which reading a field gets when a query says nothing of it: suffix first, then the profile, else exact. As data.

The stream has no mapping, so this is a stated policy. `ECS` is what Beats and data streams index: text is exact, a few
fields are analysed, types are those of ECS. `DYNAMIC` is what a cluster makes without a template: all text is analysed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..events.ecs import TYPES
from .tree import Reading

__all__ = ["DYNAMIC", "ECS", "Profile", "resolve"]

SUFFIXES: dict[str, Reading] = {
    ".keyword": "exact", ".raw": "exact", ".wildcard": "exact", ".caseless": "folded", ".text": "tokens", ".analyzed": "tokens",
}  # fmt: skip
"""Names that mappings give to a second reading of a field; the record holds the field without the suffix."""

AMBIGUOUS = (".raw", ".text", ".wildcard", ".analyzed")
"""Suffixes that are also names of real fields: asked of both."""


class Profile(msgspec.Struct, frozen=True):
    """A policy: the reading of `fields` by name, and of all others."""

    name: str
    default: Reading
    fields: Mapping[str, Reading]


_BY_TYPE: dict[str, Reading] = {"ip": "address", "ips": "address", "long": "number", "port": "number"}
_ADDRESSES = "observer.ip related.ip source.nat.ip destination.nat.ip threat.indicator.ip cloud.target.ip"
_NUMBERS = """event.severity event.risk_score event.risk_score_norm log.syslog.priority log.syslog.severity.code log.syslog.facility.code
 log.origin.file.line process.thread.id process.parent.thread.id process.pgid process.parent.pgid process.args_count client.bytes
 client.packets server.bytes server.packets client.as.number server.as.number client.nat.port server.nat.port url.port dns.answers.ttl
 host.uptime host.cpu.usage threat.indicator.port"""
_DATES = """@timestamp event.created event.start event.end event.ingested process.start process.end process.parent.start file.accessed
 file.created file.ctime file.mtime tls.client.not_after tls.client.not_before tls.server.not_after tls.server.not_before x509.not_after
 x509.not_before threat.indicator.first_seen threat.indicator.last_seen"""
_TYPED: dict[str, Reading] = {
    **{field: _BY_TYPE[kind] for field, kind in TYPES.items() if kind in _BY_TYPE},
    **dict.fromkeys(_ADDRESSES.split(), "address"), **dict.fromkeys(_NUMBERS.split(), "number"), **dict.fromkeys(_DATES.split(), "date"),
}  # fmt: skip
_ANALYSED: dict[str, Reading] = {"message": "tokens", "error.message": "tokens", "error.stack_trace": "tokens"}

ECS = Profile("ecs", "exact", {**_TYPED, **_ANALYSED})
DYNAMIC = Profile("dynamic", "tokens", _TYPED)


def resolve(field: str, profile: Profile) -> list[tuple[str, Reading]]:
    """The (field, reading) pairs that `field` of a query asks for, any of which may answer."""
    if reading := profile.fields.get(field):
        return [(field, reading)]
    for suffix, reading in SUFFIXES.items():
        if field.endswith(suffix) and len(field) > len(suffix):
            plain = (field[: -len(suffix)], reading)
            return [plain, (field, reading)] if suffix in AMBIGUOUS else [plain]
    return [(field, profile.default)]
