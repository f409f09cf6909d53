"""`pluginhost generate`: made-up records with labelled attacks to a shipper's door, a cluster or a file; and what came of them, scored."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import IO, Any, NamedTuple

import click
import msgspec

from ..replay.destinations import FORMS, Destination, destination
from ..replay.generators import FIELDS, Item, Label, buffalogs, hosts, logins, waf, web
from ..replay.generators.item import DAY, MINUTE
from ..replay.generators.logins import PER_DAY
from ..replay.generators.waf import diurnal
from ..replay.score import Truth, findings, score
from ..wire.times import iso, parse

__all__ = ["command"]

_BATCH = 500  # records sent at once
_DRAW = 0.2  # seconds between two looks of the progress line


class _Labelled(msgspec.Struct, omit_defaults=True):
    """A line of a file of labels; the last one says only how many `records` there were."""

    time: str = ""
    tag: str = ""
    kind: str = ""
    entity: str = ""
    incident: int = 0
    shows: tuple[str, ...] = ()
    records: int = 0


class _Asked(NamedTuple):
    """The options that all kinds have."""

    to: str
    labels: Path | None
    seed: int
    records: int | None
    start: int | None
    pace: float


@click.group()
def command() -> None:
    """Make up records with known attacks among them, by seed."""


def _time(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    text = f"{value}T00:00:00" if len(value) == 10 else value
    found = parse(text)
    if found is None:
        raise click.BadParameter(f"expected a time such as 2026-01-31 or 2026-01-31T10:00:00Z, got {value}")
    return found


def _options(made: Callable[..., None]) -> Callable[..., None]:
    """The options of `_Asked`, given to the command as one value `asked`."""

    def called(to: str, labels: Path | None, seed: int, records: int | None, start: int | None, pace: float, **own: Any) -> None:
        made(asked=_Asked(to, labels, seed, records, start, pace), **own)

    called.__name__, called.__doc__ = made.__name__, made.__doc__
    called.__dict__.update(made.__dict__)  # what other options have noted there
    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--pace", type=click.FloatRange(min=0), default=0.0, help="Records a second to send; 0 is as fast as they are taken."),
        click.option("--start", callback=_time, help="When the first record happens (2026-01-31T10:00:00Z); default: they end now."),
        click.option("--records", "-n", type=click.IntRange(min=1), help="So many records; the days follow from it, or are fewer."),
        click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes other records."),
        click.option("--labels", type=file, help="Write here what must be found, one JSON object a line."),
        click.option("--to", required=True, help=f"Where they go: {FORMS}."),
    ):
        called = option(called)
    return called


def _days(default: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--days", type=click.FloatRange(min=0, min_open=True), help=f"How many days they span; default: {default:g}.")


def _rate(default: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=default, show_default=True, help="Records a minute.")


@command.command("logins")
@_options
@_days(60)
@click.option("--users", type=click.IntRange(min=1), default=1500, show_default=True, help="How many users there are.")
@click.option("--shape", type=click.Choice(["weeks", "buffalogs"]), default="weeks", show_default=True,
              help="weeks: people with habits, attacked and labelled; buffalogs: its crude test data, not labelled.")  # fmt: skip
def logins_(asked: _Asked, days: float | None, users: int, shape: str) -> None:
    """Logins of users with homes, habits, devices, journeys and VPNs; some accounts are stolen, some passwords guessed."""
    if shape == "buffalogs":
        number = asked.records or 6000
        _run(asked, lambda rng, start: buffalogs(rng, start, math.ceil(number / 3)), number / 3 / 86_400)
        return
    whole = math.ceil(_span(asked, days, 60, users * PER_DAY, 3))
    _run(asked, lambda rng, start: logins(rng, start, whole, users=users), whole)


@command.command("waf")
@_options
@_days(1)
@_rate(5)
@click.option("--shape", type=click.Choice(["steady", "diurnal"]), default="steady", show_default=True,
              help="steady: --rate a minute; diurnal: 30 to 300 a minute by the time of day.")  # fmt: skip
@click.option("--force", type=click.Choice([*FIELDS, "any", "none"]), default="any", show_default=True, help="The field that is forced.")
@click.option("--nested", is_flag=True, help="Each record as JSON text inside a JSON text, in `message`.")
def waf_(asked: _Asked, days: float | None, rate: float, shape: Any, force: str, nested: bool) -> None:
    """A web application firewall's records, in some minutes of which one field is forced to be bad."""
    a_day = 1440 * rate
    if shape == "diurnal" and asked.records:
        a_day = 1440 * asked.records / _diurnal_minutes(asked.records, asked.start)
    span = _span(asked, days, 1, a_day)
    _run(asked, lambda rng, start: waf(rng, start, _minutes(span), rate=rate, force=force, shape=shape, nested=nested), span)


@command.command("hosts")
@_options
@_days(1)
@_rate(60)
@click.option("--hosts", "number", type=click.IntRange(min=1), default=20, show_default=True, help="How many hosts there are.")
def hosts_(asked: _Asked, days: float | None, rate: float, number: int) -> None:
    """A fleet's logs, connections, checks and disks; with break-ins, scans, changes of accounts and hosts that fall silent."""
    span = _span(asked, days, 1, 1440 * (rate + number * 1.2))
    _run(asked, lambda rng, start: hosts(rng, start, _minutes(span), hosts=number, rate=rate), span)


@command.command("web")
@_options
@_days(1)
@_rate(120)
def web_(asked: _Asked, days: float | None, rate: float) -> None:
    """A shop's access log: people who visit it, and scanners, bots and impossible browsers."""
    span = _span(asked, days, 1, 1440 * rate)
    _run(asked, lambda rng, start: web(rng, start, _minutes(span), rate=rate), span)


def _span(asked: _Asked, days: float | None, default: float, a_day: float, more: float = 3 / 1440) -> float:
    """How many days the records span; some `more` than they take on the average, so that there are enough."""
    if days is not None:
        return days
    return asked.records * 1.1 / a_day + more if asked.records else default


def _diurnal_minutes(records: int, start: int | None) -> int:
    """How many minutes so many records take by the time of day: from `start` (ns) on, or until now."""
    at, step = (time.time_ns(), -MINUTE) if start is None else (start, MINUTE)  # noqa: TID251 - the time comes in here
    minutes, left = 0, float(records)
    while left > 0:
        at, minutes, left = at + step, minutes + 1, left - diurnal(at)
    return minutes


def _minutes(days: float) -> int:
    return max(math.ceil(days * 1440), 1)


def _run(asked: _Asked, make: Callable[[Random, int], Iterator[Item]], days: float) -> None:
    """Makes the items and sends them."""
    start = time.time_ns() - math.ceil(days * DAY) if asked.start is None else asked.start  # noqa: TID251 - the time comes in here
    items = islice(make(Random(asked.seed), start), asked.records)  # noqa: S311 - made-up logs, no secret
    began = shown = time.monotonic()
    done = 0
    try:
        with contextlib.ExitStack() as stack:
            labels = stack.enter_context(asked.labels.open("wb")) if asked.labels else None
            to = stack.enter_context(contextlib.closing(_destination(asked.to)))
            for done, upto in _sent(items, to, labels, asked.pace):
                if (now := time.monotonic()) - shown > _DRAW:
                    shown = now
                    _progress(f"{done:,} records, {done / (now - began):,.0f} a second, up to {iso(upto)[:19]}Z")
    except OSError as error:
        if asked.to == "-" and isinstance(error, BrokenPipeError):
            raise  # whoever read us has seen enough
        raise click.ClickException(f"after {done:,} records: {error}") from None
    finally:
        _progress("")
    took = time.monotonic() - began
    click.echo(f"{done:,} records in {took:.1f} s, {done / max(took, 0.001):,.0f} a second", err=True)


def _destination(to: str) -> Destination:
    try:
        return destination(to)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _sent(items: Iterator[Item], to: Destination, labels: IO[bytes] | None, pace: float) -> Iterator[tuple[int, int]]:
    """Sends all items; how many and up to which time (ns), after each batch."""
    began = time.monotonic()
    done, size = 0, _BATCH if not pace else max(min(_BATCH, int(pace / 10)), 1)
    while batch := list(islice(items, size)):
        to.send(batch)
        done += len(batch)
        if labels is not None:
            _note(labels, (_labelled(item, item.label) for item in batch if item.label is not None))
        yield done, batch[-1].time
        if pace and (ahead := began + done / pace - time.monotonic()) > 0:
            time.sleep(ahead)
    if labels is not None:
        _note(labels, [_Labelled(records=done)])


def _labelled(item: Item, label: Label) -> _Labelled:
    return _Labelled(iso(item.time, 9), item.tag, label.kind, label.entity, label.incident, label.shows)


def _note(file: IO[bytes], lines: Iterable[_Labelled]) -> None:
    file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def _progress(text: str) -> None:
    """Draws the line where there is a terminal; "" takes it away."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[2K{text}", err=True, nl=False)


@command.command("score")
@click.option("--labels", type=click.File("rb"), required=True, help="What `--labels` wrote.")
@click.option("--alerts", type=click.File("rb"), required=True, help="Alert documents, as `alerts list --json` prints them.")
def score_(labels: IO[bytes], alerts: IO[bytes]) -> None:
    """Compare alerts with labels: precision, recall and false alerts per 1,000 records of each analyzer."""
    truth, records = Truth(), 0
    try:
        for line in labels:
            one = msgspec.json.decode(line, type=_Labelled)
            records += one.records
            if one.incident:
                truth.add(parse(one.time) or 0, Label(one.kind, one.entity, one.incident, one.shows))
        found = list(findings(msgspec.json.decode(line, type=dict[str, Any]) for line in alerts if line.strip()))
    except (msgspec.MsgspecError, KeyError) as error:
        raise click.ClickException(f"a line that is no label or alert: {error}") from None
    click.echo(click.style(f"{'analyzer':<24} incidents   found  recall  alerts  precision  false/1,000  average precision", bold=True))
    for row in score(truth, found, records, sorted({one.analyzer for one in found})):
        click.echo(f"{row.analyzer:<24} {row.incidents:>9,} {row.caught:>7,} {_share(row.recall, 7)} {row.findings:>7,} "
                   f"{_share(row.precision, 10)} {row.false_per_1000:>12.2f} {_share(row.average_precision, 18)}")  # fmt: skip


def _share(value: float | None, width: int) -> str:
    return f"{'-' if value is None else f'{value:.3f}':>{width}}"
