"""`pluginhost demo`: a real sidecar, a real shipper's client, made-up logs; what must be found against what is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, NoReturn

import click
from fluent.sender import EventTime, FluentSender

from ..problem import Problem, printable
from ..replay.generators import Item, mixed
from ..replay.generators.item import DAY
from ..replay.generators.mixed import LEAST, LISTS
from ..replay.score import Truth
from .child import Child, Ended
from .common import COLORS
from .evidence import evidence
from .screen import WIDTH, Screen
from .tally import Tally, foremost, tally

__all__ = ["command"]

_PATIENCE = 30.0  # seconds without any progress
_NEXT = (
    ("write an analyzer", "{command} new my_analyzer && {command} test"),
    ("point a shipper at it", "{command} conf fluentd (or fluent-bit, logstash)"),
    ("read on", "README.md"),
)
_WITH_TIME = 90  # characters that make room for it
_TOLD = threading.Event()  # to stop
_SETTINGS = """\
options:
  # detectors by configuration only: what never happened before on these hosts, and more blocked requests than usual
  new_action: {use: new_value, where: "_exists_:event.action AND _exists_:host.name", field: event.action, learn: 1h}
  blocked_share: {use: count_anomaly, where: "_exists_:httpSourceName", model: share, share_of: action, share: [BLOCK], interval: 1m,
                  side: high, least: 2}
  web_outlier: {least: 100}  # so few visitors have no meaningful average
  wrong_clock: {late: 40d}  # the logs are those of the last weeks, and come all at once
lists:
"""


class _Progress(NamedTuple):
    """How many records got how far, how many rows of the journal wait, and how many alerts are stored."""

    accepted: int
    analysed: int
    behind: int
    alerts: int


@click.command()
@click.option("--records", "-n", type=click.IntRange(min=LEAST), default=12_000, show_default=True, help="About how many records to send.")
@click.option("--seed", type=int, default=783, show_default=True, help="Another seed makes other records.")
@click.option("--rate", type=click.FloatRange(min=0), default=600, show_default=True, help="Records a second; 0 is as fast as it goes.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep configuration, data and log in this new folder.")
def command(records: int, seed: int, rate: float, keep: Path | None) -> None:
    """Show it at work: start a sidecar, send it made-up logs with attacks among them, and compare what it finds."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        with _folder(keep) as folder:
            right = _demo(folder, records, seed, rate)
    except Ended as ended:
        _say_end(ended)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("interrupted; the sidecar is stopped", err=True)
        sys.exit(130)
    kept = () if keep is None else (("look at what it kept", f"{{command}} alerts list --config {keep / 'pluginhost.yaml'}"),)
    here = Path(sys.argv[0])
    command_ = os.path.relpath(here) if here.name == "pluginhost" and not shutil.which("pluginhost") else "pluginhost"
    click.echo()
    for what, how in (*kept, *_NEXT):
        click.echo(f"{click.style(f'{what:<23}', dim=True)}{how.replace('{command}', command_)}")
    sys.exit(0 if right else 1)


def _interrupted(*_: object) -> NoReturn:
    _TOLD.set()
    raise KeyboardInterrupt


def _unless_interrupted() -> None:
    """Raises what was raised before where nobody could hear it: a finaliser swallows whatever is raised while it runs."""
    if _TOLD.is_set():
        raise KeyboardInterrupt


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="pluginhost-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise Problem("demo.folder", f"{keep} is not empty", todo="name a new folder: with older data in it the counts would be wrong")
    except OSError as error:
        raise Problem("demo.folder", f"{keep} cannot be made: {error.strerror}") from None
    yield keep.absolute()


def _say_end(ended: Ended) -> None:
    click.echo(click.style(str(ended), fg="red"), err=True)
    for line in ("its last words:", *(f"  {line}" for line in ended.log)) if ended.log else ():
        click.echo(line, err=True)


def _demo(folder: Path, records: int, seed: int, rate: float) -> bool:
    """Whether everything that must be found was found, nothing else from medium severity on, and no record was lost."""
    items = mixed(Random(seed), time.time_ns(), records)  # noqa: S311 - made-up logs, no secret
    truth = Truth((item.time, item.label) for item in items if item.label is not None)
    attacks = sum(incident.attack for incident in truth.incidents.values())
    days = (items[-1].time - items[0].time) / DAY
    click.echo(f"{len(items):,} made-up records of {days:.0f} days, {attacks} attacks among them (seed {seed})")
    alerts = _Alerts()
    with Child(folder, _settings(folder)) as child:
        host, port = child.ready()
        running = [one for one in child.asked("analyzers") if one["name"]]
        click.echo(f"a sidecar of its own listens on {host}:{port}, with {len(running)} analyzers\n")
        with Screen(len(items), "records") as screen:
            threading.Thread(target=_follow, args=(child, screen, alerts), daemon=True).start()
            began = time.monotonic()
            _send(child, screen, items, (host, port), rate)
            progress = _analysed(child, screen, len(items))
            took = time.monotonic() - began
            next((shown for shown in child.looks(lambda: len(alerts.all), _PATIENCE) if shown >= progress.alerts), None)
        child.stop()
    _show(truth, alerts)
    pace = f"at --rate {rate:,.0f}" if rate else f"{len(items) / took:,.0f} records a second"
    # those that wait for time to pass are not asked: weeks go by here in seconds. But whatever alerts counts, the desk's own alerts, too
    analyzers = {one["name"]: Path(one["file"]).stem for one in running if not one["ticks"]}
    analyzers |= {one["analyzer"]: one["document"]["rule"]["ruleset"] for one in alerts.all}
    return _summary(len(items), progress, f"{took:.1f} s to the last alert, {pace}", tally(truth, alerts.all, len(items), analyzers))


def _show(truth: Truth, alerts: _Alerts) -> None:
    """Prints how many alerts there were beside those on the screen, and one of each family with its evidence."""
    more = len(alerts.all) - len(alerts.shown)
    click.echo(click.style(f"the first of each analyzer from medium severity on; {more:,} more alerts", dim=True))
    width = min(shutil.get_terminal_size((WIDTH, 24)).columns - 1, WIDTH)
    for name, alert in foremost(truth, alerts.all):
        click.echo()
        for line in evidence(name, alert, width):
            click.echo(line)
    click.echo()


class _Alerts:
    """All alerts in the order in which they came, and the analyzers of which one was shown."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.shown: set[str] = set()


def _settings(folder: Path) -> str:
    """What the sidecar is told beside its defaults; writes the lists into the folder."""
    for name, entries in LISTS.items():
        (folder / f"{name}.txt").write_text("\n".join((*entries, "")))
    return _SETTINGS + "".join(f"  {name}: {{file: {name}.txt, kind: networks}}\n" for name in LISTS)


def _follow(child: Child, screen: Screen, alerts: _Alerts) -> None:
    """Shows of each analyzer the first alert that is not low: one reads as fast as one can, not as fast as they come."""
    for alert in child.follow():
        if alert["severity"] != "low" and alert["analyzer"] not in alerts.shown:
            alerts.shown.add(alert["analyzer"])
            with contextlib.suppress(BrokenPipeError):  # whoever read us is gone: the main thread meets it too, and ends
                screen.line(_fitted(alert, screen.width))
        alerts.all.append(alert)


def _fitted(alert: dict[str, Any], width: int) -> str:
    """The alert in one line of at most `width` characters: with day and time where there is room."""
    when = f"{alert['document']['@timestamp'][5:16].replace('T', ' ')}  " if width >= _WITH_TIME else ""
    severity, name, headline = alert["severity"], f"{alert['analyzer']:<22}", printable(alert["headline"], 160)
    room = width - len(f"{when}{severity:8}  {name}  ")
    fitting = headline if len(headline) <= room else f"{headline[: room - 1]}…"
    return f"{when}{click.style(f'{severity:8}', fg=COLORS.get(severity))}  {name}  {fitting}"


def _send(child: Child, screen: Screen, items: list[Item], to: tuple[str, int], rate: float) -> None:
    """Sends as an application would, with the client that many of them use."""
    sender = FluentSender("", *to, timeout=_PATIENCE, nanosecond_precision=True, forward_packet_error=False)
    began = time.monotonic()
    with contextlib.closing(sender):
        for done, item in enumerate(items, 1):
            if not sender.emit_with_time(item.tag, EventTime.from_unix_nano(item.time), item.record):
                child.alive(moment=1.0)
                raise Ended(f"record {done:,} could not be sent: {sender.last_error}", child.tail())
            screen.moved("sending", done)
            _unless_interrupted()
            if rate and (ahead := began + done / rate - time.monotonic()) > 0.01:
                time.sleep(ahead)


def _analysed(child: Child, screen: Screen, sent: int) -> _Progress:
    """How far the records got: all of them, or as far as they went before nothing moved any more."""
    for progress in child.looks(lambda: _progress(child), _PATIENCE):
        screen.moved("analysing", progress.analysed)
        _unless_interrupted()
        if progress.accepted >= sent and not progress.behind:
            break
    return progress


def _progress(child: Child) -> _Progress:
    status = child.ask("status")
    counts, journal = status["counts"], status["journal"]
    analysed = sum(part["records"] for name, part in counts.items() if name.startswith("worker."))
    return _Progress(counts["journal"]["records"], analysed, journal["end"] - journal["analysed"], counts["desk"]["alerts"])


def _summary(sent: int, progress: _Progress, took: str, result: Tally) -> bool:
    """Prints the table; whether all is as it must be."""
    for line in result.lines():
        click.echo(line)
    click.echo(f"\n{'records':<22}{sent:,} sent, {progress.accepted:,} accepted, {progress.analysed:,} analysed")
    click.echo(f"{'time':<22}{took}\n")
    wrong = result.wrong()
    if not sent == progress.accepted == progress.analysed:
        wrong.insert(0, "records are missing, or came twice: see the numbers above")
    for line in wrong:
        click.echo(click.style(line, fg="red"))
    if not wrong:
        click.echo(click.style("everything that must be found was found; false ones are low or mere look-alikes", fg="green"))
    return not wrong
