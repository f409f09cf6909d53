"""One leaf as Python source: a boolean expression over one element of its field's view, operands bound as constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from ..events.address import network
from .dates import bounds
from .patterns import Pattern, expression, pieces
from .tree import Leaf, Operand, Range, Reading
from .views import address

__all__ = ["VIEWS", "adjacent", "plain_addresses", "question"]

Bind = Callable[[Any], str]

VIEWS: dict[Reading, str] = {
    "exact": "exact", "folded": "folded", "tokens": "analysed", "number": "numbers", "date": "dates", "address": "addresses",
}  # fmt: skip
"""The function of `views` that makes what a reading compares."""


def question(leaf: Leaf, bind: Bind) -> str:
    """The expression over `x`, an element of the view; a relative date also asks for `now`. `ValueError` if the operand is none."""
    _checked(leaf)
    match leaf.reading:
        case "tokens":
            return _of_tokens(leaf, bind)
        case "date":
            return _of_date(leaf, bind)
        case "address":
            return _of_address(leaf, bind)
        case "number":
            return _compared(leaf.op, leaf.operand, bind, lambda value: value)
        case "folded":
            return _of_text(leaf, bind, "x", _lowered)
        case _:
            return _of_text(leaf, bind, "x", lambda value: value)


def _checked(leaf: Leaf) -> None:
    """Raises `ValueError` if the operand is not made of what the reading compares: a mistake here would raise for records later."""
    values: tuple[Any, ...]
    match leaf.operand:
        case tuple(values):
            pass
        case Range(lower, upper):
            values = tuple(bound for bound in (lower, upper) if bound is not None)
        case value:
            values = (value,)
    kinds = (int, float) if leaf.reading == "number" else str
    if any(not isinstance(value, kinds) or isinstance(value, bool) for value in values) or (leaf.op == "phrase" and not values):
        raise ValueError(f"`{leaf.op}` by the reading `{leaf.reading}` does not take {leaf.operand!r}")


def _lowered(value: Any) -> Any:
    return value.lower()


def _compared(op: str, operand: Operand, bind: Bind, key: Callable[[Any], Any], x: str = "x") -> str:
    """The operators that every reading has; `key` brings an operand into the form of the view."""
    match op, operand:
        case "one_of", tuple():
            return f"{x} in {bind(frozenset(key(value) for value in operand))}"
        case "range", Range():
            return _between(operand, x, *(None if bound is None else bind(key(bound)) for bound in (operand.lower, operand.upper)))
        case "equals", str() | int() | float():
            return f"{x} == {bind(key(operand))}"
    raise ValueError(f"`{op}` does not go with this reading and operand")


def _between(range_: Range, x: str, lower: str | None, upper: str | None) -> str:
    below = f"{lower} {'<=' if range_.include_lower else '<'} " if lower else ""
    above = f" {'<=' if range_.include_upper else '<'} {upper}" if upper else ""
    return f"{below}{x}{above}" if below or above else f"{x} is not None"


def _of_text(leaf: Leaf, bind: Bind, x: str, key: Callable[[Any], Any]) -> str:
    if leaf.op in ("equals", "one_of", "range"):
        return _compared(leaf.op, leaf.operand, bind, key, x)
    text = cast("str", leaf.operand)
    match leaf.op:
        case "prefix":
            return f"{x}.startswith({bind(key(text))})"
        case "suffix":
            return f"{x}.endswith({bind(key(text))})"
        case "contains":
            return f"{bind(key(text))} in {x}"
        case "wildcard":
            return _wildcard(key(text), bind, x)
        case "regex":
            return f"{bind(Pattern(text, ignore_case=key is _lowered).fits)}({x})"
    raise ValueError(f"`{leaf.op}` does not go with text")


def _wildcard(pattern: str, bind: Bind, x: str) -> str:
    match pieces(pattern):
        case [(start, False), ("*", True), (end, False)]:
            return f"({x}.startswith({bind(start)}) and {x}.endswith({bind(end)}) and len({x}) >= {len(start) + len(end)})"
        case _:
            return f"{bind(Pattern(expression(pattern)).fits)}({x})"


def _of_tokens(leaf: Leaf, bind: Bind) -> str:
    """`x` is the list of one value's tokens."""
    match leaf.op, leaf.operand:
        case "equals", str():
            return f"{bind(leaf.operand)} in x"
        case "one_of", tuple():
            return f"not {bind(frozenset(leaf.operand))}.isdisjoint(x)"
        case "phrase", tuple():
            return f"{bind(adjacent)}({bind(leaf.operand)}, x)"
    return f"any({_of_text(leaf, bind, 'y', lambda value: value)} for y in x)"


def adjacent(phrase: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether `phrase` stands in `tokens`, side by side and in order."""
    first, length = phrase[0], len(phrase)
    return any(token == first and tuple(tokens[at : at + length]) == phrase for at, token in enumerate(tokens))


def _of_date(leaf: Leaf, bind: Bind) -> str:
    def bound(text: Any, last: bool) -> str:
        edge = bounds(text)[last]
        return f"{bind(edge)}(now)" if callable(edge) else bind(edge)

    match leaf.op, leaf.operand:
        case "equals", str():
            return f"{bound(leaf.operand, False)} <= x <= {bound(leaf.operand, True)}"
        case "one_of", tuple():
            return " or ".join(f"{bound(text, False)} <= x <= {bound(text, True)}" for text in leaf.operand)
        case "range", Range(lower, upper, include_lower, include_upper):
            # the whole of what a bound names is in or out: `> 2024-05` begins in June
            edges = (None if lower is None else bound(lower, not include_lower)), (None if upper is None else bound(upper, include_upper))
            return _between(leaf.operand, "x", *edges)
    raise ValueError(f"`{leaf.op}` does not go with dates")


def _of_address(leaf: Leaf, bind: Bind) -> str:
    if leaf.op == "cidr":
        first, last = _network(str(leaf.operand))
        return f"{bind(first)} <= x <= {bind(last)}"
    return _compared(leaf.op, leaf.operand, bind, _key)


def _key(value: Any) -> bytes:
    found = address(value)
    if found is None:
        raise ValueError(f"`{value}` is no address")
    return found


def _network(text: str) -> tuple[bytes, bytes]:
    """The first and the last address of the network, in the form of the view."""
    base, prefix = network(text)
    spare = len(base) * 8 - prefix
    first = int.from_bytes(base)
    mapped = bytes(10) + b"\xff\xff" if len(base) == 4 else b""
    return mapped + base, mapped + (first | (1 << spare) - 1).to_bytes(len(base))


def plain_addresses(leaf: Leaf) -> frozenset[str] | None:
    """The operand's addresses as text if they are all IPv4, whose text has one form only, so that texts can be compared."""
    operand = leaf.operand if isinstance(leaf.operand, tuple) else (leaf.operand,)
    if leaf.reading != "address" or leaf.op not in ("equals", "one_of") or any(":" in str(value) for value in operand):
        return None
    return frozenset(cast("tuple[str, ...]", operand))
