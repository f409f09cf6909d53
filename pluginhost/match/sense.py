"""What a value of a query string asks of a field, by the field's reading: a leaf, or nothing that could ever match.

Values come unescaped; patterns with escapes for `*`, `?` and the backslash only. A result of None means that analysis left
nothing of the value; the caller drops the clause, as Elasticsearch does. No syntax is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..events.address import network, packed
from .analysis import splits, tokens
from .dates import bounds
from .patterns import pieces, plain, rewritten
from .schema import Profile, resolve
from .tree import ANY_FIELD, NOTHING, All, Any, Leaf, Node, Range, Reading
from .views import number

__all__ = ["Sense"]

Warn = Callable[[str], None]

_CIDR = re.compile(r"[0-9A-Fa-f.:]+/\d{1,3}", re.ASCII)
_ANYWHERE: list[tuple[str, Reading]] = [(ANY_FIELD, "exact"), (ANY_FIELD, "tokens")]
_UNFIT = {"number": "a number", "date": "a date", "address": "an address"}


class Sense:
    """Reads values for one query. A `field` of None is any field: asked of whole texts and of their tokens."""

    def __init__(self, profile: Profile, warn: Warn, *, default_and: bool) -> None:
        self._profile, self._warn, self._default_and = profile, warn, default_and

    def _each(self, field: str | None, ask: Callable[[str, Reading], Node | None]) -> Node | None:
        readings = _ANYWHERE if field is None else resolve(field, self._profile)
        found = [node for name, reading in readings if (node := ask(name, reading)) is not None]
        return Any(tuple(found)) if found else None

    def whole(self, field: str) -> bool:
        """Whether the field's values are compared as a whole."""
        return any(reading != "tokens" for _, reading in resolve(field, self._profile))

    def exists(self, field: str) -> Node:
        """The field has a value."""
        return Any(tuple(Leaf(name, "exists") for name, _ in resolve(field, self._profile)))

    def word(self, field: str | None, text: str, *, quoted: bool = False) -> Node | None:
        """A word, a run of words, or a quoted text."""
        if field is None and tokens(text):
            return self._words(ANY_FIELD, text, quoted=quoted)  # a text that is equal as a whole has these tokens, too
        return self._each(field, lambda name, reading: self._word(name, reading, text, quoted=quoted))

    def _word(self, name: str, reading: Reading, text: str, *, quoted: bool) -> Node | None:
        match reading:
            case "tokens":
                return self._words(name, text, quoted=quoted)
            case "number":
                return self._unfit(name, reading, text) if (value := number(text)) is None else Leaf(name, "equals", _short(value), reading)
            case "date":
                return Leaf(name, "equals", text, reading) if _is_date(text) else self._unfit(name, reading, text)
            case "address":
                return self._address(name, text) or self._unfit(name, reading, text)
            case _:
                equal = Leaf(name, "equals", text.lower() if reading == "folded" else text, reading)
                return Any((equal, Leaf(name, "cidr", text, "address"))) if _is_network(text) else equal

    def _words(self, name: str, text: str, *, quoted: bool) -> Node | None:
        found = tokens(text)
        if not found:
            self._warn(f"nothing of `{text}` can be searched for in an analysed field: the clause has no effect")
            return None
        if quoted and len(found) > 1:
            return Leaf(name, "phrase", tuple(found), "tokens")
        each = [Leaf(name, "equals", token, "tokens") for token in found]
        return All(tuple(each)) if self._default_and else Any(tuple(each))

    def _address(self, name: str, text: str) -> Node | None:
        if _is_network(text):
            return Leaf(name, "cidr", text, "address")
        return Leaf(name, "equals", text, "address") if packed(text) else None

    def _unfit(self, name: str, reading: Reading, text: str) -> Node:
        hint = "; for a network write `10.0.0.0\\/8`" if reading == "address" and "*" in text else ""
        self._warn(f"`{name}` holds {_UNFIT[reading]}, which `{text}` is not: this matches nothing{hint}")
        return NOTHING

    def pattern(self, field: str | None, pattern: str) -> Node | None:
        """A wildcard pattern."""
        return self._each(field, lambda name, reading: self._pattern(name, reading, pattern))

    def _pattern(self, name: str, reading: Reading, pattern: str) -> Node:
        if reading in _UNFIT:
            return self._unfit(name, reading, pattern)
        if reading != "exact":
            pattern = pattern.lower()
        parts = pieces(pattern)
        if reading == "tokens" and name != ANY_FIELD and any(splits(text) for text, wild in parts if not wild):
            self._warn(f"`{pattern}` can never match in `{name}`: each of its words is compared; `{name}.keyword` is the whole text")
        simple = plain(parts)
        return Leaf(name, simple[0], simple[1], reading) if simple else Leaf(name, "wildcard", rewritten(parts), reading)

    def regex(self, field: str | None, expression: str, written: str) -> Node | None:
        """A regular expression in RE2's syntax, `written` so in the query."""
        return self._each(field, lambda name, reading: self._regex(name, reading, expression, written))

    def _regex(self, name: str, reading: Reading, expression: str, written: str) -> Node:
        if reading in _UNFIT:
            return self._unfit(name, reading, f"/{written}/")
        if reading == "tokens" and name != ANY_FIELD and re.search(r"[A-Z\s]", re.sub(r"\\.", "", written)):
            self._warn(f"/{written}/ can hardly match in `{name}`: it compares words, in lower case; `{name}.keyword` is the whole text")
        return Leaf(name, "regex", expression, reading)

    def range(self, field: str, range_: Range) -> Node | None:
        """From one bound to the other; both are text here."""
        return self._each(field, lambda name, reading: self._range(name, reading, range_))

    def _range(self, name: str, reading: Reading, range_: Range) -> Node:
        given = [str(bound) for bound in (range_.lower, range_.upper) if bound is not None]
        if not given:
            return Leaf(name, "exists")
        if reading in ("exact", "tokens"):  # the record says no type, so the query does
            reading = "number" if all(number(bound) is not None for bound in given) else reading
            reading = "date" if any(bound.startswith("now") or "||" in bound for bound in given) and all(map(_is_date, given)) else reading
        if not all(_fits(bound, reading) for bound in given):
            return self._unfit(name, reading, " TO ".join(given))
        lower, upper = (None if bound is None else _bound(str(bound), reading) for bound in (range_.lower, range_.upper))
        return Leaf(name, "range", Range(lower, upper, range_.include_lower, range_.include_upper), reading)


def _bound(text: str, reading: Reading) -> str | int | float:
    if reading == "number" and (value := number(text)) is not None:
        return _short(value)
    return text.lower() if reading in ("folded", "tokens") else text


def _fits(text: str, reading: Reading) -> bool:
    match reading:
        case "number":
            return number(text) is not None
        case "date":
            return _is_date(text)
        case "address":
            return packed(text) is not None
        case _:
            return True


def _short(value: float) -> int | float:
    """A number that msgpack can hold."""
    return value if isinstance(value, float) or -(1 << 63) <= value < 1 << 63 else float(value)


def _is_date(text: str) -> bool:
    try:
        bounds(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        return _CIDR.fullmatch(text) is not None and network(text) is not None
    except ValueError:
        return False
