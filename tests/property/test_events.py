"""Fields, events and keys hold for any record, not only for the ones somebody thought of."""

import copy

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.events import Event, Mappings, Slice
from pluginhost.events.address import canonical, packed
from pluginhost.events.aliases import ALIASES
from pluginhost.events.ecs import TYPES, fit
from pluginhost.events.fields import MISSING, Document, finder, lookup
from pluginhost.events.frozen import frozen
from pluginhost.events.keys import key_bytes, show
from pluginhost.events.mappings import access, sshd

ALL = Mappings((*sshd.MAPPINGS, *access.MAPPINGS))
EXAMPLES = [example.record for mapping in ALL for example in mapping.examples]
RAW = {"code", "path", "method", "remote", "status", "request", "syslogtag", "a", "b", "a.b"}.union(*ALIASES.values())
NAMES = sorted(RAW | TYPES.keys())
LINES = [record for record in EXAMPLES if isinstance(record, str)]

scalars = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text(max_size=20) | st.sampled_from(LINES)
keys = st.sampled_from([*NAMES, *{part for name in NAMES for part in name.split(".")}]) | st.text(max_size=5)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=15)
records = st.dictionaries(keys, anything, max_size=10)


def event(record: object) -> Event:
    return Event(Slice(0, 0, 1, 1, "t", "msgpack", msgspec.msgpack.encode(record)), ALL)


@given(records)
def test_no_record_makes_an_event_raise(record) -> None:
    seen = event(record)
    for field in (*NAMES, *record):
        value = seen.get(field, MISSING)
        assert (field in seen) == (value is not MISSING)
        assert isinstance(seen.values(field), tuple)
        key_bytes(seen, (field,))
    assert isinstance(seen.mapping, str)
    assert isinstance(seen.message, str)
    assert all(isinstance(text, str) for text in seen.texts())
    msgspec.json.encode(seen.document())


@given(records)
def test_a_document_has_all_that_the_record_says_and_nothing_else_in_the_types_of_the_index(record) -> None:
    seen = event(record)
    made = seen.document()
    for field, kind in TYPES.items():
        value = lookup(made, field)
        if value is MISSING:
            assert field not in seen or fit(field, seen[field]) is MISSING
            continue
        assert field in seen
        for one in value if isinstance(value, list) else [value]:
            assert isinstance(one, dict if kind == "point" else int if kind in ("long", "port") else float if kind == "double" else str)
            assert kind not in ("ip", "ips") or canonical(one) == one
        assert isinstance(value, list) == (kind in ("keywords", "ips"))


@st.composite
def spelled(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, object]]:
    """A record of leaves by their whole names, and the same with some of the dots written as nesting."""
    leaves = draw(st.dictionaries(st.sampled_from(list(TYPES)), scalars | st.lists(scalars, max_size=3), max_size=8))
    nested: dict[str, object] = {}
    for name, value in leaves.items():
        place, parts = nested, name.split(".")
        while len(parts) > 1 and draw(st.booleans()):
            heads = draw(st.integers(1, len(parts) - 1))
            inner = place.setdefault(".".join(parts[:heads]), {})
            assert isinstance(inner, dict)
            place, parts = inner, parts[heads:]
        place[".".join(parts)] = value
    return leaves, nested


@given(spelled())
def test_nested_and_dotted_records_say_the_same(pair) -> None:
    flat, nested = map(event, pair)
    for field in pair[0]:
        assert repr(flat[field]) == repr(nested[field])
        assert repr(flat.values(field)) == repr(nested.values(field))
    assert repr(flat.document()) == repr(nested.document())


def _plain(value):
    """What a key takes as the same: a whole float is its integer, a list of one its element."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value) if isinstance(value, float) and value.is_integer() else value


tuples = st.lists(scalars.filter(lambda value: value is not None), max_size=4)


@given(tuples, tuples)
def test_key_bytes_are_equal_only_for_equal_values(one, other) -> None:
    def key(values):
        return key_bytes(Document({str(n): value for n, value in enumerate(values)}), tuple(str(n) for n in range(len(values))))

    same = [(type(_plain(value)), repr(_plain(value))) for value in one] == [(type(_plain(value)), repr(_plain(value))) for value in other]
    assert (key(one) == key(other)) == same
    assert repr(show(key(one))) == repr([_plain(value) for value in one])


@given(st.text(max_size=40) | st.ip_addresses().map(str) | st.text("0123456789abcdef:.%/", max_size=45))
def test_the_shortest_form_of_an_address_is_the_same_address(text) -> None:
    short = canonical(text)
    assert (short is None) == (packed(text) is None)
    assert short is None or (packed(short) == packed(text) and canonical(short) == short)


@given(anything)
def test_freezing_changes_nothing_that_can_be_read(value) -> None:
    assert repr(frozen(value)) == repr(value)


_PATHS = [path.split("/") for path in (
    "a", "a.b", "a/b", "a.b.c", "a.b/c", "a/b.c", "a/b/c", "a.b.c.d", "a.b.c/d", "a.b/c.d", "a/b.c.d", "a/b/c.d", "a/b/c/d",
)]  # fmt: skip
_VALUES = st.sampled_from((None, "", "x", [], ["x"], ["x", "y"], {}, {"b": 1}, [{"b": 2}, {"c": 3}], [{"b": {"c": 4}}, {"b.c": 5}]))


@given(st.lists(st.tuples(st.sampled_from(_PATHS), _VALUES), max_size=5), st.sampled_from(("a", "a.b", "a.b.c", "a.b.c.d", "b")))
def test_a_field_has_a_finder_that_is_the_lookup(placed, field):
    record = {}
    for (*parents, name), value in placed:
        inner = record
        for parent in parents:
            inner = inner.setdefault(parent, {}) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[name] = copy.deepcopy(value)
    assert finder(field)(record) == lookup(record, field)
    assert finder(field)(frozen(record)) == lookup(record, field)
