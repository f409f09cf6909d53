"""The ids as they are now, written down: a change would make every alert that is delivered again a new one."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from pluginhost.alerts.ids import _digest, chained_id, event_id, fingerprint, record_id, timer_event_id

TIME = 1_767_225_600_000_000_000
RECORD = "a29d62"


def test_pinned():
    assert record_id("app.auth", TIME, b"\x81\xa1a\x01") == "f650397649b778799421938d710a1d14388a8f0c56ca8d1ca2a911c869b4381d"
    assert record_id("café\ud800", 0, b"") == "6b66193939df36150d4ad96e1d3761e4233c5ca734133733eca36f9d0621d81e"
    assert chained_id(RECORD, "new_country", 2) == "24622ff28159ecda18ef1d55b8c358182e5fb477eea2806680311d63fa871861"
    assert event_id("ssh_bruteforce", b"s\0\0\0\x011", RECORD, 0) == "c1b4315d72f498f8dcca1e546a5bb62c789be03da57b5d89ee0cfd0a9f305653"
    assert timer_event_id("quiet_host", b"", "silence", TIME, 1) == "423dc04e740ed393572069483fad3fd8fc427e30e7b1e30a139dbba9a78a15d0"
    assert fingerprint("ssh_bruteforce", b"s\0\0\0\x011") == "9ef7c05b4ced547258751807cc7d4b791ab504cf3a08dcb3e1ec635bd395e5f2"


def test_the_digest_is_sha256_over_parts_behind_their_lengths():
    assert _digest(b"ab", b"") == sha256(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\0").hexdigest()


PARTS = st.lists(st.binary(max_size=3), max_size=4)


@given(PARTS, PARTS)
def test_no_two_lists_of_parts_read_alike(one, other):
    assert (_digest(*one) == _digest(*other)) == (one == other)


def test_what_an_id_is_made_of():
    ids = [
        record_id("a", 1, b"x"), record_id("b", 1, b"x"), record_id("a", 2, b"x"), record_id("a", 1, b"y"),
        chained_id("a", "b", 0), chained_id("a", "b", 1), chained_id("a", "c", 0),
        event_id("a", b"k", "r", 0), event_id("a", b"k", "r", 1), event_id("a", b"l", "r", 0), event_id("a", b"k", "s", 0),
        timer_event_id("a", b"k", "t", 1, 0), timer_event_id("a", b"k", "t", 2, 0), timer_event_id("a", b"k", "u", 1, 0),
        fingerprint("a", b"k"), fingerprint("a", b"l"), fingerprint("b", b"k"),
    ]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert {len(one) for one in ids} == {64}
