"""Wildcards and regular expressions: what they mean, and tests of a text made from them.

A wildcard pattern has `*` and `?`; `\\` makes the next character plain. Regular expressions are RE2, because attackers
write the text they run over: linear time whatever the pattern. Both are of the whole text, and `.` is every character.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import re2

from ..problem import Problem

__all__ = ["Pattern", "expression", "pieces", "plain", "quoted", "rewritten"]

_MEMORY = 8 << 20  # bytes that RE2 may spend on one pattern


class Pattern:
    """A compiled RE2 pattern; `fits(text)` says whether all of `text` is matched."""

    __slots__ = ("_fullmatch",)

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        options = re2.Options()
        options.dot_nl, options.never_capture, options.log_errors, options.max_mem = True, True, False, _MEMORY
        options.case_sensitive = not ignore_case
        try:
            self._fullmatch = re2.compile(_encoded(pattern), options).fullmatch
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
            todo = "the syntax is RE2's: no look-around, no back-references"
            raise Problem("query.regex", f"the regular expression is not valid: {reason}", todo=todo) from None

    def fits(self, text: str) -> bool:
        """Whether all of `text` is matched."""
        return self._fullmatch(_encoded(text)) is not None


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON may hold half a surrogate pair: no reason to raise


def pieces(pattern: str) -> list[tuple[str, bool]]:
    """The pattern cut at its wildcards: (text, whether it is a wildcard)."""
    found: list[tuple[str, bool]] = []
    text, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char in "*?":
            found += [(text, False), (char, True)]
            text = ""
        else:
            at += char == "\\" and at + 1 < len(pattern)
            text += pattern[at]
        at += 1
    return [piece for piece in (*found, (text, False)) if piece[0]]


def rewritten(parts: Iterable[tuple[str, bool]]) -> str:
    """The pattern of `pieces`, with no escapes but the needed ones."""
    return "".join(text if wild else "".join(f"\\{char}" if char in "*?\\" else char for char in text) for text, wild in parts)


def expression(pattern: str) -> str:
    """The wildcard pattern in RE2's syntax."""
    return "".join({"*": ".*", "?": "."}[text] if wild else quoted(text) for text, wild in pieces(pattern))


def quoted(text: str) -> str:
    """`text` in RE2's syntax, meaning only itself."""
    return "".join(f"\\{char}" if char.isascii() and not char.isalnum() else char for char in text)


def plain(parts: Sequence[tuple[str, bool]]) -> tuple[Literal["contains", "prefix", "suffix"], str] | None:
    """(operator, text) where the pattern asks only for a beginning, an end or a part; None if it asks for more."""
    star = ("*", True)
    match parts:
        case [first, *rest] if first == star and all(part == star for part in rest):
            return "contains", ""
        case [first, (text, False), last] if first == last == star:
            return "contains", text
        case [(text, False), last] if last == star:
            return "prefix", text
        case [first, (text, False)] if first == star:
            return "suffix", text
        case _:
            return None
