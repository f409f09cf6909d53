"""Writes docs/toolbox.md and the plots in it from the primitives themselves: `python docs/toolbox.py`, or `main()` from elsewhere.

A section is a primitive's docstring with what its methods give; a plot is made-up input, by a fixed seed, run through the primitive itself.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
from plots import Panel, svg

import pluginhost.detect
from pluginhost.detect.average import EwmaZ, MovingAverage, RobustZ
from pluginhost.detect.decay import DecayCount
from pluginhost.detect.distinct import SlidingDistinct
from pluginhost.detect.forest import RandomCutForest
from pluginhost.detect.geo import GeoProfile
from pluginhost.detect.markov import Pace, PageOrder
from pluginhost.detect.rare import RareValue
from pluginhost.detect.seasonal import SeasonalSlots
from pluginhost.detect.surprise import CountSurprise, Holt
from pluginhost.detect.windows import MinuteCounts, SlidingCount

__all__ = ["PLOTS", "main", "page", "pages"]

DOCS = Path(__file__).parent
_GROUPS = {
    "Counts": ("windows", "decay", "clients", "distinct", "hyperloglog", "topk"),
    "Memory and order": ("seen", "cuckoo", "order", "timers", "table"),
    "What is usual": ("series", "peaks", "average", "surprise", "seasonal", "rare", "forest"),
    "Behaviour and places": ("markov", "geo"),
}
_NO_TOOLS = ("declaration", "finding", "state")
_OF_THE_ENGINE = {"bound", "dump", "evidence", "fresh", "load", "moved"}
_HEAD = """# The toolbox

What an analyzer is made of beside its own code. All of it goes by event time, is bounded, and is kept across restarts as plain data.
How state belongs to a key is told in [writing analyzers](writing-analyzers.md#state).

A model's `score` gives a [`Score`](#score): it is odd where `grade` is above 0. The examples are tests; in them `at(second)` is an event
at that second. This page and its plots are made from the source by `docs/toolbox.py`.
"""
Event = Any


def page() -> str:
    """The page: a section for each public name of the toolbox, by kind."""
    modules = _modules()
    known = {name for names in _GROUPS.values() for name in names}
    groups = _GROUPS | {"Further": tuple(name for name in modules if name not in known)}
    made = [_HEAD]
    for title, names in groups.items():
        sections = [_section(modules[name], one) for name in names if name in modules for one in modules[name].__all__]
        if any(sections):
            made += [f"## {title}\n", *filter(None, sections)]
    return "\n".join(made)


def pages() -> dict[Path, str]:
    """Every file that this writes, with its text."""
    return {DOCS / "toolbox.md": page(), **{DOCS / "plots" / f"{name}.svg": draw() for name, draw in PLOTS.items()}}


def main() -> None:
    """Writes what differs, and says so."""
    for file, text in pages().items():
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {file}\n")


def _modules() -> dict[str, ModuleType]:
    names = [one.name for one in pkgutil.iter_modules(pluginhost.detect.__path__) if one.name not in _NO_TOOLS]
    return {name: importlib.import_module(f"pluginhost.detect.{name}") for name in names}


def _section(module: ModuleType, name: str) -> str:
    """A class or function with its docstring, its plot and its methods; nothing for what only other primitives use."""
    one = getattr(module, name)
    if not (inspect.isclass(one) or name in _FUNCTIONS) or name in _INNER:
        return ""
    made = [f"### {name}\n", f"`{name}({_arguments(one)})`\n", f"{inspect.cleandoc(one.__doc__ or '')}\n"]
    if name in PLOTS:
        made.append(f"![{name} on made-up input](plots/{name}.svg)\n")
    if rows := _methods(one):
        made.append(_table(rows))
    return "\n".join(made)


def _methods(one: Any) -> list[tuple[str, str]]:
    if not inspect.isclass(one):
        return []
    return [(f"`{name}({_arguments(found)})`", _first(found)) for name, found in vars(one).items()
            if inspect.isfunction(found) and not name.startswith("_") and name not in _OF_THE_ENGINE]  # fmt: skip


_FUNCTIONS = ("haversine_km", "place", "normalised")
_INNER = ("Model", "HyperLogLog")


def _arguments(one: Any) -> str:
    try:
        given = inspect.signature(one).parameters.values()
    except ValueError:
        return "…"
    public = [each for each in given if each.name != "self" and not each.name.startswith("_")]
    return ", ".join(_argument(each) for each in public)


def _argument(one: inspect.Parameter) -> str:
    if one.default is inspect.Parameter.empty:
        return one.name
    return f"{one.name}=…" if one.default is msgspec.NODEFAULT or "factory" in repr(one.default) else f"{one.name}={one.default!r}"


def _first(one: Any) -> str:
    return " ".join(inspect.cleandoc(one.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


def _table(rows: list[tuple[str, str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [("", "gives"), ("---", "---"), *rows])


# --- the plots ---


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - made-up input


def _at(seconds: float) -> Event:
    return SimpleNamespace(time=round((19_000 * 86_400 + seconds) * 10**9))


def _bursts(span: float) -> Iterator[float]:
    """Times of a quiet stream with two bursts, in seconds."""
    chance, now = _chance(4), 0.0
    while now < span:
        yield now
        now += chance.expovariate(0.5 if 0.3 * span < now < 0.37 * span or 0.6 * span < now < 0.75 * span else 0.03)


def _counted(label: str, add: Callable[[Event, float], float], about: str) -> str:
    times = list(_bursts(3600))
    events = Panel("events", 0, 1).dots([(one / 60, 0.5) for one in times])
    return svg(events, Panel(label, 0).line([(one / 60, add(_at(one), one)) for one in times]), x="minutes", about=about, height=70)


def _windows() -> str:
    window = SlidingCount("5m")
    return _counted("count", lambda event, _: window.add(event), "Events in bursts and the count of the last five minutes")


def _minutes() -> str:
    window = MinuteCounts()
    return _counted("count", lambda event, _: window.add(event), "Events in bursts and the count of the last eight minutes")


def _decays() -> str:
    count = DecayCount("5m")
    return _counted("count", lambda event, _: count.add(event), "Events in bursts and a count that loses half in five minutes")


def _distincts() -> str:
    values = SlidingDistinct("10m")
    return _counted("distinct", lambda event, when: values.add(int(when * 7919) % (200 if when > 1800 else 12), event),
                    "Two bursts: one of few values, one of many, and how many different ones the last ten minutes had")  # fmt: skip


def _scored(points: list[tuple[float, Any]], x: str, about: str, low: float | None = None) -> str:
    """Value, what was expected, what was graded; below it the score with its threshold. A point is (x, Score)."""
    shown = [(at, one) for at, one in points if isinstance(one.expected, float | int) and isinstance(one.actual, float | int)]
    value = Panel("value", low).line([(at, one.actual) for at, one in shown]).line([(at, one.expected) for at, one in shown], faint=True)
    value.marks([(at, one.actual) for at, one in shown if one.grade])
    top = shown[-1][1].threshold
    score = Panel("score", 0, 3 * top).line([(at, one.score) for at, one in shown]).rule(top, "threshold")
    return svg(value, score.marks([(at, one.score) for at, one in shown if one.grade]), x=x, about=about)


def _averages() -> str:
    chance, average, shown = _chance(1), MovingAverage(rate=0.05), []
    for n in range(300):
        value = (10 if n < 150 else 16) + chance.gauss(0, 1)
        average.add(value)
        shown.append((n, value, average.mean, average.spread))
    panel = Panel("value").band([(n, mean - spread) for n, _, mean, spread in shown], [(n, mean + spread) for n, _, mean, spread in shown])
    panel.dots([(n, value) for n, value, _, _ in shown]).line([(n, mean) for n, _, mean, _ in shown])
    return svg(panel, x="values", about="Values that step up, their moving average and one spread around it")


def _ewma() -> str:
    chance, model = _chance(2), EwmaZ()
    values = [20 + chance.gauss(0, 2) + (25 if n in (120, 260) else 0) + (12 if n > 330 else 0) for n in range(400)]
    return _scored([(n, model.score(one)) for n, one in enumerate(values)], "values", "Two outliers do not teach, a step does")


def _robust() -> str:
    chance, model = _chance(3), RobustZ()
    values = [20 + chance.gauss(0, 2) + (40 if n % 19 == 5 and n > 60 else 0) for n in range(300)]
    return _scored([(n, model.score(one)) for n, one in enumerate(values)], "values", "Many outliers: the median stays where it is")


def _surprises() -> str:
    chance, model, shown = _chance(4), CountSurprise(), []
    for n in range(400):
        whole = 4000 if 180 < n < 240 else 100 + round(60 * math.sin(n / 30))
        share = 0.25 if 310 < n < 316 else 0.02
        bad = sum(chance.random() < share for _ in range(whole))
        shown.append((n, model.score({"status": (bad, whole - bad)})))
    return _scored(shown, "minutes", "Forty times the traffic with the same share of bad ones is no surprise; a share that rises is")


def _holt() -> str:
    chance, model = _chance(5), Holt()
    values = [100 + 50 * math.sin(n / 288 * 2 * math.pi) + chance.gauss(0, 1) - (45 if n in (210, 370, 655) else 0) for n in range(864)]
    return _scored([(n / 288, model.score(one)) for n, one in enumerate(values)], "days", "A daily course, and values usual at other times")


def _seasons() -> str:
    chance, model, shown = _chance(6), SeasonalSlots("1d", 24), []
    for n in range(24 * 10):
        value = (900 if 8 <= n % 24 < 18 else 60) + chance.gauss(0, 20) + (600 if n == 24 * 8 + 3 else 0)
        shown.append((n / 24, model.score(_at(3600 * n).time, value)))
    return _scored(shown, "days", "Office hours, and one night at which the values of a day come")


def _rarities() -> str:
    chance, model, shown = _chance(7), RareValue(), []
    for n in range(4000):
        value = "PROPFIND" if n in (2500, 2510, 3700) else chance.choices(("GET", "POST", "HEAD"), (90, 9, 1))[0]
        shown.append((n, model.score(value)))
    panel = Panel("bits", 0).dots([(n, one.score) for n, one in shown[::8]]).rule(10, "threshold")
    return svg(panel.marks([(n, one.score) for n, one in shown if one.grade]), x="values", about="A method never seen before, and again")


def _orders() -> str:
    chance, model, shown = _chance(8), PageOrder(), []
    links = {n: [chance.randrange(60) for _ in range(3)] for n in range(60)}
    for visit in range(400):
        page, odd = 0, visit in (250, 330, 380)
        for step in range(15):
            page = chance.randrange(60) if odd else chance.choice(links[page])
            found = model.score(_at(visit * 60 + step), f"c{visit}", f"/p{page}x")
        shown.append((visit, found))
    panel = Panel("nats a step", 0).dots([(n, one.score) for n, one in shown])
    panel.line([(n, one.threshold) for n, one in shown[130:]], faint=True)
    return svg(panel.marks([(n, one.score) for n, one in shown if one.grade]), x="visits",
               about="Visits along the links, three in no order, and the threshold")  # fmt: skip


def _paces() -> str:
    def visit(gap: Callable[[], float]) -> list[tuple[float, float]]:
        pace, now, shown = Pace(), 0.0, []
        for n in range(60):
            now += gap()
            shown.append((n, pace.score(_at(now)).score))
        return shown[2:]

    chance = _chance(9)
    panel = Panel("score", 0, 7).line(visit(lambda: chance.expovariate(1 / 20)), faint=True).line(visit(lambda: 5 + chance.gauss(0, 0.1)))
    return svg(panel.rule(2.3, "threshold"), x="requests", about="A person (dashed) and a program with a fixed beat")


def _places() -> str:
    chance, profile, seen, odd = _chance(10), GeoProfile(), [], []
    homes = [(52.5, 13.4)] * 7 + [(48.1, 11.6)] * 3
    for n in range(120):
        lat, lon = chance.choice(homes) if n not in (70, 100) else ((45.4, 9.2), (47.4, 8.5))[n == 100]
        found = profile.score(_at(n * 40_000), (lat + chance.gauss(0, 0.15), lon + chance.gauss(0, 0.2)))
        (odd if found.grade else seen).append((found.actual[1], found.actual[0]))
    panel = Panel("latitude", 44, 54)
    for one in profile.as_geojson()["features"]:
        lon, lat = one["geometry"]["coordinates"]
        panel.ring((lon, lat), 4 + 10 * math.log1p(one["properties"]["weight"]))
    return svg(panel.dots(seen).marks(odd), x="longitude", about="Logins, their centres by weight, two from elsewhere", height=260,
               across=(7, 16))  # fmt: skip


def _forests() -> str:
    chance, model, seen, odd = _chance(11), RandomCutForest(("x", "y"), trees=30), [], []
    for n in range(1200):
        side = chance.choice((-1, 1))
        x, y = side * 4 + chance.gauss(0, 0.7), side * 4 + chance.gauss(0, 0.7)
        if n in (800, 1000, 1150):
            y = -y
        (odd if model.score({"x": x, "y": y}).grade > 0.5 else seen).append((x, y))
    panel = Panel("y", -7, 7).dots(seen[::2]).marks(odd)
    return svg(panel, x="x", about="Two clusters, and what lies in neither", height=260, across=(-7, 7))


PLOTS: dict[str, Callable[[], str]] = {
    "SlidingCount": _windows, "MinuteCounts": _minutes, "DecayCount": _decays, "SlidingDistinct": _distincts, "MovingAverage": _averages,
    "EwmaZ": _ewma, "RobustZ": _robust, "CountSurprise": _surprises, "Holt": _holt, "SeasonalSlots": _seasons, "RareValue": _rarities,
    "PageOrder": _orders, "Pace": _paces, "GeoProfile": _places, "RandomCutForest": _forests,
}  # fmt: skip
"""The plot of each primitive that has one, by its name."""


if __name__ == "__main__":
    main()
