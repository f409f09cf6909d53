"""What the determinism tests share: analyzers that use everything there is, records of every kind, and a worker's own code without its
process, so that a journal can be played thousands of times.

`MANIFESTS` are three generations of the analyzers: in the second one is changed (its state kept), one has another state (migrated), one
is new and one is gone; in the third the last is back.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import msgpack
import msgspec

from pluginhost.alerts.desk import Found, Group, decide
from pluginhost.engine import state, worker
from pluginhost.engine.generations import Manifest, describe, ready
from pluginhost.engine.loader import Bundle, bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import Routes, chained_row, table_row
from pluginhost.store.row import Kind, Row
from pluginhost.wire.chunk import Columns

SECOND = 1_000_000_000
SHIPPED = sorted((Path(__file__).parents[2] / "analyzers").glob("[!_]*.py"))
OPTIONS = {"ssh_bruteforce": {"limit": 3}}
HEAD = "from pluginhost import Alert, Derived, FirstSeen, SlidingCount, Table, Timers, analyzer\n\nSECOND = 1_000_000_000\n"

COUNTS = f'''{HEAD}
@analyzer(key="source.ip", tags=["app.*", "auth.*"])
def often(event, seen: SlidingCount = SlidingCount("5s"), most: int = 3):
    """Several records of an address."""
    return Alert("low", f"often {{len(seen)}}", evidence=[event]) if seen.reaches(event, most) else None


@analyzer(key=["user.name", "host"], group="user.name", tags=["app.*", "auth.*"])
def pair(event, seen: SlidingCount = SlidingCount("1m", limit=5)):
    """Every second record of a user on a host, twice."""
    count = seen.add(event)
    return (Alert("low", f"pair {{count}}"), Alert("high", "and again", risk=count)) if count % 2 == 0 else None


@analyzer(key="user.name", keys=2, tags="app.*")
def crowded(event, seen: SlidingCount = SlidingCount("1h")):
    """Remembers two users only."""
    return Alert("low", f"crowded {{seen.add(event)}}")
'''
COUNTS_2 = f'''{HEAD}
@analyzer(key="source.ip", tags=["app.*", "auth.*"])
def often(event, seen: SlidingCount = SlidingCount("10s", limit=4), most: int = 2):
    """Several records of an address, by another measure."""
    return Alert("medium", f"more often {{len(seen)}}") if seen.reaches(event, most) else None


def known(old):
    """Shows the values that it had seen when there were any."""
    return {{"seen": old["seen"], "hosts": {{"before": 1}}}}


@analyzer(key=["user.name", "host"], group="user.name", tags=["app.*", "auth.*"], migrate=known)
def pair(event, seen: SlidingCount = SlidingCount("1m", limit=5), hosts: FirstSeen = FirstSeen("1d")):
    """Every record of a user on a host, and what came over from the other state."""
    return Alert("low", f"pair {{seen.add(event)}} {{'before' in hosts}} {{hosts.first(event['host'], event)}}")


@analyzer(key="user.name", keys=2, tags="app.*")
def crowded(event, seen: SlidingCount = SlidingCount("1h")):
    """Remembers two users only."""
    return Alert("low", f"crowded {{seen.add(event)}}")
'''
MOVES = f'''{HEAD}
@analyzer(key="user.name", tags=["app.*", "auth.*"])
def travels(event, places: FirstSeen = FirstSeen("30s", limit=2)):
    """A new address of a user, told on as a record."""
    if places.first(event.get("source.ip"), event):
        return Derived("derived.move", {{"user": {{"name": event["user.name"]}}, "source.ip": event.get("source.ip"), "moved": 1,
                                         "host": event.get("host"), "bad": event.get("bad")}})
    return None


@analyzer(where="_exists_:moved", key=["user.name", "source.ip"], tags="derived.*")
def moved(event, seen: SlidingCount = SlidingCount("1m"), listed: Table = Table("listed")):
    """What was derived, judged by a table, and derived again until that is refused."""
    yield Alert("medium", f"moved {{event['moved']}} {{seen.add(event)}} {{listed.get(event['source.ip'], event)}}")
    yield Derived("derived.again", {{**event.record, "moved": event["moved"] + 1}})


@analyzer(where="bad:true")
def lists(event, listed: Table = Table("listed", expire="20s"), hosts: Table = Table("hosts", expire="5s")):
    """Publishes addresses, and fails afterwards at some."""
    listed.put(event["source.ip"], {{"at": event.time, "by": [event.get("user.name")]}})
    hosts.put(event.get("host", "none"), 1)
    return Alert("low", event["user.name"])


@analyzer(key="source.ip", where="event.category:* OR bad:true")
def listed(event, listed: Table = Table("listed"), hosts: Table = Table("hosts")):
    """Reads two tables."""
    known, host = listed.get(event["source.ip"], event), hosts.get(event.get("host", "none"), event)
    return Alert("high", f"listed {{known}} {{host}}") if known or host else None
'''
SILENCE = f'''{HEAD}
@analyzer(key="host", tags=["app.*", "auth.*", "derived.move"])
class Silence:
    """A host that fell silent; says so for a while."""

    timers: Timers = Timers()
    seen: SlidingCount = SlidingCount("1m")
    listed: Table = Table("listed", expire="30s")
    after: int = 3

    def on_event(self, event):
        self.seen.add(event)
        if event.get("stop"):
            self.timers.cancel("quiet")
            self.timers.set("gone", event.time - SECOND)
            return
        self.timers.set("quiet", event.time + self.after * SECOND)
        if event.get("n") == 1:
            raise ValueError("set, and failed")

    def on_timer(self, timer):
        if timer.name == "gone":
            self.timers.cancel("again")
            raise ValueError("gone")
        if timer.due // SECOND % 7:
            self.timers.set("again", timer.due + 2 * SECOND)
        self.listed.put("192.0.2.1", timer.due)
        if timer.name == "quiet":
            return [Alert("high", f"quiet after {{len(self.seen)}}"), Derived("app.silent", {{"host": "h1", "user": {{"name": "timer"}}}})]
        return Alert("low", f"still quiet after {{len(self.seen)}}")


@analyzer(pinned=True, where="NOT user.name:nobody", tags=["app.*", "auth.*"])
class Beat:
    """What all have sent, at whole times."""

    timers: Timers = Timers()
    seen: SlidingCount = SlidingCount("10s")

    def on_event(self, event):
        self.seen.add(event)
        if self.timers.due("beat") is None:
            self.timers.set("beat", event.time - event.time % (4 * SECOND) + 4 * SECOND)

    def on_timer(self, timer):
        return Alert("low", f"beat {{len(self.seen)}}")


@analyzer(pinned=True, tags=["app.*", "derived.*"])
def total(event, seen: SlidingCount = SlidingCount("1h"), tags: FirstSeen = FirstSeen("1h")):
    """Every third record of all."""
    fresh = tags.first(event.tag, event)
    return Alert("low", f"total {{len(seen)}} {{fresh}}") if seen.add(event) % 3 == 0 else None
'''
PLAIN = f'''{HEAD}
@analyzer(where="bad:true OR status:>=400 OR message:boom", group="source.ip")
def plain(event):
    """Has no key."""
    fields = {{"user.name": event.get("user.name", "none")}}
    return Alert("low", f"plain {{event.get('status')}}", fields=fields, technique=["T1110", "T1078"])


@analyzer(tags=["app.*", "web.*"])
def fragile(event):
    """Fails in every way."""
    match event.get("n"):
        case 1:
            return Alert("low", event["missing"])
        case 2:
            return 42
        case 3:
            return [Alert("low", "lost with its neighbour"), "nonsense"]
        case 4:
            raise SystemExit(1)
        case None | bool():
            return None
    return Alert("low", f"fragile {{event['n']}}")
'''
ADDED = f'''{HEAD}
@analyzer(key="source.ip", where="source.ip:* AND NOT idle:true")
class Added:
    """Came later."""

    timers: Timers = Timers()
    users: FirstSeen = FirstSeen("10s")

    def on_event(self, event):
        self.timers.set(str(event.get("user.name")), event.time + SECOND)
        return Alert("low", f"added {{len(self.users)}}") if self.users.first(event.get("user.name"), event) else None

    def on_timer(self, timer):
        if len(self.users) < 3:
            self.timers.set(timer.name, timer.due + 5 * SECOND)
        return Alert("low", f"timer {{timer.name}}")
'''
FILES = (
    {"counts": COUNTS, "moves": MOVES, "silence": SILENCE, "plain": PLAIN},
    {"counts": COUNTS_2, "moves": MOVES, "silence": SILENCE, "added": ADDED},
    {"counts": COUNTS_2, "moves": MOVES, "silence": SILENCE.replace("after: int = 3", "after: int = 1"), "plain": PLAIN, "added": ADDED},
)
"""The analyzers beside the shipped ones, by generation from 1 on: source by file."""

BY_SHARD = ("crowded",)
"""Analyzers whose bound on keys is reached: it holds in each shard, so what they find depends on how many there are."""

OUT = ("often", "silence", "travels")
"""Analyzers that are taken into quarantine, and come out."""


def module(made):
    units = ready(made, OPTIONS if made.name == "ssh_bruteforce" else {})
    return describe(made, units, OPTIONS)


@functools.cache
def manifests():
    """(the manifests by number, the bundles by their source)."""
    found, bundles = {}, {}
    for number, files in enumerate(FILES, 1):
        many = [*(bundle(file) for file in SHIPPED), *(Bundle(name, f"{name}.py", text, {}) for name, text in files.items())]
        found[number] = Manifest(number, tuple(sorted((module(one) for one in many), key=lambda one: one.file)))
        bundles |= {one.source: made for one, made in zip(map(module, many), many, strict=True)}
    return found, bundles


# --- records ---

IPS = ("192.0.2.1", "198.51.100.7", "2001:db8::1")
USERS = ("alice", "bob", "nobody")
HOSTS = ("h1", "h2")


def login(user, ip, country, outcome="success", **more):
    return {"event": {"category": "authentication", "outcome": outcome}, "user": {"name": user}, "host": "h1",
            "source": {"ip": ip, "geo": {"country_iso_code": country}}, **more}  # fmt: skip


def sshd(words, user, ip):
    return {"message": f"Nov 21 10:00:00 web1 sshd[42]: {words} for {user} from {ip} port 50000 ssh2", "host": "h2"}


def access(path, ip, status=200):
    return {"message": f'{ip} - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" {status} 12 "-" "curl/8.5"'}


def deep(levels):
    made = {"user.name": "alice"}
    for _ in range(levels):
        made = {"in": [made]}
    return {**made, "source.ip": IPS[0], "host": "h1"}


def kinds(case=""):
    """Records as (tag, record); `case` stands in all their keys' values."""
    users, hosts = [f"{case}{user}" for user in USERS], [f"{case}{host}" for host in HOSTS]
    made = [("app.login", login(user, ip, country)) for user, ip, country in itertools.product(users, IPS, ("NL", "BR"))]
    made += [("app.login", login(users[0], ip, "NL", outcome="failure", bad=True)) for ip in IPS]
    made += [("auth.sshd", sshd(words, user, ip))
             for words, user, ip in itertools.product(("Failed password", "Accepted password"), users, IPS)]
    made += [("auth.sshd", sshd("Failed password", "invalid user", IPS[0])), ("auth.sshd", {"message": "sshd[1]: Failed password for"})]
    made += [("web.access", access(path, ip, status)) for (path, status), ip in
             itertools.product([("/", 200), ("/search?q=%3CScript%3E", 404), ("/etc/passwd", 200)], IPS)]
    made += [("app.flat", {"user.name": user, "source.ip": ip, "host": host, "n": n, "status": 200 * n})
             for n, (user, ip, host) in enumerate(itertools.product(users, IPS[:2], hosts))]
    made += [("app.flat", {"user.name": users[0], "host": host, **flags}) for host in hosts
             for flags in ({"stop": True}, {"n": 1}, {"bad": True, "source": {"ip": IPS[0]}}, {"bad": "true", "source.ip": [IPS[1]]})]
    made += [("other", {"nobody": "wants", "this": n}) for n in range(3)]
    return made


ODD = (  # records that a shipper might send: keys that are absent, null, a list or an object, other kinds of values, other spellings
    {},
    {"user.name": None, "source.ip": None, "host": None},
    {"user.name": ["alice"], "source.ip": [IPS[0]], "host": ["h1"]},
    {"user.name": ["alice", "bob"], "source.ip": list(IPS), "host": [], "bad": [True]},
    {"user": "alice", "source": IPS[0], "host": {"name": "h1"}},
    {"user.name": 7, "source.ip": 7, "host": 7.0, "status": 400},
    {"user.name": 7.0, "source.ip": True, "host": 7, "status": 400.0},
    {"user.name": "", "source.ip": "", "host": "", "status": "500", "n": 3},
    {"user.name": "ünï\u2028", "host": "h1", "source.ip": "2001:DB8:0::1", "n": 4},
    {"user.name": "alice", "source.ip": "not an address", "host": "h1", "n": 2, "message": ["boom"], "status": 1 << 63},
    {"user": {"name": "alice"}, "user.name": "bob", "source": {"ip": "::ffff:192.0.2.1"}, "host": "h2", "bad": None, "message": "a boom."},
    {"event": {"category": ["authentication", "web"], "outcome": "success"}, "url": {"original": 7},
     "source": {"geo": {"country_iso_code": ["NL", 7]}}, "user": {"name": "alice"}, "status": -1, "moved": 3},
    {"event": [{"category": "authentication"}, {"outcome": "success"}], "user": [{"name": "bob"}], "source": [{"ip": IPS[0]}],
     "status": 4e2, "host": "x" * 300},
    deep(6),
    deep(40),
)  # fmt: skip


def pairs(*given):
    """A msgpack map of what no dict can hold: equal keys, text that is none; bytes stand as they are."""
    return bytes([0x80 + len(given) // 2]) + b"".join(one if isinstance(one, bytes) else msgpack.packb(one) for one in given)


ODD_MSGPACK = (
    pairs("user.name", msgpack.packb(b"ali\xffce"), "host", msgpack.packb(b"h1")),
    pairs(1, "one", None, 2, 1.5, [], "source.ip", IPS[0], "user.name", "alice", "host", "h1"),
    pairs("bad", True, "source.ip", msgpack.packb(IPS[0].encode()), "user.name", b"\xa2\xff\xfe", "at", msgpack.Timestamp(1)),
    pairs("host", "h1", "host", "h2", "x", msgpack.ExtType(9, b"?")),
    pairs("user.name", "alice", "source.ip", IPS[1], "status", float("nan"), "host", "h1", "n", float("inf")),
)
ODD_JSON = (
    b'{"user.name": "\\ud800", "host": "h1", "source.ip": "192.0.2.1"}',
    b'{"host": "h1", "host": "h2", "user.name": "alice", "n": 1e400}',
    b'{ "bad" : true , "source.ip":"192.0.2.1","user.name":"\\u0061lice", "host":"\\u0068\\u0031", "status": 1e16}',
    b'{"user.name": "alice", "source.ip": "192.0.2.1", "status": 123456789012345678901234567890, "message": "\\u0062oom"}',
)


def _pools():
    made = {}
    for tag, record in [*kinds(), *((tag, record) for tag in ("app.odd", "web.access") for record in ODD)]:
        made.setdefault((tag, "msgpack"), []).append(msgpack.packb(record))
        made.setdefault((tag, "json"), []).append(json.dumps(record).encode())
    made["app.odd", "msgpack"] += ODD_MSGPACK
    made["app.odd", "json"] += ODD_JSON
    for unit in (unit for file in SHIPPED for unit in ready(bundle(file), {})):
        told = [record for example in unit.analyzer.examples if example.want == "fires" for record in example.records[:24]][:48]
        records = [{"message": record} if isinstance(record, str) else dict(record) for record in told]
        if records:
            made[f"shipped.{unit.name}", "msgpack"] = list(map(msgpack.packb, records))
    made["auth.sshd", "line"] = [record["message"].encode() for tag, record in kinds() if tag == "auth.sshd"]
    return made


POOLS = _pools()
"""Raw records by tag and codec."""


def records_row(tag, codec, chosen, times, *, packed=False, source="127.0.0.1:1"):
    """A row of the pool's records `chosen`, at `times`."""
    pool = POOLS[tag, codec]
    raws = [pool[number % len(pool)] for number in chosen]
    ends = list(itertools.accumulate(len(raw) for raw in raws))
    columns = Columns.of([(end - len(raw), end) for raw, end in zip(raws, ends, strict=True)], times).pack()
    body = b"".join(raws)
    return Row(Kind.RECORDS, gzip.compress(body) if packed else body, input="http", source=source, tag=tag, codec=codec,
               packing="gzip" if packed else "", count=len(raws), columns=columns)  # fmt: skip


# --- a worker without its process ---

class Kept:
    """What `ShardStore` is, in memory."""

    def __init__(self):
        self.position = self.generation = self.watermark = 0
        self._meta, self._shapes, self._states, self._tables = {}, {}, {}, {}
        self._parts = []  # of a checkpoint that is not committed yet
        self._added = {}

    def opened(self):
        """The store as one finds it that opens it: what was not committed is gone."""
        self._added = {}
        return self

    def meta(self, key):
        return self._meta.get(key)

    def shapes(self):
        return dict(self._shapes)

    def load(self):
        rows = [(analyzer, key, touched, blob) for (analyzer, key), (touched, blob) in self._states.items()]
        return iter(sorted(rows, key=lambda row: (row[2], row[0], row[1])))

    def tables(self):
        return iter([(table, key, *row) for (table, key), row in sorted(self._tables.items())])

    def add(self, changed, removed):
        self._added |= dict.fromkeys(removed)
        self._added |= {(analyzer, key): (touched, blob) for analyzer, key, _, touched, blob in changed}

    def commit(self, checkpoint):
        self.add(checkpoint.changed, checkpoint.removed)
        self._states = {one: row for one, row in (self._states | self._added).items() if row is not None}
        self._added = {}
        for one in checkpoint.tables_removed:
            self._tables.pop(one, None)
        self._tables |= {(table, key): (value, expires) for table, key, value, expires in checkpoint.tables_set}
        self._shapes |= checkpoint.shapes
        self._meta |= checkpoint.meta
        self.position, self.generation, self.watermark = checkpoint.position, checkpoint.generation, checkpoint.watermark


class Disk(dict):
    """A data folder: `disk / "shard-0.db"` is a place in it."""

    def __truediv__(self, name):
        return self, name


class Plain(Pipeline):
    """Judges every record the plain way, analyzer by analyzer, where the other uses what it has written for the tag."""

    def _batch(self, state, batch, result):
        for place in range(len(batch)):
            self.careful(state, batch.slice(place), result)


class Made:
    """Stands for the classes a `Shard` is made of, so that nothing is compiled twice and no file is opened."""

    def __init__(self):
        self.kind, self._pipelines = Pipeline, {}
        self.manifests, self.bundles = manifests()
        self.ready = functools.cache(lambda source, name: ready(self.bundles[source], OPTIONS if name == "ssh_bruteforce" else {}))

    def pipeline(self, units, mappings, *, shard, shards, note, skips, starved, scores):
        key = (self.kind, shard, shards, frozenset(skips), *map(id, units))
        if key not in self._pipelines:
            self._pipelines[key] = self.kind(units, mappings, shard=shard, shards=shards, skips=skips), units  # kept: their ids must be
        return self._pipelines[key][0]

    @contextlib.contextmanager
    def patched(self):
        found = mappings()
        with mock.patch.object(state, "_PART", 1), mock.patch.multiple(
            worker, Pipeline=self.pipeline, mappings=lambda: found,
            ShardStore=lambda place: place[0].setdefault(place[1], Kept()).opened(),
            Trace=lambda place: SimpleNamespace(note=[0, 0, -1], names=lambda names: None, done=lambda: None),
            Generations=lambda place: SimpleNamespace(manifest=self.manifests.__getitem__, bundle=lambda module: module),
            ready=lambda module, options: self.ready(module.source, module.name),
            gc=mock.Mock(),
        ):  # fmt: skip
            yield


def routing(infos_of, mappings, shards):
    """What `Host._routing` gives."""

    @functools.cache
    def routes(generation):
        infos = infos_of(generation) if generation else []
        return Routes([info.want for info in infos], mappings, shards) if shards > 1 else None

    return routes


class Reports:
    """What shards reported of a journal: findings, what they made of it (rows by id), how often each analyzer failed."""

    def __init__(self):
        self.findings, self.made, self.failed = [], {}, {}

    def add(self, report):
        """Takes a report."""
        self.findings += report.findings
        self.made |= {one.id: chained_row(one) for one in report.chained} | {one.id: table_row(one) for one in report.tables}
        for one in report.failures:
            self.failed[one.analyzer] = self.failed.get(one.analyzer, 0) + one.count

    def forget(self, offset):
        """Lets go of the findings from a row on: they are reported again."""
        self.findings = [one for one in self.findings if one.offset < offset]

    def merge(self, other):
        """Takes what another shard reported."""
        self.findings += other.findings
        self.made |= other.made
        for name, count in other.failed.items():
            self.failed[name] = self.failed.get(name, 0) + count

    def told(self, but=()):
        """The findings as they are compared."""
        return sorted((one.analyzer, one.id, one.time, one.message, one.document) for one in self.findings if one.analyzer not in but)

    def ids(self):
        return set(self.made)


def stored(findings):
    """(analyzer, document) that the desk makes of findings, by id, without what differs from run to run."""
    groups, made = {}, {}
    for one in sorted(findings, key=lambda one: (one.offset, one.index, one.analyzer, one.n)):
        if one.id not in made:
            found = Found(one.analyzer, one.fingerprint, one.time, one.severity)
            group = groups.get(one.fingerprint, Group(0, one.time, one.time))
            decision = decide(msgspec.json.decode(one.document), found, group, created=0, observer="x")
            groups[one.fingerprint] = decision.group
            made[one.id] = one.analyzer, lasting(decision.document)
    return made


def lasting(document):
    """The bytes of a document without `event.created`, `event.ingested`, `event.url`, `pluginhost.alert.dashboard` and `observer`."""
    event = {name: value for name, value in document["event"].items() if name not in ("created", "ingested", "url")}
    ours = document["pluginhost"]
    ours = {**ours, "alert": {name: value for name, value in ours["alert"].items() if name != "dashboard"}}
    rest = {name: value for name, value in document.items() if name != "observer"}
    return msgspec.json.encode({**rest, "event": event, "pluginhost": ours})

