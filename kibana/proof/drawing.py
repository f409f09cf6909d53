"""What pictures are made of: SVG elements, texts that keep to their room, colours.

Whatever is shown may have been chosen by an attacker: `text` is the only way for a value into a picture, and there it is cleaned, cut and
escaped; every other attribute is a number or a name of ours. Numbers are rounded, so that the same answers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from unicodedata import category, combining, east_asian_width

__all__ = ["STYLE", "at", "circle", "clean", "colour", "cut", "document", "element", "line", "path", "rect", "room", "text", "width"]

_LONGEST = 500
"""Characters of a value that are looked at: no panel has room for more."""

_ADVANCES = {25: "'", 30: " ,.IJijl", 35: "-/:;\\f|", 40: "!()[]rt", 45: '"', 50: "*_`sz", 55: "?Lc", 60: "FPTYaekovxy",
             65: "$0123456789EKSbdghnpqu{}", 70: "ABCRVXZ", 75: "DGHNU", 80: "&OQw", 85: "#+<=>M^~", 95: "%m", 100: "@W"}  # fmt: skip
"""Widths in hundredths of the size, those of the widest of the usual fonts: what fits there fits anywhere."""
_ADVANCE = {one: hundredths / 100 for hundredths, those in _ADVANCES.items() for one in those}
_STRONG = 1.13
"""How much wider strong letters are."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_SERIES = (("#4477aa", "#6ea6dc"), ("#cc6677", "#d97f8e"), ("#ddcc77", "#d6c56d"), ("#117733", "#55a86f"), ("#88ccee", "#88ccee"),
           ("#882255", "#c4658f"), ("#44aa99", "#44aa99"), ("#999933", "#a8a84a"), ("#aa4499", "#c476b7"), ("#332288", "#8d84d8"),
           ("#b3866b", "#b3866b"), ("#9aa3ad", "#7f8893"))  # fmt: skip
"""Colours on light and on dark. Neighbours differ for colour-blind eyes too: after Paul Tol's muted scheme."""
_LEVELS = {"critical": ("#97173f", "#e2557a"), "high": ("#d9653b", "#e0764d"), "medium": ("#e6b450", "#dfae4c"),
           "low": ("#8db2cf", "#7ea6c6"), "no_risk": ("#c6ced5", "#59636e")}  # fmt: skip
"""Severities and levels of risk have the same colour in every panel; they differ in lightness as well."""


def _colours(dark: bool) -> str:
    named = [*enumerate(_SERIES), *_LEVELS.items()]
    return "".join(f".f-{name}{{fill:{pair[dark]}}}.s-{name}{{stroke:{pair[dark]}}}" for name, pair in named)


STYLE = f"""text{{font:12px system-ui,sans-serif;fill:#343b43}}.faint{{fill:#69737d}}.strong{{font-weight:600}}.link{{fill:#0b64a8}}
.page{{fill:#f5f7f9}}.panel,.box{{fill:#fff;stroke:#dbe0e6}}.rule{{stroke:#e6eaee}}.axis{{stroke:#b9c1c9}}.edge{{stroke:#fff}}
.sea{{fill:#eef3f6}}.land{{fill:#d5dce1}}.ring{{fill:#fff;stroke:#97173f;stroke-width:1.5}}.curve{{fill:none;stroke-width:1.6;stroke-linejoin:round}}.area{{fill-opacity:.75}}
{_colours(False)}
@media(prefers-color-scheme:dark){{text{{fill:#d3d9df}}.faint{{fill:#939da7}}.link{{fill:#6cb0ee}}
.page{{fill:#14171b}}.panel,.box{{fill:#1d2126;stroke:#333a42}}.rule{{stroke:#2b3138}}.axis{{stroke:#4a535c}}.edge{{stroke:#1d2126}}
.sea{{fill:#191d22}}.land{{fill:#353d45}}.ring{{fill:#1d2126;stroke:#e2557a}}
{_colours(True)}}}"""


def colour(label: str, place: int) -> str:
    """The name of a colour: a level's own, else that of its place among others."""
    return label if label in _LEVELS else str(place % len(_SERIES))


def at(number: float) -> str:
    """A coordinate as text, to a tenth of a pixel."""
    return f"{round(number, 1) + 0:.10g}"


def clean(value: object) -> str:
    """One line of text that changes nothing beside it: controls, marks of direction and the like are shown as �."""
    seen = str(value)[:_LONGEST]
    return "".join(" " if one in "\t\n\r" else "�" if category(one) in _UNSEEN else one for one in seen)


def width(words: str, size: float = 12, *, strong: bool = False) -> float:
    """How many pixels wide a cleaned text is at most, about."""
    return sum(map(_advance, words)) * size * (_STRONG if strong else 1)


def _advance(one: str) -> float:
    return _ADVANCE.get(one) or (0 if combining(one) else 1 if east_asian_width(one) in "WF" else 0.7)


def cut(value: object, most: float, size: float = 12) -> str:
    """The value as text of no more than so many pixels, with … where some of it is missing."""
    words = clean(value)
    if width(words, size) <= most:
        return words
    used, left = 0.0, most - width("…", size)
    if left < 0:
        return ""
    for place, one in enumerate(words):
        used += _advance(one) * size
        if used > left:
            return f"{words[:place].rstrip()}…"
    return words


def text(x: float, y: float, value: object, most: float, look: str = "", *, anchor: str = "start", size: float = 12) -> str:
    """A line of text at its baseline, cut to `most` pixels; `look` is one or more classes of `STYLE`."""
    given = "".join((f' class="{look}"' if look else "", "" if anchor == "start" else f' text-anchor="{anchor}"',
                     "" if size == 12 else f' style="font-size:{at(size)}px"'))  # fmt: skip
    return f'<text x="{at(x)}" y="{at(y)}"{given}>{escape(cut(value, most, size * (_STRONG if "strong" in look else 1)))}</text>'


def element(name: str, words: object) -> str:
    """An element that says something and shows nothing: a title, a description."""
    return f"<{name}>{escape(clean(words))}</{name}>"


def rect(x: float, y: float, across: float, down: float, look: str, corner: float = 0) -> str:
    """A box from its upper left."""
    round_ = f' rx="{at(corner)}"' if corner else ""
    return f'<rect x="{at(x)}" y="{at(y)}" width="{at(max(across, 0))}" height="{at(max(down, 0))}"{round_} class="{look}"/>'


def line(x1: float, y1: float, x2: float, y2: float, look: str = "rule") -> str:
    """A straight line."""
    return f'<path d="M{at(x1)} {at(y1)}L{at(x2)} {at(y2)}" class="{look}"/>'


def circle(x: float, y: float, radius: float, look: str, about: str = "") -> str:
    """A disc; `about` are further attributes of ours."""
    return f'<circle cx="{at(x)}" cy="{at(y)}" r="{at(radius)}" class="{look}"{about}/>'


def path(points: Iterable[tuple[float, float]], look: str, *, closed: bool = False) -> str:
    """Straight lines through the points."""
    through = "L".join(f"{at(x)} {at(y)}" for x, y in points)
    return f'<path d="M{through}{"Z" if closed else ""}" class="{look}"/>'


def room(x: float, y: float, across: float, down: float, inside: Iterable[str]) -> str:
    """Elements with coordinates of their own, of which nothing is seen outside of this room."""
    size = f'x="{at(x)}" y="{at(y)}" width="{at(across)}" height="{at(down)}"'
    return "\n".join((f'<svg {size} overflow="hidden">', *inside, "</svg>"))


def document(across: int, down: int, title: str, about: str, inside: Iterable[str]) -> str:
    """A whole SVG file, which needs nothing else; `about` says in words what is to be seen."""
    size = f'viewBox="0 0 {across} {down}" width="{across}" height="{down}"'
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{element("title", title)}{element("desc", about)}'
            f"<style>{STYLE}</style>")  # fmt: skip
    return "\n".join((head, rect(0, 0, across, down, "page"), *inside, "</svg>\n"))
