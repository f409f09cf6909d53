"""What a panel shows and what it should show, in one form, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose
from typing import Any

from kibana_counting import Between

from kibana.proof.answers import Answer

__all__ = ["differences", "places", "shown"]

Point = tuple[float, ...]


def shown(answer: Answer) -> Any:
    """A number; rows; of a chart by label and place on the axis what is not nothing; points."""
    match answer.kind:
        case "metric":
            return answer.rows[0][0]
        case "chart":
            return {series.label: {x: value for x, value in zip(answer.x, series.values, strict=True) if value} for series in answer.series}
        case "points" | "paths":
            return [tuple(one) for one in answer.points]
    return [tuple(row) for row in answer.rows]


def places(points: Iterable[Point]) -> list[Point]:
    """Each place once, with the largest of its values."""
    greatest: dict[Point, float] = {}
    for *at, value in points:
        key = tuple(round(one, 3) for one in at)
        greatest[key] = max(greatest.get(key, value), value)
    return [(*key, value) for key, value in greatest.items()]


def differences(expected: Any, answer: Answer) -> list[str]:
    """What is not as it should be, a line each."""
    found = shown(answer)
    if answer.kind in {"points", "paths"}:
        expected, found = _nearly(expected), _nearly(found)
    if answer.kind == "rows":
        expected, found = _simultaneous(expected), _simultaneous(found)
    if answer.kind == "table" and isinstance(expected, dict):
        return list(_ranked(expected, found))
    if answer.kind == "chart":
        expected = {label: {x: value for x, value in line.items() if value} for label, line in expected.items()}
        if (left := list(expected)) != (right := list(found)) and sorted(left) != sorted(right):
            return [f"series {right}, not {left}"]
    return list(_differ("", expected, found))


def _nearly(points: Iterable[Point]) -> list[Point]:
    """In an order that does not hang on the last digits; an index keeps a place to about a centimetre."""
    return sorted(((*(round(one, 3) for one in at), value) for *at, value in points), key=str)


def _simultaneous(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What happened in the same millisecond may stand in any order."""
    return sorted(rows, key=lambda row: (row[0], str(row[1:])), reverse=True)


def _ranked(expected: dict[Any, tuple[Any, ...]], found: list[tuple[Any, ...]]) -> Iterable[str]:
    """Rows by a number that a server may only estimate: each as it should be, falling, and none left out that is surely greater."""
    for key, *cells in found:
        yield from _differ(f"[{key}]", expected.get(key), tuple(cells))
    if found != sorted(found, key=lambda row: -row[1]):
        yield "not falling"
    shown_ = {row[0] for row in found}
    for key, (number, *_) in expected.items():
        if key not in shown_ and number.low > found[-1][1]:
            yield f"[{key}] is missing"


def _differ(at: str, expected: Any, found: Any) -> Iterable[str]:
    match expected:
        case Between(low, high):
            if found is None or not low * (1 - 1e-6) <= found <= high * (1 + 1e-6):
                yield f"{at}: {found!r} is not from {low} to {high}"
        case dict() if isinstance(found, dict):
            for key in {**expected, **found}:
                yield from _differ(f"{at}[{key}]", expected.get(key), found.get(key))
        case list() | tuple() if isinstance(found, list | tuple) and len(found) == len(expected):
            for number, (one, other) in enumerate(zip(expected, found, strict=True)):
                yield from _differ(f"{at}[{number}]", one, other)
        case int() | float() if isinstance(found, int | float):
            if not isclose(expected, found, rel_tol=1e-6):
                yield f"{at}: {found!r}, not {expected!r}"
        case _ if expected != found:
            yield f"{at}: {found!r}, not {expected!r}"
