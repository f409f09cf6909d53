"""An operator's list as a file → its entries: plain text, CSV, or a STIX bundle, told by the file's content.

Plain text: an entry a line; what follows a blank and `#` is its note, lines that begin with `#`, `;` or `//` are comments. CSV: the
column `value` of those that are named (or the first), with `note` beside it. STIX: the comparisons of each indicator's pattern whose
object is of the wanted kind. Lists come from strangers: a line too long is left out, nothing in them is run or expanded.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, TextIO

import msgspec

__all__ = ["entries"]

_LONGEST = 4096  # characters of an entry
_NOTE = 256  # characters of a note that are kept
_TEXTS = ("literals", "patterns")  # any character may stand in them
_AFTER = re.compile(r"(?<!\s)\s++#\s*+(.*)$")
_COMPARED = re.compile(r"(?<![a-z0-9-])([a-z0-9-]{1,64}+):([\w.'-]{1,128}+)\s*+=\s*+'((?:[^'\\]|\\.){1,4096})'")
_OBJECTS = {"networks": ("ipv4-addr", "ipv6-addr"), "domains": ("domain-name",)}
_COLUMNS = ("value", "indicator", "ioc", "ip", "address", "network", "cidr", "domain", "hash", "sha256", "user", "name")
_NOTES = ("note", "description", "comment", "label", "threat", "category", "type")

_Found = tuple[str, str]
"""(value, note)."""


def entries(file: TextIO, kind: str, column: str = "") -> Iterator[_Found]:
    """(value, note) of each entry of `file`; `column` names the one of a CSV that holds the values. `ValueError` if there is none."""
    head, comment = file.readline(), _comment(kind)
    while head and (head.isspace() or head.lstrip().startswith(comment)):
        head = file.readline()
    if head.lstrip().startswith(("{", "[")) and kind not in _TEXTS:
        yield from _stix(head + file.read(), kind)
    elif column or (kind not in _TEXTS and _header(head)):
        yield from _csv(head, file, column)
    else:
        yield from _lines(chain([head], file), kind)


def _comment(kind: str) -> tuple[str, ...]:
    return ("#",) if kind in _TEXTS else ("#", ";", "//")


def _lines(lines: Iterable[str], kind: str) -> Iterator[_Found]:
    comment = _comment(kind)
    for line in lines:
        text = line.strip()
        if not text or text.startswith(comment) or len(text) > _LONGEST:
            continue
        note = None if kind in _TEXTS else _AFTER.search(text)
        yield (text[: note.start()], note[1][:_NOTE]) if note else (text, "")


def _header(line: str) -> bool:
    """Whether a line is the head of a CSV: it has several columns, or one, of names that are known."""
    names = [name.strip(' "\r\n').lower() for name in line.split(",")]
    return any(name in _COLUMNS for name in names) and all(re.fullmatch(r"[\w .-]{1,64}", name) for name in names)


def _csv(head: str, file: TextIO, column: str) -> Iterator[_Found]:
    names = [name.strip().lower() for name in next(csv.reader([head]), [])]
    wanted = [column.lower()] if column else [name for name in _COLUMNS if name in names]
    if not wanted or wanted[0] not in names:
        raise ValueError(f"there is no column `{column}`: the first line names {', '.join(names)}")
    place = names.index(wanted[0])
    note = next((names.index(name) for name in _NOTES if name in names and names.index(name) != place), None)
    for row in csv.reader(file):
        if len(row) > place and 0 < len(value := row[place].strip()) <= _LONGEST:
            yield value, row[note][:_NOTE] if note is not None and len(row) > note else ""


def _stix(text: str, kind: str) -> Iterator[_Found]:
    """The indicators of a bundle, or of a plain list of objects."""
    try:
        told = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"this begins like JSON and is none: {error}") from None
    objects = told.get("objects", ()) if isinstance(told, dict) else told
    for one in objects if isinstance(objects, list) else ():
        if isinstance(one, str):
            yield from _whole(one, "")
        elif isinstance(one, dict) and isinstance(pattern := one.get("pattern"), str):
            note = _said(one, "name") or _said(one, "description")
            for what, _, value in _COMPARED.findall(pattern[: 16 * _LONGEST]):
                if what in _OBJECTS.get(kind, (what,)):
                    yield value.replace("\\'", "'").replace("\\\\", "\\"), note
        elif isinstance(one, dict):
            yield from _whole(_said(one, "value", _LONGEST + 1), _said(one, "note"))


def _said(one: dict[str, Any], name: str, most: int = _NOTE) -> str:
    """The text that stands there, as far as it is kept; nothing if it is none."""
    value = one.get(name)
    return value[:most] if isinstance(value, str) else ""


def _whole(value: str, note: str) -> Iterator[_Found]:
    """The entry, unless it is none or longer than one may be: a part of it would mean something else."""
    if 0 < len(value) <= _LONGEST:
        yield value, note
