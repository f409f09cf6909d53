"""Which mapping reads a record, and what of it wins."""

import itertools

import msgspec
import pytest

from pluginhost.events import Event, Mapping, Mappings, Slice
from pluginhost.events.aliases import heads
from pluginhost.events.ecs import TYPES
from pluginhost.events.fields import MISSING
from pluginhost.events.mapping import Keys, Line
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


def test_a_reader_ranks_with_the_extractor_and_is_asked_for_its_own_field_only() -> None:
    asked = []
    readers = {"a": lambda record: asked.append("a") or record["x"], "user.name": lambda record: MISSING, "b": lambda record: 1 / 0}
    mapping = Mapping("m", "", always, paths={"a": ("y",)}, constants={"a": 0}, extract=lambda record: {"b": "found"}, read=readers)
    seen = read({"x": 1, "y": 2, "username": "alias"}, mapping)
    assert (seen["a"], seen["a"], seen["b"], "user.name" in seen, asked) == (1, 1, "found", False, ["a"])


@pytest.mark.parametrize(
    ("shape", "known", "unknown"),
    [
        (Keys(("a",)), [{"a": None}, {"a": 1, "b": 2}], [{}, {"b": 1}]),
        (Keys(("a",), either=("b", "c")), [{"a": 1, "b": 2}, {"a": 1, "c": 2}], [{"a": 1}, {"b": 1, "c": 2}]),
        (Line(begins=("ab ",)), [{"message": "ab c"}, {"log": "  ab c"}, {"message": " \n ab "}],
         [{"message": "xab "}, {"message": "\tab "}, {}]),
        (Line(holds="ab"), [{"message": "x ab"}, {"msg": "ab"}], [{"message": "a b"}, {"message": 5}, {"text": "ab"}]),
        (Line(("c",), "ab", within=4), [{"message": "xxab"}, {"message": "c xxxab"}], [{"message": "xxxab"}]),
        (Line(holds=("ab", "abc")), [{"message": "xabcx"}, {"message": "ab"}], [{"message": "ac"}]),
    ],
)  # fmt: skip
def test_shapes(shape, known, unknown) -> None:
    assert [shape(record) for record in [*known, *unknown]] == [True] * len(known) + [False] * len(unknown)
    assert [read(record, Mapping("m", "", shape)).mapping for record in [*known, *unknown]] == ["m"] * len(known) + [""] * len(unknown)


def test_half_a_surrogate_pair_is_a_character_like_any_other() -> None:
    mappings = Mappings([Mapping("m", "", Line(holds=("\udc00", "ab")))])
    assert [bool(mappings.read("", {"message": line}).mapping) for line in ("\ud83d\udc00", "\ud83d ab", "\ud83d")] == [True, True, False]


def test_whoever_reads_what_no_other_does_is_asked_last() -> None:
    last, first = Mapping("last", "", Line(begins=("a",)), last=True), Mapping("first", "", Line(holds="b"))
    assert [read({"message": line}, last, first).mapping for line in ("ab", "ac", "xb")] == ["first", "last", "first"]
    assert [mapping.name for mapping in Mappings([last, first])] == ["first", "last"]


def test_the_first_in_order_wins_whatever_it_is_found_by() -> None:
    by_key, by_text = Mapping("key", "", Keys(("k",))), Mapping("text", "", Line(holds="ab"))
    by_begin, by_call = Mapping("begin", "", Line(begins=("x",))), Mapping("call", "", always)
    kinds = [by_key, by_text, by_begin, by_call]
    for order in itertools.permutations(kinds):
        assert read({"k": 1, "message": "x abab"}, *order).mapping == order[0].name


def test_a_record_is_held_against_those_shapes_only_that_something_in_it_points_to(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(Keys, "__call__", lambda self, record: asked.append(self.every[0]) or True)
    monkeypatch.setattr(Line, "fits", lambda self, line: asked.append(self.holds) or True)
    held = [Mapping(f"l{n}", "", Line(holds=f"l{n}.")) for n in range(50)]
    kinds = Mappings([*(Mapping(f"k{n}", "", Keys((f"k{n}.",))) for n in range(50)), *held])
    record = {f"key{n}": n for n in range(30)} | {"message": "a line of an application, with words"}
    assert (kinds.read("", record).mapping, asked) == (None, [])
    assert [kinds.read("", {**record, **more}).mapping.name for more in ({"k7.": 1}, {"message": "a l33. b"})] == ["k7", "l33"]
    assert asked == ["k7.", "l33."]


def test_tags_of_the_same_mappings_share_a_plan() -> None:
    mappings = Mappings([Mapping("m", "", Line(holds="x"), tags=("a*",))])
    for tag in ("a1", "a2", "b"):
        mappings.read(tag, {"message": "x"})
    assert len({id(plan) for plan in mappings._by_tag.values()}) == 2


def test_a_mapping_says_what_it_reads_and_gives() -> None:
    keyed = Mapping("m", "", Keys(("k", "l"), ("m", "n")), paths={"a": ("x.y", "z")}, constants={"b": 1})
    assert set(keyed.reads) == {"k", "l", "m", "n", "x", "x.y", "z"}
    assert (keyed.gives, keyed.literals, keyed.keys) == ({"a", "b"}, (), (frozenset("klm"), frozenset("kln")))
    line = Mapping("m", "", Line(("b",), "h"), extract=lambda record: {"x": 1}, read={"r": always}, reads=("a",), gives=frozenset({"x"}))
    assert set(line.reads) == {"a"} | heads("message")
    assert (line.gives, line.literals, line.keys) == ({"x", "r"}, ("h", "b"), ())


def test_what_a_mapping_does_not_say_and_nobody_can_know_is_none() -> None:
    assert Mapping("m", "", always).reads is None
    assert Mapping("m", "", Keys(("a",)), extract=lambda record: {}).reads is None
    assert Mapping("m", "", Keys(("a",)), extract=lambda record: {}).gives is None
    assert Mapping("m", "", Keys(("a",)), read={"a": always}).reads is None
    assert Mapping("m", "", Keys(("a",)), read={"a": always}).gives == {"a"}
    assert (Mapping("m", "", always).literals, Mapping("m", "", always).keys) == ((), ())


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(Problem, match="two mappings are called `m`"):
        Mappings([Mapping("m", "", always), Mapping("m", "", always)])


def test_mappings_are_listed_in_order() -> None:
    assert [mapping.name for mapping in Mappings([Mapping("b", "", always), Mapping("a", "", always)])] == ["b", "a"]


def test_no_known_field_contains_another() -> None:
    assert [field for field in TYPES for parent in TYPES if field.startswith(f"{parent}.")] == []
