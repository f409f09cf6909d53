"""Key bytes: one form per value, for ever."""

import pytest

from pluginhost.events.fields import Document
from pluginhost.events.keys import key_bytes, key_group, shard, show


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("root", b"s\0\0\0\x04root"),
        ("", b"s\0\0\0\0"),
        ("ü", b"s\0\0\0\x02\xc3\xbc"),
        ("1", b"s\0\0\0\x011"),
        (1, b"i\0\0\0\x011"),
        (1.0, b"i\0\0\0\x011"),
        (-0.0, b"i\0\0\0\x010"),
        (True, b"b\0\0\0\x011"),
        (False, b"b\0\0\0\x010"),
        (1.5, b"f\0\0\0\x031.5"),
        ([7], b"i\0\0\0\x017"),
        ([["x"]], b"s\0\0\0\x01x"),
        ("\ud800", b"s\0\0\0\x03\xed\xa0\x80"),
        (None, None),
        ([], None),
        ([None], None),
        (["a", "b"], None),
        ({}, None),
        ([{"a": 1}], None),
    ],
)
def test_bytes_of_one_value(value, expected) -> None:
    assert key_bytes(Document({"field": value}), ("field",)) == expected


@pytest.mark.parametrize("length", [255, 256, 70_000])
def test_a_long_text(length) -> None:
    assert key_bytes(Document({"field": "x" * length}), ("field",)) == b"s" + length.to_bytes(4, "big") + b"x" * length


def test_several_fields_in_the_order_asked_for() -> None:
    record = Document({"a": "ab", "b": "c", "n": 3})
    assert key_bytes(record, ("a", "n")) == b"s\0\0\0\x02abi\0\0\0\x013"
    assert key_bytes(record, ("n", "a")) == b"i\0\0\0\x013s\0\0\0\x02ab"
    assert key_bytes(record, ("a", "missing")) is None
    assert key_bytes(record, ()) == b""


def test_show_gives_the_values_back() -> None:
    values = ["root", "", 7, -1, 1.5, True, False, "ü"]
    record = Document(dict(zip("abcdefgh", values, strict=True)))
    assert show(key_bytes(record, tuple("abcdefgh"))) == values
    assert show(b"") == []


def test_groups_and_shards() -> None:
    assert key_group(b"s\0\0\0\x04root") == 57
    assert [shard(group, 3) for group in (0, 85, 86, 170, 171, 255)] == [0, 0, 1, 1, 2, 2]
    assert {shard(group, 1) for group in range(256)} == {0}
