"""How many objects are told of in few lines: by their kind, and one by one only where one is left alone or fails. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ...review.rule import RULE
from ...review.shipped import VIEW
from ...review.steps import Step
from .doing import Line

__all__ = ["lines"]

_KINDS = {
    VIEW: ("data view", "data views"), "search": ("saved search", "saved searches"), "lens": ("chart or table", "charts and tables"),
    "visualization": ("chart or table", "charts and tables"), "map": ("map", "maps"), "dashboard": ("dashboard", "dashboards"),
    RULE: ("detection rule", "detection rules"),
}  # fmt: skip
"""What people call them, in the order in which they are told of."""
_ORDER = [*_KINDS]
_ALIKE = ("create", "update", "ok", "remove", "done")
_FEW = 5  # as many that are left or fail for one reason are told of one by one


def lines(told: Iterable[tuple[str, Step, str]]) -> Iterator[Line]:
    """A line for each word, kind and reason that several have in common; each of `told` is a word, a step and a reason."""
    found = sorted(told, key=lambda one: _ORDER.index(one[1].type) if one[1].type in _ORDER else -1)
    common = Counter((word, why) for word, _, why in found)
    groups: dict[tuple[str, str, str], list[Step]] = {}
    for word, step, why in found:
        many = common[word, why] > _FEW
        kind = _KINDS.get(step.type, ("", ""))[1] if word in _ALIKE else "objects" if many else f"{step.type} {step.id}"
        groups.setdefault((word, kind, why), []).append(step)
    for (word, kind, why), steps in groups.items():
        todo = len(steps) if word == "failed" else sum(step.todo for step in steps)
        yield Line(word, f"{len(steps)} {kind}" if len(steps) > 1 else _named(steps[0], word), why, todo)


def _named(step: Step, word: str) -> str:
    """One object; with its id where somebody may have to look for it."""
    if step.type not in _KINDS:
        return step.title
    name = f'{_KINDS[step.type][0]} "{step.title}"'
    return name if word in _ALIKE else f"{name} ({step.id})"
