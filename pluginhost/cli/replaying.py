"""What `backtest` and `detect` share: where records are read from by their options, which outputs take alerts, and how far a run is."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ..engine.parts import find
from ..host.beside import output_beside
from ..host.config import Configured, Part
from ..host.sending import sender
from ..inputs.kafka import KafkaOptions
from ..match import compile as compile_predicate
from ..metrics import Registry
from ..options import Duration, Secret, close
from ..outputs.port import Context, Output
from ..problem import Problem
from ..replay.delivering import Way
from ..replay.running import Passed
from ..replay.sources.kafka import KafkaSource
from ..replay.sources.port import Window
from ..replay.sources.search import Asked, Search
from ..wire import times

__all__ = ["CLUSTERS", "Bar", "Moment", "cluster_options", "kafka", "outputs", "search", "told_to_stop", "window"]

F = TypeVar("F", bound=Callable[..., Any])

CLUSTERS = ("elasticsearch", "opensearch")
_DRAW = 0.1  # seconds
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Moment(click.ParamType[int]):
    """A time as ISO 8601 says it, a date, a number since 1970, or how long ago: `2h`, `7d`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The time in ns UTC."""
        if isinstance(value, int):
            return value
        found = times.of_value(f"{value}T00:00:00" if _DATE.fullmatch(value) else value)
        if found is not None:
            return found
        try:
            return time.time_ns() - Duration.of(value).ns  # noqa: TID251 - "ago" is by the clock
        except ValueError:
            self.fail(f"{value} is neither a time such as 2026-01-31T10:00:00Z nor a span such as 2h", param, ctx)


def cluster_options(command: F) -> F:
    """The options that say which cluster, and which documents of it."""
    for option in reversed((
        click.option("--index", help="Index pattern to read."),
        click.option("--query", default="", help="Only documents that this query string of the cluster finds."),
        click.option("--time-field", default="", help="Field that says a record's time; default: @timestamp and other usual ones."),
        click.option("--slices", type=click.IntRange(1, 64), default=2, show_default=True, help="How many parts are read side by side."),
        click.option("--url", multiple=True, help="Address of the cluster; default: that of an output in the configuration."),
        click.option("--user", help="User there; the password is in PLUGINHOST_SOURCE_PASSWORD."),
        click.option("--password", envvar="PLUGINHOST_SOURCE_PASSWORD", hidden=True),
        click.option("--api-key", envvar="PLUGINHOST_SOURCE_API_KEY", help="API key that may read; also in PLUGINHOST_SOURCE_API_KEY."),
        click.option("--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Certificates (PEM) to trust there."),
        click.option("--tag", help="Tag of the records; {index}, {topic} or {name} (of a file) is filled in. Default: just that."),
    )):  # fmt: skip
        command = option(command)
    return command


def window(start: int | None, end: int | None) -> Window:
    """The window that is meant; a `Problem` if there is nothing in it."""
    made = Window(start or 0, Window().end if end is None else end)
    if made.start >= made.end:
        raise Problem("replay.window", "the end lies before the start")
    return made


def search(setup: Configured, kind: str, asked: Asked, given: dict[str, Any]) -> Search:
    """The cluster: where `given` (url, user, password, api_key, ca) says, else where the configuration's only output of this type goes."""
    type_ = find("outputs", kind)
    parts = [part for part in setup.outputs if part.type is type_]
    own: dict[str, Any] = {}
    if given["url"]:
        own = {"hosts": tuple(given["url"])}
        parts = []
    elif len(parts) > 1:
        raise Problem("replay.search", f"there are {len(parts)} outputs of type {kind}", todo="say which cluster is to be read: --url")
    own |= {"username": given["user"], "password": Secret(given["password"] or "")} if given["user"] else {}
    if kind == "elasticsearch":
        own |= {"api_key": Secret(given["api_key"])} if given["api_key"] else {}
        own |= {"ca_certs": given["ca"]} if given["ca"] else {}
    options = msgspec.structs.replace(parts[0].options if parts else type_.Options(), **own)
    output = type_(options, _context(setup, kind, setup.config.namespace))
    return Search("opensearch" if kind == "opensearch" else "elasticsearch", output.cluster, asked)


def kafka(setup: Configured, topics: Sequence[str], brokers: Sequence[str], tag: str | None, wanted: Window) -> KafkaSource:
    """The topics, by the brokers that are named or those of the configuration's input."""
    type_ = find("inputs", "kafka")
    parts = [part for part in setup.inputs if part.type is type_]
    own: dict[str, Any] = {"topics": tuple(topics)} if topics else {}
    own |= {"brokers": tuple(brokers)} if brokers else {}
    own |= {"tag": tag} if tag else {}
    if parts and not brokers:
        return KafkaSource(msgspec.structs.replace(parts[0].options, **own), wanted)
    if not topics:
        raise Problem("replay.kafka", "no topic is named", todo="name one: --topic NAME")
    return KafkaSource(KafkaOptions(**own), wanted)


def outputs(setup: Configured, namespace: str, names: Sequence[str] | None = None) -> list[tuple[Way, Output]]:
    """The configured outputs, or those called `names`, as ways out for a replay whose alerts and scores are of `namespace`."""
    known = {part.name: part for part in setup.outputs}
    for name in names or ():
        if name not in known:
            raise Problem("replay.output", f"there is no output {name} in the configuration", todo=close(name, known))
    return [way for name, part in known.items() if names is None or name in names for way in _ways(setup, part, namespace)]


def _ways(setup: Configured, part: Part, namespace: str) -> Iterator[tuple[Way, Output]]:
    context = _context(setup, part.name, namespace)
    output: Output = part.type(part.options, context)
    when = compile_predicate(part.when) if part.when is not None else None
    yield Way(part.name, output.batch, sender(output), part.route.analyzers, when, tells=part.audience is not None), output
    if part.name in setup.policy.trends:
        output = output_beside(part, context, "scores")
        yield Way(part.name, output.batch, sender(output), scores=True), output


def _context(setup: Configured, name: str, namespace: str) -> Context:
    return Context(name, Registry(), time.time_ns, setup.hostname, namespace)  # noqa: TID251 - the command's own clock


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether somebody has pressed Ctrl-C; whoever does so twice does not wait."""
    asked: list[int] = []

    def stop(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Bar:
    """One line at the bottom of a terminal: how much is done, how fast, how long it may take; nothing where stderr is none."""

    def __init__(self, progress: Callable[[], tuple[int, int]]) -> None:
        self._progress, self._lively = progress, sys.stderr.isatty()
        self._began = self._drawn = time.monotonic()
        self._running = self._shown = False
        utf = "utf" in (sys.stderr.encoding or "").lower()
        self._full, self._rest = ("━", "─") if utf else ("=", ".")

    @property
    def seconds(self) -> float:
        """Since records are judged: what comes before is the analyzers' own examples."""
        return time.monotonic() - self._began

    def show(self, passed: Passed) -> None:
        """Draws it, now and then."""
        now = time.monotonic()
        if not self._running:
            self._began, self._running = now, True
        if self._lively and now - self._drawn >= _DRAW:
            self._drawn, self._shown = now, True
            click.echo(f"\r\x1b[2K{self.text(passed)}", nl=False, err=True)

    def text(self, passed: Passed) -> str:
        """The line."""
        done, total = self._progress()
        rate = passed.records / max(self.seconds, 0.001)
        told = f"{passed.records:,} records  {rate:,.0f}/s"
        if not total:
            return told
        part = min(done / total, 1.0)
        left = f"  {_span(self.seconds / part * (1 - part))} left" if part > 0.01 else ""
        full = round(30 * part)
        return f"{self._full * full}{self._rest * (30 - full)}  {part:4.0%}  {told}{left}"

    def clear(self) -> None:
        """Takes it away, so that a line may be printed."""
        if self._shown:
            click.echo("\r\x1b[2K", nl=False, err=True)
            self._shown = False


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
