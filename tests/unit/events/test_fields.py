"""Finding fields by dotted name: nested, flat and mixed."""

import pytest

from pluginhost.events.fields import MISSING, Document, lookup, text, texts, values


@pytest.mark.parametrize(
    ("record", "field", "expected"),
    [
        ({"source": {"ip": "1.1.1.1"}}, "source.ip", "1.1.1.1"),
        ({"source.ip": "1.1.1.1"}, "source.ip", "1.1.1.1"),
        ({"source": {"nat.ip": "1.1.1.1"}}, "source.nat.ip", "1.1.1.1"),
        ({"source.nat": {"ip": "1.1.1.1"}}, "source.nat.ip", "1.1.1.1"),
        ({"a": {"b": {"c": 1}}, "a.b": {"c": 2}, "a.b.c": 3}, "a.b.c", 3),
        ({"a": {"b": {"c": 1}}, "a.b": {"c": 2}}, "a.b.c", 2),
        ({"a": {"b": {"c": 1}}, "a.b": {"d": 2}}, "a.b.c", 1),
        ({"a": {"b": {"c": 1}}, "a.b": "text"}, "a.b.c", 1),
        ({"host": "vm", "host.name": "web1"}, "host.name", "web1"),
        ({"host": "vm", "host.name": "web1"}, "host", "vm"),
        ({"host": "vm"}, "host.name", MISSING),
        ({"a": None}, "a", None),
        ({"a": {"b": None}}, "a.b", None),
        ({"a": None}, "a.b", MISSING),
        ({"a": []}, "a", []),
        ({"a": []}, "a.b", MISSING),
        ({"a": [{"b": 1}, {"c": 2}, 3, None, {"b": [4, 5]}]}, "a.b", [1, 4, 5]),
        ({"a": [[{"b": 1}], [[{"b": 2}]]]}, "a.b", [1, 2]),
        ({"a": [{"b": [{"c": 1}]}, {"b.c": 2}]}, "a.b.c", [1, 2]),
        ({"a": [{"b": []}]}, "a.b", []),
        ({"a": {"": 1}}, "a.", 1),
        ({}, "", MISSING),
        ({}, "...", MISSING),
    ],
)
def test_lookup(record, field, expected) -> None:
    assert lookup(record, field) == expected


def test_lookup_gives_the_default_only_for_what_is_missing() -> None:
    assert lookup({"a": None}, "a", 7) is None
    assert lookup({"a": 1}, "b", 7) == 7
    assert not MISSING
    assert repr(MISSING) == "MISSING"


def test_values_tells_missing_null_and_empty_apart() -> None:
    assert values(MISSING) == ()
    assert values(None) == (None,)
    assert values([]) == ()
    assert values("") == ("",)
    assert values([1, [2, [], [3, [4]]], {"a": [5]}]) == (1, 2, 3, 4, {"a": [5]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [("x", "x"), (True, "true"), (False, "false"), (7, "7"), (4.0, "4"), (1e99, "1e+99"), (None, None), ([1], None), ({}, None)],
)
def test_text(value, expected) -> None:
    assert text(value) == expected


def test_texts_are_all_scalars_in_order() -> None:
    assert texts({"a": "x", "b": [1, {"c": True}, [2.5]], "d": None, "e": {"f": "y"}}) == ("x", "1", "true", "2.5", "y")


def test_a_document_answers_like_an_event() -> None:
    document = Document({"event": {"category": ["web"]}, "url.path": None})
    assert document.get("event.category") == ["web"]
    assert document.values("event.category") == ("web",)
    assert (document.get("url.path", 1), document.get("url", 1)) == (None, 1)
    assert ("url.path" in document, "url" in document) == (True, False)
    assert document.texts() == ("web",)


def test_depth_is_no_matter() -> None:
    deep: object = "end"
    for _ in range(50_000):
        deep = [deep]
    assert values(deep) == ("end",)
    assert texts({"a": deep}) == ("end",)
    assert lookup({"a": deep}, "a.b") is MISSING
