"""Which texts a value must contain for a regular expression to match it.

A sound, small reading of RE2's syntax: what it does not know is not guessed at, the whole pattern then requires nothing. The
expression is of the whole value, so that whatever stands in it outside options, classes and alternatives must stand in the value.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import cast

__all__ = ["LONG_S", "required"]

LONG_S = "ſ"
"""The one small letter that RE2 takes for an ASCII letter, `s`, where case is ignored. (The Kelvin sign, its `k`, is a capital.)"""

Alternatives = frozenset[str]
Unit = str | list[Alternatives]  # one plain character, or what a group requires; what may be anything is an empty list

# `a(?i)*` is `a*` to RE2, hence the look-ahead; two repetitions in a row it refuses itself
_TOKEN = re.compile(
    r"""(?P<anything>\[\^?\]?(?:\\.|[^][\\])*\]|\\[dDwWsSbBAzntrfva]|\(\?i\)(?![*+?{])|[.^$])"""
    r"""|\\(?P<escaped>[\x00-\x7f])(?<![A-Za-z0-9])|(?P<repeat>[*+?]|\{(?P<least>\d+)(?:,\d*)?\})\??"""
    r"""|(?P<open>\((?:\?(?:i?:|P?<\w+>)|(?!\?)))|(?P<close>\))|(?P<bar>\|)|(?P<plain>[^][\\(){}*+?|^$.])""",
    re.DOTALL | re.ASCII,
)  # fmt: skip


def required(pattern: str, *, ignore_case: bool) -> tuple[list[Alternatives], bool]:
    """(sets of texts, of each of which the value contains one; whether that holds for the lower-cased value only)."""
    ignore_case = ignore_case or "(?i" in pattern  # for a part of it or all: what holds without case holds with it
    stack, at = [_Group()], 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or (token.lastgroup == "close" and len(stack) == 1):
            return [], ignore_case
        at = token.end()
        match token.lastgroup:
            case "open":
                stack.append(_Group())
            case "close":
                inner = stack.pop().requires()
                stack[-1].units.append(inner)
            case _:
                stack[-1].take(token, ignore_case=ignore_case)
    return (stack[0].requires() if len(stack) == 1 else []), ignore_case


class _Group:
    """What stands between two parentheses: finished alternatives, and the units of the one that is being read."""

    def __init__(self) -> None:
        self.finished: list[list[Alternatives]] = []
        self.units: list[Unit] = []

    def take(self, token: re.Match[str], *, ignore_case: bool) -> None:
        """Reads on by a token that opens or closes no group."""
        if token["bar"]:
            self.finished.append(_joined(self.units))
            self.units = []
        elif token["repeat"]:
            once = token["repeat"] == "+" or int(token["least"] or 0) > 0
            self.units[-1:] = [*self.units[-1:], []] if once else [[]]
        else:
            char = token["plain"] or token["escaped"]
            self.units.append([] if char is None or (ignore_case and not char.isascii()) else char.lower() if ignore_case else char)

    def requires(self) -> list[Alternatives]:
        """The sets that every alternative requires: its own where there is one, else one text of each."""
        alternatives = [*self.finished, _joined(self.units)]
        if len(alternatives) == 1:
            return alternatives[0]
        best = [max(sets, key=_shortest, default=frozenset({""})) for sets in alternatives]
        return [frozenset().union(*best)]


def _joined(units: list[Unit]) -> list[Alternatives]:
    """What each of `units` requires, plain characters side by side as one text."""
    found: list[Alternatives] = []
    for plain, run in itertools.groupby(units, key=lambda unit: isinstance(unit, str)):
        if plain:
            found.append(frozenset({"".join(cast("Iterator[str]", run))}))
        else:
            found += itertools.chain.from_iterable(cast("Iterator[list[Alternatives]]", run))
    return found


def _shortest(texts: Alternatives) -> int:
    return min(map(len, texts))
