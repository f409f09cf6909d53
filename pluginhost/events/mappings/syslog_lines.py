"""Syslog messages of any program, for what no other mapping reads: RFC 3164 and 5424 headers.

Asked last. The message stays as it is; what is read is who wrote it where, and the priority. A line with an ISO time stamp and no
priority may be any application's, so one whose host would be called `INFO` is left alone.
"""

from __future__ import annotations

import re
from typing import Any

from ..aliases import alias, heads, message
from ..fields import MISSING
from ..mapping import Example, Line, Mapping, Record
from .syslog import READS, split

__all__ = ["MAPPINGS"]

_PRIORITY = re.compile(r"<(\d{1,3})>")
_NO_PROGRAM = re.compile(r"<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\S{1,255}) ")
_HIGHEST = 191
_NIL = ("", "-")
_LEVELS = frozenset({
    "trace", "debug", "info", "notice", "warn", "warning", "error", "err", "fatal", "critical", "crit", "alert", "panic", "severe", "fine",
})  # fmt: skip
_BEGINS = ("<", "20", "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec ")


def _extract(record: Record) -> dict[str, Any] | None:
    program, pid, name, _ = split(record)
    line = message(record).lstrip(" ")
    if not name and (unsigned := _NO_PROGRAM.match(line)) is not None:
        program, pid, name = "", MISSING, unsigned[1]
    if not name or name.strip("[]:").lower() in _LEVELS:
        return None
    found: dict[str, Any] = {}
    if name not in _NIL:
        found["log.syslog.hostname"] = name
        if alias(record, "host.name") is MISSING:
            found["host.name"] = name
    if program not in _NIL:
        found["process.name"] = found["log.syslog.appname"] = program
    if pid is not MISSING:
        found["process.pid"] = pid
    if (priority := _PRIORITY.match(line)) is not None and (number := int(priority[1])) <= _HIGHEST:
        found |= {"log.syslog.priority": number, "log.syslog.facility.code": number >> 3, "log.syslog.severity.code": number & 7}
    return found


_CRON: dict[str, Any] = {
    "host.name": "web1", "log.syslog.hostname": "web1", "process.name": "cron", "log.syslog.appname": "cron", "process.pid": 42,
}  # fmt: skip
_PRI = {"log.syslog.priority": 78, "log.syslog.facility.code": 9, "log.syslog.severity.code": 6}
_NO_PRI = tuple(_PRI)

_EXAMPLES = (
    Example("Nov 21 10:00:00 web1 cron[42]: x", {**_CRON, "message": "Nov 21 10:00:00 web1 cron[42]: x"}, _NO_PRI),
    Example("<78>Nov  1 10:00:00 web1 cron[42]: (root) CMD (run-parts)", {**_CRON, **_PRI}),
    Example("<78>1 2026-11-21T10:00:00Z web1 cron 42 - - (root) CMD", {**_CRON, **_PRI}),
    Example("2026-11-21T10:00:00.123456+01:00 web1 cron[42]: (root) CMD", _CRON, _NO_PRI),
    Example({"log": "<78>Nov 21 10:00:00 web1 cron[42]: x\n", "host": "box"}, {**_CRON, "host.name": "box"}),
    Example("<13>Nov 21 10:00:00 web1 no program said this", {"host.name": "web1", "log.syslog.severity.code": 5}, ("process.name",)),
    Example("<999>Nov 21 10:00:00 web1 cron: x", {"host.name": "web1", "process.name": "cron"}, (*_NO_PRI, "process.pid")),
    Example("<78>1 - - - - - - nobody anywhere", {"log.syslog.priority": 78}, ("host.name", "process.name", "process.pid")),
    Example("2026-11-21T10:00:00Z INFO worker: done", {}, ("host.name", "process.name")),
    Example({"ident": "nginx", "message": "Nov 21 10:00:00 web1 cron[42]: x"}, {"process.name": "nginx"}, ("host.name", "process.pid")),
    Example("May be anything", {}, ("host.name",)),
)

MAPPINGS = (
    Mapping(
        "syslog-line", "any other syslog line: program, host, priority", Line(_BEGINS), extract=_extract,
        reads=(*READS, *heads("host.name")), last=True, examples=_EXAMPLES,
        gives=frozenset({"host.name", "process.name", "process.pid", "log.syslog.appname", "log.syslog.hostname", *_PRI}),
    ),
)  # fmt: skip
