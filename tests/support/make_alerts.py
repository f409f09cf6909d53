"""Makes `tests/fixtures/alerts.ndjson.gz`: a thousand alerts as a cluster is sent them, most of the shipped analyzers, each with its label.

Run by hand, from the root, when analyzers or documents have changed: `.venv/bin/python tests/support/make_alerts.py`; a minute or two.
Records are made from a fixed seed, in a fixed February, and go through `pluginhost backtest`. Of every analyzer the first alerts are taken,
of those that find little all; then others in order until there are enough, with some that hosts make of themselves. A few are told to
nobody, by rules. When they were sent is made up: a moment after the event, later where the record came late, and for a while nothing got
out. Links lead to a Kibana that is not there. `labels.made_up` says that none of it happened, `labels.incident` the kinds of incidents of
the generators that the alert may belong to ("none": to none; those of suppressed alerts are not told).
"""

from __future__ import annotations

import gzip
import heapq
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
from own_alerts import own_alerts

from pluginhost.alerts.links import Links, linked
from pluginhost.cli.demo import _SETTINGS
from pluginhost.outputs.bulk import create
from pluginhost.replay.destinations import destination
from pluginhost.replay.generators import hosts, logins, waf, web
from pluginhost.replay.generators.item import DAY
from pluginhost.replay.generators.mixed import LISTS
from pluginhost.replay.kept import names, stored
from pluginhost.replay.score import Truth, findings
from pluginhost.wire.times import parse

__all__ = ["AWAY", "FIXTURE", "SEED", "START", "backtest", "generated", "written"]

FIXTURE = Path(__file__).parents[1] / "fixtures" / "alerts.ndjson.gz"
SEED, ALERTS, EACH = 1, 1000, 12
START, WEEKS, LAST = parse("2026-02-02T00:00:00Z"), 4, 3  # a Monday; hosts, shop and firewall are seen on the last days
VOLATILE = {"created", "ingested", "url"}  # of `event`: when and where it was made, which says nothing here
AWAY = parse("2026-02-27T14:40:00Z"), parse("2026-02-27T15:00:00Z")  # nothing could be sent
SUPPRESS = """suppress:
  - {name: own_scanner, when: 'source.ip:"198.19.182.113"'}
  - {name: known_bot, analyzers: [page_pace], when: 'source.ip:("198.19.195.161" OR "198.19.218.152")'}
  - {name: maintenance, analyzers: [page_pace, new_user_agent], during: [{from: "2026-02-27T04:00Z", to: "2026-02-27T07:00Z"}]}
"""
LINKS = Links("kibana", "https://kibana.example")


def generated():
    """Four weeks of logins, and three days of everything else, in order of time; incidents of different streams have different numbers."""
    chances = [Random(SEED * 10 + n) for n in range(4)]
    later, minutes = START + (7 * WEEKS - LAST) * DAY, LAST * 1440
    streams = (
        logins(chances[0], START, 7 * WEEKS, users=60, attacks=4.0), hosts(chances[1], later, minutes, hosts=6, rate=2.0),
        web(chances[2], later, minutes, rate=4.0), waf(chances[3], later, minutes, rate=2.0),
    )  # fmt: skip
    return list(heapq.merge(*(apart(n, stream) for n, stream in enumerate(streams)), key=lambda item: item.time))


def apart(n, stream):
    """The items of the n-th stream, with incidents that no other has."""
    for item in stream:
        yield item if item.label is None else item._replace(label=item.label._replace(incident=item.label.incident + n * 10**6))


def backtest(folder, items, settings, *options):
    """Has the analyzers judge the items, with these further settings and options."""
    for name, entries in LISTS.items():
        (folder / f"{name}.txt").write_text("\n".join((*entries, "")))
    lists = "".join(f"  {name}: {{file: {name}.txt, kind: networks}}\n" for name in LISTS)
    (folder / "pluginhost.yaml").write_text(f"data: data\nhostname: sidecar-1\n{settings}{_SETTINGS}{lists}")
    with closing(destination(str(folder / "records.ndjson"))) as to:
        to.send(items)
    command = [sys.executable, "-m", "pluginhost", "backtest", *options, "--quiet", "records.ndjson"]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": str(FIXTURE.parents[2])})


def judged(folder, items):
    """The documents of all alerts, in the order of their events."""
    backtest(folder, items, SUPPRESS, "--store")
    with closing(stored(folder / "data", "backtest", names(folder / "data", "backtest")[0])) as archive:
        found = archive.list(limit=1 << 20, suppressed=None)
    return [json.loads(one.document) for one in sorted(found, key=lambda one: (one.time, one.seq))]


def chosen(documents, most):
    """`most` of them: the first `EACH` of every analyzer, then others from the first on."""
    seen, first, others = Counter(), [], []
    for place, one in enumerate(documents):
        analyzer = one["pluginhost"]["analyzer"]
        (first if seen[analyzer] < EACH else others).append(place)
        seen[analyzer] += 1
    return [documents[place] for place in sorted((first + others)[:most])]


def labelled(document, truth):
    """The document as a live host's, with its label."""
    document["pluginhost"].pop("backtest", None)
    document["event"] = {name: value for name, value in document["event"].items() if name not in VOLATILE}
    kinds = sorted({kind for found in findings([document]) for one in truth.of(found) for kind in one.kinds})
    return {**document, "labels": {"made_up": "true", "incident": kinds or ["none"]}}


def sent(document, chances):
    """The document as an output sends it, some time after its event."""
    time = parse(document["@timestamp"])
    seconds = chances.lognormvariate(-1.0, 0.6) + (chances.expovariate(1 / 900) if chances.random() < 0.02 else 0.0)
    at = time + round(seconds * 1000) * 10**6
    if AWAY[0] <= at < AWAY[1]:
        at = AWAY[1] + chances.randrange(4000) * 10**6
    return msgspec.json.decode(create(document["event"]["id"], linked(document, LINKS), time, at).splitlines()[1])


def written(path, documents):
    """Writes them, a line each; how many bytes that takes."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.writelines(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for one in documents)
    return path.stat().st_size


def main():
    items = generated()
    truth = Truth((item.time, item.label) for item in items if item.label is not None)
    with tempfile.TemporaryDirectory() as folder:
        documents, own = judged(Path(folder), items), own_alerts(Path(folder))
    found = sorted(chosen(documents, ALERTS - len(own)) + own, key=lambda one: one["@timestamp"])
    chances = Random(SEED)
    made = [sent(labelled(one, truth), chances) for one in found]
    size = written(FIXTURE, made)
    print(f"{len(made):,} of {len(documents):,} alerts of {len({one['pluginhost']['analyzer'] for one in made})} analyzers, {size:,} bytes")
    print(Counter(kind for one in made for kind in one["labels"]["incident"]).most_common())


if __name__ == "__main__":
    main()
