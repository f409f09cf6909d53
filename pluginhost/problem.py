"""What went wrong, told to the person who can mend it.

Two families, and no third: a `Problem` is the author's or operator's mistake and reads like a page (what, where, what
still works, what to do); a `PeerError` blames the other side of a connection: answer, close, count, go on. Anything
else that is raised is our own bug and surfaces as one. No output happens here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Busy", "PeerError", "Place", "Problem", "Problems", "printable", "set_in"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, limit: int = 2000) -> str:
    """`text` as one line without characters that a terminal would act on, cut to `limit`.

    Log lines are the attacker's to write: a line feed in one must not begin a line of ours.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}", cut)


def set_in(text: str, columns: int, limit: int = 2000) -> str:
    """`text` safe to print with its own lines, each but the first set in by so many columns."""
    return ("\n" + " " * columns).join(printable(line, limit) for line in text.split("\n"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text the mistake stands: 1-based line and column, the line itself, and how many characters are meant."""

    file: str
    line: int = 0
    column: int = 0
    text: str = ""
    width: int = 1

    def lines(self) -> list[str]:
        """`file:line:column`, then the line with a caret under it where both are known."""
        where = ":".join(str(part) for part in (printable(self.file), self.line, self.column) if part)
        if not self.text:
            return [where]
        text = self.text.rstrip("\n").replace("\t", " ")
        stripped = text.lstrip()
        before = stripped[: max(self.column - 1 - (len(text) - len(stripped)), 0)]
        quoted, column = printable(stripped, 160), len(printable(before)) + 1  # what is escaped is wider than it was
        caret = " " * (column - 1) + "^" * max(min(self.width, len(quoted) - column + 1), 1)
        return [where, f"  {quoted}", *([f"  {caret}"] if self.column and column <= len(quoted) + 1 else [])]


class Problem(Exception):
    """A mistake of an author or operator: `code` (stable, dotted), `what` in one line, `where`, `still` works, what `todo`."""

    def __init__(
        self, code: str, what: str, *, where: Place | str | None = None, still: str | None = None, todo: str | None = None
    ) -> None:
        super().__init__(what)
        self.code, self.what, self.where, self.still, self.todo = code, what, where, still, todo

    def page(self) -> str:
        """The whole page as plain text, safe to print."""
        lines = [f"{self.code}: {set_in(self.what, 4)}"]
        if isinstance(self.where, Place):
            lines += [f"  {line}" for line in self.where.lines()]
        elif self.where:
            lines.append(f"  at {printable(self.where)}")
        lines += [f"  {label} {set_in(text, 4)}" for label, text in (("still:", self.still), ("to do:", self.todo)) if text]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.page()


class PeerError(Exception):
    """The other side broke its protocol or a limit. `reason` is a counter's label; `hint` says the likely cause."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(f"{reason}: {hint}" if hint else reason)
        self.reason, self.hint = reason, hint


class Busy(Exception):
    """Nothing more can be taken just now: push back and try again in `retry_after` seconds. Never a loss."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


class Problems(Problem):
    """Several at once, so that one look mends them all. `found` is never empty."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__(found[0].code, f"{len(found)} problems" if len(found) > 1 else found[0].what)
        self.found = found

    def page(self) -> str:
        """Every page, parted by blank lines."""
        return "\n\n".join(problem.page() for problem in self.found)
