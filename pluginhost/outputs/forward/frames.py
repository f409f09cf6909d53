"""What the forward output makes of an alert: its tag, its entry, and which entries fill a frame. Nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ...alerts.flagged import flagged
from ...alerts.sanitise import plain
from ...problem import Problem
from ...wire.forward_client import entry
from ..port import Outgoing

__all__ = ["LARGEST", "Shape", "filled", "literal"]

LARGEST = 4 << 20  # Fluent Bit reads no frame of more than 6,144,000 bytes, and Fluentd acks what it then drops
_DEPTH = 32
_FIELD = re.compile(r"\{(prefix|severity|analyzer)\}")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are written: under which tag, with what time, with their evidence or not, marked as `hostname`'s."""

    hostname: str
    prefix: str
    template: str
    eventtime: bool
    evidence: bool

    def entry(self, alert: Outgoing) -> bytes:
        """The entry of a frame; raises `msgspec.MsgspecError`, `UnicodeError` or `RecursionError` for what is no document."""
        record = flagged(msgspec.json.decode(alert.document, type=dict[str, Any]), self.hostname, evidence=self.evidence)
        return entry(alert.time, plain(record, _DEPTH), eventtime=self.eventtime)

    def tag(self, alert: Outgoing) -> str:
        """The tag that it goes under."""
        values = {"prefix": self.prefix, "severity": alert.severity, "analyzer": alert.analyzer}
        return re.sub(r"[^a-z0-9_.-]", "_", _FIELD.sub(lambda field: values[field[1]].lower(), self.template))[:128]


def literal(template: str, prefix: str) -> str:
    """What every tag begins with, whatever the alert: inputs refuse records that come back under it (loop guard)."""
    unknown = [field for field in re.findall(r"\{[^}]*\}?", template) if not _FIELD.fullmatch(field)]
    found = _FIELD.split(template.replace("{prefix}", prefix))[0]
    if unknown or not re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", found):
        raise Problem("output.forward.tag", f"`{template}` is no tag: it must begin with `{{prefix}}` or text of a-z 0-9 _ . -",
                      todo="write `{prefix}.{severity}.{analyzer}`, or leave it out")  # fmt: skip
    return found


def filled(entries: list[tuple[Outgoing, bytes]], most: int) -> Iterator[list[tuple[Outgoing, bytes]]]:
    """The entries in order, in parts of at most so many bytes; one that is larger goes alone."""
    part: list[tuple[Outgoing, bytes]] = []
    size = 0
    for one in entries:
        if part and size + len(one[1]) > most:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one[1])
    if part:
        yield part
