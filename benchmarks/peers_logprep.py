"""A thousand rules such as Logprep's pre-detector has, which one record in a thousand matches: ours beside Logprep's.

`python benchmarks/peers_logprep.py`. Logprep gets ready dicts; ours gets the msgpack bytes of the same records and decodes them. It is
measured twice: the pre-detector alone, and the pipeline that renames eleven fields before it, which is how rules over a common
naming are written for it; ours finds fields by either name. Both must find the same number of detections. Its own choice of rule
order (`tree_config`) is left as it comes.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from common import BATCH, Engine, Record, alternate, as_worker, conditions, journal, record, size, table, timed
from peer import Peer, cache

from pluginhost import Alert, Event, analyzer
from pluginhost.engine.unit import Unit

RULES, ROWS, ROUNDS = 1000, 5, 5
NAMES = {"type": "service.type", "ip": "source.ip", "host": "observer.hostname", "user": "actor.name", "method": "http.request.method",
         "path": "url.original", "code": "http.response.status_code", "size": "http.response.bytes", "referer": "http.request.referrer",
         "agent": "agent_name.original", "stream": "log.iostream"}  # fmt: skip
OURS, ALONE, RENAMING = "ours, from msgpack", "pre-detector alone, from dicts", "rename and detect, from dicts"


def made(number: int) -> Record:
    """The records of all benchmarks; every thousandth is what a rule looks for."""
    one = record(number)
    if number % 1000 == 500:
        one["user" if one["type"] == "ssh" else "path"] = value(number // 1000 * 2 + (one["type"] == "web"))
    return one


def value(number: int) -> str:
    return f"evil{number:05}"


def condition(number: int) -> list[tuple[str, str]]:
    """What rule `number` asks for, as (field, value): half are about sshd, half about nginx."""
    return [("type", "web"), ("path", value(number))] if number % 2 else [("type", "ssh"), ("user", value(number))]


def rule(number: int, names: dict[str, str]) -> dict[str, Any]:
    """The rule in Logprep's format."""
    query = " AND ".join(f'{names.get(field, field)}: "{wanted}"' for field, wanted in condition(number))
    told = {"id": f"rule_{number}", "title": f"rule {number}", "severity": "high", "mitre": ["attack.t1110"], "case_condition": "directly"}
    return {"filter": query, "pre_detector": told, "description": "found"}


def unit(number: int) -> Unit:
    """The same rule as an analyzer."""
    query = " AND ".join(f'{field}:"{wanted}"' for field, wanted in condition(number))

    def body(event: Event) -> Alert:
        return Alert("high", "found", technique="T1110")

    return Unit(analyzer(where=query, name=f"rule_{number}")(body), {})


def main() -> None:
    as_worker()
    engine, rows = Engine([unit(number) for number in range(RULES)]), journal(0, ROWS, made=made)
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        folder = Path(name)
        given = {"names": NAMES, "rules": [rule(n, {}) for n in range(RULES)], "renamed_rules": [rule(n, NAMES) for n in range(RULES)]}
        (folder / "logprep-input.json").write_text(json.dumps(given))
        (folder / "records.json").write_text(json.dumps([made(n) for n in range(ROWS * BATCH)]))
        with Peer("logprep", folder) as peer:
            runs = {ALONE: lambda: peer.run("alone"), RENAMING: lambda: peer.run("renaming")}
            costs = alternate({OURS: partial(timed, lambda: engine.run(rows), ROWS * BATCH), **runs}, ROUNDS)
            found = {engine.run(rows), peer.found["alone"], peer.found["renaming"]}
            assert len(found) == 1, f"they do not find the same: {found}"
            conditions(f"{peer.about}, {RULES:,} rules, {found.pop()} of {ROWS * BATCH:,} records match one; {size(rows)}-byte records, "
                       f"batches of {BATCH:,}, journal off", ROUNDS)  # fmt: skip
    table("rules beside Logprep's", costs, {})
    for peer_name, target in ((ALONE, 60), (RENAMING, 20)):
        table(f"ours beside its {peer_name}", {peer_name: costs[peer_name], OURS: costs[OURS]}, {OURS: (peer_name, target)})


if __name__ == "__main__":
    main()
