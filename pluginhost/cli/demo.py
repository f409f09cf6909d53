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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, NoReturn

import click
from fluent.sender import EventTime, FluentSender

from ..options import Duration
from ..problem import Problem
from ..replay.generate import LEAST, SPACING, Item, generate
from ..wire.times import iso
from .child import Child, Ended
from .common import alert_line
from .screen import Screen

__all__ = ["command"]

_PATIENCE = 30.0  # seconds without any progress
_NEXT = (
    ("write an analyzer", "{command} new my_analyzer && {command} test"),
    ("point a shipper at it", "{command} conf fluentd (or fluent-bit, logstash)"),
    ("read on", "README.md"),
)
_WITH_TIME, _WITH_ID = 90, 104  # characters that make room for them beside the headlines of the analyzers that come along
_SHOWN = 10  # of each kind of mistake
_TOLD = threading.Event()  # to stop
_Alerts = Counter[tuple[str, int]]
"""How many alerts by analyzer and time of the record, in ns."""


class _Progress(NamedTuple):
    """How many records got how far, how many rows of the journal wait, and how many alerts are stored."""

    accepted: int
    analysed: int
    behind: int
    alerts: int


@click.command()
@click.option("--records", "-n", type=click.IntRange(min=LEAST), default=6000, show_default=True, help="How many records to send.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed makes other records.")
@click.option("--rate", type=click.FloatRange(min=0), default=2000, show_default=True, help="Records a second; 0 is as fast as it goes.")
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
    """Whether everything that must be found was found, and nothing else, and no record was lost."""
    start = time.time_ns() - records * SPACING
    items = generate(Random(seed), records, start)  # noqa: S311 - made-up logs, no secret
    expected: _Alerts = Counter((item.label, item.time) for item in items if item.label)
    click.echo(f"{records:,} made-up log records of {_stretch(records)}, {expected.total()} of them to be flagged (seed {seed})")
    found: list[dict[str, Any]] = []
    with Child(folder) as child:
        host, port = child.ready()
        click.echo(f"a sidecar of its own listens on {host}:{port}, with an embedded store\n")
        with Screen(records, "records") as screen:
            threading.Thread(target=_follow, args=(child, screen, found), daemon=True).start()
            began = time.monotonic()
            _send(child, screen, items, (host, port), rate)
            progress = _analysed(child, screen, records)
            took = time.monotonic() - began
            next((shown for shown in child.looks(lambda: len(found), _PATIENCE) if shown >= progress.alerts), None)
        child.stop()
    pace = f"at --rate {rate:,.0f}" if rate else f"{records / took:,.0f} records a second"
    return _summary(records, progress, took, pace, expected, Counter((one["analyzer"], one["time"]) for one in found))


def _stretch(records: int) -> str:
    minutes = round(Duration(records * SPACING / 1e9) / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _follow(child: Child, screen: Screen, found: list[dict[str, Any]]) -> None:
    for alert in child.follow():
        with contextlib.suppress(BrokenPipeError):  # whoever read us is gone: the main thread meets it too, and ends
            screen.line(_fitted(alert, screen.width))
        found.append(alert)


def _fitted(alert: dict[str, Any], width: int) -> str:
    """The alert in one line of at most `width` characters: by the time of day, and with less where there is less room."""
    when = alert["document"]["@timestamp"][11:19] if width >= _WITH_TIME else ""
    shown = {**alert, "document": {"@timestamp": when}, "id": alert["id"] if width >= _WITH_ID else ""}
    line = alert_line(shown).strip()
    over = len(click.unstyle(line)) - width
    return line if over <= 0 else alert_line(shown | {"headline": f"{alert['headline'][: -over - 1]}…"}).strip()


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


def _summary(sent: int, progress: _Progress, took: float, pace: str, expected: _Alerts, found: _Alerts) -> bool:
    """Prints the table; whether all is as it must be."""
    click.echo(click.style(f"\n{'analyzer':<22}  expected   found", bold=True))
    for name in sorted({name for name, _ in expected + found}):
        mine = [Counter({one: count for one, count in alerts.items() if one[0] == name}) for alerts in (expected, found)]
        click.echo(f"{name:<22}  {mine[0].total():>8}   {mine[1].total():>5}   {_verdict(*mine)}")
    click.echo(f"\n{'records':<22}  {sent:,} sent, {progress.accepted:,} accepted, {progress.analysed:,} analysed")
    click.echo(f"{'time':<22}  {took:.1f} s to the last alert, {pace}\n")
    whole = sent == progress.accepted == progress.analysed
    if whole and expected == found:
        click.echo(click.style("everything that must be found was found, and nothing else", fg="green"))
        return True
    if not whole:
        click.echo(click.style("records are missing, or came twice: see the numbers above", fg="red"))
    for label, alerts in (("not found", expected - found), ("not expected", found - expected)):
        for (name, when), count in sorted(alerts.items(), key=lambda one: one[0][1])[:_SHOWN]:
            click.echo(click.style(f"{label}: {name}{f', {count} times' if count > 1 else ''}, at {iso(when, 3)}", fg="red"))
    return False


def _verdict(expected: _Alerts, found: _Alerts) -> str:
    missing, beside = (expected - found).total(), (found - expected).total()
    told = [f"{count} {what}" for count, what in ((missing, "not found"), (beside, "not expected")) if count]
    return click.style(", ".join(told), fg="red") if told else click.style("ok", fg="green")
