"""What an alert costs in the desk's thread: `python benchmarks/desk.py [--count N]`, with none of the policies and with all of them.

`all` is ten rules of suppression (two with lists, two with maintenance), 100 mutes, grouping with a threshold, and three outputs that tell
people, one of them gathering by key. Findings of a hundred groups come 500 in a commit, one in five of them below its threshold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from pluginhost.alerts.calendar import Schedule, Span
from pluginhost.alerts.desk import Policy, Suppress
from pluginhost.alerts.grouping import Grouping, Threshold
from pluginhost.alerts.scope import Scope
from pluginhost.alerts.telling import MEMBERS, Audience, Gather, Limit
from pluginhost.engine.items import Finding
from pluginhost.engine.sitting import Sitting
from pluginhost.engine.splitter import Control, control_row
from pluginhost.engine.standing import Standing
from pluginhost.events.references import listing_of
from pluginhost.host.sending import message
from pluginhost.match import compile as compiled
from pluginhost.match import parse
from pluginhost.store.alerts import AlertStore
from pluginhost.store.mutes import StoredMute

SECOND = 10**9
T = 1_772_618_400 * SECOND
BATCH = 500
LISTS = {"offices": listing_of("networks", [f"10.{n}.0.0/16" for n in range(200)]),
         "robots": listing_of("strings", [f"svc-{n}" for n in range(1000)])}  # fmt: skip


def policy() -> Policy:
    """Everything at once; nothing of it silences the findings below."""
    queries = ("user.name:(svc* OR robot)", 'source.ip:"10.0.0.0/8"', "host.name:/db[0-9]+/", "event.severity:<30", "NOT user.name:*",
               "source.geo.country_iso_code:(DE OR FR)")  # fmt: skip
    rules = [Suppress(f"query_{number}", Scope(compiled(parse(query)))) for number, query in enumerate(queries)]
    rules += [Suppress("offices", list="offices", field="source.ip"), Suppress("robots", list="robots", field="user.name")]
    rules += [Suppress("once", during=(Span(until=T),)), Suppress("nightly",
                                                                  during=(Schedule("0 22 * * *", ZoneInfo("UTC"), 3600 * SECOND),))]
    people = (Audience("chat", limit=Limit(20, 60 * SECOND)), Audience("mail", gather=Gather(300 * SECOND, None, ("user.name",))),
              Audience("pager"))
    return Policy(tuple(rules), (Grouping(threshold=Threshold(2, 1 * SECOND), realert=1),), audiences=people)


def mutes(standing: Standing) -> None:
    """Lays down a hundred: of groups, of analyzers, by queries."""
    for number in range(100):
        what = ({"fingerprint": f"f{number}"}, {"analyzers": (f"other_{number}*",)}, {"query": f"user.name:somebody{number}"})[number % 3]
        row = control_row(Control(mute=StoredMute(f"mute_{number}", T, 1 << 62, **what)))
        row.offset = number
        standing.seen(row)


def finding(number: int) -> Finding:
    """One as an analyzer would give it, about 1.5 kB."""
    user = f"user{number % 100}"
    document = {"event": {"id": f"e{number}", "kind": "alert", "severity": 73, "original": "x" * 200}, "log": {"level": "high"},
                "observer": {"type": "ids"}, "message": f"{user}: 10 failed logins", "user": {"name": user},
                "host": {"name": "web1"}, "source": {"ip": f"203.0.113.{number % 250}"},
                "pluginhost": {"analyzer": "brute", "alert": {"fingerprint": f"g{number % 100}", "count": 1},
                               "record": {"message": "x" * 300}, "events": [{"message": "y" * 80}] * 5}}  # fmt: skip
    at = T + number * SECOND // 100
    return Finding(1000 + number, 0, "brute", 0, f"e{number}", f"g{number % 100}", at, "high", "m", msgspec.json.encode(document))


def measured(folder: Path, laid: Policy, count: int, *, muted: bool) -> float:
    """µs an alert."""
    store = AlertStore(folder / "alerts.db", clock=time.time_ns, composed=message, members=MEMBERS)
    standing = Standing(store.mutes, lambda _: LISTS, 0)
    if muted:
        mutes(standing)
    outputs = ["archive", *(one.output for one in laid.audiences)]
    found = [finding(number) for number in range(count)]
    began = time.perf_counter()
    for first in range(0, count, BATCH):
        taken = found[first : first + BATCH]
        with store.turn():
            look = standing.look()
            sitting = Sitting(store, laid, lambda *_: outputs, taken, now=time.time_ns(), observer="me", standing=look)
            for one in taken:
                sitting.decide(one)
            store.commit(sitting.commit({0: taken[-1].offset + 1}, []))
        standing.took(look, taken[-1].offset + 1)
    spent = time.perf_counter() - began
    store.close()
    return spent / count * 1e6


def main() -> None:
    """Prints a line for each."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--count", type=int, default=10_000)
    count = given.parse_args().count
    everything, told = policy(), {}
    parts = {
        "none": (Policy(), False), "rules": (Policy(everything.suppress), False), "mutes": (Policy(), True),
        "grouping": (Policy(grouping=everything.grouping), False), "telling": (Policy(audiences=everything.audiences), False),
        "all": (everything, True),
    }  # fmt: skip
    for name, (laid, muted) in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            told[name] = measured(Path(folder), laid, count, muted=muted)
        print(f"{name:<9} {told[name]:7.0f} µs an alert   {told[name] / told['none']:5.2f} times none")


if __name__ == "__main__":
    main()
