"""Makes `tests/fixtures/states.ndjson.gz`: what became of the groups of the alerts in the other fixture, as the state index has it.

Run by hand, from the root, after `make_alerts.py`: `.venv/bin/python tests/support/make_states.py`; a second. Every alert is taken when it
was sent, and four made-up people do their work: they acknowledge after minutes, more where it is not grave, and resolve after hours, mostly
with the verdict that the alert's label deserves; some of it they never do. Conditions that end resolve by themselves. All rules are those
of `alerts.cases`.
"""

from __future__ import annotations

import gzip
import heapq
import json
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
from make_alerts import FIXTURE as ALERTS
from make_alerts import SEED, written

from pluginhost.alerts.cases import Action, Alerted, alerted, changed, checked, composed, happened, joined
from pluginhost.outputs.bulk import replace
from pluginhost.wire.times import SECOND, parse

__all__ = ["FIXTURE"]

FIXTURE = Path(__file__).parents[1] / "fixtures" / "states.ndjson.gz"
CREW = ("alma", "bela", "chen", "dora")
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
END = parse("2026-03-02T00:00:00Z")
HURRY = {"low": 8.0, "medium": 3.0, "high": 1.0, "critical": 0.4}
VERDICTS = ("true", "false", "benign")
TAGS = {"true": "contained", "false": "tune", "benign": "expected"}


class Cases:
    """The groups' states by fingerprint, each with when it last changed, and what people are going to do about them."""

    def __init__(self, chances):
        self._chances, self._plans = chances, []
        self.states, self.changed, self.last = {}, {}, {}

    def take(self, document):
        """Reckons with an alert at the time it was sent."""
        now, ours = parse(document["event"]["ingested"]), document["pluginhost"]
        self.work(now)
        told = ours["alert"]
        one = Alerted(document["event"]["id"], told["fingerprint"], parse(document["@timestamp"]), document["log"]["level"],
                      document["rule"]["id"], document["message"], "suppressed" in told, told.get("status") == "resolved")  # fmt: skip
        before = self.states.get(one.fingerprint)
        after = alerted(before, one, now)
        if after is None:
            return
        self._keep(joined(after, ours["incident"], now) if "incident" in ours else after, now)
        if not (one.suppressed or one.ended):
            self.last[one.fingerprint] = document
        if happened(before, after) in ("opened", "reopened"):
            self._plan(after, now, attack=document["labels"]["incident"] != ["none"])

    def _keep(self, state, now):
        self.states[state.fingerprint], self.changed[state.fingerprint] = state, now

    def _plan(self, state, now, attack):
        """What somebody will do about a group that was opened: nothing, or so many steps, sooner the graver it is."""
        draw, hurry = self._chances, HURRY[state.severity]
        who, steps = draw.choice(CREW), draw.choices((0, 1, 2, 4, 6), (0.1, 0.04, 0.06, 0.1, 0.7))[0]
        (verdict,) = draw.choices(VERDICTS, (0.72, 0.13, 0.15) if attack else (0.1, 0.65, 0.25))
        seen = now + round(draw.lognormvariate(2.5, 0.9) * hurry * MINUTE)
        done = seen + round(draw.lognormvariate(0.6, 0.8) * hurry * HOUR)
        plan = ((seen, {"name": "ack"}), (seen + MINUTE, {"name": "assign", "assignee": who}), (seen + 3 * MINUTE, {"name": "start"}),
                (seen + 5 * MINUTE, {"name": "link", "values": (f"https://tickets.example/{state.fingerprint[:6]}",)}),
                (done, {"name": "tag", "values": (TAGS[verdict],)}),
                (done, {"name": "resolve", "verdict": verdict, "note": f"{TAGS[verdict]}, says {who}"}))[:steps]  # fmt: skip
        for place, (time, what) in enumerate(plan):
            heapq.heappush(self._plans, (time, state.fingerprint, place, state.opened, checked(Action(by=who, **what))))

    def work(self, now):
        """Does what people do up to `now`, where the group is still as they found it."""
        while self._plans and self._plans[0][0] <= now:
            time, print_, _, opened, action = heapq.heappop(self._plans)
            state = self.states[print_]
            if state.opened == opened and state.status != "resolved":
                self._keep(changed(state, action, time), time)

    def documents(self):
        """Each state's document as it was sent last, in order of fingerprints."""
        for print_, state in sorted(self.states.items()):
            made = msgspec.json.decode(composed(msgspec.json.encode(state), msgspec.json.encode(stored(self.last[print_]))))
            lines = replace(print_, state.revision, made, state.last, self.changed[print_])
            yield msgspec.json.decode(lines.splitlines()[1])


def stored(document):
    """The alert's document as it lies in the embedded store."""
    event, ours = dict(document["event"]), dict(document["pluginhost"])
    del event["ingested"]
    ours["alert"] = {name: value for name, value in ours["alert"].items() if name != "lag"}
    return {**document, "event": event, "pluginhost": ours}


def main():
    cases = Cases(Random(SEED))
    alerts = [json.loads(line) for line in gzip.decompress(ALERTS.read_bytes()).splitlines()]
    for one in sorted(alerts, key=lambda one: one["event"]["ingested"]):
        cases.take(one)
    cases.work(END)
    made = list(cases.documents())
    print(f"{len(made):,} states, {written(FIXTURE, made):,} bytes")
    for name in ("status", "verdict", "assignee", "by"):
        print(name, Counter(one["pluginhost"]["state"].get(name, "") for one in made).most_common())


if __name__ == "__main__":
    main()
