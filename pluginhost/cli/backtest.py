"""`pluginhost backtest`: analyzers over records of the past, and what came of it: lines, a file, a report, a store of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Self

import click
import msgspec

from ..alerts.telling import MEMBERS, message
from ..host.config import Configured
from ..host.questions import plain
from ..outputs.port import Output
from ..problem import Problem, printable
from ..replay.backtest import Outcome, Plan, backtest
from ..replay.comparing import Compared, folders_of
from ..replay.delivering import Way, deliver, route_to
from ..replay.judging import Judge
from ..replay.kept import Told, made, names, note, stored, told
from ..replay.report import Gathered, page
from ..replay.sources.files import Files
from ..replay.sources.journal import JournalSource
from ..replay.sources.port import Source
from ..replay.sources.search import Asked
from ..store.alerts import AlertStore, OutboxRow, StoredAlert
from ..wire.times import iso
from .common import alert_line, config_option, configured
from .replaying import CLUSTERS, Bar, Moment, cluster_options, kafka, outputs, search, told_to_stop, window

__all__ = ["command"]

_clock = time.time_ns  # noqa: TID251 - the command's own
_GRACE = 60.0  # seconds for deliveries
_FORMS = ("auto", "lines", "json", "csv", "msgpack", "forward")


@click.command()
@config_option
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, allow_dash=True))
@click.option("--from", "origin", type=click.Choice((*CLUSTERS, "kafka")), help="Read from there instead of FILES.")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Read the journal in this data folder.")
@click.option("--analyzers", type=click.Path(path_type=Path, exists=True, file_okay=False), multiple=True,
              help="Folder of analyzers; default: that of the configuration; with --data the code that judged then.")  # fmt: skip
@click.option("--against", help="Show which alerts come and go compared to this folder, or to this git revision of the analyzers.")
@click.option("--start", type=Moment(), help="Only records from this time on.")
@click.option("--end", type=Moment(), help="Only records before this time.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many records.")
@click.option("--format", "form", type=click.Choice(_FORMS), default="auto", show_default=True, help="What is in FILES.")
@cluster_options
@click.option("--topic", multiple=True, help="Topic of Kafka; default: those of the input in the configuration.")
@click.option("--brokers", multiple=True, help="Brokers of Kafka; default: those of the input in the configuration.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help="Write the alerts as lines of JSON.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a page of HTML, whole in itself.")
@click.option("--store", is_flag=True, help="Keep the alerts in the data folder, under backtests/.")
@click.option("--output", "names", multiple=True, help="Send the alerts to this output of the configuration, too.")
@click.option("--namespace", default="backtest", show_default=True, help="Namespace of what is sent: never that of live alerts.")
@click.option("--first", "-n", type=click.IntRange(min=0), default=10, show_default=True, help="How many of each --against shows.")
@click.option("--quiet", "-q", is_flag=True, help="Print no alerts.")
@click.option("--list", "listed", is_flag=True, help="List the backtests that were kept, and judge nothing.")
def command(config: Path | None, **given: Any) -> None:
    """Judge records of the past in FILES (or folders, or - for standard input) by the analyzers, with the records' own clock."""
    setup = configured(config)
    if given["listed"]:
        _list(setup.data)
        return
    gc.set_threshold(50_000, 20, 100)
    if given["namespace"] == setup.config.namespace:
        raise Problem("replay.namespace", f"{given['namespace']} is the namespace of live alerts", todo="give another: --namespace")
    with tempfile.TemporaryDirectory(prefix="pluginhost-") as folder:
        whole = asyncio.run(_run(setup, Path(folder), given))
    sys.exit(0 if whole else 130)


def _source(setup: Configured, aside: Path, given: dict[str, Any]) -> Source | JournalSource:
    if (given["origin"] is not None) + (given["data"] is not None) + bool(given["files"]) != 1:
        raise Problem("replay.source", "one thing is read at a time", todo="name FILES, or --data FOLDER, or --from …")
    wanted = window(given["start"], given["end"])
    if given["data"] is not None:
        (aside / "journal").mkdir()
        return JournalSource(given["data"], aside / "journal")
    if given["origin"] == "kafka":
        return kafka(setup, given["topic"], given["brokers"], given["tag"], wanted)
    if given["origin"] is not None:
        if not given["index"]:
            raise Problem("replay.source", "no index is named", todo="name one, or a pattern: --index 'logs-*'")
        asked = Asked(index=given["index"], window=wanted, query=given["query"], time_field=given["time_field"] or "@timestamp",
                      tag=given["tag"] or "{index}", slices=given["slices"])  # fmt: skip
        return search(setup, given["origin"], asked, given)
    return Files(given["files"], tag=given["tag"] or "{name}", form=given["form"])


async def _run(setup: Configured, folder: Path, given: dict[str, Any]) -> bool:
    """Whether it came to its end."""
    source = _source(setup, folder, given)
    now = datetime.fromtimestamp(_clock() / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
    with contextlib.closing(source), contextlib.ExitStack() as held:
        folders = tuple(path.absolute() for path in given["analyzers"]) or setup.folders
        against = folders_of(given["against"], folders, folder / "against") if given["against"] else ()
        as_it_ran = isinstance(source, JournalSource) and not given["analyzers"] and not against
        kept = made(setup.data if given["store"] else folder, now)
        ways = outputs(setup, given["namespace"], given["names"]) if given["names"] else []
        trends = tuple(way.name for way, _ in ways if way.scores)
        plan = Plan(source=source, folders=() if as_it_ran else folders, against=against, options=setup.config.options,
                    references=setup.references, policy=msgspec.structs.replace(setup.policy, trends=trends),
                    scores=setup.config.scores.analyzers if trends or given["report"] else (),
                    lateness=setup.config.lateness.ns, observer=setup.hostname, id=kept.name, window=window(given["start"], given["end"]),
                    limit=given["limit"], time_field=given["time_field"])  # fmt: skip
        store = AlertStore(kept / "alerts.db", clock=_clock, composed=message, members=MEMBERS)
        show = held.enter_context(_Shown(given, source))
        stopping = held.enter_context(told_to_stop())
        after = _Delivering(store, ways)
        outcome = await backtest(plan, folder, store, route=route_to([way for way, _ in ways]), clock=_clock,
                                 heard=show.heard, progress=show.bar.show, stopping=stopping, first=given["first"],
                                 after=after if ways else None, drawn=show.drawn if given["report"] else None)  # fmt: skip
        show.end(outcome, source, given)
        if given["store"]:
            passed = outcome.passed
            note(kept, Told(f"{source.kind}: {source.label}", passed.records, passed.first, passed.last, outcome.whole))
            click.echo(f"kept as {kept.name}: pluginhost alerts list --backtest {kept.name}", err=True)
        for name, left in after.left.items():
            click.echo(click.style(f"output {name}: {printable(left, 300)}", fg="yellow"), err=True)
    return outcome.whole


class _Delivering:
    """Sends what was found. `left` is what could not be sent, by output."""

    def __init__(self, store: AlertStore, ways: Sequence[tuple[Way, Output]]) -> None:
        self._store, self._ways = store, ways
        self.left: dict[str, str] = {}

    async def __call__(self, judge: Judge) -> None:
        self.left = await deliver(self._store, judge.within, [way for way, _ in self._ways], clock=_clock, rng=Random(), grace=_GRACE)  # noqa: S311 - jitter of back-off, no secret
        for _, output in self._ways:
            await output.close()


class _Shown:
    """What people see: alerts as they are found, the bar, and in the end what was done."""

    def __init__(self, given: dict[str, Any], source: Source | JournalSource) -> None:
        self._given = given
        self.bar = Bar(source.progress)
        self._gathered = Gathered() if given["report"] else None
        self._file = click.open_file(str(given["to"]), "w", encoding="utf-8") if given["to"] else None
        self._lines = not given["quiet"] and not given["against"] and str(given["to"]) != "-"
        self._suppressed = 0

    def drawn(self, score: OutboxRow) -> None:
        """One score, for the report."""
        if self._gathered is not None:
            self._gathered.draw(score.analyzer, score.time, score.document)

    def heard(self, alert: StoredAlert) -> None:
        """One alert."""
        self._suppressed += bool(alert.suppressed)
        if self._file is not None:
            self._file.write(alert.document.decode("utf-8") + "\n")
        if self._gathered is not None:
            self._gathered.add(alert)
        if self._lines:
            self.bar.clear()
            click.echo(alert_line(plain(alert)))

    def end(self, outcome: Outcome, source: Source | JournalSource, given: dict[str, Any]) -> None:
        """What was done, and what was not."""
        self.bar.clear()
        if outcome.compared is not None:
            for line in _compared(outcome.compared):
                click.echo(line)
        for problem in outcome.problems:
            click.echo(click.style(problem.page(), fg="red"), err=True)
        head, troubles = [*_summary(outcome, self.bar.seconds, self._suppressed)], [*_troubles(outcome), *source.troubles]
        counts = (f"  {count:>8,}  {name}" for name, count in outcome.alerts.most_common())
        for line in (*head, *counts, *troubles):
            click.echo(line, err=True)
        if self._gathered is not None:
            told = [*head, *troubles]  # the page counts by itself
            given["report"].write_text(page(self._gathered, title=f"Backtest of {source.kind}: {source.label}", told=told), "utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.clear()
        if self._file is not None:
            self._file.close()


def _compared(found: Compared) -> Iterator[str]:
    """A table by analyzer, then the first of what comes (+) and goes (-)."""
    names = sorted({*found.come, *found.go, *found.stay})
    yield f"{'analyzer':<32} {'come':>8} {'go':>8} {'stay':>8}"
    for name in names:
        yield f"{name:<32} {found.come[name]:>8,} {found.go[name]:>8,} {found.stay[name]:>8,}"
    for mark, color, counts, first in (("+", "green", found.come, found.first_come), ("-", "red", found.go, found.first_go)):
        for name in sorted(first):
            for one in first[name]:
                yield f"{click.style(mark, fg=color)} {alert_line(plain(one))}"
            if counts[name] > len(first[name]):
                yield click.style(f"{mark} {counts[name] - len(first[name]):,} more of {name}", dim=True)


def _summary(outcome: Outcome, seconds: float, suppressed: int) -> Iterator[str]:
    passed, total = outcome.passed, outcome.alerts.total()
    rate = passed.records / max(seconds, 0.001)
    found = f"{total:,} alerts{f' ({suppressed:,} of them suppressed: told to nobody)' if suppressed else ''}"
    yield f"{'' if outcome.whole else 'interrupted: '}{passed.records:,} records, {found} in {seconds:.1f} s ({rate:,.0f}/s)"
    if passed.records:
        first, last = (iso(time)[:19].replace("T", " ") for time in (passed.first, passed.last))
        yield f"from {first} to {last} UTC"


def _troubles(outcome: Outcome) -> Iterator[str]:
    counted = outcome.counted
    said = {"could not be read": counted.rejected, "outside of the time asked for": counted.outside, "without a time": counted.untimed}
    yield from (f"{count:,} {what}" for what, count in said.items() if count)
    yield from (f"{name} failed {count:,} times: {printable(outcome.errors.get(name, ''), 200)}" for name, count in outcome.failed.items())


def _list(data: Path) -> None:
    """The backtests that were kept, the newest first, a line each."""
    for name in reversed(names(data, "backtest")):
        one, alerts = told(data, name), stored(data, "backtest", name).count()
        span = f"{iso(one.first)[:19]}Z to {iso(one.last)[:19]}Z  {one.records:>10,} records" if one and one.records else "no records"
        state = f"{'' if one.whole else 'interrupted: '}{printable(one.source, 100)}" if one else "runs, or did not come to its end"
        click.echo(f"{name:<18}  {span}  {alerts:>6,} alerts  {state}")
