"""The panels of both files asked of a real server that holds the fixtures, and what it answered.

As a script it asks Elasticsearch (the Kibana file) and OpenSearch (the classic one), and writes `tests/fixtures/kibana-answers.json.gz`
and `docs/kibana-panels.md`: `python tests/support/kibana_answers.py`.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from kibana_counting import DAY, choices, milliseconds
from kibana_expected import EXPECTED, LENGTHS, Seen
from kibana_page import page
from kibana_shown import places
from search import SearchServer
from search_peers import call

from kibana.proof.answers import Answer
from kibana.proof.intervals import Span
from kibana.proof.meaning import Question, objects_of, opening, questions
from kibana.proof.setting import Product as Asking
from pluginhost.alerts.template import Kind, Product, home, template_of

__all__ = ["PAGE", "answers", "asked", "documents", "expected", "file", "load", "recorded", "spans", "titles"]

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
RECORDED = FIXTURES / "kibana-answers.json.gz"
PAGE = ROOT / "docs" / "kibana-panels.md"
KINDS: tuple[Kind, ...] = ("alerts", "states", "scores")
NAMESPACE = "panels"
CHOICES = {"kibana": 10, "classic": 100}  # so many values a control offers at first
MIDNIGHT = 1_772_236_800_000  # 2026-02-28: the day before has most alerts, and health documents

# When dashboards are opened, if not at that midnight; and the four weeks of all alerts for one that has no telling day.
OPENED = {"pluginhost-summary": MIDNIGHT + 13 * DAY // 2}
LOOKED = {"pluginhost-logins": Span(MIDNIGHT - 26 * DAY, MIDNIGHT + 2 * DAY)}

# Not mapped by design: what these records and their deployment bring along, and evidence that an analyzer adds to its own documents.
UNMAPPED = {
    "source.intelligence_category": "keyword",
    **dict.fromkeys(("labels", "group", "monitor", "system", "user.audit", "pluginhost.score.attribution", "pluginhost.score.counts",
                     "pluginhost.score.parts"), "object")}  # fmt: skip


def file(name: str) -> list[dict[str, Any]]:
    """The objects of the `kibana` or the `classic` file as it is shipped."""
    return objects_of((ROOT / "kibana" / f"pluginhost-{name}.ndjson").read_text("utf-8"))


@cache
def documents(kind: Kind) -> list[dict[str, Any]]:
    """The fixtures of one kind."""
    with gzip.open(FIXTURES / f"{kind}.ndjson.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def spans(objects: Iterable[Mapping[str, Any]]) -> dict[str, Span]:
    """The span of each dashboard of a file, without the moment at its end: that would be a bar of its own."""
    made = {one["id"]: LOOKED.get(one["id"]) or opening(dict(one), OPENED.get(one["id"], MIDNIGHT))
            for one in objects if one["type"] == "dashboard"}  # fmt: skip
    return {id_: Span(span.start, span.end - 1) for id_, span in made.items()}


def strict(kind: Kind, version: str, product: Product) -> dict[str, Any]:
    """Our template for the namespace of these documents, made to refuse fields that are not mapped and values that do not fit."""
    body = deepcopy(template_of(kind, version, product))
    made = body["template"]
    made["mappings"]["dynamic"] = "strict"
    made["settings"]["index.mapping.ignore_malformed"] = False
    for path, type_ in UNMAPPED.items():
        properties = made["mappings"]["properties"]
        *parents, name = path.split(".")
        for part in parents:
            properties = properties.setdefault(part, {"properties": {}})["properties"]
        spec = properties.setdefault(name, {"type": type_})
        if type_ == "object":
            spec["dynamic"] = True
    return body | {"index_patterns": [home(kind, NAMESPACE).target], "priority": 501}  # above ours, which other tests use


@cache
def load(url: str, product: Product, version: str) -> None:
    """Lays the fixtures into a server, under our templates; once in each."""
    for kind in KINDS:
        target = home(kind, NAMESPACE).target
        call(url, "PUT", f"/_index_template/{target}", strict(kind, version, product))
        lines = [json.dumps(one) for document in documents(kind) for one in ({"create": {"_id": _id(kind, document)}}, document)]
        for start in range(0, len(lines), 1000):
            _bulk(url, target, lines[start : start + 1000])
        call(url, "POST", f"/{target}/_refresh")


def _id(kind: Kind, document: Mapping[str, Any]) -> str:
    return str(document["pluginhost"]["alert"]["fingerprint"] if kind == "states" else document["event"]["id"])


def _bulk(url: str, target: str, lines: Sequence[str]) -> None:
    body = "".join(f"{line}\n" for line in lines).encode()
    request = urllib.request.Request(f"{url}/{target}/_bulk", body, {"content-type": "application/x-ndjson"}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        refused = [item["create"]["error"] for item in json.loads(answer.read())["items"] if item["create"]["status"] != 201]
    assert not refused, (len(refused), {json.dumps(one)[:300] for one in refused})


def answers(url: str, name: str, product: Asking) -> list[Answer]:
    """What a server with the fixtures answers to all that `product` asks for the `kibana` or the `classic` file."""
    return [one.answered([_search(url, asked) for asked in one.requests]) for one in asked(name, product)]


def asked(name: str, product: Asking) -> list[Question]:
    """All that `product` asks for a file."""
    return questions(file(name), product, spans(file(name)))


def _search(url: str, request: Mapping[str, Any]) -> Any:
    """Of all namespaces it is ours: other tests may use the same server."""
    return call(url, "POST", f"/{request['index'].replace('*', NAMESPACE)}/_search", request["body"])


def expected(answer: Answer, name: str) -> Any:
    """What it should be; of text nothing is expected."""
    kind, object_, *field = answer.object.split("/", 2)
    if kind == "control":
        return choices(_seen(object_.removeprefix("pluginhost-")).alerts, field[0], CHOICES[name])
    key = "/".join([object_.removeprefix("pluginhost-panel-"), *field])
    dashboard = next(one for one, panels in EXPECTED.items() if key in panels)
    made = EXPECTED[dashboard][key](_seen(dashboard))
    # The Kibana file shows each document, the classic one each place.
    return places(made) if answer.kind == "points" and name == "classic" else made


@cache
def _seen(dashboard: str) -> Seen:
    """The fixtures as a dashboard should see them."""
    end = spans(file("kibana"))[f"pluginhost-{dashboard}"].end
    within = {kind: [one for one in documents(kind) if end - LENGTHS[dashboard] < milliseconds(one) <= end] for kind in KINDS}
    return Seen(within["alerts"], within["states"], documents("states"), within["scores"], end)


def record() -> None:
    """Asks both servers and writes what they said."""
    said = {}
    for name, product, kind in (("kibana", "kibana", "es8"), ("classic", "dashboards", "os3")):
        folder = Path(tempfile.mkdtemp(prefix="ph-panels-", dir="/var/tmp"))  # not 0700: the servers do not run as root
        folder.chmod(0o711)
        server = SearchServer(folder, kind=kind)
        try:
            server.start()
            load(server.url, server.product, server.version)
            said[name] = answers(server.url, name, product)
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)
    RECORDED.write_bytes(gzip.compress(msgspec.json.encode(said), mtime=0))
    PAGE.write_text(page(said, expected, titles()), "utf-8")


def titles() -> dict[str, str]:
    """The title of the first dashboard that each of the Kibana file's answers belongs to."""
    made: dict[str, str] = {}
    objects = file("kibana")
    for one in objects:
        if one["type"] == "dashboard":
            alone = [other for other in objects if other["type"] != "dashboard" or other is one]
            for question in questions(alone, "kibana", spans(objects)):
                made.setdefault(question.object, one["attributes"]["title"])
    return made


def recorded() -> dict[str, list[Answer]]:
    """What was answered, by the name of the file."""
    return msgspec.json.decode(gzip.decompress(RECORDED.read_bytes()), type=dict[str, list[Answer]])


if __name__ == "__main__":
    record()
