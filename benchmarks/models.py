"""How well and how fast the models of the toolbox tell odd points from usual ones, on made-up streams.

`python benchmarks/models.py [points]`: each stream holds so many (20,000), about 1 % of them odd and known to be; the first 512 are not
scored. A model sees one point after the other and learns as it goes. AUC is the chance that an odd point scores higher than a usual one, AP
the average precision, both means over three seeds; `false` is how many of 1,000 usual points were graded all the same, `told` the share of
the odd ones that were. Time is CPU time of this process.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from math import pi, sin
from statistics import fmean
from typing import Any

from pluginhost.detect.average import EwmaZ, RobustZ
from pluginhost.detect.forest import RandomCutForest
from pluginhost.detect.geo import GeoProfile, haversine_km
from pluginhost.detect.markov import Pace, PageOrder
from pluginhost.detect.rare import RareValue
from pluginhost.detect.seasonal import SeasonalSlots
from pluginhost.detect.series import Score
from pluginhost.detect.surprise import CountSurprise, Holt

POINTS, SKIPPED, SEEDS = 20_000, 512, (1, 2, 3)
Point = Any
Stream = Iterator[tuple[Point, bool]]
FIELDS = {"action": (0.001, 0.833), "source": (0.001, 0.833), "httpstatus": (0.005, 0.976), "country": (0.004, 0.976),
          "method": (0.001, 0.816)}  # fmt: skip
"""Of each field of the WAF records: the usual share of bad values, and that of a record which is forced to be odd in it."""


class At:
    """As much of an event as a model asks for."""

    def __init__(self, seconds: float) -> None:
        self.time = int((1_700_000_000 + seconds) * 10**9)


def sums(chance: random.Random, records: int, forced: int) -> dict[str, float]:
    """The ten indicators of the WAF stream summed over a minute; some records are forced in one field."""
    field = chance.choice(list(FIELDS))
    found: dict[str, float] = {}
    for name, (usual, odd) in FIELDS.items():
        odd_ones = forced if name == field else 0
        bad = sum(chance.random() < odd for _ in range(odd_ones)) + sum(chance.random() < usual for _ in range(records - odd_ones))
        found[f"B_{name}"], found[f"G_{name}"] = bad, records - bad
    return found


def few_records(chance: random.Random, points: int) -> Stream:
    """Five records a minute, and five forced ones more in one minute of a hundred."""
    for _ in range(points):
        odd = chance.random() < 0.01
        yield sums(chance, 10 if odd else 5, 5 if odd else 0), odd


def daily(chance: random.Random, points: int) -> Stream:
    """Thirty to three hundred records a minute by the time of day; in one minute of a hundred 4 % are forced."""
    for n in range(points):
        odd, records = chance.random() < 0.01, round(165 + 135 * sin(2 * pi * n / 1440) + chance.gauss(0, 8))
        records = max(records, 30)
        yield sums(chance, records, max(round(records * 0.04), 1) if odd else 0), odd


def one_hot(chance: random.Random, points: int) -> Stream:
    """The ten indicators of one record at a time; odd is one with a bad value."""
    for _ in range(points):
        made = sums(chance, 1, 0)
        yield made, any(made[f"B_{name}"] for name in FIELDS)


def curve(chance: random.Random, points: int) -> Stream:
    """A value that goes with the time of day, 288 points a day; an odd one would be usual at another time."""
    for n in range(points):
        odd = chance.random() < 0.01
        phase = 2 * pi * n / 288
        value = 100 + 50 * sin(phase + (chance.uniform(0.6, 1.4) * pi if odd else 0)) + chance.gauss(0, 1)
        yield {"value": value}, odd and abs(value - 100 - 50 * sin(phase)) > 20


def clusters(chance: random.Random, points: int) -> Stream:
    """Three clusters in eight dimensions; an odd point lies anywhere between them."""
    centres = [[chance.uniform(-5, 5) for _ in range(8)] for _ in range(3)]
    for _ in range(points):
        odd = chance.random() < 0.01
        centre = chance.choice(centres)
        point = [chance.uniform(-5, 5) if odd else chance.gauss(one, 0.6) for one in centre]
        yield {f"x{n}": one for n, one in enumerate(point)}, odd


def pairs(point: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (point[f"B_{name}"], point[f"G_{name}"]) for name in FIELDS}


def per_slot() -> Callable[[Point], Score]:
    model, count = SeasonalSlots("1d", 288), iter(range(10**9))
    return lambda point: model.score(At(300 * next(count)).time, point["value"])


def models(names: tuple[str, ...], one_by_one: bool) -> dict[str, Callable[[Point], Score]]:
    """A fresh one of each model that can judge points of these names."""
    holt, surprise = Holt(), CountSurprise()
    made: dict[str, Callable[[Point], Score]] = {"EwmaZ": EwmaZ().score, "RobustZ": RobustZ().score,
                                                 "RandomCutForest": RandomCutForest(names).score}  # fmt: skip
    if names == ("value",):
        return made | {"Holt": lambda point: holt.score(point["value"]), "SeasonalSlots": per_slot()}
    if "B_action" in names:
        made["CountSurprise"] = lambda point: surprise.score(pairs(point))
    if one_by_one:
        made["RareValue"] = RareValue().score
    return made


def auc_ap(scores: list[float], odd: list[bool]) -> tuple[float, float]:
    """(AUC, average precision); points of equal score share their places."""
    order = sorted(zip(scores, odd, strict=True), key=lambda one: -one[0])
    odd_ones, others = sum(odd), len(odd) - sum(odd)
    hits = misses = 0
    auc = ap = 0.0
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and order[end][0] == order[at][0]:
            end += 1
        new = sum(one[1] for one in order[at:end])
        auc += (end - at - new) * (hits + new / 2)
        hits, misses, at = hits + new, misses + end - at - new, end
        ap += new * hits / (hits + misses)
    return auc / (odd_ones * others), ap / odd_ones


def judged(stream: list[tuple[Point, bool]], score: Callable[[Point], Score]) -> tuple[float, ...]:
    """(AUC, AP, false per 1,000, share told, points/s)."""
    began = time.process_time()
    found = [score(point) for point, _ in stream]
    took = time.process_time() - began
    scores, odd = [one.score for one in found[SKIPPED:]], [one for _, one in stream[SKIPPED:]]
    auc, ap = auc_ap(scores, odd)
    graded = [one.grade > 0 for one in found[SKIPPED:]]
    false = sum(one and not two for one, two in zip(graded, odd, strict=True)) / (len(odd) - sum(odd)) * 1000
    told = sum(one and two for one, two in zip(graded, odd, strict=True)) / sum(odd)
    return auc, ap, false, told, len(stream) / took


def visits(points: int, pages: PageOrder, pace: Pace) -> str:
    """Visits of people along the links of a site, and of programs: random order, one page after the other, a fixed beat."""
    chance = random.Random(SEEDS[0])
    links = {n: [chance.randrange(200) for _ in range(4)] for n in range(200)}
    clock, number, order, beat, asked, took = 0.0, 0, ([], []), ([], []), 0, 0.0
    while asked < points * 5:
        number += 1
        kind = "person" if number < 300 or chance.random() > 0.03 else chance.choice(("random", "scan", "beat"))
        page, events = chance.randrange(20), []
        for n in range(20):
            page = chance.randrange(200) if kind == "random" else n * 7 % 200 if kind == "scan" else chance.choice(links[page])
            clock += 2 if kind == "beat" else chance.expovariate(1 / 20)
            events.append((At(clock), f"/page/p{page}x"))
        pace.load(None)
        began = time.process_time()
        for event, path in events:
            one, other = pages.score(event, number, path), pace.score(event)
        took, asked = took + time.process_time() - began, asked + 20
        if number > 300:
            order[0].append(one.score), order[1].append(kind in ("random", "scan"))
            beat[0].append(other.score), beat[1].append(kind == "beat")
    return "PageOrder AUC {:.3f} AP {:.3f}; Pace AUC {:.3f} AP {:.3f}; {:,.0f} requests/s through both".format(
        *auc_ap(*order), *auc_ap(*beat), asked / took)


def places(points: int) -> str:
    """How many places a second a profile of one to three centres judges and learns, and haversine for comparison."""
    chance = random.Random(SEEDS[0])
    homes = [(52.5, 13.4), (48.1, 11.6), (40.7, -74.0)]
    profile = GeoProfile()
    events = [(At(600 * n), (lat + chance.gauss(0, 0.2), lon + chance.gauss(0, 0.2)))
              for n in range(points) for lat, lon in [chance.choices(homes, (8, 3, 1))[0]]]  # fmt: skip
    began = time.process_time()
    for event, at in events:
        profile.score(event, at)
    took = time.process_time() - began
    began = time.process_time()
    for _, at in events:
        haversine_km(*at, 52.5, 13.4)
    other = time.process_time() - began
    return f"GeoProfile {points / took:,.0f} places/s ({len(profile.dump()) - 1} centres); haversine_km {points / other:,.0f}/s"


def main() -> None:
    points = int(sys.argv[1]) if len(sys.argv) > 1 else POINTS
    print(f"{points:,} points a stream, the first {SKIPPED} not scored")
    print(f"{'':<34} {'AUC':>7} {'AP':>7} {'false/1000':>10} {'told':>8} {'points/s':>12}")
    for make in (few_records, daily, one_hot, curve, clusters):
        print((make.__doc__ or "").split(";")[0].rstrip(".") + ":")
        found: dict[str, list[tuple[float, ...]]] = {}
        for seed in SEEDS:
            stream = list(make(random.Random(seed), points))
            for name, score in models(tuple(stream[0][0]), make is one_hot).items():
                found.setdefault(name, []).append(judged(stream, score))
        for name, runs in found.items():
            auc, ap, false, told, speed = (fmean(one) for one in zip(*runs, strict=True))
            print(f"  {name:<32} {auc:>7.3f} {ap:>7.3f} {false:>10.2f} {told:>8.2f} {speed:>12,.0f}")
    print(visits(points, PageOrder(), Pace()))
    print(places(points))


if __name__ == "__main__":
    main()
