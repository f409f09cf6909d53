"""What the index takes from each predicate, what it reads of a record, and what a raw value must show."""

import msgspec
import pytest

from pluginhost.events.event import Event
from pluginhost.events.fields import MISSING, Document
from pluginhost.events.mapping import Mappings
from pluginhost.events.slice import Slice
from pluginhost.match import EVERYTHING, NOTHING, All, Any, AtLeast, Leaf, Not, Range, Same, parse
from pluginhost.match.index import Index

A, B, C = (Leaf(field, "equals", "x") for field in "abc")
SHORT, LONG = Leaf("m", "contains", "at"), Leaf("m", "contains", "mimikatz")


def asked(index, field, value):
    names = {}

    def bind(constant):
        names[f"c{len(names)}"] = constant
        return f"c{len(names) - 1}"

    return eval(index.test(field, "value", bind), names, {"value": value})


def found(index, record):
    return list(index.candidates(Document(record)))


@pytest.mark.parametrize(
    ("node", "fields"),
    [
        (A, {"a"}),
        (Any((A, B)), {"a", "b"}),
        (Any((A, Not(B))), None),
        (All((Not(A), B)), {"b"}),
        (All((Leaf("a", "exists"), B)), {"b"}),
        (All((Leaf("a", "missing"), B)), {"b"}),
        (All((Leaf("m", "contains", "e"), Leaf("b", "prefix", "/admin"))), {"b"}),
        (AtLeast(2, (A, B, Leaf("c", "exists"))), {"a", "b"}),
        (AtLeast(2, (A, Not(B), C)), {"a", "c"}),
        (AtLeast(1, (A, Not(B))), None),
        (AtLeast(0, (A,)), None),
        (Same("o", A), {"o"}),
        (Leaf("", "contains", "x"), None),
        (Leaf("@timestamp", "range", Range("now-1d")), None),
        (Leaf("a", "range", Range("now-1d"), "date"), {"a"}),
        (Leaf("a", "cidr", "10.0.0.0/8", "address"), {"a"}),
        (Leaf("a", "regex", ".*"), {"a"}),
        (EVERYTHING, None),
        (None, None),
        (NOTHING, set()),
        (Leaf("a", "one_of", ()), set()),
        (AtLeast(3, (A, B)), set()),
    ],
)
def test_the_fields_that_one_predicate_makes_the_index_read(node, fields):
    index = Index([node])
    assert (index.fields, index.always) == ((frozenset(), (0,)) if fields is None else (frozenset(fields), ()))


def test_what_few_rules_share_is_asked_first():
    dataset = Leaf("event.dataset", "equals", "sshd")
    index = Index([All((dataset, Leaf("user.name", "equals", f"u{number}"))) for number in range(50)])
    assert index.fields == {"user.name"}
    assert found(index, {"event.dataset": "sshd", "user.name": "u7"}) == [7]


def test_a_field_of_its_own_is_not_read_for_one_rule_that_has_a_common_one():
    dataset = Leaf("event.dataset", "equals", "sshd")
    index = Index([All((dataset, Leaf(f"field{number}", "equals", "x"))) for number in range(3)])
    assert index.fields == {"event.dataset"}


def test_of_two_texts_the_longer_is_looked_for():
    index = Index([All((SHORT, LONG))])
    assert found(index, {"m": "cat"}) == []
    assert found(index, {"m": "x mimikatz.exe"}) == [0]


def test_the_rules_come_in_order_and_once():
    index = Index([LONG, None, Any((A, B)), NOTHING, SHORT, None])
    assert found(index, {"a": "x", "b": "x", "m": "mimikatz"}) == [0, 1, 2, 4, 5]
    assert found(index, {"a": "x"}) == [1, 2, 5]
    assert found(index, {}) == [1, 5]


def test_a_record_without_a_hit_costs_no_list_and_one_look_at_each_field():
    asked = []

    class Counting(Document):
        def get(self, field, default=None):
            asked.append(field)
            return super().get(field, default)

    names = ("a", "b", "m")
    index = Index([Leaf(names[number % 3], ("equals", "prefix", "contains")[number % 2], f"text {number}") for number in range(1000)])
    assert index.candidates(Counting({"a": "y", "b": ["z"], "m": 5})) is index.always
    assert sorted(asked) == sorted(index.fields) == ["a", "b", "m"]


def test_texts_within_texts_are_all_found():
    parts = ["ab", "b", "abc", "bc d", "d"]
    index = Index([Leaf("a", "contains", part) for part in parts])
    assert found(index, {"a": "xabc d"}) == [0, 1, 2, 3, 4]
    assert found(index, {"a": "ab"}) == [0, 1]


def test_an_automaton_of_many_texts_finds_them_too():
    index = Index([Leaf("a", "contains", f"needle number {number};", "folded") for number in range(3000)])
    assert found(index, {"a": "Hay, Needle Number 2999; and NEEDLE NUMBER 17;"}) == [17, 2999]
    assert not asked(index, "a", "needle number 3000;")


def test_prefixes_of_every_length():
    index = Index([Leaf("a", "prefix", "/var/log/nginx"[:size]) for size in range(1, 15)] + [Leaf("a", "prefix", "/var/lib")])
    for size in range(15):
        assert found(index, {"a": "/var/log/nginx"[:size]}) == list(range(size))
    assert found(index, {"a": "/var/lib"}) == [*range(6), 14]


@pytest.mark.parametrize(
    ("leaf", "yes", "no"),
    [
        (Leaf("a", "equals", "404"), ["404", 404, 404.0, ["404"], [["x", 404]]], ["40", 405, 404.5, True, None, [], {}, {"a": "404"}]),
        (Leaf("a", "equals", "true"), ["true", True], [1, False, "True"]),
        (Leaf("a", "equals", "ÄB", "folded"), ["äb", "ÄB", ["x", "äB"]], ["a", None]),
        (Leaf("a", "equals", 404, "number"), ["404", "404.0", "0404", "+404", "4.04e2", 404, 404.0, ["404"]], ["x", "", "4", 4, True]),
        (Leaf("a", "one_of", (10**400, 1e300, -0.0), "number"), [10**400, 1e300, 0, "-0"], ["1", "9" * 301, float("nan")]),
        (Leaf("a", "equals", "10.0.0.5", "address"), ["10.0.0.5", "::ffff:10.0.0.5"], ["10.0.0.50", "::1", 10, None]),
        (Leaf("a", "equals", "::1", "address"), ["::1", "0:0::1", ["::1"]], ["::2", "x"]),
        (Leaf("a", "prefix", "40"), ["404", 404], ["4", 4, None]),
        (Leaf("a", "contains", "04"), ["404", 404, [404]], ["44", 44]),
        (Leaf("a", "exists"), ["", 0, None, [], {}], []),
    ],
)
def test_a_raw_value(leaf, yes, no):
    index = Index([leaf])
    assert all(asked(index, "a", value) for value in yes)
    assert not any(asked(index, "a", value) for value in (*no, MISSING))
    assert index.test("b", "value", repr) is None


def test_a_raw_address_in_another_spelling():
    raw = {"source.ip": "2001:DB8:0:0::1"}
    event = Event(Slice(0, 0, 1, 1, "t", "json", msgspec.json.encode(raw)), Mappings())
    index = Index([Leaf("source.ip", "equals", "2001:db8::1")])
    assert list(index.candidates(event)) == [0]
    assert asked(index, "source.ip", raw["source.ip"])
    assert asked(index, "source.ip", ["x", raw["source.ip"]])
    assert not any(asked(index, "source.ip", value) for value in ("10.0.0.1", ["x"], MISSING, None, 5))


def test_rules_that_a_hit_proves():
    nodes = [A, Any((A, Leaf("b", "one_of", (1, 2), "number"))), LONG, All((A, B)), Not(A), None, Leaf("a", "equals", "x", "tokens"),
             Leaf("a", "equals", "2024", "date"), Leaf("", "equals", "x")]  # fmt: skip
    index = Index(nodes)
    assert [rule for rule in range(len(nodes)) if index.covers(rule)] == [0, 1]


@pytest.mark.parametrize(
    ("pattern", "required", "reading"),
    [
        (".*evil.*", "evil", "exact"),
        ("(?:GET|POST) /admin/.+[0-9]", " /admin/", "exact"),
        ("(?:root|admin)[0-9]?", "admin", "exact"),
        ("x?(?:y*evil)+z{0,3}", "evil", "exact"),
        (r"C:\\Users\\.*\.exe", "C:\\Users\\", "exact"),
        ("[]x]evil[^]x]", "evil", "exact"),
        ("(?i)Power.hell", "power", "exact"),
        ("(?P<n>abc|abd+)(?i:d)", "abd", "exact"),
        ("PowerShell", "powershell", "folded"),
        ("ev(?:il)", "ev", "tokens"),
        ("ab{2}c", "ab", "exact"),
    ],
)
def test_what_a_regular_expression_requires(pattern, required, reading):
    index = Index([Leaf("a", "regex", pattern, reading)])
    assert found(index, {"a": f"before {required} after"}) == [0]
    assert found(index, {"a": f"before {required[:-1]} after"}) == []


@pytest.mark.parametrize(
    "pattern", ["evi?l?|x?", "(evil)?", "(evil){0}", "[[:alpha:]]evil", r"\Qevil\E", r"\x41evil", "evil{", "(?s)evil", "a(?i)*", "evil|.*"]
)
def test_a_pattern_of_which_nothing_is_certain_or_known_requires_only_the_field(pattern):
    index = Index([Leaf("a", "regex", pattern)])
    assert found(index, {"a": "x"}) == [0]
    assert found(index, {"b": "x"}) == []


def test_a_query_with_everything():
    index = Index([parse('event.dataset:sshd AND message:("failed password" OR /[Ii]nvalid user .*/) AND NOT source.ip:10.0.0.0\\/8')])
    assert index.always == ()
    assert found(index, {"event.dataset": "sshd", "message": "Failed password for root"}) == [0]
    assert found(index, {"event.dataset": "nginx", "message": "GET /"}) == []


@pytest.mark.parametrize("shortest", ["abcd", "abc", "abcdefgh"])
def test_many_rules_of_one_field_are_told_apart_by_their_first_characters(shortest):
    nodes = [Leaf("a", "equals", f"{shortest}{n:03}") for n in range(100)]
    nodes += [Leaf("a", "prefix", f"{shortest}x{n:03}") for n in range(100)]
    nodes += [Leaf("a", "equals", shortest), Leaf("a", "contains", "needle"), Leaf("a", "equals", 12345678, "number")]
    index = Index(nodes)
    for value, rules in ((f"{shortest}042", [42]), (f"{shortest}x007/y", [107]), (shortest, [200]), ("a needle", [201]), (12345678, [202]),
                         ("12345678", [202]), ("1.2345678e7", [202]), (shortest[:-1], []), ("other", []), ("", [])):  # fmt: skip
        assert (found(index, {"a": value}), bool(asked(index, "a", value))) == (rules, bool(rules)), value
