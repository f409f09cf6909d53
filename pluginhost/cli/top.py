"""`pluginhost top`: what the sidecar does just now, a frame a second. Frames are made by `frame`, which draws nothing."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..host.control import ask
from ..problem import Problem, printable
from .common import config_option, configured
from .screen import WIDTH

__all__ = ["Look", "command", "frame"]

_EVERY = 1.0  # seconds
_PATIENCE = 5.0
_PLAIN_HEIGHT = 200
_LEAST = 5  # analyzers are shown before anything else is
_GAP = "  "
_ENTER, _LEAVE, _HOME, _REST_OF_LINE, _REST = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l", "\x1b[H", "\x1b[K", "\x1b[J"


class Look:
    """The host's metrics at one moment, `at` in seconds of any clock."""

    def __init__(self, samples: Sequence[Sequence[Any]], at: float) -> None:
        self.at = at
        self._values: dict[str, dict[tuple[str, ...], float]] = {}
        for name, labels, value in samples:
            self._values.setdefault(name.removeprefix("pluginhost_"), {})[tuple(labels)] = value

    def of(self, name: str, *labels: str) -> float:
        """The sum of a metric's values whose first labels are these."""
        values = self._values.get(name, {})
        exact = values.get(labels)
        return exact if exact is not None else sum(value for given, value in values.items() if given[: len(labels)] == labels)

    def labels(self, name: str, *first: str) -> list[tuple[str, ...]]:
        """The labels a metric has samples for, those that begin so."""
        return [given for given in self._values.get(name, {}) if given[: len(first)] == first]


class _Column(NamedTuple):
    """A column of a table; those of the highest `rank` go first where there is no room."""

    head: str
    rank: int
    cell: Callable[[tuple[str, ...]], str]


@click.command()
@config_option
@click.option("--once", is_flag=True, help="Look for one second, print one frame, and end.")
def command(config: Path | None, once: bool) -> None:
    """Show what the running sidecar does just now, every second."""
    data = configured(config).data
    lively = sys.stdout.isatty() and not once
    before = _look(data)
    try:
        with _screen() if lively else _paper():
            while True:
                time.sleep(_EVERY)
                before = _step(data, before, lively)
                if once:
                    return
    except KeyboardInterrupt:
        pass


def _step(data: Path, before: Look, lively: bool) -> Look:
    """Draws the next frame; a host that does not answer may come back."""
    width, height = shutil.get_terminal_size() if lively else (WIDTH, _PLAIN_HEIGHT)
    try:
        after = _look(data)
    except Problem:
        if not lively:
            raise
        _draw([f"no host answers on {printable(str(data))}; looking again every second"], lively)
        return before
    _draw(frame(before, after, width, height), lively)
    return after


def _look(data: Path) -> Look:
    return Look(next(ask(data, "metrics", patience=_PATIENCE)), time.monotonic())


@contextmanager
def _screen() -> Iterator[None]:
    """The terminal's other screen, so that what was there comes back."""
    click.echo(_ENTER, nl=False)
    try:
        yield
    finally:
        click.echo(_LEAVE, nl=False)


@contextmanager
def _paper() -> Iterator[None]:
    yield


def _draw(lines: list[str], lively: bool) -> None:
    if lively:
        click.echo(_HOME + "\n".join(line + _REST_OF_LINE for line in lines) + _REST, nl=False)
    else:
        click.echo("\n".join(lines) + "\n")


def frame(before: Look, after: Look, width: int, height: int) -> list[str]:
    """The lines that tell what happened between two looks, none wider than `width`, at most `height` of them."""
    seconds = max(after.at - before.at, 0.001)

    def rate(name: str, *labels: str) -> float:
        return max(after.of(name, *labels) - before.of(name, *labels), 0.0) / seconds

    head = _head(after, rate, width)
    columns, rows = _analyzers(after, rate)
    tables = [["", *_table(*one, width)] for one in (_inputs(after, rate), _outputs(after, rate), _workers(after, rate)) if one[1]]
    while tables and height - len(head) - sum(map(len, tables)) < min(len(rows), _LEAST) + 3:
        tables.pop()
    room = height - len(head) - sum(map(len, tables)) - 2  # for analyzers
    told = ["", *_table(columns, rows if len(rows) <= room else rows[: max(room - 1, 0)], width)] if rows else []
    if len(rows) > room:
        told.append(click.style(f"{len(rows) - max(room - 1, 0)} more"[:width], dim=True))
    return [*head, *told, *(line for table in tables for line in table)][:height]


_Rate = Callable[..., float]
_Table = tuple[list[_Column], list[tuple[str, ...]]]


def _head(after: Look, rate: _Rate, width: int) -> list[str]:
    ((version, _),) = after.labels("build_info") or [("?", "")]
    ready = "" if after.of("ready") else "   not ready"
    journal = ("journal", "journal", "journal")
    behind, age = after.of("buffer_events", *journal), after.of("buffer_oldest_seconds", *journal)
    facts = [
        ("records in", f"{_number(rate('component_received_events_total', 'input'))}/s"),
        ("analysed", f"{_number(rate('worker_records_total'))}/s"),
        ("behind", f"{behind:,.0f} row{'s' if behind > 1 else ''}, {age:.1f} s" if behind else "nothing"),
        ("journal", f"{_bytes(after.of('buffer_bytes', *journal))} of {_bytes(after.of('buffer_max_bytes', *journal))}"),
        ("alerts", f"{_number(rate('desk_alerts_total') - rate('desk_suppressed_total'))}/s, {_alerts(after)}"),
        ("dead letters", f"{after.of('dead_letters_total'):,.0f}"),
    ]
    told = f"pluginhost {version}, up {_age(after.of('uptime_seconds'))}, generation {after.of('generation'):.0f}"
    lines = [click.style(told[:width], bold=True) + click.style(ready[: max(width - len(told), 0)], fg="red")]
    return lines + _flowed(facts, width)


def _alerts(after: Look) -> str:
    """How many were told, and how many to nobody."""
    suppressed = after.of("desk_suppressed_total")
    told = f"{after.of('desk_alerts_total') - suppressed:,.0f} in all"
    return f"{told} and {suppressed:,.0f} suppressed" if suppressed else told


def _flowed(facts: list[tuple[str, str]], width: int) -> list[str]:
    """Facts side by side in columns of equal width, as many as fit."""
    cell = max(len(name) for name, _ in facts) + 2 + max(len(value) for _, value in facts)
    across = max((width + 3) // (cell + 3), 1)
    names = max(len(name) for name, _ in facts) + 2
    lines = []
    for at in range(0, len(facts), across):
        cells = [(name.ljust(names)[:width], value.ljust(cell - names)[: max(width - names, 0)]) for name, value in facts[at : at + across]]
        lines.append("   ".join(click.style(name, dim=True) + value for name, value in cells).rstrip())
    return lines


def _inputs(after: Look, rate: _Rate) -> _Table:
    return [
        _Column("input", 0, lambda one: one[2]),
        _Column("records/s", 1, lambda one: _number(rate("component_received_events_total", *one))),
        _Column("bytes/s", 3, lambda one: _bytes(rate("component_received_bytes_total", *one))),
        _Column("errors", 2, lambda one: _count(after.of("component_errors_total", *one))),
        _Column("discarded", 4, lambda one: _count(after.of("component_discarded_events_total", *one))),
    ], after.labels("component_received_events_total", "input")


def _analyzers(after: Look, rate: _Rate) -> _Table:
    total = sum(rate("worker_cpu_seconds_total", *one) for one in after.labels("worker_up")) or 1.0

    def share(one: tuple[str, ...]) -> float:
        return rate("analyzer_cpu_seconds_total", one[2]) / total

    def state(one: tuple[str, ...]) -> str:
        return "quarantined" if after.of("analyzer_quarantined", one[2]) else "file broken" if after.of("analyzer_problem", one[2]) else ""

    rows = after.labels("component_received_events_total", "analyzer")
    rows.sort(key=lambda one: (-share(one), -rate("component_received_events_total", *one), one[2]))
    columns = [
        _Column("analyzer", 0, lambda one: one[2]),
        _Column("seen/s", 1, lambda one: _number(rate("component_received_events_total", *one))),
        _Column("fired", 2, lambda one: _count(after.of("component_sent_events_total", *one))),
        _Column("errors", 3, lambda one: _count(after.of("component_errors_total", *one))),
        _Column("keys", 5, lambda one: _count(after.of("analyzer_keys", one[2]))),
        _Column("evicted", 6, lambda one: _count(after.of("analyzer_evicted_keys_total", one[2]))),
        _Column("time", 4, lambda one: f"{min(share(one), 1):.0%}" if share(one) else "–"),
    ]
    return [*columns, _Column("", 7, state)] if any(state(one) for one in rows) else columns, rows


def _outputs(after: Look, rate: _Rate) -> _Table:
    return [
        _Column("output", 0, lambda one: one[2]),
        _Column("waiting", 1, lambda one: _count(after.of("buffer_events", *one))),
        _Column("oldest", 3, lambda one: _age(after.of("buffer_oldest_seconds", *one))),
        _Column("sent/s", 2, lambda one: _number(rate("component_sent_events_total", *one))),
        _Column("errors", 4, lambda one: _count(after.of("component_errors_total", *one))),
        _Column("", 1, lambda one: "" if after.of("output_up", one[2]) else "in trouble"),
    ], after.labels("component_sent_events_total", "output")


def _workers(after: Look, rate: _Rate) -> _Table:
    return [
        _Column("worker", 0, lambda one: one[0]),
        _Column("behind", 1, lambda one: _count(after.of("worker_lag_rows", *one))),
        _Column("processor", 2, lambda one: f"{rate('worker_cpu_seconds_total', *one):.0%}"),
        _Column("memory", 3, lambda one: _bytes(after.of("worker_resident_memory_bytes", *one))),
        _Column("restarts", 4, lambda one: _count(after.of("worker_restarts_total", *one))),
        _Column("", 1, lambda one: "" if after.of("worker_up", *one) else "down"),
    ], after.labels("worker_up")


def _table(columns: list[_Column], rows: list[tuple[str, ...]], width: int) -> list[str]:
    """A head and a line for each row; columns go where there is no room for all, and then names are cut."""
    cells = [[printable(column.cell(row), 40) for row in rows] for column in columns]
    widths = [max(map(len, (column.head, *made)), default=0) for column, made in zip(columns, cells, strict=True)]
    widths[0] = max(widths[0], 16)
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(widths[index] + len(_GAP) for index in kept) - len(_GAP) > width:
        kept.remove(max(kept[1:], key=lambda index: columns[index].rank))

    def line(texts: list[str]) -> str:
        first, *others = ((index, texts[index]) for index in kept)
        made = first[1].ljust(widths[0]) + "".join(_GAP + text.rjust(widths[index]) for index, text in others)
        return made[:width].rstrip()

    head = click.style(line([column.head for column in columns]), dim=True)
    return [head, *(line([made[number] for made in cells]) for number in range(len(rows)))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value < 10_000_000 else f"{value / 1e6:,.0f}M"


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:,.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def _age(seconds: float) -> str:
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 48 * 3600), ("d", 86400, float("inf"))):
        if seconds < most:
            return f"{seconds / size:,.0f} {unit}" if seconds else "–"
    raise AssertionError
