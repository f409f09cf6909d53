"""Mappings: the quick way says what the careful way says, and what a mapping declares of itself is true of every record."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pluginhost.engine.parts import mappings as built_in
from pluginhost.events.aliases import ALIASES, alias, heads
from pluginhost.events.ecs import TYPES
from pluginhost.events.fields import MISSING, lookup, texts
from pluginhost.events.mapping import Keys, Line, Mapping, Mappings
from pluginhost.events.mappings import access, sshd

ALL = tuple(built_in())
OWN = {one.name: [{"message": case.record} if isinstance(case.record, str) else case.record for case in one.examples] for one in ALL}
ALONE = {mapping.name: Mappings([mapping]) for mapping in ALL}
EXAMPLES = [one.record for mapping in ALL for one in mapping.examples]
RECORDS = [{"message": one} if isinstance(one, str) else one for one in EXAMPLES]
LINES = [one for one in EXAMPLES if isinstance(one, str)]
FIELDS = sorted(TYPES.keys() | ALIASES.keys() | {field for mapping in ALL for field in mapping.gives or ()})
GIVEN = {mapping.name: sorted(mapping.gives or FIELDS) for mapping in ALL}

# --- lines: the parts of a plain one (each list's first), up to three of them exchanged for others, and then damaged ---

HEADERS = [
    "Nov 21 10:00:00 web1 sshd[42]: ", "", " ", "  ", "Nov  1 10:00:00 web1 sshd: ", "<38>Nov 21 10:00:00 web1 sshd-session[42]: ",
    "2026-11-21T10:00:00.123+01:00 web1 sshd-auth[42]:", "<38>1 2026-11-21T10:00:00Z web1 sshd 42 - - ", "<38>1 - web1 sshd 42 - - ",
    "<38>2026-11-21T10:00:00Z web1 sshd 42 - - ", "<38>1 2026-11-21T10:00:00Z web1 sshd 42 ID7 - \ufeff", "Nov 21 10:00:00 web1 cron[42]: ",
    '<38>1 2026-11-21T10:00:00Z web1 sshd 42 ID7 [a@1 x="]"] ', "<38>1 2026-11-21T10:00:00Z web1 sshd[42]: ",
    "Nov 21 10:00:00 web1 sshd[]: ", "Nov 21 10:00:00 web1 sshd[12345678901]: ", "Nov 21 10:00:00 web1 sshd[٤٢]: ",
    "<38>1 2026-11-21T10:00:00Z web1 sshd ² - - ", "message repeated 2 times: [ ", "error: ",
]  # fmt: skip
BEGINNINGS = [
    "Failed password for ", "Failed none for invalid user ", "Accepted publickey for ", "Accepted hostbased for ",
    "Failed publickey for illegal user ", "Failed x/y for ", "Failed a b for ", "Failed publickeys for ", *sshd._SENTENCES,
]  # fmt: skip
NAMES = [
    "root", "", " ", "a b", "x from 192.0.2.1", "from", "x from 192.0.2.1 port 5 ssh2: RSA SHA256:a", "invalid user x", "ü\u2028", "a\nb",
    "\u00a0", "x\x1cy", "invalid", "user",
]  # fmt: skip
ADDRESSES = ["203.0.113.9", "2001:db8::9", "host.example", "256.1.1.1", "::ffff:203.0.113.9", "fe80::1%eth0", "-", "a:80", "x" * 256]
PORTS = ["50000", "5", "65536", "99999", "123456", "٥", "", "05"]
ENDS = [
    " ssh2", "", " ssh2 ", "\n", " ssh2: RSA SHA256:abc", " ssh2: RSA SHA256:a from 192.0.2.1 port 1 ssh2", " [preauth]", ":11: bye",
    " ssh2: RSA MD5:aa:bb", " ssh2: ED25519-CERT SHA256:a ID b (serial 0) CA RSA SHA256:c", "]", " ssh2: ssh2: A SHA256:b",
]  # fmt: skip
USERS = ["-", "", "bob", "a b", "[b]", r"x] \"y", "a [21/Nov/2026:10:00:00 +0000]", '"', "ü\t"]
STAMPS = [
    " [21/Nov/2026:10:00:00 +0000] ", " [21/Nov/2026:10:00:00] ", " ", " [21/Nov/2026:10:00:00 +0000] [21/Nov/2026:10:00:00 +0000] ",
    ' [21/Nov/2026:10:00:00 +0000] "x" ', " [٢١/Nov/2026:10:00:00 +0000] ",
]  # fmt: skip
REQUESTS = [
    "GET /a?b=c d HTTP/1.1", "GET / HTTP/2", "GET http://example/x?y HTTP/1.0", "GET 1://y HTTP/1.0", "- - HTTP/1.0", "-", "", "GET /",
    "G\x01T / HTTP/1.0", r"\x16\x03\x01", r"GET /\" HTTP/1.1", "GET  HTTP/1.1", "GET / HTTP/1.12", "GET / HTTP/١", "GET ? HTTP/1.1",
    "GET /a HTTP/1.0 HTTP/1.1", "GET /\n HTTP/1.1", "A" * 33 + " / HTTP/1.1", "GET - HTTP/1.1",
]  # fmt: skip
ANSWERS = ["404 153", "200 -", "399 " + "9" * 18, "400 " + "9" * 19, "20 1", "200", "٢٠٠ 1", "200 ٣", "000 0"]
SAID = [
    ' "https://example/" "curl/8"', ' "-" "-"', "", "\n", " ", ' "" ""', r' "-" "\x22"', r' "\\" "-"', ' "-"', ' "-" "x',
    ' "a\n" "b" "c"\n', "\n\n",
]  # fmt: skip


@st.composite
def made(draw: st.DrawFn, *parts: list[str]) -> str:
    line = [options[0] for options in parts]
    for at in draw(st.lists(st.integers(0, len(parts) - 1), max_size=3)):
        line[at] = draw(st.sampled_from(parts[at]))
    return "".join(line)


@st.composite
def damaged(draw: st.DrawFn, lines: st.SearchStrategy[str]) -> str:
    """A line with some of its characters cut out or replaced, every other time."""
    line = draw(lines)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at, cut = draw(st.integers(0, len(line))), draw(st.integers(0, 2))
        line = line[:at] + draw(st.sampled_from(["", " ", '"', "\\", "[", "]", ":", "\n", "1", "٣", "-", "x", "\u2028"])) + line[at + cut :]
    return line


logins = damaged(made(HEADERS, BEGINNINGS, NAMES, [" from ", " ", ""], ADDRESSES, [" port ", ""], PORTS, ENDS))
requests = damaged(made(["", "www.example:443 "], ADDRESSES, [" - ", " ", "  "], USERS, STAMPS, ['"'], REQUESTS, ['" '], ANSWERS, SAID))
lines = logins | requests | damaged(st.sampled_from(LINES)) | st.text(max_size=30)

# --- records: an example or a line, with keys taken away and others put in ---

WORDS = ["sshd", "cron", "42", "web1", "-", "203.0.113.9", "GET", "/a?b", "200", "GET /a?b HTTP/1.1", "", "sshd[7]:", "x"]
TOPS = sorted({key for mapping in ALL for key in mapping.reads or ()} | {"event", "http", "url", "user", "a", "b"})
DOTTED = sorted({part for field in (*FIELDS, *(path for paths in ALIASES.values() for path in paths)) for part in field.split(".")[1:]})
scalars = st.sampled_from([None, True, 5, 404, -1, 1e300, float("nan"), *WORDS, *LINES])
objects = st.dictionaries(st.sampled_from(DOTTED), scalars, max_size=3)
values = scalars | st.lists(scalars | objects, max_size=2) | objects | st.dictionaries(st.sampled_from(DOTTED), objects, max_size=1)


@st.composite
def varied(draw: st.DrawFn, records: list[dict[str, object]] = RECORDS) -> dict[str, object]:
    """One of `records` or a line; keys are taken away, others put in or given another value, at the top or one level below."""
    record = dict(draw(st.sampled_from(records) | st.builds(lambda line: {"message": line}, lines)))
    for key, inner in record.items():
        if isinstance(inner, dict) and inner and draw(st.booleans()):
            record[key] = inner | {draw(st.sampled_from(sorted(inner))): draw(values)}
    for key in draw(st.lists(st.sampled_from(sorted(record)), max_size=2, unique=True)) if record else ():
        del record[key]
    return record | draw(st.dictionaries(st.sampled_from(TOPS), values, max_size=5))


def value(mappings: Mappings, record: dict[str, object], field: str) -> object:
    """What an event says, its final form aside."""
    own = lookup(record, field)
    return mappings.read("", record).get(record, field) if own is MISSING else own


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)  # not a number is itself here


def strings(given: object) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, (dict, list)):
        for inner in given.values() if isinstance(given, dict) else given:
            yield from strings(inner)


# --- the quick way and the careful way ---


@settings(max_examples=500)
@given(logins, st.dictionaries(st.sampled_from(["ident", "pid", "process", "syslogtag", "host"]), values, max_size=2))
@example("Failed publickey for bob from 203.0.113.9 port 5 ssh2: RSA SHA256:abc", {})
@example("<38>1 2026-11-21T10:00:00Z web1 sshd 42 - - \ufeffFailed none for a from 203.0.113.9 port 5 ssh2", {})
@example("<38>2026-11-21T10:00:00Z web1 sshd 42 - - Failed none for a from 203.0.113.9 port 5 ssh2", {})
@example("Nov 21 10:00:00 web1 sshd[42]: Failed none for invalid user  from 203.0.113.9 port 5 ssh2", {"ident": "cron"})
@example("Failed none for a from 203.0.113.9 port 5 ssh2", {"ident": "cron"})
@example("Accepted publickey for a ssh2: b from 203.0.113.9 port 5 ssh2: RSA SHA256:abc", {})
def test_a_plain_login_is_read_as_the_careful_way_reads_it(line, beside) -> None:
    record = {"message": line, **beside}
    assert same(ordered(sshd._extract(record)), ordered(sshd._careful(record)))


@settings(max_examples=500)
@given(requests)
def test_a_plain_request_is_read_as_the_careful_way_reads_it(line) -> None:
    quick = access._plain_line(line)
    assert quick is None or quick == access._careful_line(line)


def test_the_quick_way_is_the_usual_one() -> None:
    for header in [*HEADERS[:3], HEADERS[5], HEADERS[7]]:
        assert sshd._LOGIN.fullmatch(f"{header}Failed password for invalid user root from 2001:db8::1 port 5 ssh2")
    assert access._plain_line('203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"')
    assert access._plain_line('203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512\n')


def ordered(found: dict[str, object] | None) -> object:
    return None if found is None else sorted(found.items())


# --- which mapping reads a record ---


@settings(max_examples=80)
@given(varied(), st.sampled_from([ALL[at:] + ALL[:at] for at in range(0, len(ALL), 7)] + [ALL[::-1]]))
def test_the_first_that_knows_the_shape_and_does_not_decline_reads_it(record, order) -> None:
    asked = [one for one in (*(one for one in order if not one.last), *(one for one in order if one.last)) if not one.tags]
    fitting = (one.name for one in asked if one.shape(record) and (one.extract is None or one.extract(record) is not None))
    read = Mappings(order).read("", record).mapping
    assert (read and read.name) == next(fitting, None)


SHAPES = [
    Line(begins=("ab", "c")), Line(holds="ab"), Line(begins=("b",), holds="a"), Line(holds="ab", within=3), Keys(("a",)),
    Keys(("a", "b"), ("c", "d")), lambda record: "c" in record,
]  # fmt: skip


@given(st.lists(st.sampled_from(SHAPES), max_size=4), st.dictionaries(st.sampled_from("abcd"), st.none()), st.text("abc ", max_size=6))
def test_so_it_is_with_shapes_of_any_kind(shapes, record, line) -> None:
    mappings = [Mapping(str(n), "", shape) for n, shape in enumerate(shapes)]
    record = {**record, "message": line}
    assert Mappings(mappings).read("", record).mapping is next((one for one in mappings if one.shape(record)), None)


# --- what a mapping declares of itself ---


@pytest.mark.parametrize("mapping", ALL, ids=lambda mapping: mapping.name)
@settings(max_examples=10)
@given(data=st.data())
def test_a_record_cut_down_to_what_is_read_says_the_same(mapping, data) -> None:
    if mapping.reads is None:
        return
    record, field, alone = data.draw(varied(OWN[mapping.name])), data.draw(st.sampled_from(GIVEN[mapping.name])), ALONE[mapping.name]
    wanted = {*mapping.reads, *heads(field)}
    cut = {key: value for key, value in record.items() if key in wanted}
    assert same(value(alone, cut, field), value(alone, record, field))


@pytest.mark.parametrize("mapping", [one for one in ALL if one.reads is not None], ids=lambda mapping: mapping.name)
def test_its_examples_cut_down_say_the_same_in_every_field(mapping) -> None:
    alone = ALONE[mapping.name]
    for record in OWN[mapping.name]:
        for field in GIVEN[mapping.name]:
            cut = {key: value for key, value in record.items() if key in {*mapping.reads, *heads(field)}}
            assert same(value(alone, cut, field), value(alone, record, field))


@given(varied(), st.sampled_from(FIELDS))
def test_without_mappings_a_field_depends_on_its_heads_alone(record, field) -> None:
    cut = {key: value for key, value in record.items() if key in heads(field)}
    assert same(value(Mappings(), cut, field), value(Mappings(), record, field))


@pytest.mark.parametrize("mapping", ALL, ids=lambda mapping: mapping.name)
@settings(max_examples=10)
@given(data=st.data())
def test_it_gives_no_more_than_it_says(mapping, data) -> None:
    record = data.draw(varied(OWN[mapping.name]))
    reading = ALONE[mapping.name].read("", record)
    assert mapping.gives is None or reading.found.keys() <= mapping.gives
    for field in ALIASES:
        assert mapping.gives is None or field in mapping.gives or same(reading.get(record, field), alias(record, field))


@settings(max_examples=60)
@given(varied(), st.sampled_from(["", "haproxy", "aws"]))
def test_no_record_makes_a_mapping_raise(record, tag) -> None:
    for alone in ALONE.values():
        reading = alone.read(tag, record)
        for field in reading.mapping.gives or () if reading.mapping else ():
            reading.get(record, field)


@pytest.mark.parametrize("mapping", ALL, ids=lambda mapping: mapping.name)
@settings(max_examples=10)
@given(data=st.data())
def test_what_has_none_of_its_texts_or_sets_of_keys_is_not_known_by_it(mapping, data) -> None:
    record = data.draw(varied(OWN[mapping.name]))
    assert bool(mapping.literals) != bool(mapping.keys)
    held = any(literal in text for literal in mapping.literals for text in strings(record))
    keyed = any(keys <= record.keys() for keys in mapping.keys)
    assert held or keyed or not mapping.shape(record)


@pytest.mark.parametrize("mapping", ALL, ids=lambda mapping: mapping.name)
def test_its_examples_have_them(mapping) -> None:
    tagged = [(example.tag, record) for example, record in zip(mapping.examples, OWN[mapping.name], strict=True)]
    mine = [(tag, record) for tag, record in tagged if ALONE[mapping.name].read(tag, record).mapping is mapping]
    assert mine
    for tag, record in mine:
        assert mapping.gives is None or ALONE[mapping.name].read(tag, record).found.keys() <= mapping.gives
        assert any(literal in text for literal in mapping.literals for text in texts(record)) or any(
            keys <= record.keys() for keys in mapping.keys
        )
