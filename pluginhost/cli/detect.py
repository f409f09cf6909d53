"""`pluginhost detect`: periodic detection over a search cluster, for logs that lie there and come by no door."""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import click

from ..host.config import Configured
from ..host.questions import plain
from ..options import Duration
from ..problem import Problem, printable
from ..replay.delivering import Way, deliver, route_to
from ..replay.detection import Detected, Order, detect, span_of
from ..replay.judging import Judge
from ..replay.running import Passed
from ..replay.sources.port import Source, Window
from ..replay.sources.search import Asked
from ..replay.tasks import Run, Task, tasks
from ..store.alerts import AlertStore
from ..wire.times import iso
from .common import alert_line, config_option, configured
from .replaying import CLUSTERS, Bar, Moment, cluster_options, outputs, search, told_to_stop, window

__all__ = ["command"]

_clock = time.time_ns  # noqa: TID251 - the command's own
_GRACE = 60.0  # seconds for deliveries
_LOOK = 0.2


class _Span(click.ParamType[Duration]):
    """A span of time: `5m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        try:
            return Duration.of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@config_option
@click.option("--from", "origin", type=click.Choice(CLUSTERS), default="elasticsearch", show_default=True, help="What is read.")
@click.option("--task", "name", help="Name under which state, alerts and runs are kept.")
@click.option("--list", "listed", is_flag=True, help="List the last runs of the task, or of all tasks.")
@click.option("--every", type=_Span(), help="Stay, and run every so often.")
@click.option("--lag", type=_Span(), default="1m", show_default=True, help="How long a record may take to be found in the cluster.")
@click.option("--begin", type=_Span(), default="1h", show_default=True, help="How far the first run of a task looks back.")
@click.option("--start", type=Moment(), help="Judge a window by hand, with empty state, from here on.")
@click.option("--end", type=Moment(), help="Its end; default: now, less the lag.")
@cluster_options
def command(config: Path | None, **given: Any) -> None:
    """Find alerts in an index, going on where the task's last run ended. They go to the task's store and to the outputs."""
    setup = configured(config)
    if given["listed"]:
        _list(setup, given["name"])
        return
    if not given["name"]:
        raise Problem("task.name", "no task is named", todo="name one, old or new: --task NAME")
    if not given["index"]:
        raise Problem("replay.source", "no index is named", todo="name one, or a pattern: --index 'logs-*'")
    gc.set_threshold(50_000, 20, 100)
    task = Task(setup.data, given["name"])
    try:
        sys.exit(0 if _run(setup, task, given) else 130)
    finally:
        task.close()


def _run(setup: Configured, task: Task, given: dict[str, Any]) -> bool:
    """Whether it came to its end; with `--every` that is when somebody stops it between two runs."""
    with told_to_stop() as stopping:
        while True:
            began = time.monotonic()
            try:
                whole = asyncio.run(_once(setup, task, given, stopping))
            except Problem as problem:  # a cluster that is away now may be back next time
                if not given["every"]:
                    raise
                whole = True
                click.echo(click.style(problem.page(), fg="red"), err=True)
            while given["every"] and not stopping() and time.monotonic() < began + given["every"]:
                time.sleep(_LOOK)
            if not given["every"] or stopping():
                return whole


async def _once(setup: Configured, task: Task, given: dict[str, Any], stopping: Callable[[], bool]) -> bool:
    by_hand = given["start"] is not None or given["end"] is not None
    due = span_of(task, _clock(), given["lag"].ns, given["begin"].ns)
    if by_hand:
        due = window(given["start"] if given["start"] is not None else due.end - given["begin"].ns, given["end"] or due.end)
    if due.start >= due.end:
        click.echo(f"{task.name}: nothing is due before {iso(due.end + given['lag'].ns, 3)[:19]}Z", err=True)
        return True
    ways = outputs(setup, setup.config.namespace)
    order = Order(source=_source(setup, given), window=due, by_hand=by_hand, folders=setup.folders, options=setup.config.options,
                  references=setup.references, policy=setup.policy,
                  lateness=setup.config.lateness.ns, observer=setup.hostname, time_field=given["time_field"] or "@timestamp",
                  keep=setup.config.keep, keep_alerts=setup.config.keep_alerts, scores=setup.scores)  # fmt: skip
    bar: Bar | None = None

    def progress(passed: Passed, source: Source) -> None:
        nonlocal bar
        bar = bar or Bar(source.progress)
        bar.show(passed)

    after = _Delivering([way for way, _ in ways])
    try:
        with tempfile.TemporaryDirectory(prefix="pluginhost-") as folder:
            found = await detect(order, task, Path(folder), route=route_to([way for way, _ in ways]), clock=_clock,
                                 heard=lambda one: click.echo(alert_line(plain(one))), progress=progress, stopping=stopping,
                                 after=after)  # fmt: skip
    finally:
        if bar is not None:
            bar.clear()
        for _, output in ways:
            await output.close()
    _told(task, found, after.left)
    return found.whole


def _source(setup: Configured, given: dict[str, Any]) -> Callable[[Window], Source]:
    def opened(due: Window) -> Source:
        asked = Asked(index=given["index"], window=due, query=given["query"], time_field=given["time_field"] or "@timestamp",
                      tag=given["tag"] or "{index}", slices=given["slices"])  # fmt: skip
        return search(setup, given["origin"], asked, given)

    return opened


class _Delivering:
    """Sends what waits for the outputs, of this run and of earlier ones. `left` is what could not be sent, by output."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways = ways
        self.left: dict[str, str] = {}

    async def __call__(self, store: AlertStore, judge: Judge) -> None:
        rng = Random()  # noqa: S311 - jitter of back-off, no secret
        self.left = await deliver(store, judge.within, self._ways, clock=_clock, rng=rng, grace=_GRACE)


def _told(task: Task, found: Detected, left: dict[str, str]) -> None:
    span = f"{iso(found.window.start)[:19]}Z to {iso(found.reached)[:19]}Z"
    click.echo(f"{task.name}: {'' if found.whole else 'interrupted: '}{span}: {found.passed.records:,} records, {found.alerts:,} alerts",
               err=True)  # fmt: skip
    for problem in found.problems:
        click.echo(click.style(problem.page(), fg="red"), err=True)
    for line in (*found.troubles, *(f"output {name}: {printable(why, 300)}" for name, why in left.items())):
        click.echo(click.style(line, fg="yellow"), err=True)


def _list(setup: Configured, name: str | None) -> None:
    """The runs, newest first, a line each."""
    for one in [name] if name else tasks(setup.data):
        task = Task(setup.data, one, readonly=True)
        try:
            for run in task.runs():
                click.echo(_line(one, run))
        finally:
            task.close()


def _line(name: str, run: Run) -> str:
    window = f"{iso(run.start)[:19]}Z to {iso(run.end)[:19]}Z"
    state = run.error or ("done" if run.ended else "runs, or was killed")
    if state != "done":
        state = f"{printable(state, 60)}, up to {iso(run.reached)[:19]}Z"
    took = f"{(run.ended - run.began) / 1e9:.1f} s" if run.ended else ""
    hand = "by hand" if run.by_hand else ""
    return f"{name:<16} {run.number:>5}  {window}  {run.records:>10,} records  {run.alerts:>6,} alerts  {took:>8}  {hand:<7}  {state}"
