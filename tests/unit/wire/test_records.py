from __future__ import annotations

import json
import math

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.wire import records

EXT = msgpack.ExtType


def nested(levels, inner=b"\x80"):
    return b"\x81\xa1a" * (levels - 1) + inner


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (msgpack.packb({"a": {"b": [1, None, True, 1.5, "é"]}}), {"a": {"b": [1, None, True, 1.5, "é"]}}),
        (msgpack.packb({"a": b"\xffok"}), {"a": "\\xffok"}),
        (b"\x81\xa1a\xa3\xc3\x28z", {"a": "\\xc3(z"}),
        (b"\x81\xa2\xff\xfe\x01", {"\\xff\\xfe": 1}),
        (b"\x81\xa1a\xa3\xed\xa0\x80", {"a": "\\xed\\xa0\\x80"}),
        (b"\x83\x01\x01\xc0\x02\xc3\x03", {"1": 1, "null": 2, "true": 3}),
        (msgpack.packb({-1.5: 4, b"k\xff": 5}), {"-1.5": 4, "k\\xff": 5}),
        (msgpack.packb({"a": [{"b": {1: b"z"}}]}), {"a": [{"b": {"1": "z"}}]}),
        (b"\x81\x92\x01\xa1x\x02", {'[1, "x"]': 2}),
        (b"\x81\x81\x01\x02\x03", {'{"1": 2}': 3}),
        (b"\x81\xa1k\x81\x81\x01\x02\x03", {"k": {'{"1": 2}': 3}}),
        (b"\x82\xa1a\x01\xa1a\x02", {"a": 2}),
        (b"\x82\x01\x01\xa11\x02", {"1": 2}),
        (b"\x81\xa1d\x82\xc0\x01\xc0\x02", {"d": {"null": 2}}),
        (msgpack.packb({"t": msgpack.Timestamp(1706698800, 5)}), {"t": "2024-01-31T11:00:00.000000005Z"}),
        (msgpack.packb({"t": msgpack.Timestamp(2**60, 5)}), {"t": "1152921504606846976.000000005"}),
        (msgpack.packb({"e": EXT(5, b"\x01\xff")}), {"e": "ext(5, 01ff)"}),
        (b"\x81\xa1e\xd4\xfe\x01", {"e": "ext(-2, 01)"}),
        (b"\x82\xa1e\xc7\x03\xff\x01\x02\x03\xa1f\xa1\xff", {"e": "ext(-1, 010203)", "f": "\\xff"}),
        (b"\x81\xa1e\xd7\xff" + bytes(8 * (255,)), {"e": f"ext(-1, {'ff' * 8})"}),
        (b"\x82\x01\xd4\xff\0\x92\xcd\1\2\xca\0\0\0\0\xd5\x05ab", {"1": "ext(-1, 00)", "[258, 0.0]": "ext(5, 6162)"}),
        (msgpack.packb({"n": 2**64 - 1, "m": -(2**63)}), {"n": 2**64 - 1, "m": -(2**63)}),
        (msgpack.packb({"n": math.inf}), {"n": math.inf}),
        (b"\xdf\x00\x00\x00\x00", {}),
        (nested(64), json.loads('{"a":' * 63 + "{}" + "}" * 63)),
    ],
)
def test_msgpack(raw, record):
    assert records.decode("msgpack", raw) == record


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (b'{"a": {"b": [1, null, true, 1.5, "\xc3\xa9"]}}', {"a": {"b": [1, None, True, 1.5, "é"]}}),
        (b'{"a\xff": "\xff\xc3\xa9", "b": 1}', {"a\\xff": "\\xffé", "b": 1}),
        (b'{"a": "\\ud800", "b": "\\ud83d\\ude00"}', {"a": "\\ud800", "b": "😀"}),
        (b'{"n": 18446744073709551615, "m": -9223372036854775808}', {"n": 2**64 - 1, "m": -(2**63)}),
        (b'{"n": 18446744073709551616}', {"n": 18446744073709551616.0}),
        (b'{"n": ' + b"9" * 5000 + b"}", {"n": math.inf}),
        (b'{"n": 1e999, "m": -Infinity}', {"n": math.inf, "m": -math.inf}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_json(raw, record):
    assert records.decode("json", raw) == record


def test_nan_stays_a_float():
    assert math.isnan(records.decode("msgpack", msgpack.packb({"n": math.nan}))["n"])
    assert math.isnan(records.decode("json", b'{"n": NaN}')["n"])


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b' {"a": NaN}', {"a": pytest.approx(math.nan, nan_ok=True)}),
        (b"plain \xff text\r\n", {"message": "plain \\xff text"}),
        (b"{not json", {"message": "{not json"}),
        (b"[1]", {"message": "[1]"}),
        (b"", {"message": ""}),
        (b'{"a":' * 10_000, {"message": '{"a":' * 10_000}),
    ],
)
def test_lines(raw, record):
    assert records.decode("line", raw) == record


@pytest.mark.parametrize(
    ("codec", "raw"),
    [
        ("msgpack", b""),
        ("msgpack", b"\xc0"),
        ("msgpack", b"\x81\xa1a"),
        ("msgpack", b"\x80\x01"),
        ("msgpack", b"\x81\xa1a\xc1"),
        ("msgpack", nested(2000)),
        ("msgpack", b"\xdf\xff\xff\xff\xff"),
        ("json", b"[]"),
        ("json", b'{"a":'),
        ("json", b'{"a": "\\q"}'),
        ("json", b'{"a":' * 100_000),
    ],
)
def test_what_is_no_record_is_a_value_error(codec, raw):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        records.decode(codec, raw)


TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.integers(0, 9), inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(TEXT, VALUES))
def test_whatever_msgpack_holds_can_be_written_again(value):
    record = records.decode("msgpack", msgpack.packb(value))
    msgspec.msgpack.encode(record)
    json.dumps(record).encode()
    assert repr(records.plain(record)) == repr(record)
    assert len(record) == len(value)


@given(st.sampled_from(["msgpack", "json", "line"]), st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_value_error(codec, raw):
    try:
        record = records.decode(codec, raw)
    except ValueError:
        return
    assert all(isinstance(key, str) for key in record)
    json.dumps(record).encode()
