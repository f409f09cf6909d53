"""Compiled lists against plain sets and the standard library's networks."""

from __future__ import annotations

import io
import ipaddress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.events.references import KINDS, compiled, listing_of
from pluginhost.events.references.entries import entries
from pluginhost.events.references.listing import listing


def test_strings_are_whole_values_whatever_their_case():
    found = listing_of("strings", ["Evil.EXE", "straße", "a" * 300])
    assert found.find("evil.exe").value == "Evil.EXE"
    assert found.find("STRASSE").value == "straße"
    assert found.find("a" * 300).value == "a" * 300
    assert found.find("evil") is None
    assert found.find("evil.exe2") is None
    assert found.find("\ud800") is None
    assert found.find("b" * 10_000_000) is None


def test_domains_hold_their_subdomains():
    found = listing_of("domains", ["bad.example", "*.worse.example", "co.test."])
    assert found.find("www.Bad.example").value == "bad.example"
    assert found.find("bad.example.").value == "bad.example"
    assert found.find("x.y.worse.example").value == "worse.example"
    assert found.find("a.co.test").value == "co.test"
    assert found.find("notbad.example") is None
    assert found.find("example") is None
    assert found.find("." * 5000) is None


NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::7",
            "2001:db8:2::/96", "::ffff:198.51.100.0/120", "255.255.255.255"]  # fmt: skip


@pytest.mark.parametrize(("address", "network"), [
    ("10.200.0.1", "10.0.0.0/8"), ("10.1.9.9", "10.1.0.0/16"), ("10.1.2.3", "10.1.2.3"), ("10.1.2.4", "10.1.0.0/16"),
    ("192.0.2.255", "192.0.2.0/24"), ("192.0.3.0", "0.0.0.0/0"), ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0/0"),
    ("2001:db8:ffff::1", "2001:db8::/32"), ("2001:db8:1::8", "2001:db8:1::/48"), ("2001:db8:1::7", "2001:db8:1::7"),
    ("2001:db8:2::9", "2001:db8:2::/96"), ("2001:db8:2:0:1::", "2001:db8::/32"), ("2001:db9::", None), ("::1", None), ("no address", None),
    ("198.51.100.77", "::ffff:198.51.100.0/120"), ("::ffff:10.1.2.3", "10.1.2.3"), ("", None),
])  # fmt: skip
def test_the_most_specific_network_holds_an_address(address, network):
    found = listing_of("networks", NETWORKS).find(address)
    assert (found and found.value) == network


NUMBERS = st.integers(0, (1 << 32) - 1)


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 32)), max_size=40), st.lists(NUMBERS, max_size=20))
def test_networks_are_as_the_standard_library_has_them(given_networks, addresses):
    networks = [ipaddress.ip_network((base, prefix), strict=False) for base, prefix in given_networks]
    made = listing_of("networks", map(str, networks))
    for number in (*addresses, *(int(one[0]) for one in networks), *(int(one[-1]) for one in networks)):
        address = ipaddress.ip_address(number)
        around = [one for one in networks if address in one]
        found = made.find(str(address))
        assert (found is None) == (not around)
        if found:
            assert ipaddress.ip_network(found.value).prefixlen == max(one.prefixlen for one in around)


def test_ipv6_networks_are_as_the_standard_library_has_them():
    rng = Random(3)
    bases = [rng.getrandbits(128) for _ in range(4)]
    networks = [ipaddress.ip_network((rng.choice(bases) ^ rng.getrandbits(70), rng.randrange(20, 129)), strict=False) for _ in range(300)]
    made = listing_of("networks", map(str, networks))
    for one in (*networks, *networks):
        address = one[rng.randrange(min(one.num_addresses, 1 << 60))]
        longest = max(other.prefixlen for other in networks if address in other)
        assert ipaddress.ip_network(made.find(str(address)).value).prefixlen == longest


def test_literals_and_patterns_stand_somewhere_in_a_value():
    literals = listing_of("literals", ["${jndi:", "UNION select", "union"])
    assert literals.find("x ${JNDI:ldap") == ("${jndi:", "", 2)
    assert literals.find("1 Union Select 2").value == "UNION select"
    assert literals.find("reunion").at == 2
    assert literals.find("nothing") is None
    patterns = listing_of("patterns", [r"\.\./", r"(?:cat|type)\s+/etc/", "("])
    assert patterns.find("a/../b").value == r"\.\./"
    assert patterns.find("CAT  /etc/passwd").value == r"(?:cat|type)\s+/etc/"
    assert patterns.find("category") is None
    assert listing_of("patterns", []).find("x") is None


def test_what_is_none_of_its_kind_is_left_out_and_counted():
    _, kept, left_out = compiled("networks", [("10.0.0.0/8", ""), ("10.0.0.0/99", ""), ("example.com", ""), ("10.0.0.0/8", "again")])
    assert (kept, left_out) == (1, 2)
    assert compiled("patterns", [("(", ""), ("a", "")])[1:] == (1, 1)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "list").write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match="no compiled list"):
        listing(tmp_path / "list")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_list_holds_nothing(kind):
    assert listing_of(kind, []).find("10.0.0.1") is None


# --- files ---

STIX = """{"type": "bundle", "objects": [
  {"type": "indicator", "name": "C2", "pattern": "[ipv4-addr:value = '203.0.113.9' OR ipv4-addr:value = '198.51.100.0/24']"},
  {"type": "indicator", "pattern": "[domain-name:value = 'bad.example']"},
  {"type": "indicator", "description": "loader", "pattern": "[file:hashes.'SHA-256' = 'ab\\\\'cd']"},
  {"type": "identity"}, 7]}"""


def read(text, kind, column=""):
    return list(entries(io.StringIO(text), kind, column))


def test_plain_text_with_comments_and_notes():
    text = "# head\n\n10.0.0.0/8\n192.0.2.1 # printer # old\n; no\n// no\n  bad.example  \n"
    assert read(text, "networks") == [("10.0.0.0/8", ""), ("192.0.2.1", "printer # old"), ("bad.example", "")]
    assert read("//etc/\n; rm -rf\na # b\n# comment\n", "literals") == [("//etc/", ""), ("; rm -rf", ""), ("a # b", "")]


def test_csv_by_a_usual_name_or_the_one_that_is_configured():
    text = 'id,IP,comment\n1,203.0.113.9,"scanner, loud"\n2,,x\n3\n'
    assert read(text, "networks") == [("203.0.113.9", "scanner, loud")]
    assert read(text, "strings", "comment") == [("scanner, loud", ""), ("x", "")]
    with pytest.raises(ValueError, match="no column `network`"):
        read(text, "networks", "network")


def test_stix_gives_the_objects_of_the_kind():
    assert read(STIX, "networks") == [("203.0.113.9", "C2"), ("198.51.100.0/24", "C2")]
    assert read(STIX, "domains") == [("bad.example", "")]
    assert ("ab'cd", "loader") in read(STIX, "strings")
    with pytest.raises(ValueError, match="JSON"):
        read("{", "strings")


def test_nothing_is_nothing():
    assert read("", "strings") == []
    assert read("\n\n# only\n", "networks") == []
    assert read("x" * 100_000 + "\nok\n", "strings")[-1] == ("ok", "")


def test_what_is_too_long_is_left_out_whole():
    assert read("y" * 5000 + "\nok\n", "strings") == [("ok", "")]  # also at the head of the file
    assert read("# " + "y" * 5000 + "\nok\n", "strings") == [("ok", "")]
    assert read(f'["{"y" * 5000}", "", "ok", {{"value": "{"z" * 5000}"}}]', "strings") == [("ok", "")]


def test_a_note_is_what_is_said_in_words():
    assert read('[{"value": "a", "note": {"b": []}}, {"pattern": "[x:y = \'c\']", "name": 7, "description": "d"}]', "strings") == [
        ("a", ""), ("c", "d"),
    ]  # fmt: skip


def test_an_object_of_a_pattern_is_read_from_its_beginning():
    told = f"""[{{"pattern": "[{"x" * 80}ipv4-addr:value = '10.0.0.1' OR ipv4-addr:value='10.0.0.2']"}}]"""
    assert read(told, "networks") == [("10.0.0.2", "")]
