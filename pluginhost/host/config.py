"""The configuration of a host: what `pluginhost.yaml` may say, and the safe defaults that hold without it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ..alerts.desk import Policy
from ..alerts.grouping import Grouping as Pace
from ..alerts.suppression import Suppress
from ..alerts.telling import Audience
from ..engine.parts import find, names
from ..engine.references import File
from ..match import Node, compile, parse  # noqa: A004 - its name
from ..match.tree import Test
from ..options import Duration, Secret, Size, Tree, build, doc, read
from ..problem import Place, Problem, Problems
from ..review import options as review
from ..review.options import Dashboards, Kibana
from ..store.bounds import Buffer, Keep
from . import policies
from .gathering import Incidents, gathering
from .linking import links
from .policies import Grouping, Risk, Suppression, Terms, Vip

__all__ = ["Config", "Journal", "ListFile", "Log", "Metrics", "Part", "Route", "Scores", "configure", "default_file"]

Made = TypeVar("Made")

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The durable buffer between the inputs and the analyzers."""

    max_bytes: Annotated[Size, doc("how large it may grow before senders are told to wait")] = Size(4 << 30)
    max_age: Annotated[Duration, doc("how long one file is filled, so that what is no longer needed goes")] = Duration(3600)
    segment_bytes: Annotated[Size, doc("size of one file; whole files are removed once they are no longer needed")] = Size(64 << 20)
    sync: Annotated[bool, doc("whether an acknowledgement waits for the disk; false may lose records when the machine stops")] = True


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The listener for those who watch: `/metrics`, `/healthz`, `/readyz`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 9187
    token: Annotated[Secret | None, doc("what Prometheus must know: as bearer token, or as password of basic auth")] = None
    allow_unauthenticated: Annotated[bool, doc("listen for other machines without a token")] = False


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged to stderr, and how."""

    format: Annotated[Literal["text", "json"], doc("`text` is for people, `json` one object a line")] = "text"
    level: Annotated[Literal["debug", "info", "warning", "error"], doc("the least that is logged")] = "info"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What every output can say about the alerts it wants."""

    when: Annotated[str, doc("a query over the alert's fields, such as `event.severity:>=73`; default: every alert")] = ""
    analyzers: Annotated[tuple[str, ...], doc("only alerts of these analyzers, `*` for any part of a name")] = ()
    suppressed: Annotated[bool, doc("also alerts that are told to nobody, with their reasons in `pluginhost.alert.suppressed`")] = False
    scores: Annotated[bool, doc("also scores, where `scores.enabled` is set; for elasticsearch, opensearch and file")] = False
    name: Annotated[str, doc("what it is called in logs and counters; default: its type")] = ""
    buffer: Annotated[Buffer, doc("what may wait for it")] = Buffer()


class ListFile(msgspec.Struct, frozen=True, kw_only=True):
    """A list that analyzers look things up in: text, CSV or a STIX bundle. It is read again when it changes."""

    file: Annotated[Path, doc("the file, one entry a line, a CSV with a head, or a STIX bundle")]
    kind: Annotated[
        Literal["strings", "domains", "networks", "literals", "patterns"],
        doc("`strings`: whole values; `domains`: they hold their subdomains; `networks`: addresses and networks; `literals`: texts that "
            "stand somewhere in a value; `patterns`: regular expressions (RE2) that match somewhere in it"),
    ] = "strings"
    column: Annotated[str, doc("the column of a CSV that holds the entries; default: the first with a usual name")] = ""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores that analyzers come to, interval by interval, so that trends can be drawn. They go to the outputs with `scores: true`."""

    enabled: Annotated[bool, doc("whether they are written at all")] = False
    analyzers: Annotated[tuple[str, ...], doc("of which analyzers, `*` for any part of a name")] = ("*",)
    per_minute: Annotated[int, doc("the most of one analyzer in a minute of event time; the rest is dropped and counted", ge=1)] = 1000
    health: Annotated[bool, doc("whether the host tells how it is, once a minute, by a document among them")] = True


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `pluginhost.yaml`. Paths are relative to the file."""

    data: Annotated[Path, doc("folder of journal, state, alerts; one host at a time")] = Path("pluginhost-data")
    namespace: Annotated[str, doc("last part of the data stream's name", pattern=r"^[a-z0-9_.]{1,100}$")] = "default"
    hostname: Annotated[str, doc("what it calls itself to peers and in alerts; must differ from the shipper's own name")] = ""
    workers: Annotated[
        Annotated[int, doc("", ge=1, le=64)] | Literal["auto"],
        doc("processes that run analyzers, 1 to 64; `auto` is one less than the processors that may be used, at least one"),
    ] = 1
    inputs: Annotated[list[dict[str, Any]], doc("the doors: each with its `type`")] = msgspec.field(
        default_factory=lambda: [{"type": "forward"}, {"type": "http"}, {"type": "grpc"}]
    )
    outputs: Annotated[list[dict[str, Any]], doc("where alerts go beside the embedded store: `type`, `when`, `analyzers` …")] = []
    analyzers: Annotated[tuple[Path, ...], doc("folders of analyzer files; `shipped` are those that come along")] = (Path("shipped"),)
    options: Annotated[dict[str, dict[str, Any]], doc("options by analyzer")] = {}
    suppress: Annotated[tuple[Suppression, ...], doc("alerts that are told to nobody, and why")] = ()
    grouping: Annotated[tuple[Grouping, ...], doc("how often people hear of the same: thresholds, re-alerting, ends")] = ()
    vip: Annotated[Vip, doc("whose alerts are marked")] = Vip()
    risk: Annotated[Risk, doc("how the risk of users, hosts and addresses is reckoned")] = Risk()
    incidents: Annotated[Incidents, doc("how alerts are gathered into incidents")] = Incidents()
    scores: Annotated[Scores, doc("which scores are written, for trends")] = Scores()
    kibana: Annotated[Kibana | None, doc("the Kibana in which alerts are reviewed; `pluginhost setup kibana`")] = None
    dashboards: Annotated[Dashboards | None, doc("the OpenSearch Dashboards in which they are; `pluginhost setup dashboards`")] = None
    geo: Annotated[tuple[Path, ...], doc("databases of places and networks (MMDB), the first that knows something wins")] = ()
    lists: Annotated[dict[str, ListFile], doc("lists by name, for analyzers to look things up in")] = {}
    keep_alerts: Annotated[int, doc("how many alerts the embedded store keeps; the oldest go first", ge=1000)] = 1_000_000
    keep: Annotated[Keep, doc("bounds of what else is kept")] = Keep()
    journal: Annotated[Journal, doc("the durable buffer")] = Journal()
    ballast: Annotated[Size, doc("room on the disk to finish what was taken in when it is full; 0: none")] = Size(16 << 20)
    stop_grace: Annotated[Duration, doc("how long a stop may take to analyse what was taken in")] = Duration(20)
    metrics: Annotated[Metrics | None, doc("the listener for Prometheus and probes; `metrics: {}` makes one")] = None
    log: Annotated[Log, doc("what is logged, and how")] = Log()
    worker_patience: Annotated[Duration, doc("how long a worker may be silent over its work until it is replaced")] = Duration(60)
    worker_memory: Annotated[Size, doc("how large the address space of a worker may grow; `0` is no bound")] = Size(4 << 30)
    error_rate: Annotated[float, doc("the part of its calls that may fail before an analyzer goes into quarantine", ge=0, le=1)] = 0.5
    budget: Annotated[Duration, doc("how long an analyzer may take for 1,000 records of a chunk, or fewer; `0` is no bound")] = Duration(1)
    quarantine: Annotated[Duration, doc("how long it lasts at first; it doubles each time, up to an hour")] = Duration(60)
    lateness: Annotated[Duration, doc("how long timers wait for records that come late")] = Duration(5)
    drop_duplicates: Annotated[bool, doc("whether a chunk that is sent again after its answer was lost is taken only once")] = True
    loop_tag: Annotated[str, doc("records under this tag are our own coming back: acknowledged, not analyzed", min_length=1)] = "flagged"


class Part(msgspec.Struct, frozen=True):
    """One configured input or output, read and checked."""

    name: str
    type: Any
    options: Any
    route: Route = Route()
    when: Node | None = None
    audience: Audience | None = None


class Configured(msgspec.Struct, frozen=True):
    """A configuration with its parts looked up."""

    config: Config
    folder: Path
    inputs: tuple[Part, ...]
    outputs: tuple[Part, ...]
    suppress: tuple[Suppress, ...] = ()
    grouping: tuple[Pace, ...] = ()

    @property
    def policy(self) -> Policy:
        """What the desk goes by."""
        hears = frozenset(part.name for part in self.outputs if part.route.suppressed)
        trends = tuple(part.name for part in self.outputs if part.route.scores and self.config.scores.enabled)
        audiences = tuple(part.audience for part in self.outputs if part.audience is not None)
        states = tuple(part.name for part in self.outputs if getattr(part.type, "states", False) and part.options.states)
        return Policy(self.suppress, self.grouping, policies.vip(self.config.vip, self.config.lists), policies.scale(self.config.risk),
                      audiences, hears, trends=trends, per_minute=self.config.scores.per_minute, states=states,
                      incidents=gathering(self.config.incidents), links=links(self.config.kibana, self.config.dashboards))  # fmt: skip

    @property
    def scores(self) -> tuple[str, ...]:
        """Globs: the analyzers whose scores somebody wants."""
        return self.config.scores.analyzers if self.policy.trends else ()

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return (self.folder / self.config.data).absolute()

    @property
    def workers(self) -> int:
        """How many workers to run. The host itself needs a processor, too."""
        given = self.config.workers
        usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        return min(max(usable - 1, 1), 64) if given == "auto" else given

    @property
    def folders(self) -> tuple[Path, ...]:
        """The analyzer folders, absolute, each once."""
        shipped = names("analyzers")
        found = [find("analyzers", str(one))() if str(one) in shipped else (self.folder / one).absolute() for one in self.config.analyzers]
        return tuple(dict.fromkeys(found))

    @property
    def references(self) -> tuple[File, ...]:
        """The lists and databases, absolute."""
        lists = [File(name, one.kind, (self.folder / one.file).absolute(), one.column) for name, one in self.config.lists.items()]
        return (*lists, *(File(one.name, "places", (self.folder / one).absolute()) for one in self.config.geo))

    @property
    def kibana(self) -> Kibana | None:
        """Where alerts are reviewed, its paths absolute."""
        made: Kibana | None = _beside(self.config.kibana, self.folder)
        return made

    @property
    def dashboards(self) -> Dashboards | None:
        """The same of OpenSearch."""
        made: Dashboards | None = _beside(self.config.dashboards, self.folder)
        return made

    @property
    def hostname(self) -> str:
        """What the host calls itself."""
        return self.config.hostname or f"pluginhost.{socket.gethostname()}"


def default_file() -> Path | None:
    """`pluginhost.yaml` in the working folder, or in /etc/pluginhost, or None."""
    return next((path for path in (Path("pluginhost.yaml"), Path("/etc/pluginhost/pluginhost.yaml")) if path.is_file()), None)


def configure(file: Path | None) -> Configured:
    """The configuration in `file`, or the defaults; raises `Problems` with everything that is wrong with it."""
    tree = read(file) if file is not None else Tree({}, "defaults")
    found: list[Problem] = []
    config = Config()
    try:
        config = build(Config, tree)
    except Problems as problems:
        found += problems.found
    inputs = _parts("inputs", config.inputs, tree, found)
    outputs = _parts("outputs", config.outputs, tree, found)
    suppress = _suppress(config, tree, found)
    grouping = [_tested(one, tree, found, ("grouping", index), partial(policies.groups, one)) for index, one in enumerate(config.grouping)]
    for name, check in (("risk", lambda: policies.scale(config.risk)), ("vip", lambda: policies.vip(config.vip, config.lists))):
        with _kept(found), _placed(tree, (name,)):
            check()
    for name, section in (("kibana", config.kibana), ("dashboards", config.dashboards)):
        with _kept(found), _placed(tree, (name,)):
            if section is not None:
                review.checked(section)
    if found:
        raise Problems(found)
    folder = file.parent.absolute() if file is not None else Path.cwd()
    return Configured(config, folder, inputs, outputs, suppress, tuple(one for one in grouping if one is not None))


def _parts(group: str, given: list[dict[str, Any]], tree: Tree, found: list[Problem]) -> tuple[Part, ...]:
    parts: list[Part] = []
    written = tree.value.get(group) if isinstance(tree.value, dict) else None
    if written is None:
        tree = Tree({group: given}, tree.file)
    else:
        given = written if isinstance(written, list) else []  # what is no list, or no mapping in it, was told already
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            continue
        with _kept(found):
            part = _part(group, index, one, tree, found)
            if part.name in {other.name for other in parts}:
                raise Problem("config.twice", f"$.{group}[{index}]: there are two {group} called `{part.name}`",
                              where=tree.place((group, index)), todo="give one a `name`")  # fmt: skip
            parts.append(part)
    return tuple(parts)


@contextlib.contextmanager
def _kept(found: list[Problem]) -> Iterator[None]:
    """Keeps what is wrong, so that all of it is told at once."""
    try:
        yield
    except Problems as problems:
        found += problems.found
    except Problem as problem:
        found.append(problem)


def _part(group: str, index: int, one: dict[str, Any], tree: Tree, found: list[Problem]) -> Part:
    at, path = f"$.{group}[{index}]", (group, index)
    if "type" not in one:
        raise Problem("config.missing", f"{at}.type is missing", where=tree.place(path))
    try:
        type_ = find(group, str(one["type"]), f"{at}.type")
    except Problem as problem:
        problem.where = tree.place((*path, "type"))
        raise
    tells = bool(getattr(type_, "notifies", False))
    terms = tuple(field.encode_name for field in msgspec.structs.fields(Terms)) if tells else ()
    routed = ("when", "analyzers", "suppressed", "scores", "name", "buffer", *terms) if group == "outputs" else ("name",)
    route, when = Route(), None
    with _kept(found):
        route = build(Route, tree, path, skip=tuple(field for field in one if field not in routed or field in terms))
        when = _when(route.when, f"{at}.when", tree, path) if route.when else None
        if route.scores and not getattr(type_, "scores", False):
            raise Problem("config.value", f"{at}.scores: an output of type {one['type']} takes none", where=tree.place((*path, "scores")),
                          todo="give them to one of type elasticsearch, opensearch or file")  # fmt: skip
        if route.suppressed and tells:
            raise Problem("config.value", f"{at}.suppressed: people are not told what is told to nobody",
                          where=tree.place((*path, "suppressed")), todo="give those to an output that stores them")  # fmt: skip
    options = _beside(build(type_.Options, tree, path, skip=("type", *routed)), Path(tree.file).parent.absolute())
    name = route.name or str(one["type"])
    return Part(name, type_, options, route, when, _audience(name, one, terms, tree, path) if tells else None)


def _audience(name: str, one: dict[str, Any], terms: tuple[str, ...], tree: Tree, path: tuple[str | int, ...]) -> Audience:
    """The terms of an output that tells people."""
    with _placed(tree, path):
        return policies.audience(name, build(Terms, tree, path, skip=tuple(field for field in one if field not in terms)))


def _suppress(config: Config, tree: Tree, found: list[Problem]) -> tuple[Suppress, ...]:
    made: dict[str, Suppress] = {}
    for index, one in enumerate(config.suppress):
        with _kept(found):
            if one.name in made:
                raise Problem("config.twice", f"$.suppress[{index}]: there are two rules called `{one.name}`",
                              where=tree.place(("suppress", index)),
                              todo="give one another `name`, or join their queries by OR")  # fmt: skip
            make = partial(policies.suppress, one, lists=config.lists, risk=config.risk)
            rule = _tested(one, tree, found, ("suppress", index), make)
            if rule is not None:
                made[one.name] = rule
    return tuple(made.values())


def _tested(one: Suppression | Grouping, tree: Tree, found: list[Problem], path: tuple[str | int, ...],
            make: Callable[[Test | None], Made]) -> Made | None:  # fmt: skip
    """What is made of an entry and what its query tests; None if something is wrong with it, which is kept in `found`."""
    with _kept(found), _placed(tree, path):
        return make(compile(_when(one.when, f"{_dotted(path)}.when", tree, path)) if one.when else None)
    return None


@contextlib.contextmanager
def _placed(tree: Tree, path: tuple[str | int, ...]) -> Iterator[None]:
    """Says of a `ValueError` where in the configuration it came about; its text may begin with the rest of the way, as in `.hours: …`."""
    try:
        yield
    except ValueError as error:
        steps = _STEP.findall(str(error).partition(":")[0])
        rest = tuple(int(number) if number else name for name, number in steps)
        raise Problem("config.value", f"{_dotted(path)}{error}", where=tree.place((*path, *rest))) from None


def _dotted(path: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _beside(value: Any, folder: Path) -> Any:
    """The options with every path in them, at any depth, relative to the configuration's folder."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, tuple):
        return tuple(_beside(one, folder) for one in value)
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **{name: _beside(one, folder) for name, one in msgspec.structs.asdict(value).items()})
    return value


def _when(query: str, at: str, tree: Tree, path: tuple[str | int, ...]) -> Node:
    try:
        return parse(query)
    except Problem as problem:
        place, column = tree.place((*path, "when")), problem.where.column if isinstance(problem.where, Place) else 0
        problem.what = f"{at}: {problem.what}"
        problem.where = Place(place.file, place.line, column, query) if isinstance(place, Place) else place
        raise
