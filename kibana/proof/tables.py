"""Panels of words and numbers: one big number, tables, shares, and a line of links."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from . import drawing as draw
from .answers import Answer
from .charts import NOTHING, nothing
from .figures import shown
from .looks import Look

__all__ = ["control", "donut", "metric", "table", "words"]

_HEAD, _ROW, _LINE, _GAP = 26, 26, 15, 20
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")


def metric(answer: Answer, across: float, down: float, look: Look) -> list[str]:
    """A big number, with its label and what is said beneath that."""
    value = answer.rows[0][0] if answer.rows and answer.rows[0] else None
    said = shown(value, answer.units[0] if answer.units else "")
    size = min(down * 0.42, 48, 48 * (across - 8) / max(draw.width(draw.clean(said), 48, strong=True), 1))
    label = answer.columns[0] if answer.columns else ""
    beneath = [draw.text(0, 30, look.subtitle, across, "faint")] if look.subtitle else []
    named = draw.text(0, 11, label, across, "strong" if label == answer.title else "", size=13)
    return [named, *beneath,
            draw.text(across - 4, down - 8, said, across - 4, "strong", anchor="end", size=max(size, 14))]  # fmt: skip


class _Column(msgspec.Struct, frozen=True):
    """Where a column begins, how wide it is, what is in it, whether that stands at its right, and how it looks."""

    start: float
    wide: float
    head: list[str]
    cells: list[str]
    right: bool
    look: str = ""

    def line(self, y: float, value: str, look: str = "") -> str:
        x, anchor = (self.start + self.wide - 16, "end") if self.right else (self.start + 4, "start")
        return draw.text(x, y, value, self.wide - _GAP, look, anchor=anchor)


def table(answer: Answer, across: float, down: float, look: Look) -> list[str]:
    """Rows below their heads, numbers at the right of their column. Of rows without room it is said how many there are."""
    if not answer.rows or not answer.columns:
        return [nothing(across, down)]
    columns = _columns(answer, answer.rows[: max(int((down - _HEAD) / _ROW), 1)], across, look)
    top = _HEAD + _LINE * (max(len(one.head) for one in columns) - 1)
    most = max(int((down - top) / _ROW), 1)
    fits = len(answer.rows) if len(answer.rows) <= most else max(most - 1, 1)
    made = [draw.line(0, top, across, top, "axis"), *(draw.line(0, y, across, y) for y in (top + _ROW * (row + 1) for row in range(fits)))]
    for one in columns:
        made += [one.line(top - 9 - _LINE * place, words, "strong") for place, words in enumerate(reversed(one.head))]
        made += [one.line(top + _ROW * (row + 1) - 9, value, one.look) for row, value in enumerate(one.cells[:fits])]
    rest = len(answer.rows) - fits
    return [*made, draw.text(4, top + _ROW * (fits + 1) - 9, f"and {rest:,} more", across, "faint")] if rest else made


def _columns(answer: Answer, rows: Sequence[Sequence[Any]], across: float, look: Look) -> list[_Column]:
    count = len(answer.columns)
    units, links = [*answer.units, *[""] * count], look.links if len(look.links) == count else [""] * count
    cells = [[_cell(row[place] if place < len(row) else None, units[place], links[place]) for row in rows] for place in range(count)]
    wanted = [max(draw.width(draw.clean(head), strong=True), *(draw.width(draw.clean(one)) for one in those)) + _GAP
              for head, those in zip(answer.columns, cells, strict=True)]  # fmt: skip
    widths = _shared(wanted, look.widths if len(look.widths) == count else [0] * count, across)
    return [_Column(sum(widths[:place]), wide, _broken(answer.columns[place], wide - _GAP), cells[place],
                    _numeric(rows, units[place], place), "link" if links[place] else "") for place, wide in enumerate(widths)]  # fmt: skip


def _cell(value: object, unit: str, link: str) -> str:
    return link if link and value is not None else shown(value, unit)


def _broken(head: str, most: float) -> list[str]:
    """A head as one line, or as two where it is too wide and has a space."""
    words = draw.clean(head).split(" ")
    fits = next((place for place in range(len(words), 1, -1) if draw.width(" ".join(words[:place]), strong=True) <= most), 1)
    return [" ".join(one) for one in (words[:fits], words[fits:]) if one]


def _numeric(rows: Sequence[Sequence[Any]], unit: str, place: int) -> bool:
    values = [row[place] for row in rows if place < len(row) and row[place] is not None]
    return unit != "date" and bool(values) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def _shared(wanted: Sequence[float], fixed: Sequence[float], across: float) -> list[float]:
    """The widths of columns: those that are given, and of the rest what each wants and as much more as each other; the widest give way."""
    left, free = max(across - sum(fixed), 0), sorted(want for want, given in zip(wanted, fixed, strict=True) if not given)
    more = max(left - sum(free), 0) / max(len(free), 1)
    while free and free[0] <= left / len(free):
        left -= free.pop(0)
    most = left / max(len(free), 1) if free else across
    return [given or min(want, most) + more for want, given in zip(wanted, fixed, strict=True)]


def donut(answer: Answer, across: float, down: float, _look: Look) -> list[str]:
    """A ring of shares, and each with its label, share and value."""
    rows = [(shown(row[0]), float(row[1])) for row in answer.rows if len(row) > 1 and isinstance(row[1], int | float) and row[1] > 0]
    total = sum(value for _, value in rows)
    if not total:
        return [nothing(across, down)]
    radius = min(down / 2 - 10, across * 0.24)
    middle, so_far, made = (radius + 10, down / 2), 0.0, list[str]()
    for place, (label, value) in enumerate(rows):
        colour = draw.colour(label, place)
        made.append(_slice(middle, radius, so_far / total, (so_far + value) / total, f"edge f-{colour}"))
        so_far += value
    left, row, wide = 2 * radius + 34, min(26, down / len(rows)), max(draw.width(shown(value)) for _, value in rows)
    top, shares = down / 2 - row * len(rows) / 2, across - wide - 12
    for place, (label, value) in enumerate(rows):
        y = top + row * (place + 0.5) + 4
        made += [draw.rect(left, y - 9, 10, 10, f"f-{draw.colour(label, place)}", 2),
                 draw.text(left + 16, y, label, shares - 44 - left - 16),
                 draw.text(shares, y, f"{math.floor(value / total * 100 + 0.5)} %", 44, "strong", anchor="end"),
                 draw.text(across - 4, y, shown(value), wide + 1, "faint", anchor="end")]  # fmt: skip
    return made


def _slice(middle: tuple[float, float], radius: float, start: float, end: float, look: str) -> str:
    """A piece of a ring between two parts of its turn; a whole turn is drawn a hair short, for an arc has two ends."""
    turns = [min(one, start + 0.9999) * math.tau for one in (start, end)]
    corners = [(middle[0] + far * math.sin(turn), middle[1] - far * math.cos(turn)) for far, turn in
               ((radius, turns[0]), (radius, turns[1]), (radius * 0.6, turns[1]), (radius * 0.6, turns[0]))]  # fmt: skip
    a, b, c, d = (f"{draw.at(x)} {draw.at(y)}" for x, y in corners)
    large, out, hole = int(end - start > 0.5), draw.at(radius), draw.at(radius * 0.6)
    return f'<path d="M{a}A{out} {out} 0 {large} 1 {b}L{c}A{hole} {hole} 0 {large} 0 {d}Z" class="{look}"/>'


def words(answer: Answer, across: float, down: float, _look: Look) -> list[str]:
    """Lines of Markdown, of which links are known: their names in their colour."""
    made = list[str]()
    for place, one in enumerate(answer.text.splitlines()[: int(down / 20)]):
        left, spans = across - 4, list[str]()
        for number, piece in enumerate(_LINK.split(draw.clean(one))):  # every second one is a link's name
            said = draw.cut(piece, left)
            left -= draw.width(said)
            spans.append(f'<tspan class="link">{escape(said)}</tspan>' if number % 2 else escape(said))
            if said != piece:
                break
        made.append(f'<text x="4" y="{place * 20 + 15}">{"".join(spans)}</text>')
    return made


def control(answer: Answer, label: str, across: float) -> list[str]:
    """A box in which values are chosen: its name, and the first ones that there are to choose from."""
    name = min(draw.width(draw.clean(label), strong=True), across / 2)
    values = f"Any of {', '.join(shown(row[0]) for row in answer.rows if row)}" if answer.rows else NOTHING
    return [draw.rect(0.5, 0.5, across - 1, 31, "box", 4), draw.text(10, 21, label, name + 1, "strong"),
            draw.text(name + 22, 21, values, across - name - 32, "faint")]  # fmt: skip
