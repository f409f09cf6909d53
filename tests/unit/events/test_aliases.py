"""Aliases, and the keys on which a field can depend."""

import pytest

from pluginhost.events.aliases import ALIASES, alias, heads, message
from pluginhost.events.ecs import ADDRESSES
from pluginhost.events.fields import MISSING

PATHS = [(field, path) for field, paths in ALIASES.items() for path in paths]


def nested(path: str, value: object) -> dict[str, object]:
    head, _, rest = path.partition(".")
    return {head: nested(rest, value) if rest else value}


@pytest.mark.parametrize(("field", "path"), PATHS)
def test_every_alias_is_found_flat_and_nested_and_its_top_is_among_the_heads(field, path) -> None:
    value = "192.0.2.1" if field in ADDRESSES else "x"
    for record in ({path: value}, nested(path, value)):
        assert alias(record, field) == value
        assert heads(field).issuperset(record)


def test_heads() -> None:
    assert heads("a.b.c") == {"a", "a.b", "a.b.c"}
    assert heads("trace.id") == {"trace", "trace.id", "trace_id", "traceId"}
    assert heads("container.id") >= {"docker", "docker.container_id"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [({"message": "a"}, "a"), ({"message": None, "log": "b"}, "b"), ({"msg": 5}, "5"), ({"message": ["c"]}, ""), ({"message": {}}, ""),
     ({}, "")],
)  # fmt: skip
def test_message(record, expected) -> None:
    assert message(record) == expected


def test_a_field_without_aliases_is_missing() -> None:
    assert alias({"url.path": "/"}, "url.path") is MISSING
