"""The part that syslog messages of every program have in common: who wrote it where, and the bare message.

The header stands in the line (RFC 3164 with the old or an ISO time stamp, RFC 5424), or a shipper took it off and sends
program, process id and host as fields. Everything is anchored at the line's beginning and bounded: what follows the
header is the attacker's to write.
"""

from __future__ import annotations

import re
from typing import Any

from ..aliases import alias, heads, message
from ..fields import MISSING, lookup, text
from ..mapping import Record

__all__ = ["NAMED", "READS", "STAMP", "filled", "host", "split", "told", "written"]

STAMP = r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20})"
"""The time at the head of a line, old or ISO, as an expression."""

_RFC3164 = re.compile(rf"(?:<\d{{1,3}}>)?{STAMP} (\S{{1,255}}) ([^\s:\[\]]{{1,128}})(?:\[(\d{{1,10}})\])?: ?")
_RFC5424 = re.compile(
    rf"<\d{{1,3}}>1 (?:{STAMP}|-) (\S{{1,255}}) (\S{{1,48}}) (\S{{1,128}}) \S{{1,32}} "
    r'(?:-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.){0,1024}"){1,1024}\]){1,8})(?: \ufeff?|$)'
)
_TAG = re.compile(r"([^\s:\[\]]{1,128})(?:\[(\d{1,10})\])?:?")

NAMED = heads("process.name") | {"syslogtag"}
"""The keys at a record's top one of which is there if a field names the program."""

READS = tuple(heads("message") | NAMED | heads("process.pid"))
"""The keys at a record's top that `split` and `told` look at; `host` looks at those of `host.name`, too."""


def split(record: Record) -> tuple[str, Any, str, str]:
    """The program, its process id, its host, and the message without its header; "" and `MISSING` where nobody says.

    Where a field names the program, a header that names another is a part of what that program wrote, and stays in the body.
    """
    whole = message(record)
    header = _RFC3164.match(whole) or _RFC5424.match(whole)
    if header is None:
        return *told(record), "", whole
    host, program, digits = header.groups()
    pid = _number(digits)
    if pid is MISSING or not NAMED.isdisjoint(record):
        named, told_pid = told(record)
        if named and named != program:
            return named, told_pid, "", whole
        pid = told_pid if pid is MISSING else pid
    return program, pid, host, whole[header.end() :]


def told(record: Record) -> tuple[str, Any]:
    """The program and its process id as fields say them."""
    tag = record.get("syslogtag")
    if isinstance(tag, str) and (found := _TAG.fullmatch(tag)) is not None:
        return found[1], _number(found[2])
    return text(_field(record, "process.name")) or "", _number(text(_field(record, "process.pid")))


def written(found: dict[str, Any] | None, program: str, pid: Any) -> dict[str, Any] | None:
    """What a line of a known program says: `found`, nothing if that is no sentence known here, with the process that wrote it. `None` if
    neither the sentence nor anything else names the program."""
    if found is None and not program:
        return None
    found = found or {}
    if pid is not MISSING:
        found["process.pid"] = pid
    return found


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that say something."""
    return {name: value for name, value in values.items() if value}


def host(record: Record) -> Any:
    """The host: what a shipper says of it goes before what the line says."""
    said = alias(record, "host.name")
    return said if said is not MISSING else MISSING if (named := split(record)[2]) in ("", "-") else named


def _field(record: Record, field: str) -> Any:
    value = lookup(record, field)
    return alias(record, field) if value is MISSING else value


def _number(digits: str | None) -> Any:
    return int(digits) if digits and digits.isascii() and digits.isdigit() and len(digits) <= 10 else MISSING
