"""A backtest as one page of HTML, whole in itself: no network, a little script of its own, light and dark, fit for paper.

What stands in it is the attackers' to write. So everything goes in as data (JSON in which no `<` stands), the script makes text of it and
never markup, and the page's policy allows that one script and that one sheet of styles and nothing else. What is drawn is gathered in
`report_data`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from importlib.resources import files

import msgspec

from ..problem import printable
from .report_data import Gathered

__all__ = ["Gathered", "page"]

_TITLE = 600  # characters
_ESCAPED = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
_PLACE = re.compile(r"\{\{([a-z_]+)\}\}")


def page(gathered: Gathered, *, title: str, told: Sequence[str]) -> str:
    """The page. `told` are lines about the run."""
    style, script = _asset("report.css"), _asset("report.js")
    data = {"told": [printable(line, _TITLE) for line in told], "coasts": _coasts() if gathered.placed else [], **gathered.data()}
    parts = {"title": html.escape(printable(title, _TITLE)), "style": style, "style_hash": _hash(style), "script": script,
             "script_hash": _hash(script), "data": _data(data)}  # fmt: skip
    return _PLACE.sub(lambda place: parts[place[1]], _asset("report.html"))  # what is put in is not looked through for more places


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _coasts() -> list[str]:
    return [line for line in _asset("report-coasts.txt").splitlines() if not line.startswith("#")]


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(data: dict[str, object]) -> str:
    text = msgspec.json.encode(data).decode()
    for sign, escape in _ESCAPED.items():
        text = text.replace(sign, escape)
    return text
