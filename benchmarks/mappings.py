"""What the mappings cost per kind of record: finding out how a record is read, and then reading the fields that rules ask for.

`python benchmarks/mappings.py`. Medians of alternating rounds, in µs of CPU time per record; records are decoded beforehand. "known"
is the reading found and nothing asked, by the mappings of these kinds alone, by all there are, and by as many again that know none of
these records; "asked" is by all there are, and also asks for the fields of the shipped analyzers.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from pluginhost.engine.parts import find, mappings
from pluginhost.events.fields import MISSING, lookup
from pluginhost.events.mapping import Keys, Line, Mapping, Mappings

RECORDS, ROUNDS = 5000, 9
FIELDS = ("event.category", "event.action", "event.outcome", "source.ip", "user.name", "url.original")
APP = {"host": "web1", "stream": "stdout", "level": "info", "pid": 4242, "container": "c0ffee", "pod": "web-7d9f", "namespace": "shop",
       "node": "node-3", "region": "eu-1", "ok": True, "seq": 7}  # fmt: skip
LOGIN = "Failed password for user{} from 203.0.113.{} port 50000 ssh2"
LINES = {
    "app line": "User {0} opened basket {1} in 14 ms",
    "sshd login, RFC 3164": f"Nov 21 10:00:00 web1 sshd[42]: {LOGIN}",
    "sshd login, RFC 5424": f"<38>1 2026-11-21T10:00:00Z web1 sshd 42 - - {LOGIN}",
    "sshd login, user with a blank": "Nov 21 10:00:00 web1 sshd[42]: Failed password for a {} from 203.0.113.{} port 50000 ssh2",
    "sshd connection closed": "Nov 21 10:00:00 web1 sshd[42]: Connection closed by invalid user u{} 203.0.113.{} port 50000 [preauth]",
    "access line, combined":
        '198.51.100.{1} - - [21/Nov/2026:10:00:00 +0000] "GET /items/{0}?page=2 HTTP/1.1" 200 512 "-" "Firefox/120.0"',
    "access line, escaped agent": r'198.51.100.{1} - - [21/Nov/2026:10:00:00 +0000] "GET /items/{0} HTTP/1.1" 200 512 "-" "a \x22b\x22"',
}  # fmt: skip
PARSED: dict[str, Any] = {
    "remote": "203.0.113.9", "host": "-", "user": "-", "method": "GET", "path": "/a?b=c", "code": "404", "size": "153", "referer": "-",
    "agent": "curl/8",
}  # fmt: skip
NGINX: dict[str, Any] = {
    "remote_addr": "203.0.113.9", "remote_user": "", "request": "GET /a?b=c HTTP/1.1", "status": "404", "body_bytes_sent": 153,
    "http_referer": "", "http_user_agent": "curl/8", "host": "web1",
}  # fmt: skip


def kinds() -> dict[str, list[dict[str, Any]]]:
    """The records of each kind."""
    found = {name: [{"message": line.format(n % 500, n % 250), **APP} for n in range(RECORDS)] for name, line in LINES.items()}
    bare = [{"ident": "sshd", "pid": "42", "host": "web1", "message": LOGIN.format(n % 500, n % 250)} for n in range(RECORDS)]
    return found | {
        "sshd login, header taken off": bare,
        "access-parsed": [{**PARSED, "path": f"/items/{n}?page=2"} for n in range(RECORDS)],
        "access-nginx": [{**NGINX, "request": f"GET /items/{n}?page=2 HTTP/1.1"} for n in range(RECORDS)],
    }


def sets() -> dict[str, Mappings]:
    """The mappings of these kinds alone, all, and all with as many strangers."""
    few, everyone = (*find("mappings", "sshd"), *find("mappings", "access")), tuple(mappings())
    shapes = [Keys((f"key{n}", "id")) if n % 3 else Line(holds=f"stranger{n}[") for n in range(len(everyone))]
    strangers = [Mapping(f"stranger {n}", "", shape) for n, shape in enumerate(shapes)]
    return {f"known, {len(few)}": Mappings(few), f"{len(everyone)}": mappings(), f"{2 * len(everyone)}": Mappings((*strangers, *everyone))}


def known(records: Iterable[dict[str, Any]], read: Callable[..., Any]) -> None:
    for record in records:
        read("app", record)


def asked(records: Iterable[dict[str, Any]], read: Callable[..., Any]) -> None:
    for record in records:
        get = read("app", record).get
        for field in FIELDS:
            if lookup(record, field) is MISSING:
                get(record, field)


def main() -> None:
    all_kinds = kinds()
    ways = [(name, known, some.read) for name, some in sets().items()] + [(f"asked {len(FIELDS)} fields", asked, mappings().read)]
    costs: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, records in all_kinds.items():
            for way, run, read in ways:
                began = time.process_time()
                run(records, read)
                costs.setdefault((name, way), []).append((time.process_time() - began) / RECORDS * 1e6)
    print(f"Python {platform.python_version()}, µs of CPU time per record, medians of {ROUNDS} rounds of {RECORDS} (least)")
    print(f"  {'':<32} {' '.join(f'{way:>16}' for way, _, _ in ways)}")
    for name in all_kinds:
        shown = (f"{statistics.median(found):.2f} ({min(found):.2f})" for found in (costs[name, way] for way, _, _ in ways))
        print(f"  {name:<32} {' '.join(f'{one:>16}' for one in shown)}")


if __name__ == "__main__":
    main()
