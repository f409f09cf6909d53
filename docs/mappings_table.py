"""The tables that come from the mappings and from the advice on what to log: `python docs/mappings_table.py` writes them.

A table stands between `<!-- table: name -->` and `<!-- end -->` in docs/mappings.md and docs/what-to-log.md; the rest is written by people.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pluginhost.engine.parts import find, mappings, names
from pluginhost.events import mapping as events
from pluginhost.events.advice import KINDS
from pluginhost.events.event import Event
from pluginhost.events.fields import MISSING, lookup
from pluginhost.events.slice import Slice
from pluginhost.match import compile as compile_predicate
from pluginhost.match import parse

__all__ = ["PAGES", "filled", "tables"]

PAGES = ("mappings.md", "what-to-log.md")
_DOCS = Path(__file__).parent
_PART = re.compile(r"(?<=<!-- table: )(?P<name>[a-z ]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
_TEXTS = 4  # of those that a line may be known by


def tables() -> dict[str, str]:
    """Every table by name, as Markdown."""
    return {"mappings": _mappings(), "what to log": _kinds()}


def filled(text: str, made: Mapping[str, str]) -> str:
    """`text` with its tables as they should be."""
    return _PART.sub(lambda found: f"{found['name']} -->\n{made[found['name']]}", text)


def _mappings() -> str:
    tests = {kind.name: compile_predicate(parse(kind.query)) for kind in KINDS}
    known = mappings()
    rows = []
    for one in (one for group in names("mappings") for one in find("mappings", group)):
        read = [event for example in one.examples if (event := _event(example, known)).mapping == one.name]
        shows = [name for name, test in tests.items() if any(test(event) for event in read)]
        rows.append((f"`{one.name}`", one.description, _known_by(one), ", ".join(shows) or "–", _codes(_fields(one))))
    return _table(("mapping", "reads", "is known by", "may show", "ECS names it gives"), rows)


def _event(example: events.Example, known: events.Mappings) -> Event:
    record = {"message": example.record} if isinstance(example.record, str) else example.record
    return Event(Slice(0, 0, 1, 1, example.tag, "json", msgspec.json.encode(record)), known)


def _fields(one: events.Mapping) -> list[str]:
    """What its examples show, and what it says outright."""
    found = {field for example in one.examples for field in example.expected if not _own(example.record, field)}
    return sorted({*one.paths, *one.constants, *one.read, *found})


def _own(record: Mapping[str, Any] | str, field: str) -> bool:
    return not isinstance(record, str) and lookup(record, field) is not MISSING


def _known_by(one: events.Mapping) -> str:
    """What must stand in a record for it to be asked."""
    tags = f"; tag {_codes(one.tags)}" if one.tags else ""
    last = "; asked last" if one.last else ""
    if isinstance(one.shape, events.Keys):
        either = f" and one of {_codes(one.shape.either)}" if one.shape.either else ""
        return f"keys {_codes(one.shape.every)}{either}{tags}{last}"
    if not one.literals:
        return f"a test of its own{tags}{last}"
    more = ", …" if len(one.literals) > _TEXTS else ""
    return f"text {_codes(one.literals[:_TEXTS])}{more}{tags}{last}"


def _kinds() -> str:
    rows = ((kind.name, kind.what, kind.advice, f"`{kind.query}`") for kind in KINDS)
    return _table(("kind of event", "log", "advice", "is found by"), rows)


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Writes what differs, and says so."""
    made = tables()
    for name in PAGES:
        file = _DOCS / name
        before = file.read_text("utf-8")
        if (after := filled(before, made)) != before:
            file.write_text(after, "utf-8")
            sys.stdout.write(f"wrote {file}\n")


if __name__ == "__main__":
    main()
