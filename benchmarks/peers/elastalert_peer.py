"""ElastAlert 2's rule types on events as its Elasticsearch client hands them over: dicts with times, a thousand at once. See `peer.py`.

Rules are made afresh and filled for each round, which is not timed. No Elasticsearch is asked: what `new_term` learns from it is given.
"""

from __future__ import annotations

import copy
import ctypes
import datetime as dt
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from elastalert.ruletypes import CardinalityRule, ChangeRule, FrequencyRule, NewTermsRule, RuleType

Event = dict[str, Any]
BATCH = 1000


class KnownTerms(NewTermsRule):
    """`new_term` that was told its terms."""

    def get_all_terms(self, args: Any) -> None:
        self.seen_values = {"path": list(self.rules["known"])}


def events(given: list[list[Any]]) -> list[Event]:
    """Events of (ns, record)."""
    zone = dt.UTC
    return [{"@timestamp": dt.datetime.fromtimestamp(ns // 10**6 / 1000, zone), **record} for ns, record in given]


def minutes(count: float) -> dict[str, Any]:
    return {"timestamp_field": "@timestamp", "timeframe": dt.timedelta(minutes=count)}


def rules(given: dict[str, Any]) -> dict[str, Callable[[], RuleType]]:
    """How the rule of each run is made."""

    def cardinality() -> CardinalityRule:
        rule = CardinalityRule({**minutes(60), "query_key": "ip", "cardinality_field": "path", "max_cardinality": given["most"]})
        first = events(given["cardinality_known"])
        rule.cardinality_cache = {}
        for event in first:
            rule.cardinality_cache.setdefault(event["ip"], {})[event["path"]] = event["@timestamp"]
            rule.first_event.setdefault(event["ip"], event["@timestamp"])
        return rule

    return {
        "frequency": lambda: FrequencyRule({**minutes(5), "query_key": "user", "num_events": given["count"]}),
        "change": lambda: ChangeRule({"timestamp_field": "@timestamp", "query_key": "user", "compound_compare_key": ["ip"],
                                      "ignore_null": True}),
        "cardinality": cardinality,
        "cardinality_beyond": cardinality,
        "new_term": lambda: KnownTerms({"timestamp_field": "@timestamp", "fields": ["path"], "known": given["terms"]}),
    }  # fmt: skip


def resident() -> int:
    """The resident size of this process in bytes, with what the allocator holds in vain given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def windows(keys: int, entries: int) -> None:
    """Answers once, with the bytes that windows of so many entries take for `found`."""
    rule = FrequencyRule({**minutes(60), "query_key": "user", "num_events": 10**9})
    zero = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    before, began = resident(), time.process_time()
    for n in range(entries):
        when = zero + dt.timedelta(seconds=n)
        for key in range(keys):
            rule.add_data([{"@timestamp": when, "user": f"u{key:07}"}])
    cpu = time.process_time() - began
    print(json.dumps({"cpu": cpu, "records": keys * entries, "found": resident() - before}), flush=True)


def main(folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    given = json.loads((folder / "elastalert-input.json").read_text())
    if "windows" in given:
        print(json.dumps({"about": f"ElastAlert {version('elastalert2')}"}), flush=True)
        sys.stdin.readline()
        windows(*given["windows"])
        return
    made, sent = rules(given), {name: events(found) for name, found in given["events"].items()}
    print(json.dumps({"about": f"ElastAlert {version('elastalert2')}"}), flush=True)
    for line in sys.stdin:
        name = json.loads(line)
        rule, data = made[name](), [copy.copy(event) for event in sent[name]]
        began = time.process_time()
        for at in range(0, len(data), BATCH):
            rule.add_data(data[at : at + BATCH])
        print(json.dumps({"cpu": time.process_time() - began, "records": len(data), "found": len(rule.matches)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
