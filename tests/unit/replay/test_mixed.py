"""The stream of the demonstration: the same whenever it is made, in order, with attacks only when there was something to learn from."""

from __future__ import annotations

from random import Random

import pytest

from pluginhost.replay.generators import mixed
from pluginhost.replay.generators.item import DAY, HOUR, MINUTE
from pluginhost.replay.generators.mixed import LEAST
from pluginhost.replay.kinds import KINDS

END = 1_767_571_200_000_000_000 + 17 * HOUR  # 2026-01-05T17:00:00Z, a Monday
SIZE, SEED = 6000, 10


@pytest.fixture(scope="module")
def items():
    return mixed(Random(SEED), END, SIZE)


def test_about_as_many_as_asked_for_in_order_of_time(items):
    times = [item.time for item in items]
    assert 0.8 * SIZE < len(items) < 1.2 * SIZE  # attacks are many or few
    assert times == sorted(set(times))
    assert times[-1] < END
    assert END - times[0] < 22 * DAY + 5 * HOUR
    assert {item.tag.split(".")[0] for item in items} >= {"logins", "auth", "zeek", "heartbeat", "metricbeat", "web", "waf"}


@pytest.mark.parametrize("later", [30 * 10**9, 3 * DAY, 5 * DAY + 9 * HOUR])
def test_whenever_it_is_made_it_is_the_same(items, later):
    again = mixed(Random(SEED), END + later, SIZE)
    assert [(item.tag, item.label) for item in again] == [(item.tag, item.label) for item in items]
    moved = {after.time - before.time for before, after in zip(items, again, strict=True) if before.tag == "logins.fw-proxy"}
    assert moved == {later // DAY * DAY}
    assert mixed(Random(SEED + 1), END, SIZE) != items


def test_attacks_begin_only_after_a_time_of_learning(items):
    first = END - 5 * HOUR
    first -= first % DAY + 21 * DAY
    learned, late = first + 12 * DAY, END - 90 * MINUTE
    quiet = {"logins.cloud": learned, "logins.fw-proxy": learned, "web.access": late, "waf": late}
    attacks = [item for item in items if item.label and item.tag in quiet and KINDS[item.label.kind].analyzers]
    assert len({item.label.incident for item in attacks}) > 5
    assert all(item.time >= quiet[item.tag] for item in attacks)
    assert any(item.label and not KINDS[item.label.kind].analyzers and item.time < first + 12 * DAY for item in items)


def test_incidents_of_different_streams_have_different_numbers(items):
    streams = {}
    for item in items:
        if item.label:
            head = item.tag.split(".")[0]
            streams.setdefault(item.label.incident, set()).add(head if head in ("logins", "web", "waf") else "hosts")
    assert {len(one) for one in streams.values()} == {1}
    assert {name for one in streams.values() for name in one} == {"logins", "hosts", "web", "waf"}


def test_some_records_are_what_nobody_can_read(items):
    assert sum(item.record == {} for item in items) > 1
    assert any(item.record.get("message") == b"\xff\xfe\x00sshd" for item in items)


def test_too_few_are_refused():
    with pytest.raises(ValueError, match=f"expected at least {LEAST} records, got {LEAST - 1}"):
        mixed(Random(1), END, LEAST - 1)
