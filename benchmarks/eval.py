"""How well the shipped analyzers do on made-up records with known attacks: precision, recall and false alerts of each.

`python benchmarks/eval.py`, or `make eval`. The streams are those of `pluginhost generate`, judged in process by the production pipeline,
two at once. Analyzers are tuned on seeds 1 to 5; seeds 6 to 10 are for reporting, once (`--report`). What must be found by whom stands in
`pluginhost/replay/kinds.py`. `--write` puts the tables into docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from pluginhost import Event, Table, Unjudged, analyzer, shipped_analyzers
from pluginhost.engine.generations import ready
from pluginhost.engine.items import Failure
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.unit import Unit
from pluginhost.problem import Problem
from pluginhost.replay.generators import Item, hosts, logins, waf, web
from pluginhost.replay.generators.item import MINUTE
from pluginhost.replay.generators.mixed import LISTS
from pluginhost.replay.kinds import KINDS
from pluginhost.replay.score import Row, Truth, findings, score
from pluginhost.replay.trial import trial

PAGE = Path(__file__).parents[1] / "docs" / "evaluation.md"
START = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z, a Monday
TUNING, REPORTING = (1, 2, 3, 4, 5), (6, 7, 8, 9, 10)
OPTIONS: dict[str, dict[str, Any]] = {"stale_account": {"after": "45d"}, "waf": {"threshold": 1.0}}
"""Options of analyzers other than their defaults, by analyzer: where the streams are too short for these, and for `RANKED`."""
RANKED = ("waf",)
"""Analyzers whose average precision is that of all they can score: what lies below the `threshold` they have by default is no alert."""


class Stream(NamedTuple):
    """How a stream is made from chance and a part of its length (1: whole), what it is, how long analyzers may learn at its beginning
    before they must find anything (ns), and which analyzer files judge it."""

    make: Callable[[Random, float], Iterator[Item]]
    what: str
    learning: int = 0
    asked: Callable[[str], bool] = lambda _: True


STREAMS = {
    "logins": Stream(lambda rng, part: logins(rng, START, round(60 * part)), "1,500 users in 60 days"),
    "waf": Stream(lambda rng, part: waf(rng, START, round(20_000 * part), shape="diurnal"),
                  "30 to 300 records a minute for 20,000 minutes, judged by `waf` alone", 512 * MINUTE,
                  lambda name: name == "waf"),
    "waf_day": Stream(lambda rng, part: waf(rng, START, round(1440 * part), shape="diurnal"),
                      "a day of the same, judged by all others", asked=lambda name: name != "waf"),
    "hosts": Stream(lambda rng, part: hosts(rng, START, round(1440 * part)), "20 hosts for a day", 60 * MINUTE),
    "web": Stream(lambda rng, part: web(rng, START, round(1440 * part)), "a shop for a day", 60 * MINUTE),
}  # fmt: skip
_GATEWAYS = " OR ".join(f'"{entry.partition(" ")[0]}"' for entry in LISTS["egress"])


@analyzer(where=f"event.category:authentication AND event.outcome:success AND source.ip:({_GATEWAYS})")
def gateway_login(event: Event, shared: Table = Table("shared_egress", "30d")) -> Unjudged:  # noqa: B008 - so are states declared
    """Counts the logins through gateways that many share: those that are taken for the place where the user is, and the others."""
    return Unjudged("shared" if shared.get(event["source.ip"], event) else "place")


class Outcome(NamedTuple):
    """What came of one stream and seed."""

    stream: str
    rows: list[Row]
    seconds: float
    failures: dict[str, str]
    gateways: dict[str, int]  # of `gateway_login`


def units(asked: Callable[[str], bool]) -> tuple[list[Unit], dict[str, str]]:
    """The shipped analyzers as a worker loads them, and the files that do not load, with the reason."""
    loaded, broken = list[Unit](), dict[str, str]()
    for file in sorted(file for file in shipped_analyzers().glob("[!_]*.py") if asked(file.stem)):
        try:
            loaded += ready(bundle(file), OPTIONS)
        except Problem as problem:
            broken[file.name] = problem.what
    return loaded, broken


def evaluate(name: str, seed: int, part: float) -> Outcome:
    """Judges one stream."""
    stream, truth, failures, records, last = STREAMS[name], Truth(), list[Failure](), 0, START
    (loaded, broken), probe, since = units(stream.asked), Unit(gateway_login, {}), START + round(stream.learning * part)

    def told() -> Iterator[Item]:
        nonlocal records, last
        for item in stream.make(Random(seed), part):
            records, last = records + 1, item.time
            if item.label is not None:
                truth.add(item.time, item.label)
            yield item

    began = time.perf_counter()
    found = list(findings(msgspec.json.decode(one.document) for one in trial(told(), [*loaded, probe], mappings(), failures)))
    seconds = time.perf_counter() - began
    limits = {unit.name: float(unit.analyzer.options["threshold"].default) for unit in loaded if unit.name in RANKED}
    rows = score(truth, found, records, sorted(unit.name for unit in loaded), since=since, until=last, told=limits)
    return Outcome(name, rows, seconds, broken | {one.analyzer: one.error for one in failures}, probe.unjudged)


def pooled(rows: list[Row]) -> Row:
    """The rows of one analyzer on several seeds as one; the average precision is the mean of those there are."""
    precise = [row.average_precision for row in rows if row.average_precision is not None]
    total = {name: sum(getattr(row, name) for row in rows) for name in ("incidents", "caught", "findings", "records")}
    false = sum((row.false for row in rows), Counter[str]())
    return Row(rows[0].analyzer, **total, false=false, average_precision=sum(precise) / len(precise) if precise else None)


def tables(outcomes: list[Outcome], part: float) -> str:
    """All of it as Markdown."""
    loaded = {row.analyzer for outcome in outcomes for row in outcome.rows}
    made = []
    for stream in dict.fromkeys(outcome.stream for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.stream == stream]
        rows = [pooled(list(row)) for row in zip(*(outcome.rows for outcome in mine), strict=True)]
        size = f"{STREAMS[stream].what}{'' if part == 1 else f', {part:g} of it'}"
        if learning := round(STREAMS[stream].learning * part / MINUTE):
            size += f", the first {learning} minutes for learning"
        records = sum(one.rows[0].records for one in mine)
        head = f"**{stream}**: {size}, {len(mine)} seed{'s' if len(mine) > 1 else ''}, {records:,} records\n"
        lines = [_line(row) for row in rows if row.incidents or row.findings]
        made.append("\n".join([head, *_HEAD, *lines] if lines else [head, "Nothing was found."]))
        if gateways := sum((Counter(one.gateways) for one in mine), Counter[str]()):
            made.append(_egress(gateways, rows))
    absent = sorted({name for kind in KINDS.values() for name in kind.analyzers} - loaded)
    unasked = sorted(loaded - {name for kind in KINDS.values() for name in kind.analyzers})
    for told, names in (("Not loaded, so not asked", absent), ("Nothing is labelled for", unasked)):
        if names:
            made.append(f"{told}: {', '.join(f'`{name}`' for name in names)}.")
    return "\n\n".join(made) + "\n"


def _egress(gateways: Counter[str], rows: list[Row]) -> str:
    """How far logins through shared egress alerted or moved a user."""
    false = {row.analyzer: sum(row.false[kind] for kind in ("vpn_exit", "carrier_gateway")) for row in rows}
    told = ", ".join(f"`{name}` {count:,}" for name, count in false.items() if count or name in ("impossible_travel", "geoprofile"))
    return (f"Shared egress: of {gateways.total():,} logins through VPN exits and carriers' gateways {gateways['place']:,} "
            f"({gateways['place'] / gateways.total():.1%}) were taken for the place where the user is, as too few users had come through "
            f"that address until then. Alerts at such logins or within 15 minutes behind them: {told or 'none'}.")  # fmt: skip


_HEAD = (
    "| analyzer | incidents | found | recall | alerts | precision | false per 1,000 | average precision | most misled by |",
    "|---|---|---|---|---|---|---|---|---|",
)


def _line(row: Row) -> str:
    misled = ", ".join(f"{kind} {count}" for kind, count in row.false.most_common(3) if kind)
    cells = (f"`{row.analyzer}`", f"{row.incidents:,}", f"{row.caught:,}", _share(row.recall), f"{row.findings:,}", _share(row.precision),
             f"{row.false_per_1000:.2f}", _share(row.average_precision), misled)  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def written(page: str, name: str, text: str) -> str:
    """The page with this part replaced."""
    return re.sub(rf"(?<=<!-- evaluated: {name} -->\n).*?(?=<!-- end -->)", lambda _: text, page, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--report", action="store_true", help="on the seeds kept for reporting, instead of those for tuning")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    parser.add_argument("--stream", action="append", choices=list(STREAMS), help="only this stream (again for another)")
    parser.add_argument("--seeds", type=int, default=5, help="only the first so many seeds")
    parser.add_argument("--part", type=float, default=1.0, help="only this part of each stream's length")
    given = parser.parse_args()
    if given.write and (given.stream or given.seeds != 5 or given.part != 1):
        parser.error("--write is for the whole evaluation only")
    seeds = (REPORTING if given.report else TUNING)[: given.seeds]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(evaluate, stream, seed, given.part) for stream in given.stream or STREAMS for seed in seeds]
        outcomes = [job.result() for job in jobs]
    text = tables(outcomes, given.part)
    print(text)
    for name, error in sorted({pair for one in outcomes for pair in one.failures.items()}):
        print(f"{name} failed: {error}")
    for stream in dict.fromkeys(one.stream for one in outcomes):
        mine = [one for one in outcomes if one.stream == stream]
        records, seconds = sum(one.rows[0].records for one in mine), sum(one.seconds for one in mine)
        print(f"{stream}: {records / seconds:,.0f} records a second, made and judged by {len(mine[0].rows)} analyzers")
    if given.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), "reporting" if given.report else "tuning", text), "utf-8")


if __name__ == "__main__":
    main()
