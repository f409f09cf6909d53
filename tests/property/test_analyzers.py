"""Whatever a record holds, no shipped analyzer raises over it: the records of all examples, spoiled at random, before all analyzers."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START, loaded
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.state import ShardState
from pluginhost.events.slice import Slice

VALUES = (
    None, True, 0, -1, 1 << 62, 1e308, float("-0.0"), "", "-", " ", "x" * 20_000, "ſᏃ日本\u202e", "\x00\x1b[2J", "1970-01-01T00:00:00Z",
    "2100-01-01", "::ffff:10.0.0.1", "10.0.0.1", "999.1.1.1", "91,181", [], [None], ["a", 1, None], [[["deep"]]], {}, {"a": {"b": []}},
    {"lat": "x", "lon": None}, {"lat": 91, "lon": 181}, [181, 91],
)  # fmt: skip
TIMES = (START, START + 10**9, START - 10**16, 1, 1 << 62, START + 10**18)


@pytest.fixture(scope="module")
def units():
    """Every shipped analyzer with its defaults."""
    return [unit for file in sorted(shipped_analyzers().glob("[!_]*.py")) for unit in loaded(bundle(file), {})[0]]


def spoiled(rng, value):
    """The same with something in it replaced, left out, or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        made, key = dict(value), rng.choice(sorted(value, key=str))
        if rng.random() < 0.1:
            del made[key]
        else:
            made[key] = spoiled(rng, made[key])
        return made
    if isinstance(value, list) and value and rng.random() < 0.5:
        return [*value, spoiled(rng, value[0])]
    if isinstance(value, str) and value and rng.random() < 0.3:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(("", "\x00", " from ", '"', "\ud7ff", value)) + value[at:]
    return rng.choice(VALUES)


@pytest.mark.parametrize("seed", range(4))
def test_no_analyzer_raises_whatever_a_record_holds(units, seed):
    rng = Random(seed)
    told = [record for unit in units for example in unit.analyzer.examples for record in example.records]
    records = [{"message": one} if isinstance(one, str) else dict(one) for one in rng.sample(told, 500)]
    items = []
    for number, record in enumerate(records):
        for key in rng.choices(sorted(record, key=str), k=rng.randrange(4)) if record else ():
            record[key] = spoiled(rng, record[key])
        tag = rng.choice(("auth.sshd", "web.access", "t"))
        items.append(Slice(number, 0, rng.choice(TIMES), START + number * 10**9, tag, "msgpack", msgspec.msgpack.encode(record)))
    result = Pipeline(units, mappings()).run(ShardState(), items)
    assert [(one.analyzer, one.error, one.place and one.place.line, records[one.offset]) for one in result.failures] == []
    assert sum(unit.seen for unit in units) > 500
    assert result.findings
