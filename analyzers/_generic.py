"""What the detectors that the configuration puts to use have in common: the values of a field, the models there are, an alert's score."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal

from pluginhost import CountSurprise, Event, EwmaZ, FirstSeen, Holt, RandomCutForest, RobustZ, Score, SeasonalSlots

Severity = Literal["low", "medium", "high", "critical"]
Fields = str | tuple[str, ...]
Side = Literal["both", "high", "low"]

_ELEMENTS = 20  # of a list in a record are looked at
_SLOTS = 10_080  # the minutes of a week, 100 kB a key
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,3})?\s*")


def fields(of: Fields) -> tuple[str, ...]:
    """The names of one field or several."""
    return (of,) if isinstance(of, str) else of


def shown(event: Event, of: Fields) -> list[tuple[str, Any]]:
    """(field, value) of each scalar that the fields hold; what is missing, null or empty says nothing."""
    return [(name, value) for name in fields(of) for value in islice(event.values(name), _ELEMENTS)
            if value is not None and value != "" and not isinstance(value, (Mapping, list, tuple))]


def numbers(event: Event, of: Fields) -> dict[str, Any]:
    """{field: number} of those fields that hold one, be it as text."""
    found = {name: event.get(name) for name in fields(of)}
    return {name: value for name, value in found.items()
            if (isinstance(value, (int, float)) and not isinstance(value, bool)) or (isinstance(value, str) and _NUMBER.fullmatch(value))}


def pausing(pause: float, limit: int = 1000) -> FirstSeen:
    """What was told, so that it is told again only when it was not met for `pause` (seconds)."""
    return FirstSeen(max(pause, 1e-9), limit=limit)


def model_of(model: str, threshold: float, warmup: int, period: str, slots: int, field: Fields) -> Any:
    """The model of that name; a threshold or warm-up of 0 is its own."""
    told = {name: value for name, value in (("threshold", threshold), ("warmup", warmup)) if value}
    if model in ("holt", "seasonal") and len(fields(field)) > 1:
        raise ValueError(f"the model {model} follows one field; give each an analyzer of its own, or take ewma, robust or rcf")
    if model == "seasonal":
        if slots > _SLOTS:
            raise ValueError(f"a period of {period} in {slots:,} slots; {_SLOTS:,} are the most")
        return SeasonalSlots(period, slots, **told)
    if model == "rcf":
        if "threshold" in told:
            raise ValueError("the model rcf finds its threshold by itself")
        return RandomCutForest(fields(field), **told)
    return {"ewma": EwmaZ, "robust": RobustZ, "holt": Holt, "share": CountSurprise}[model](**told)


def stands_out(score: Score, side: Side, least: float) -> bool:
    """Whether the score is odd, on that side, by a difference of at least so much."""
    if not score.grade or not isinstance(score.actual, float) or not isinstance(score.expected, float):
        return False
    off = score.actual - score.expected
    return abs(off) >= least and (side == "both" or (off > 0) == (side == "high"))


def scored(score: Score, **more: Any) -> dict[str, Any]:
    """The fields of an alert that tell its score: numbers under `expected` and `actual`, texts under `usual_value` and `actual_value`."""
    expected, actual = ("usual_value", "actual_value") if isinstance(score.actual, str) else ("expected", "actual")
    told = {"value": score.score, "grade": score.grade, "threshold": score.threshold, expected: score.expected, actual: score.actual}
    return {f"pluginhost.score.{name}": round(value, 6) if isinstance(value, float) else value
            for name, value in {**told, **more}.items() if value not in (None, "")}
