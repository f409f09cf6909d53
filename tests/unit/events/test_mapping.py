"""Which mapping reads a record, and what of it wins."""

import msgspec
import pytest

from pluginhost.events import Event, Mapping, Mappings, Slice
from pluginhost.events.ecs import TYPES
from pluginhost.events.fields import MISSING
from pluginhost.problem import Problem


def read(record, *mappings, tag="app"):
    return Event(Slice(0, 0, 1, 1, tag, "json", msgspec.json.encode(record)), Mappings(mappings))


def always(record) -> bool:
    return True


def test_the_first_whose_shape_fits_and_whose_extractor_does_not_decline() -> None:
    never = Mapping("never", "", lambda record: False, constants={"x": 1})
    declines = Mapping("declines", "", always, constants={"x": 2}, extract=lambda record: None)
    fits = Mapping("fits", "", lambda record: "k" in record, constants={"x": 3})
    late = Mapping("late", "", always, constants={"x": 4})
    assert (read({"k": 1}, never, declines, fits, late)["x"], read({"k": 1}, never, declines, fits, late).mapping) == (3, "fits")
    assert read({}, never, declines, fits, late).mapping == "late"
    assert read({}, never, declines).mapping == ""
    assert "x" not in read({}, never, declines)


def test_tags_are_globs() -> None:
    mapping = Mapping("m", "", always, tags=("auth.*", "x"))
    assert [read({}, mapping, tag=tag).mapping for tag in ("auth.sshd", "auth.a.b", "x", "auth", "xx")] == ["m", "m", "m", "", ""]


def test_tags_of_shippers_do_not_fill_the_memory() -> None:
    mappings = Mappings([Mapping("m", "", always, tags=("a*",))])
    assert [mappings.read(f"{letter}{n}", {}).mapping is not None for n in range(5000) for letter in "ab"] == [True, False] * 5000
    assert len(mappings._by_tag) <= 4096


def test_who_wins() -> None:
    mapping = Mapping(
        "m", "", always, paths={"a": ("raw.a", "raw_b"), "user.name": ("who",), "b": ("raw_b",)},
        constants={"a": "constant", "c": "constant"}, extract=lambda record: {"b": "found", "host.name": MISSING},
    )  # fmt: skip
    seen = read({"raw": {"a": 1}, "raw_b": 2, "who": "w", "username": "alias", "host": "alias", "c": "own", "level": "alias"}, mapping)
    assert [seen[field] for field in ("a", "b", "c", "user.name", "log.level")] == [1, "found", "own", "w", "alias"]
    assert "host.name" not in seen
    assert read({"raw_b": 2}, mapping)["a"] == 2
    assert read({}, mapping)["a"] == "constant"
    assert read({"username": "alias"}, mapping)["user.name"] == "alias"


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(Problem, match="two mappings are called `m`"):
        Mappings([Mapping("m", "", always), Mapping("m", "", always)])


def test_mappings_are_listed_in_order() -> None:
    assert [mapping.name for mapping in Mappings([Mapping("b", "", always), Mapping("a", "", always)])] == ["b", "a"]


def test_no_known_field_contains_another() -> None:
    assert [field for field in TYPES for parent in TYPES if field.startswith(f"{parent}.")] == []
