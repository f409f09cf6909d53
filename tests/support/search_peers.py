"""A search cluster as the outputs into it see it: alerts to send, what the cluster holds, and documents that are hard to take."""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any

from pluginhost.alerts.template import Kind, Product, home
from pluginhost.metrics import Registry
from pluginhost.outputs.elasticsearch import Elasticsearch
from pluginhost.outputs.opensearch import OpenSearch
from pluginhost.outputs.port import Context, Outgoing
from pluginhost.outputs.search import SearchOutput

__all__ = ["NOON", "RUBBISH", "SAMPLE", "Peer", "asynchronous", "call", "outgoing", "state", "stored"]

OUTPUTS: dict[Product, Any] = {"elasticsearch": Elasticsearch, "opensearch": OpenSearch}
NOON = 1_767_323_045_123_456_789  # 2026-01-02T03:04:05.123Z


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def outgoing(name: str, **fields: Any) -> Outgoing:
    event = {"id": name, "kind": "alert", "created": "2026-01-02T03:04:05.123Z"}
    document = {"@timestamp": "2026-01-02T03:04:05.123Z", "event": event, "message": "m", "pluginhost": {"record": {"n": 1}}, **fields}
    return Outgoing(sequence=1, id=name, time=NOON, severity="high", analyzer="a", document=json.dumps(document).encode())


def state(name: str, revision: int, **fields: Any) -> Outgoing:
    """The state of the alert whose fingerprint is `name`."""
    document = {"@timestamp": "2026-01-02T03:04:05.123Z", "event": {"id": "e", "kind": "alert"}, "rule": {"name": "r"},
                "pluginhost": {"alert": {"fingerprint": name}, "state": {"status": "open", "revision": revision, **fields}}}  # fmt: skip
    return Outgoing(sequence=1, id=name, time=NOON, severity="high", analyzer="a", document=json.dumps(document).encode())


_ANY = ssl.create_default_context()
_ANY.check_hostname, _ANY.verify_mode = False, ssl.CERT_NONE  # who it is, is for the outputs to see


def call(url: str, method: str, path: str, body: Any = None, user: str = "", key: str = "") -> Any:
    headers = {"content-type": "application/json"}
    if user or key:
        headers["authorization"] = f"ApiKey {key}" if key else "Basic " + b64encode(user.encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=30, context=_ANY) as answer:
        return json.loads(answer.read() or b"null")


def stored(url: str, name: str) -> Any:
    return call(url, "GET", f"/_index_template/{name}")["index_templates"][0]["index_template"]


class Peer:
    """One namespace of a server: an output into it, and what it holds."""

    def __init__(self, url: str, namespace: str, product: Product = "elasticsearch", *, what: Kind = "alerts", **more: Any) -> None:
        self.url, self.namespace, self.stream, self.product = url, namespace, home(what, namespace).target, product
        self.registry, self.more, self.user, self.what = Registry(), more, "", what

    def output(self, **more: Any) -> SearchOutput:
        clock = more.pop("clock", time.time_ns)
        kind = OUTPUTS[self.product]
        options = kind.Options(hosts=(self.url,), **{**self.more, **more})
        return kind(options, Context(name="es", metrics=self.registry, clock=clock, namespace=self.namespace, what=self.what))

    def count(self) -> int:
        call(self.url, "POST", f"/{self.stream}/_refresh", user=self.user)
        return call(self.url, "GET", f"/{self.stream}/_count", user=self.user)["count"]

    def documents(self) -> dict[str, dict[str, Any]]:
        call(self.url, "POST", f"/{self.stream}/_refresh", user=self.user)
        hits = call(self.url, "POST", f"/{self.stream}/_search", {"size": 1000}, user=self.user)["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    @property
    def counts(self) -> dict[str, int]:
        return self.registry.snapshot()["output.es"]


SAMPLE: dict[str, Any] = {
    "@timestamp": "2026-01-02T03:04:05.123Z", "ecs": {"version": "8.17.0"}, "message": "SSH brute force: 25 failures for root",
    "event": {"id": "sample", "kind": "alert", "category": ["authentication"], "type": ["info"], "action": "ssh_brute_force",
              "outcome": "failure", "module": "pluginhost", "dataset": "pluginhost.alerts", "provider": "ssh_brute_force", "severity": 73,
              "risk_score": 88.0, "risk_score_norm": 88.0, "sequence": 1, "reason": "25 failed logins", "original": "Jan  2 03:04:05 …",
              "created": "2026-01-02T03:04:05.123Z", "start": "2026-01-02T03:03:05.000Z", "end": "2026-01-02T03:04:05.123Z",
              "reference": "https://runbooks.example/ssh", "url": "https://kibana.example/app/discover#/"},
    "log": {"level": "high"},
    "rule": {"id": "ssh-brute-force", "uuid": "4f1b0a2e-8f4e-5d0c-9a2b-0c2d5f1e7a90", "name": "SSH brute force",
             "description": "Many failed logins", "category": "authentication", "ruleset": "ssh_brute_force", "version": "1.2.0",
             "author": ["example team"], "license": "Apache-2.0", "reference": "https://docs.example/rules/ssh-brute-force"},
    "threat": {"framework": "MITRE ATT&CK", "tactic": {"id": ["TA0006"], "name": ["Credential Access"], "reference": ["https://a.example/"]},
               "technique": {"id": ["T1110"], "name": ["Brute Force"], "reference": ["https://a.example/T1110/"]}},
    "user": {"name": "root"}, "host": {"name": "web1", "ip": ["10.0.0.5"]},
    "source": {"ip": "203.0.113.7", "address": "203.0.113.7", "port": 51122,
               "geo": {"location": {"lon": 4.9, "lat": 52.37}, "country_iso_code": "NL", "city_name": "Amsterdam"},
               "as": {"number": 64500, "organization": {"name": "Example Net"}}},
    "related": {"ip": ["203.0.113.7"], "user": ["root"], "hosts": ["web1"]},
    "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": "0.1.0", "name": "sidecar-1"},
    "tags": ["pluginhost.alert", "app.auth"], "url": {"original": "/admin?x=1", "path": "/admin", "query": "x=1"},
    "http": {"request": {"method": "GET"}, "response": {"status_code": 404}},
    "user_agent": {"original": "curl/8"}, "process": {"pid": 4242, "name": "sshd"}, "network": {"transport": "tcp"},
    "pluginhost": {"analyzer": "ssh_brute_force", "alert": {"fingerprint": "c1d9", "count": 25}, "host": "web1", "hop": 1,
                   "source": {"tag": "app.auth", "input": "forward", "message": "Failed password for root"},
                   "events": [{"@timestamp": "2026-01-02T03:04:05.123Z", "message": "Failed"}],
                   "record": {"facility": "auth", "": {"..": [1, {"a": "b"}]}}},
}  # fmt: skip


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {f"l{level}": value}
    return value


RUBBISH: dict[str, dict[str, Any]] = {
    "empty name": {"": 1},
    "blank name": {" ": 1, "x ": {"\t": 1}},
    "dots": {".a": 1, "b.": 1, "a..b": 1, ".": 1},
    "metadata": {"_id": "x", "_source": 1},
    "scalar for an object": {"host": "web1", "source": 1, "rule": True},
    "mixed list": {"host": [{"name": "a"}, "b"], "new1": [1, {"a": 1}]},
    "object for a scalar": {"message": {"a": 1}, "tags": [{"a": 1}, "t"], "source": {"ip": {"a": 1}, "port": {"a": 1}}},
    "deep": {"new2": _nested(30)},
    "just deep enough": {"new3": _nested(19)},
    "just too deep": {"new4": _nested(20)},
    "deep by dots": {".".join("abcdefghijklmnopqrstuvwxyz"): 1},
    "lists": {"new5": [[[[[[1, [2]]]]]]]},
    "long": {"event": {"id": "x" * 40_000, "original": "x" * 200_000}, "new6": "x" * 40_000, "source": {"ip": "y" * 40_000}},
    "long in bytes": {"rule": {"version": "ä" * 20_000}},
    "big": {"source": {"port": 10**30}, "event": {"severity": 2**63}, "new7": 2**64},
    "many": {"new8": {f"f{number}": number for number in range(3000)}},
    "types": {"source": {"ip": True, "port": "x"}, "event": {"start": [], "end": True, "risk_score": "x"}},
    "nulls": {"source": None, "host": [None], "event": {"start": None}},
    "unfit": {"pluginhost": "x", "log": []},
    "more unfit": {"pluginhost": [{"record": 1}]},
    "geo": {"source": {"geo": {"location": [{"lat": {"a": 1}}, 1, "x"], "country_iso_code": 1}}},
    "record": {"pluginhost": {"record": ["x", _nested(100)], "events": "x", "unfit": 1}},
}
