"""Makes `tests/fixtures/scores.ndjson.gz`: scores of the traffic that the alerts of the fixture come from, and the health of two hosts.

Run by hand, from the root, when analyzers or documents have changed: `.venv/bin/python tests/support/make_scores.py`; half a minute. Scores
are what `pluginhost backtest` sends to a file, of three days: all of the first day's firewall, else every tenth minute of what has one each
minute. The health is made up, for the first day: sidecar-1 runs all of it, sidecar-2 since nine, and for a while nothing gets out (see
`make_alerts`). `labels.made_up` says that none of it happened.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
from make_alerts import AWAY, LAST, SEED, START, WEEKS, backtest, generated, written

from pluginhost.alerts.scores import Health, health_document, health_identity, sent
from pluginhost.outputs.bulk import create
from pluginhost.replay.generators.item import DAY
from pluginhost.wire.times import SECOND, parse

__all__ = ["FIXTURE"]

FIXTURE = Path(__file__).parents[1] / "fixtures" / "scores.ndjson.gz"
MINUTE = 60 * SECOND
FIRST = START + (7 * WEEKS - LAST) * DAY
SIDECARS = {"sidecar-1": FIRST, "sidecar-2": FIRST + 9 * 60 * MINUTE}
BUSY = parse("2026-02-27T10:30:00Z"), parse("2026-02-27T10:45:00Z")
OUT = (("sidecar-1", parse("2026-02-27T06:12:00Z"), parse("2026-02-27T06:17:00Z")),
       ("sidecar-2", parse("2026-02-27T09:20:00Z"), parse("2026-02-27T09:22:00Z")))  # fmt: skip
"""Hosts with an analyzer in quarantine, from when to when."""
SETTINGS = "namespace: live\nscores: {enabled: true}\noutputs: [{type: file, path: found.ndjson, scores: true}]\n"


def scores():
    """Their documents, in order of time."""
    with tempfile.TemporaryDirectory() as folder:
        backtest(Path(folder), [one for one in generated() if one.time >= FIRST], SETTINGS, "--output", "file", "--namespace", "default")
        lines = [json.loads(line) for line in (Path(folder) / "found.scores.ndjson").read_text("utf-8").splitlines()]
    return [one for one in lines if wanted(one["rule"]["id"], parse(one["@timestamp"]))]


def wanted(rule, time):
    """Whether the score is one of the fixture."""
    return rule == "web_outlier" or (rule == "waf" and time < FIRST + DAY) or time // MINUTE % 10 == 0


def health():
    """The documents of both hosts, minute by minute."""
    chances = Random(SEED)
    for end in range(FIRST + MINUTE, FIRST + DAY + MINUTE, MINUTE):
        for host, since in SIDECARS.items():
            if end > since:
                made = health_document(told(host, end, chances), event_id=health_identity(host, end), end=end, span=MINUTE)
                yield sent(made, "default", host)


def told(host, end, chances):
    """What a host may count and hold in the minute before `end`: more by day, and trouble when `own_alerts` has it."""
    day = 1.0 - abs((end - FIRST) / DAY - 0.5)  # 0.5 at midnight, 1 at noon
    alerts = min(int(chances.expovariate(1.0)), 9)
    waited = max(min(end, AWAY[1]) - AWAY[0], 0) // SECOND if AWAY[0] < end < AWAY[1] + MINUTE else 0
    rows = chances.randrange(3) + (chances.randrange(40, 400) if BUSY[0] <= end < BUSY[1] else 0)
    out = sum(begin < end <= until for one, begin, until in OUT if one == host)
    return Health(
        records=int(day * chances.gauss(2400, 90)), alerts=alerts, suppressed=chances.randrange(alerts + 1) // 3,
        dead_letters=int(chances.random() < 0.01), errors=chances.randrange(50, 80) * out + (2 if waited else 0),
        journal_rows=rows, journal_age=rows * 0.04 + chances.random() / 10 if rows else 0.0,
        undelivered=waited // 24 + alerts // 5, undelivered_age=waited + chances.random() if waited or alerts >= 5 else 0.0,
        quarantined=out, memory=(180 << 20) + int(chances.random() * (4 << 20)) // 4096 * 4096,
    )  # fmt: skip


def stamped(document, end, seconds):
    """The document as it was sent so long after its `end`."""
    document["pluginhost"].pop("backtest", None)
    made = {**document, "labels": {"made_up": "true"}}
    return msgspec.json.decode(create(document["event"]["id"], made, end, end + round(seconds * 1000) * 10**6).splitlines()[1])


def main():
    chances = Random(SEED)
    found = sorted((*scores(), *health()), key=lambda one: one["@timestamp"])
    made = [stamped(one, parse(one["event"]["end"]), chances.uniform(0.1, 2.0)) for one in found]
    print(f"{len(made):,} documents, {written(FIXTURE, made):,} bytes")
    print(Counter(one["pluginhost"]["analyzer"] for one in made).most_common())


if __name__ == "__main__":
    main()
