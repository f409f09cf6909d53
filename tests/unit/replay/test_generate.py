"""The labels are true: the analyzers that come along, with their default options, fire at the labelled records and nowhere else."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgpack
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.state import ShardState
from pluginhost.events.slice import Slice
from pluginhost.replay.generate import LEAST, SPACING, Item, generate

START = 1_763_719_200_000_000_000  # 2025-11-21T10:00:00Z
SEEDS = range(8)


def found(items: list[Item]) -> list[tuple[str, int]]:
    """(analyzer, time of the record) of every alert, from the production pipeline."""
    units = [unit for file in sorted(shipped_analyzers().glob("[!_]*.py")) for unit in ready(bundle(file), {})]
    slices = [Slice(n, 0, one.time, one.time, one.tag, "msgpack", msgpack.packb(one.record)) for n, one in enumerate(items)]
    result = Pipeline(units, mappings()).run(ShardState(), slices)
    assert result.failures == []
    return [(one.analyzer, items[one.offset].time) for one in result.findings]


def labelled(items: list[Item]) -> list[tuple[str, int]]:
    return [(one.label, one.time) for one in items if one.label]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_analyzers_fire_at_the_labelled_records_and_nowhere_else(seed):
    items = generate(Random(seed), 3000, START)
    assert Counter(found(items)) == Counter(labelled(items))


@pytest.mark.parametrize("count", [LEAST, 20_000])
def test_labels_hold_for_few_and_for_many_records(count):
    items = generate(Random(3), count, START)
    assert Counter(found(items)) == Counter(labelled(items))


def test_what_is_to_be_found():
    items = generate(Random(1), 3000, START)
    assert Counter(one.label for one in items if one.label) == {"ssh_bruteforce": 2, "new_country": 2, "web_signatures": 8}
    attacks = [one.record["message"] for one in items if one.label == "ssh_bruteforce"]
    assert [" from 192.0.2." in attacks[0], " from 2001:db8:bad::" in attacks[1]] == [True, True]
    assert any("user from 1.1.1.1 from 2001:db8:bad::" in str(one.record) for one in items)


def test_the_same_seed_gives_the_same_records():
    assert generate(Random(5), 1500, START) == generate(Random(5), 1500, START)
    assert generate(Random(5), 1500, START) != generate(Random(6), 1500, START)


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_as_asked_for_in_order_of_time_within_the_span(seed):
    items = generate(Random(seed), 1234, START)
    times = [one.time for one in items]
    assert len(items) == 1234
    assert times == sorted(set(times))
    assert times[0] >= START
    assert times[-1] < START + 1234 * SPACING


def test_a_day_of_them_has_every_kind_in_about_its_share():
    tags = Counter(one.tag for one in generate(Random(2), 10_000, START))
    assert tags.keys() == {"auth.sshd", "app.login", "web.access"}
    assert 3000 < tags["auth.sshd"] < 4500
    assert 1500 < tags["app.login"] < 2000
    assert 4000 < tags["web.access"] < 5000


def test_slow_guessing_stays_below_the_limit():
    items = generate(Random(4), 6000, START)
    guesses = [one.time for one in items if "Failed password for root from 192.0.2." in str(one.record)]
    minutes = 60 * 10**9
    assert len(guesses) > 70
    assert max(sum(after - 10 * minutes < one <= after for one in guesses) for after in guesses) == 8


def test_too_few_are_refused():
    with pytest.raises(ValueError, match=f"expected at least {LEAST} records, got {LEAST - 1}"):
        generate(Random(1), LEAST - 1, START)
