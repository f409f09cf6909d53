from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.alerts.sanitise import clean, plain


def nested(levels, leaf=1):
    value = leaf
    for _ in range(levels):
        value = {"d": value}
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None), (math.inf, None), (-math.inf, None), (1.5, 1.5), (2**64 - 1, 2**64 - 1), (2**64, "18446744073709551616"),
        (-(2**63), -(2**63)), (-(2**63) - 1, "-9223372036854775809"), (True, True), (b"a\xff", "a\\xff"), ("\ud800x", "\\ud800x"),
        ((1, {2}), [1, [2]]), ({1: 1, None: 2, b"k": 3, 1.5: 4}, {"1": 1, "null": 2, "k": 3, "1.5": 4}), (1j, "1j"),
    ],
)  # fmt: skip
def test_plain_is_what_json_can_say(value, expected):
    assert plain(value) == expected


def test_plain_turns_what_is_too_deep_into_text():
    assert plain(nested(3), 2) == {"d": {"d": '{"d":1}'}}
    assert plain([[[1]]], 1) == ["[[1]]"]
    endless: list = []
    for _ in range(50_000):
        endless = [endless]
    assert plain(endless, 1) == ["…"]


FITS = {"@timestamp": "t", "host": {"name": "web1", "ip": ["10.0.0.5"]}, "source.ip": "1.2.3.4", "event": {"severity": 73},
        "new": {"a": [1, "b", None]}, "pluginhost": {"record": {"": {".a": [1, {"b": 2}]}}}}  # fmt: skip


def test_what_fits_is_left_alone():
    assert clean(FITS) == FITS


@pytest.mark.parametrize(
    ("document", "kept", "unfit"),
    [
        ({"": 1, "a": 2}, {"a": 2}, {"": 1}),
        ({"x": {" ": 1, "y": 2}}, {"x": {"y": 2}}, {"x. ": 1}),
        ({".a": 1, "a.": 2, "a..b": 3}, {}, {".a": 1, "a.": 2, "a..b": 3}),
        ({"_id": 1, "x": {"_id": 2}}, {"x": {"_id": 2}}, {"_id": 1}),
        ({"host": "web1"}, {}, {"host": "web1"}),
        ({"host": None}, {"host": None}, {}),
        ({"host": [{"name": "a"}, "b", 1]}, {"host": [{"name": "a"}]}, {"host": ["b", 1]}),
        ({"source": {"ip": {"a": 1}, "port": 2}}, {"source": {"port": 2}}, {"source.ip": {"a": 1}}),
        ({"source.ip": {"a": 1}}, {}, {"source.ip": {"a": 1}}),
        ({"tags": ["a", {"b": 1}]}, {"tags": ["a"]}, {"tags": {"b": 1}}),
        ({"new": [1, {"a": 1}, 2]}, {"new": [{"a": 1}]}, {"new": [1, 2]}),
        ({"new": [[1, [2]], 3]}, {"new": [1, 2, 3]}, {}),
        ({"new": 2**63, "old": 2**63 - 1}, {"new": "9223372036854775808", "old": 2**63 - 1}, {}),
        ({"new": math.nan}, {"new": None}, {}),
        ({"event": {"id": "x" * 9000}}, {"event": {"id": "x" * 8191}}, {}),
        ({"event": {"original": "x" * 9000}, "message": "x" * 9000}, {"event": {"original": "x" * 9000}, "message": "x" * 9000}, {}),
        ({"url": {"original": "x" * 9000}}, {"url": {"original": "x" * 9000}}, {}),
        ({"source": {"geo": {"location": [4.9, 52.3]}}}, {"source": {"geo": {"location": [4.9, 52.3]}}}, {}),
        ({"a": nested(19)}, {"a": nested(19)}, {}),
        ({"a": nested(20)}, {"a": nested(18, {})}, {"a" + ".d" * 19: {"d": 1}}),
        ({"pluginhost": [1]}, {"pluginhost": {"unfit": {"pluginhost": 1}}}, {"pluginhost": 1}),
        ({"pluginhost": [{"analyzer": "a"}], "": 1}, {}, {"": 1, "pluginhost": [{"analyzer": "a"}]}),
        ({"pluginhost": {"unfit": {"a": 1}}, "host": 2}, {}, {"a": 1, "host": 2}),
    ],
)
def test_what_does_not_fit_is_moved_aside(document, kept, unfit):
    made = clean(document)
    assert made.get("pluginhost", {}).get("unfit", {}) == unfit
    assert {name: value for name, value in made.items() if name != "pluginhost"} == {n: v for n, v in kept.items() if n != "pluginhost"}


def test_only_so_many_new_fields_come_from_one_document():
    made = clean({"many": {f"f{number}": number for number in range(3000)}, "list": [{"a": 1}] * 600, "host": {"name": "x"}})
    assert len(made["many"]) == 499  # `many` itself is the first
    assert len(made["pluginhost"]["unfit"]) == 2502  # the rest, and `list`
    assert made["host"] == {"name": "x"}
    assert clean({"list": [{"a": 1}] * 600}) == {"list": [{"a": 1}] * 600}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["", "host", "a.b", "_id", "pluginhost", "unfit", "ip", "source", "."]), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["host", "source", "pluginhost", "new", "", "event", "tags", "source.ip"]), ANY, max_size=5))
def test_cleaning_twice_changes_nothing_and_all_of_it_is_json(document):
    made = clean(document)
    assert clean(made) == made
    assert msgspec.json.decode(msgspec.json.encode(made)) == made
