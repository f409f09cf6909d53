"""Charts: stacked bars, lines and areas over time or values, with an axis at the left and perhaps one at the right; horizontal bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from . import drawing as draw
from .answers import Answer, Series
from .figures import marks, moment, shown, time_marks
from .looks import Look

__all__ = ["NOTHING", "chart", "legend", "nothing"]

NOTHING = "No results found"
_TOP, _BOTTOM, _ROW = 8, 24, 20
_FEW = 31
"""Of so many values each is seen as a point of its line."""


class _Frame(msgspec.Struct, frozen=True):
    """The inside of the axes, in pixels, and how the x of a value and the width of its place are found."""

    left: float
    right: float
    top: float
    bottom: float
    places: list[float]
    """Where each x begins."""
    step: float

    def up(self, value: float, high: float) -> float:
        return self.bottom - value / (high or 1) * (self.bottom - self.top)


class _Side(msgspec.Struct, frozen=True):
    """An axis of values."""

    ticks: list[float]
    unit: str
    right: bool
    title: str


Drawer = Callable[[Sequence[float | None], str], list[str]]
"""Draws the values of one series in a colour; it remembers what stands below where series stack."""


def chart(answer: Answer, across: float, down: float, look: Look) -> list[str]:
    """What stands in a panel of this size."""
    series = answer.series
    if not answer.x or all(value is None for one in series for value in one.values):
        return [nothing(across, down)]
    if all(one.shape == "bars" for one in series):
        return _bars(answer.x, series, across, down)
    coloured = [(one, draw.colour(one.label, place)) for place, one in enumerate(series)]
    names = [(one.label, colour) for one, colour in coloured] if len(series) > 1 else []
    if names and look.legend == "right":
        left = across - min(0.3 * across, max(draw.width(draw.clean(name)) for name, _ in names) + 30)
        return _plot(answer.x, coloured, left - 8, down, look) + legend(names, left, _TOP, across - left, down - _TOP)
    if names and look.legend == "bottom":
        return _plot(answer.x, coloured, across, down - _ROW - 4, look) + legend(names, 8, down - _ROW, across - 8, _ROW, flat=True)
    return _plot(answer.x, coloured, across, down, look)


def _plot(xs: Sequence[object], coloured: Sequence[tuple[Series, str]], across: float, down: float, look: Look) -> list[str]:
    """The axes and what stands between them."""
    groups = ([one for one, _ in coloured if one.right == right] for right in (False, True))
    sides = [_side(group, down - _TOP - _BOTTOM, look.beside) for group in groups if group]
    frame, axis = _frame(xs, 6 + _beside(sides, False), across - 10 - _beside(sides, True), _TOP, down - _BOTTOM,
                         any(one.shape == "bar" for one, _ in coloured))  # fmt: skip
    made = [drawn for side in sides for drawn in _axis(frame, side, across, lines=side is sides[0])] + axis
    for shape in ("bar", "area", "line"):  # lines above what is filled, whichever axis they have
        for side in sides:
            made += _drawn(frame, side, [(one, colour) for one, colour in coloured if one.shape == shape and one.right == side.right], look)
    return made


def nothing(across: float, down: float) -> str:
    """What stands in a panel that has found nothing."""
    return draw.text(across / 2, down / 2, NOTHING, across, "faint", anchor="middle")


def legend(names: Sequence[tuple[str, str]], x: float, y: float, across: float, down: float, *, flat: bool = False) -> list[str]:
    """A square and a name for each colour: one below the other, or `flat` side by side. What has no room is counted."""
    fits = len(names) if flat or len(names) * _ROW <= down else int(down / _ROW) - 1
    wide, tall = (min(across / max(len(names), 1), 180), 0) if flat else (across, _ROW)
    made = list[str]()
    for place, (name, colour) in enumerate(names[:fits]):
        left, top = (x + place * wide, y) if flat else (x, y + place * tall)
        made += [draw.rect(left, top + 4, 10, 10, f"f-{colour}", 2), draw.text(left + 16, top + 13, name, wide - 18)]
    if fits < len(names):
        made.append(draw.text(x + 16, y + fits * _ROW + 13, f"and {len(names) - fits} more", across, "faint"))
    return made


def _bars(places: Sequence[object], series: Sequence[Series], across: float, down: float) -> list[str]:
    """Horizontal bars, the names of their places at the left, each with its value at its end."""
    fits = min(len(places), max(int((down - _BOTTOM) / 16), 1))
    totals = [sum(one.values[place] or 0 for one in series) for place in range(fits)]
    ticks = marks(max(totals), series[0].unit, whole=_whole(series), most=max(2, int(across / 110)))
    names = [shown(one) for one in places[:fits]]
    left = min(0.4 * across, max(draw.width(draw.clean(name)) for name in names) + 10)
    right, row = across - 44, (down - _BOTTOM) / fits
    thick = min(row * 0.72, 24)
    scale = (right - left) / (ticks[-1] or 1)
    made = list[str]()
    for tick in ticks:
        made += [draw.line(left + tick * scale, 0, left + tick * scale, down - _BOTTOM),
                 draw.text(left + tick * scale, down - 8, shown(tick, series[0].unit), 80, "faint", anchor="middle", size=11)]  # fmt: skip
    for place, (name, total) in enumerate(zip(names, totals, strict=True)):
        middle, so_far = (place + 0.5) * row, left
        made.append(draw.text(left - 6, middle + 4, name, left - 8, anchor="end"))
        for number, one in enumerate(series):
            long = (one.values[place] or 0) * scale
            made.append(draw.rect(so_far, middle - thick / 2, long, thick, f"f-{draw.colour(one.label, number)}"))
            so_far += long
        made.append(draw.text(so_far + 5, middle + 4, shown(total, series[0].unit), 60, "faint", size=11))
    return [*made, draw.line(left, 0, left, down - _BOTTOM, "axis")]


def _whole(group: Sequence[Series]) -> bool:
    return all(float(value or 0).is_integer() for one in group for value in one.values)


def _high(group: Sequence[Series]) -> float:
    """The greatest that stands anywhere: bars and areas stand on each other."""
    stacks = [[value or 0 for value in one.values] for one in group if one.shape in ("bar", "area")]
    alone = [value or 0 for one in group if one.shape == "line" for value in one.values]
    return max([*map(sum, zip(*stacks, strict=True)), *alone, 0])


def _side(group: list[Series], tall: float, titled: bool) -> _Side:
    ticks = marks(_high(group), group[0].unit, whole=_whole(group), most=max(2, int(tall / 42)))
    title = ", ".join(one.label for one in group) if titled and group[0].right else ""
    return _Side(ticks, group[0].unit, group[0].right, title)


def _beside(sides: Sequence[_Side], right: bool) -> float:
    """The width of the labels at one side."""
    return max((draw.width(shown(tick, one.unit), 11) + 4 + (18 if one.title else 0) for one in sides if one.right == right
                for tick in one.ticks), default=0)  # fmt: skip


def _frame(xs: Sequence[object], left: float, right: float, top: float, bottom: float, over: bool) -> tuple[_Frame, list[str]]:
    """The room inside the axes and the axis of x; `over`: bars stand over the whole of their place, lines on its beginning."""
    times = [moment(one) for one in xs]
    known = [one for one in times if one is not None]
    most = max(int((right - left) / 64), 2)
    if len(known) < len(xs):
        step = (right - left) / len(xs)
        frame = _Frame(left, right, top, bottom, [left + step * place for place in range(len(xs))], step)
        every = -(-len(xs) // most)
        named = [(frame.places[place] + step / 2, shown(xs[place])) for place in range(0, len(xs), every)]
    else:
        gap = min((after - before for before, after in pairwise(known)), default=3600.0)
        start, end = known[0], known[-1] + (gap if over or len(known) == 1 else 0)
        scale = (right - left) / ((end - start) or 1)
        frame = _Frame(left, right, top, bottom, [left + (one - start) * scale for one in known], gap * scale)
        named = [(left + (when - start) * scale, name) for when, name in time_marks(start, end, most, gap)]
    ticks = [draw.line(x, bottom, x, bottom + 4, "axis") for x, _ in named]
    labels = [draw.text(min(x, right - 8), bottom + 17, name, 90, "faint", anchor="middle", size=11) for x, name in named]
    return frame, [draw.line(left, bottom, right, bottom, "axis"), *ticks, *labels]


def _axis(frame: _Frame, side: _Side, across: float, *, lines: bool) -> list[str]:
    x, anchor = (frame.right + 6, "start") if side.right else (frame.left - 6, "end")
    made = list[str]()
    for tick in side.ticks:
        y = frame.up(tick, side.ticks[-1])
        made += [draw.line(frame.left, y, frame.right, y)] if lines else []
        made.append(draw.text(x, y + 4, shown(tick, side.unit), 70, "faint", anchor=anchor, size=11))
    if side.title:
        said = draw.text(0, 0, side.title, frame.bottom - frame.top, "faint", anchor="middle", size=11)
        made.append(f'<g transform="translate({draw.at(across - 4)} {draw.at((frame.top + frame.bottom) / 2)}) rotate(-90)">{said}</g>')
    return made


def _drawn(frame: _Frame, side: _Side, coloured: Sequence[tuple[Series, str]], look: Look) -> list[str]:
    """Series of one axis and one shape, each on those before it where they stack."""
    high = side.ticks[-1]
    drawers: dict[str, Drawer] = {"bar": _stack(frame, high), "area": _layers(frame, high), "line": _lines(frame, high, look.joined)}
    return [drawn for one, colour in coloured for drawn in drawers[one.shape](one.values, colour)]


def _stack(frame: _Frame, high: float) -> Drawer:
    below = [0.0] * len(frame.places)
    wide = max(frame.step - min(2, frame.step * 0.15), 1)

    def stands(values: Sequence[float | None], colour: str) -> list[str]:
        made = list[str]()
        for place, value in enumerate(values):
            if value:
                top, foot = frame.up(below[place] + value, high), frame.up(below[place], high)
                made.append(draw.rect(frame.places[place], top, wide, foot - top, f"f-{colour}"))
                below[place] += value
        return made

    return stands


def _layers(frame: _Frame, high: float) -> Drawer:
    below = [0.0] * len(frame.places)

    def stands(values: Sequence[float | None], colour: str) -> list[str]:
        feet = [(x, frame.up(low, high)) for x, low in zip(frame.places, below, strict=True)]
        below[:] = [low + (value or 0) for low, value in zip(below, values, strict=True)]
        tops = [(x, frame.up(low, high)) for x, low in zip(frame.places, below, strict=True)]
        return [draw.path([*tops, *reversed(feet)], f"area f-{colour}", closed=True)]

    return stands


def _lines(frame: _Frame, high: float, joined: bool) -> Drawer:
    """A line through each run of values; one that stands alone is a point."""
    few = len(frame.places) <= _FEW

    def stands(values: Sequence[float | None], colour: str) -> list[str]:
        runs: list[list[tuple[float, float]]] = [[]]
        for x, value in zip(frame.places, values, strict=True):
            if value is not None:
                runs[-1].append((x, frame.up(value, high)))
            elif not joined and runs[-1]:
                runs.append([])
        made = [draw.path(run, f"curve s-{colour}") for run in runs if len(run) > 1]
        return made + [draw.circle(x, y, 2.6, f"f-{colour}") for run in runs if few or len(run) == 1 for x, y in run]

    return stands
