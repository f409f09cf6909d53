"""The part that syslog messages of every program have in common: who wrote it where, and the bare message.

The header stands in the line (RFC 3164 with the old or an ISO time stamp, RFC 5424), or a shipper took it off and sends
program, process id and host as fields. Everything is anchored at the line's beginning and bounded: what follows the
header is the attacker's to write.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..aliases import alias
from ..fields import MISSING, lookup, text
from ..mapping import Record

__all__ = ["Syslog", "message", "split"]

_STAMP = r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20})"
_RFC3164 = re.compile(rf"(?:<\d{{1,3}}>)?{_STAMP} (?P<host>\S{{1,255}}) (?P<program>[^\s:\[\]]{{1,128}})(?:\[(?P<pid>\d{{1,10}})\])?: ?")
_RFC5424 = re.compile(
    rf"<\d{{1,3}}>1 (?:{_STAMP}|-) (?P<host>\S{{1,255}}) (?P<program>\S{{1,48}}) (?P<pid>\S{{1,128}}) \S{{1,32}} "
    r'(?:-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.){0,1024}"){1,1024}\]){1,8})(?: \ufeff?|$)'
)
_TAG = re.compile(r"(?P<program>[^\s:\[\]]{1,128})(?:\[(?P<pid>\d{1,10})\])?:?")


class Syslog(NamedTuple):
    """`program` and `host` are "" and `pid` is `MISSING` where nobody says."""

    program: str
    pid: Any
    host: str
    body: str


def message(record: Record) -> str:
    """The record's message, "" if it has none."""
    return text(alias(record, "message")) or ""


def split(record: Record) -> Syslog:
    """The message without its header, and what fields and header say of its origin.

    Where a field names the program, a header that names another is a part of what that program wrote, and stays in the body.
    """
    whole = message(record)
    told = _told(record, whole)
    found = _RFC5424.match(whole) or _RFC3164.match(whole)
    if found is None or (told.program and told.program != found["program"]):
        return told
    pid = _number(found["pid"])
    return Syslog(found["program"], told.pid if pid is MISSING else pid, found["host"], whole[found.end() :])


def _told(record: Record, whole: str) -> Syslog:
    tag = record.get("syslogtag")
    if isinstance(tag, str) and (found := _TAG.fullmatch(tag)) is not None:
        return Syslog(found["program"], _number(found["pid"]), "", whole)
    program, pid = (lookup(record, field, alias(record, field)) for field in ("process.name", "process.pid"))
    return Syslog(text(program) or "", _number(text(pid)), "", whole)


def _number(digits: str | None) -> Any:
    return int(digits) if digits and digits.isascii() and digits.isdigit() and len(digits) <= 10 else MISSING
