"""What holds for every generator: in order, by seed, labelled with known kinds, in bounded memory; and that its lines are read as meant."""

from __future__ import annotations

import functools
import ipaddress
import json
import tracemalloc
from collections import defaultdict
from itertools import islice
from random import Random

import msgpack
import pytest

from pluginhost.engine.parts import mappings
from pluginhost.events.event import Event
from pluginhost.events.slice import Slice
from pluginhost.replay.generators import FIELDS, buffalogs, hosts, logins, waf, web
from pluginhost.replay.generators.item import DAY, MINUTE, Item, ordered, poisson
from pluginhost.replay.generators.world import CITIES, distance_km
from pluginhost.replay.kinds import KINDS

START = 1_767_571_200_000_000_000 + 7 * 3600 * 10**9  # 2026-01-05T07:00:00Z, a Monday, and no midnight
MAKES = {
    "logins": (lambda seed: logins(Random(seed), START, 8, users=60), 8 * DAY),
    "buffalogs": (lambda seed: buffalogs(Random(seed), START, 300), 300 * 10**9),
    "waf": (lambda seed: waf(Random(seed), START, 300, rate=5), 300 * MINUTE),
    "diurnal": (lambda seed: waf(Random(seed), START, 20, shape="diurnal"), 20 * MINUTE),
    "nested": (lambda seed: waf(Random(seed), START, 20, nested=True), 20 * MINUTE),
    "hosts": (lambda seed: hosts(Random(seed), START, 400, hosts=12, rate=10), 400 * MINUTE),
    "web": (lambda seed: web(Random(seed), START, 200, rate=20), 200 * MINUTE),
}


@pytest.fixture(scope="module", params=MAKES)
def made(request):
    make, span = MAKES[request.param]
    return request.param, list(make(1)), span


READ = functools.cache(mappings)


def event(item):
    return Event(Slice(1, 0, item.time, item.time, item.tag, "msgpack", msgpack.packb(item.record)), READ(), item.time)


def test_records_are_in_order_apart_and_within_their_span(made):
    _, items, span = made
    times = [item.time for item in items]
    assert len(times) > 100 or made[0] == "nested"
    assert times == sorted(set(times))
    assert times[0] >= START
    assert times[-1] < START + span


def test_the_same_seed_gives_the_same_records_and_another_one_others(made):
    name, items, _ = made
    assert list(MAKES[name][0](1)) == items
    assert list(MAKES[name][0](2)) != items


def test_labels_are_of_known_kinds_and_an_incident_is_of_one_kind(made):
    _, items, _ = made
    kinds, first = {}, []
    for item in items:
        if item.label is not None:
            assert {item.label.kind, *item.label.shows} <= KINDS.keys()
            assert item.label.entity
            if item.label.incident not in kinds:
                first.append(item.label.incident)
            assert kinds.setdefault(item.label.incident, item.label.kind) == item.label.kind
    assert len(first) == len(set(first))
    assert kinds or made[0] in ("buffalogs", "nested", "diurnal")
    assert not kinds or made[0] != "buffalogs"


def test_records_are_plain_json(made):
    for item in made[1][:200]:
        assert json.loads(json.dumps(item.record)) == item.record


def test_what_is_named_lies_in_ranges_that_belong_to_nobody(made):
    ours = [ipaddress.ip_network(one) for one in ("198.18.0.0/15", "100.64.0.0/10", "203.0.113.0/24", "2001:db8::/32")]
    seen = {event(item).get("source.ip") for item in made[1][:500]} - {None, "0.0.0.0/0"}
    assert seen or made[0] in ("waf", "diurnal", "nested")
    assert [one for one in seen if not any(ipaddress.ip_address(one) in net for net in ours)] == []


@pytest.mark.parametrize("make", [
    lambda: hosts(Random(1), START, 10**6), lambda: web(Random(1), START, 10**6), lambda: waf(Random(1), START, 10**6, rate=60),
    lambda: logins(Random(1), START, 3000, users=50),
], ids=["hosts", "web", "waf", "logins"])  # fmt: skip
def test_a_longer_stream_takes_no_more_memory(make):
    stream = make()
    for _ in islice(stream, 2000):
        pass
    tracemalloc.start()
    try:
        for _ in islice(stream, 6000):
            pass
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 20  # what waits, not what was given


# --- the pieces ---


def test_batches_come_out_in_order_and_what_lies_beyond_a_bound_waits():
    def item(time):
        return Item("t", time, {})

    batches = [(10, [item(3), item(14), item(1)]), (20, [item(11), item(11), item(-5), item(99)])]
    assert [one.time for one in ordered(batches, 0, 50)] == [1, 3, 11, 12, 14]


@pytest.mark.parametrize("mean", [0.3, 6.0, 900.0])
def test_numbers_have_the_mean_and_spread_of_poissons(mean):
    rng = Random(5)
    many = [poisson(rng, mean) for _ in range(4000)]
    found = sum(many) / len(many)
    spread = sum((one - found) ** 2 for one in many) / len(many)
    assert found == pytest.approx(mean, rel=0.05)
    assert spread == pytest.approx(mean, rel=0.1)


def test_the_world_is_as_large_as_it_is():
    cities = {city.name: city for city in CITIES}
    paris, york, suva, seoul = (cities[name] for name in ("Paris", "New York", "Suva", "Seoul"))
    assert distance_km(paris.lat, paris.lon, york.lat, york.lon) == pytest.approx(5837, abs=10)
    assert distance_km(suva.lat, suva.lon, suva.lat, -181.55 + 360) == pytest.approx(0, abs=5)
    assert distance_km(seoul.lat, seoul.lon, seoul.lat, seoul.lon) == 0
    assert len(CITIES) == len(cities) >= 60
    assert len({city.code for city in CITIES}) > 40


# --- lines are read as they are meant ---


ACTIONS = {
    "ssh_bruteforce": {"ssh_login"}, "lateral_ssh": {"ssh_login"}, "sensitive_session": {"ssh_login"}, "sudo_to_root": {"sudo"},
    "account_created": {"user_created"}, "account_removed": {"user_deleted"}, "account_locked": {"user_locked"},
    "account_unlocked": {"user_unlocked"}, "credential_change": {"password_changed"}, "group_change": {"group_member_added"},
    "audit_tampering": {"audit_disabled"},
}  # fmt: skip


def test_lines_of_hosts_are_read_by_the_mappings():
    seen = defaultdict(set)
    for item in hosts(Random(2), START, 2 * 1440, hosts=2, rate=0.5):
        if item.label is not None and item.label.kind in ACTIONS:
            seen[item.label.kind].add(event(item).get("event.action"))
            assert "staff" not in item.label.entity or event(item)["user.target.name"] == item.label.entity
    assert seen == ACTIONS


def test_lines_of_visits_are_read_by_the_mappings():
    for item in islice(MAKES["web"][0](3), 500):
        one = event(item)
        assert one["event.category"] == ["web"]
        assert one["http.response.status_code"] in (200, 304, 403, 404)
        assert str(one["url.original"]).startswith("/")


def test_a_nested_record_is_json_text_inside_a_json_text():
    (item,) = islice(MAKES["nested"][0](1), 1)
    (plain,) = islice(waf(Random(1), START, 20), 1)
    assert json.loads(json.loads(item.record["message"])) == plain.record
    assert item.time == plain.time


def test_an_unknown_field_to_force_is_refused():
    with pytest.raises(ValueError, match="expected one of action, source, status, country, method, any or none, got verb"):
        next(waf(Random(1), START, 1, force="verb"))
    assert list(FIELDS) == ["action", "source", "status", "country", "method"]
