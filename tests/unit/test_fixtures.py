"""The committed fixtures belong together, and are documents as a cluster takes them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from pluginhost.alerts.scores import HEALTH, Health, health_identity
from pluginhost.alerts.template import template_of
from pluginhost.wire.times import SECOND, parse

FOLDER = Path(__file__).parents[1] / "fixtures"
DYNAMIC = {
    "alerts": {"labels", "group", "monitor", "system", "user.audit", "source.intelligence_category",
               "pluginhost.score.attribution", "pluginhost.score.counts"},
    "scores": {"labels", *(f"pluginhost.score.parts.usual_{name}" for name in ("action", "country", "method", "source", "status"))},
}  # fmt: skip
"""What analyzers and records bring along, which the index maps as it comes; the state index keeps it and maps none of it."""


@pytest.fixture(scope="module")
def held():
    return {kind: [json.loads(line) for line in gzip.decompress((FOLDER / f"{kind}.ndjson.gz").read_bytes()).splitlines()]
            for kind in ("alerts", "states", "scores")}  # fmt: skip


def unmapped(document, properties, path=()):
    for name, value in document.items():
        spec = properties.get(name)
        if spec is None:
            yield ".".join((*path, name))
        elif spec.get("enabled", True) and spec.get("type") != "geo_point":
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    yield from unmapped(one, spec.get("properties", {}), (*path, name))


@pytest.mark.parametrize("kind", ["alerts", "states", "scores"])
def test_every_field_is_mapped_but_those_that_come_by_themselves(held, kind):
    properties = template_of(kind, "8.19.21")["template"]["mappings"]["properties"]
    found = {field for one in held[kind] for field in unmapped(one, properties)}
    assert found == DYNAMIC[kind] if kind in DYNAMIC else found <= DYNAMIC["alerts"]


def test_every_document_says_that_it_is_made_up(held):
    assert all(one["labels"]["made_up"] == "true" for many in held.values() for one in many)


def test_every_alert_was_sent_some_time_after_its_event_and_ends_have_no_lag(held):
    for one in held["alerts"]:
        lag = one["pluginhost"]["alert"].get("lag")
        assert (lag is None) is (one["event"]["kind"] != "alert")
        if lag is not None:
            assert parse(one["event"]["ingested"]) - parse(one["@timestamp"]) == round(lag * SECOND) > 0
    lags = sorted(one["pluginhost"]["alert"].get("lag", 0.0) for one in held["alerts"])
    assert lags[500] < 1
    assert lags[-10] > 60


def test_two_hosts_told_of_themselves(held):
    own = Counter((one["observer"]["name"], one["rule"]["id"]) for one in held["alerts"] if one["rule"]["ruleset"] == "pluginhost")
    risen = own.pop(("sidecar-1", "pluginhost.user_risk"))
    assert (risen, own) == (12, {("sidecar-1", "pluginhost.quarantine"): 2, ("sidecar-1", "pluginhost.pressure"): 3,
                                 ("sidecar-2", "pluginhost.quarantine"): 2, ("sidecar-2", "pluginhost.pressure"): 1})  # fmt: skip


def test_each_group_that_was_told_has_its_state_with_its_last_alert(held):
    last = {}
    for one in sorted(held["alerts"], key=lambda one: one["event"]["ingested"]):
        if one["event"]["kind"] == "alert" and "suppressed" not in one["pluginhost"]["alert"]:
            last[one["pluginhost"]["alert"]["fingerprint"]] = one["event"]["id"]
    assert {one["pluginhost"]["alert"]["fingerprint"]: one["event"]["id"] for one in held["states"]} == last
    states = [one["pluginhost"]["state"] for one in held["states"]]
    assert {one["status"] for one in states} == {"open", "acknowledged", "in_progress", "resolved"}
    assert {one["verdict"] for one in states if "verdict" in one} == {"true", "false", "benign"}
    assert any(one["by"] == "condition" for one in states if "by" in one)
    for one in states:
        assert ("time_to_resolve" in one) is (one["status"] == "resolved")
        assert one.get("time_to_acknowledge", 0.0) <= one.get("time_to_resolve", 1e9)
        assert ("time_to_acknowledge" in one) is ("acknowledged" in one)
    assert not any("lag" in one["pluginhost"]["alert"] for one in held["states"])


def test_scores_come_of_three_analyzers_and_health_of_both_hosts(held):
    ids = [one["event"]["id"] for one in held["scores"]]
    assert len(set(ids)) == len(ids)
    counts = Counter(one["pluginhost"]["analyzer"] for one in held["scores"])
    assert counts == {HEALTH: 24 * 60 + 15 * 60, "waf": 1499, "blocked_share": 432, "web_outlier": 117}
    for one in held["scores"]:
        if one["pluginhost"]["analyzer"] == HEALTH:
            assert one["event"]["id"] == health_identity(one["observer"]["name"], parse(one["@timestamp"]))
            assert one["pluginhost"]["health"].keys() == {*Health.__struct_fields__}
        else:
            assert one["pluginhost"]["score"]["value"] >= 0
    assert any(one["pluginhost"]["score"]["grade"] > 0 for one in held["scores"] if "score" in one["pluginhost"])
