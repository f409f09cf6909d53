"""The index against the compiled predicates: it never misses a rule, whatever the trees ask and whatever the records hold."""

import re

import re2
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pluginhost import match
from pluginhost.events.fields import Document, lookup
from pluginhost.match import All, Any, AtLeast, Leaf, Not, Range, Same
from pluginhost.match.index import Index
from pluginhost.match.literals import LONG_S
from pluginhost.problem import Problem

FIELDS = ("a", "b", "o.k", "o", "source.ip")
WORDS = (
    "", "x", "X", "xy", "XY.5", "xy k", "5", "-1", "5.0", "+5", "05", "5e0", "true", "10.0.0.5", "::ffff:10.0.0.5", "::1", "0:0::1",
    "K", "k", "\u212a", "ß", "SS", "s", LONG_S, "\u0130", "i\u0307", "ΑΣ", "ας", "ΑΣα", "a" * 300, "日本語", "2024-05-01",
)  # fmt: skip
NUMBERS = (-1, 0, 5, 5.0, 5.5, 404, 1e22, 1 << 62)
scalars = st.sampled_from((*WORDS, "\ud800x", *NUMBERS, 1 << 70, float("nan"), float("inf"), True, False, None))
objects = lambda inner: st.dictionaries(st.sampled_from("kab"), inner, max_size=2)  # noqa: E731 - a strategy made of another
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | objects(inner), max_leaves=4)

words = st.sampled_from(WORDS)
numbers = st.sampled_from(NUMBERS)
addresses = st.sampled_from(["10.0.0.5", "::1", "0:0::1", "::ffff:10.0.0.5"])
wildcards = st.lists(words | st.sampled_from(["*", "?", "\\*", "\\"]), max_size=4).map("".join)
tokens = words | st.sampled_from(["y", "5", "a" * 255, "a" * 45])
patterns = st.sampled_from([".*xy", "x|K", "(?i:ΑS)", "[^x]*", "s+", "(?:5|0)5?", "k", "(?i)xy.5", LONG_S, "x?"])


def several(operand):
    return st.lists(operand, max_size=3).map(tuple)


def ranges(bound):
    return st.builds(Range, st.none() | bound, st.none() | bound, st.booleans(), st.booleans())


def asked(reading, **operands):
    made = [st.tuples(st.just(op), operand) for op, operand in operands.items()]
    return st.builds(lambda field, pair: Leaf(field, *pair, reading), st.sampled_from(FIELDS), st.one_of(made))


texts = {"equals": words, "one_of": several(words), "prefix": words, "suffix": words, "contains": words, "wildcard": wildcards,
         "regex": patterns, "range": ranges(words)}  # fmt: skip
leaf = st.one_of(
    asked("exact", **texts), asked("folded", **texts),
    asked("tokens", **texts | {"equals": tokens, "one_of": several(tokens), "phrase": several(tokens).filter(bool)}),
    asked("number", equals=numbers, one_of=several(numbers), range=ranges(numbers)),
    asked("address", equals=addresses, one_of=several(addresses), cidr=st.sampled_from(["10.0.0.0/8", "::/0"])),
    asked("date", equals=st.just("2024-05"), range=st.just(Range("now-1d", None))),
    asked("exact", exists=st.none(), missing=st.none(), null=st.none(), empty=st.none()),
    st.builds(Leaf, st.sampled_from(["", "@timestamp"]), st.sampled_from(["contains", "equals"]), words),
)  # fmt: skip
trees = leaf | st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(All, several(inner)),
        st.builds(Any, several(inner)),
        st.builds(AtLeast, st.integers(-1, 4), several(inner)),
        st.builds(Not, inner),
        st.builds(Same, st.sampled_from(["o", "a"]), inner),
    ),
    max_leaves=6,
)


def near(operand):
    """Values that a leaf with this operand is likely to be satisfied by."""
    match operand:
        case tuple():
            return st.one_of([near(value) for value in operand] or [st.none()]) | st.just(" ".join(map(str, operand)))
        case str():
            text = operand.replace("*", "").replace("?", "x").replace("\\", "")
            made = st.sampled_from([text, text.upper(), text.lower(), text.swapcase()])
            return st.builds("".join, st.tuples(st.sampled_from(["", "x", "k "]), made, st.sampled_from(["", "x", " 5"]))) | made
        case int() | float():
            return st.sampled_from([operand, str(operand), f"+{operand}", f"0{operand}", float(operand), str(float(operand)), int(operand)])
    return values


@st.composite
def cases(draw):
    """Trees, and records that hold what some of their leaves ask for."""
    made = draw(st.lists(trees, min_size=1, max_size=4))
    leaves = [leaf for tree in made for leaf in match.tree.leaves(tree)]
    records = []
    for _ in range(draw(st.integers(1, 3))):
        record = draw(st.dictionaries(st.sampled_from(FIELDS), values, max_size=2))
        for leaf in draw(st.lists(st.sampled_from(leaves), max_size=3)) if leaves else ():
            value = draw(near(leaf.operand))
            record[leaf.field.removesuffix(".k")] = draw(st.sampled_from([value, [None, [value]], {"k": value}, [{"k": 1}, {"k": value}]]))
            record[leaf.field] = draw(st.sampled_from([value, value, value, ["q", value]]))
        records.append(record)
    return made, records


def asking(index):
    """Of every probed field: the function that says whether a raw value can satisfy an atom."""
    return {field: _function(index, field) for field in index.fields}


def _function(index, field):
    names = {}

    def bind(constant):
        names[f"c{len(names)}"] = constant
        return f"c{len(names) - 1}"

    exec(f"def test(v): return {index.test(field, 'v', bind)}", names)
    return names["test"]


@given(cases())
@settings(max_examples=500, deadline=None)
@example(([Leaf("a", "regex", "s", "folded")], [{"a": LONG_S}]))
@example(([Same("o", Leaf("k", "equals", "x"))], [{"o.k": "z", "o": [{"k": "x"}]}]))
@example(([Leaf("a", "equals", "5")], [{"a": 5}, {"a": 5.0}, {"a": [["5"]]}]))
@example(([Leaf("a", "equals", 5.0, "number")], [{"a": "05"}, {"a": "5"}, {"a": "5.00"}, {"a": 5}, {"a": "+5"}]))
@example(([Leaf("a", "contains", "x")], [{"a": "\ud800x"}]))
def test_no_rule_is_missed_and_no_record_with_one_is_passed_over(case):
    given_trees, records = case
    rules = [match.compile(tree) for tree in given_trees]
    index = Index(given_trees)
    tests = asking(index)
    for document in records:
        record = Document(document)
        holds = {rule for rule, test in enumerate(rules) if test(record)}
        found = index.candidates(record)
        assert holds <= set(found)
        assert set(index.always) <= set(found)
        assert list(found) == sorted(set(found))
        assert all(rule in holds for rule in found if index.covers(rule))
        if set(found) - set(index.always):
            assert any(test(lookup(document, field)) for field, test in tests.items())


# --- regular expressions: a pattern together with a text that it matches ---

plain = st.sampled_from([("x", "x"), ("S", "S"), ("k", "k"), ("日", "日"), (LONG_S, LONG_S), (r"\.", "."), (r"\_", "_"), ("ß", "ß")])
loose = st.sampled_from([
    ("[a-z]", "q"), ("[^]x]", "q"), ("[]x]", "]"), (r"[\]x]", "]"), (".", "q"), (".*", ""), (r"\d", "7"), ("^", ""), ("$", ""), (r"\b", ""),
    (r"\x41", "A"), (r"\Qx*\E", "x*"), ("(?i)", ""), ("(?s)", ""), ("x{,2}", "x{,2}"), ("}", "}"), ("]", "]"),
])  # fmt: skip


def _optional(pair, repeat, times):
    return f"(?:{pair[0]}){repeat}", pair[1] * times


def _last_optional(pair):
    """The pattern with its last character, which may be no unit of its own, made optional."""
    return f"{pair[0]}x?", pair[1]


matching = st.recursive(
    plain | loose,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda pairs: ("".join(pair[0] for pair in pairs), "".join(pair[1] for pair in pairs))),
        st.tuples(inner, inner).map(lambda pair: (f"({pair[0][0]}|{pair[1][0]})", pair[1][1])),
        st.tuples(inner, inner).map(lambda pair: (f"(?P<n>{pair[0][0]}|{pair[1][0]}|)", "")),
        st.tuples(inner, st.sampled_from([("?", 0), ("*", 0), ("*?", 2), ("{0}", 0), ("{0,2}", 0), ("+", 2), ("{2}", 2), ("{1,}", 1)]))
        .map(lambda pair: _optional(pair[0], *pair[1])),
        inner.map(_last_optional),
        inner.map(lambda pair: (f"(?i:{pair[0]})", pair[1].swapcase())),
    ),
    max_leaves=8,
)  # fmt: skip


@given(matching, st.sampled_from(["exact", "folded", "tokens"]), st.sampled_from(["", "x ", "日 "]))
@settings(max_examples=700, deadline=None)
@example(("a(?i)*", ""), "exact", "")
@example(("(x|)y", "y"), "exact", "")
@example(("(?i:S)", LONG_S), "exact", "")
@example(("(?i)K", "\u212a"), "exact", "")
@example(("(?i)\u0130", "\u0130"), "exact", "")
@example(("(?:ab|q).*", "qz"), "exact", "")
def test_a_text_that_a_pattern_matches_is_never_missed(pair, reading, before):
    pattern, text = pair
    leaf = Leaf("a", "regex", pattern, reading)
    try:
        test = match.compile(leaf)
    except Problem:
        assume(False)
    record = Document({"a": before + text if reading == "tokens" else text})
    assume(test(record))
    assert list(Index([leaf]).candidates(record)) == [0]


def test_the_long_s_is_the_only_letter_that_case_folding_hides():
    options = re2.Options()
    options.case_sensitive = False
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    for letter in map(chr, range(128)):
        same = set(re2.compile(re.escape(letter) if not letter.isalnum() else letter, options).findall(everything))
        assert {char for char in same if char.lower() != letter.lower()} <= {LONG_S}
