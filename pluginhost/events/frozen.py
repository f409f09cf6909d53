"""Objects and lists of a record that can be read, compared and encoded like plain ones, and not altered.

They *are* a `dict` and a `list`, so that `event["event.category"] == ["authentication"]` holds and every encoder takes
them. Freezing copies the containers (never the texts), once per container that somebody asks for; scalars cost nothing.
A deep copy or a pickle of one is plain again.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList", "frozen"]


def _refuse(self: object, *args: object, **named: object) -> NoReturn:
    raise TypeError("an event is read-only: change a copy of it (copy.deepcopy gives a plain one)")


class FrozenDict(dict[str, Any]):
    """An object of a record; reads like the `dict` it is."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class FrozenList(list[Any]):
    """A list of a record; reads like the `list` it is."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = _refuse
    insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)


def frozen(value: Any) -> Any:
    """`value` itself if it is a scalar or frozen already, else a frozen copy, frozen to the bottom at any depth."""
    if type(value) is not dict and type(value) is not list:
        return value
    if len(value) == 1 and type(value) is list and type(value[0]) is str:
        return FrozenList(value)  # as ECS has it: `event.category` is a list, of one mostly
    top = _shell(value)
    unfinished: list[Any] = [top]
    while unfinished:
        box = unfinished.pop()
        mapping = isinstance(box, dict)
        place: Any
        for place, inner in box.items() if mapping else enumerate(box):
            if type(inner) is dict or type(inner) is list:
                shell = _shell(inner)
                unfinished.append(shell)
                (dict if mapping else list).__setitem__(box, place, shell)
    return top


def _shell(value: Any) -> FrozenDict | FrozenList:
    return FrozenDict(value) if isinstance(value, dict) else FrozenList(value)
