"""What shippers call the things that ECS names, wherever the meaning does not depend on the kind of source.

For each ECS name the raw names in order; the first that is there wins, and an object, a null or (in a field of addresses)
a text that is no address does not count as there. A record's own ECS field always comes first. What is ambiguous (`path`,
`status`, `client`) belongs into a mapping that knows its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .address import packed
from .ecs import ADDRESSES
from .fields import MISSING, lookup, text

__all__ = ["ALIASES", "alias", "first", "heads", "message", "tops"]

_PROGRAM = (
    "ident", "program", "PROGRAM", "SYSLOG_IDENTIFIER", "syslog_identifier", "appname", "app_name", "app-name", "programname", "_COMM",
    "syslog.identifier", "journald.process.name",
)  # fmt: skip
_SOURCE = (
    "src_ip", "source_ip", "sourceip", "sourceIPAddress", "client_ip", "clientip", "remote_addr", "remote_ip", "details.sourceipaddress",
)  # fmt: skip
_TARGET = ("dst_ip", "dest_ip", "destination_ip", "destinationip", "details.destinationipaddress")

ALIASES: dict[str, tuple[str, ...]] = {
    "message": ("message", "log", "MESSAGE", "Message", "msg", "short_message", "full_message", "event.original"),
    "host.name": ("host", "hostname", "HOST", "_HOSTNAME", "HOSTNAME", "Hostname", "host.hostname", "logsource", "beat.hostname"),
    "log.syslog.appname": (*_PROGRAM, "process.name"),
    "process.name": (*_PROGRAM, "log.syslog.appname"),
    "process.pid": ("pid", "PID", "SYSLOG_PID", "_PID", "procid", "proc_id", "log.syslog.procid", "process_id", "processid"),
    "user.name": ("user", "username", "user_name", "userName", "remote_user", "details.username"),
    "source.ip": ("source.address", *_SOURCE),
    "source.address": ("source.ip", *_SOURCE),
    "source.port": ("src_port", "source_port", "sourceport", "remote_port", "details.sourceport"),
    "destination.ip": ("destination.address", *_TARGET),
    "destination.address": ("destination.ip", *_TARGET),
    "destination.port": ("dst_port", "dest_port", "destination_port", "destinationport", "details.destinationport"),
    "url.original": ("request_uri", "url"),
    "http.request.method": ("request_method", "http_method", "http.method"),
    "http.request.referrer": ("http_referer", "http_referrer"),
    "http.response.status_code": ("status_code", "http_status", "http.status_code"),
    "user_agent.original": ("user_agent", "http_user_agent", "useragent", "userAgent"),
    "log.level": ("level_name", "loglevel", "log_level", "level", "severity_text", "severity"),
    "log.logger": ("logger", "logger_name"),
    "log.file.path": ("FILE_NAME", "log_file", "filepath"),
    "service.name": ("service", "service_name"),
    "trace.id": ("trace_id", "traceId"),
    "span.id": ("span_id", "spanId"),
    "container.id": ("container_id", "CONTAINER_ID", "docker.container_id"),
    "container.name": ("container_name", "CONTAINER_NAME", "kubernetes.container_name"),
}
"""ECS name → raw names, in order."""


def tops(paths: Iterable[str]) -> frozenset[str]:
    """The keys one of which a record must have at its top for any of `paths` to lead anywhere."""
    return frozenset(".".join(parts[:n]) for path in paths if (parts := path.split(".")) for n in range(1, len(parts) + 1))


_TOPS = {field: tops(paths) for field, paths in ALIASES.items()}


def heads(field: str) -> frozenset[str]:
    """Every key at a record's top on which the value of `field` can depend where no mapping is involved."""
    return tops((field, *ALIASES.get(field, ())))


def alias(record: Mapping[str, Any], field: str) -> Any:
    """What stands in `record` under an alias of the ECS name `field`, or `MISSING`."""
    top = _TOPS.get(field)
    if top is None or top.isdisjoint(record):
        return MISSING
    return first(record, field, ALIASES[field])


def message(record: Mapping[str, Any]) -> str:
    """The record's message as text, "" if it has none."""
    line = record.get("message")
    if type(line) is str:
        return line
    line = alias(record, "message")
    return "" if line is MISSING else text(line) or ""


def first(record: Mapping[str, Any], field: str, paths: Iterable[str]) -> Any:
    """The first of `paths` in `record` that can stand for the ECS name `field`, or `MISSING`."""
    addresses = field in ADDRESSES
    for path in paths:
        value = record.get(path)
        if value is None and "." in path:
            value = lookup(record, path, None)
        if value is None or isinstance(value, dict):
            continue
        if not addresses or isinstance(value, list) or (isinstance(value, str) and packed(value) is not None):
            return value
    return MISSING
