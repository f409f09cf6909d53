"""Alerts found by their words: what is found, that nothing typed is an error, that the index leaves nothing behind."""

from __future__ import annotations

import json
from itertools import product

import pytest

from pluginhost.options import Duration
from pluginhost.store.alerts import AlertStore, Commit, Keep, NewAlert
from pluginhost.store.words import wanted

DAY = 86400 * 10**9


class Clock:
    now = 1_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return AlertStore(tmp_path / "alerts.db", clock=clock, keep=Keep(alerts_age=Duration(86400)))


def alert(id_, headline="x", time=5, severity="high", analyzer="brute", suppressed=(), **document):
    return NewAlert(id_, time, severity, analyzer, f"f-{id_}", 1, headline, json.dumps(document).encode(), (), suppressed)


def found(store, text, **filters):
    return [one.id for one in store.list(limit=99, text=text, **filters)]


@pytest.fixture
def filled(store):
    store.commit(Commit(alerts=[
        alert("a", "203.0.113.9: ten failed logins", 10, user={"name": "Jörg"}, event={"reason": "guessed"}, source={"ip": "203.0.113.9"}),
        alert("b", "administrator was made", 30, "low", rule={"name": "Accounts"}, host={"name": "web1.example"}),
        alert("c", "failed checks", 20, analyzer="ssh_checks", user={"name": ["root"]}, pluginhost={"record": {"message": "secretword"}}),
        alert("d", "nobody is told of failed logins", 40, suppressed=("office",), source={"ip": "203.0.113.90"}),
    ]))  # fmt: skip
    return store


@pytest.mark.parametrize(("text", "ids"), [
    ("failed", "ca"), ("FAILED", "ca"), ("failed logins", "a"), ("logins failed", "a"), ('"failed logins"', "a"), ('"logins failed"', ""),
    ("adm*", "b"), ("adm", ""), ("administrator", "b"), ('"administrator wa"*', "b"), ('"was ma*"', "b"), ("fail* log*", "a"),
    ("jorg", "a"), ("JÖRG", "a"), ("guessed", "a"), ("accounts", "b"), ("web1.example", "b"), ("example.web1", ""), ("root", "c"),
    ("ssh", "c"), ("ssh_checks", "c"),
    ("203.0.113.9", "a"), ("203.0.113*", "a"), ("0.113", "a"), ("secretword", ""), ("null", ""), ("--", ""), ("*", ""),
    ("failed --", "ca"), ('failed "', "ca"), ("", "bca"), ("  ", "bca"),
])  # fmt: skip
def test_words_phrases_and_beginnings(filled, text, ids):
    assert found(filled, text) == list(ids)


def test_filters_hold_beside_words(filled):
    assert found(filled, "failed", suppressed=True) == ["d"]
    assert found(filled, "failed", suppressed=None) == ["d", "c", "a"]
    assert found(filled, "failed", analyzer="ssh_checks") == ["c"]
    assert found(filled, "failed", analyzer="ssh") == []
    assert found(filled, "failed", severity="low") == []
    assert found(filled, "made", severity="low", analyzer="brute") == ["b"]
    assert found(filled, "failed", after=11) == ["c"]
    assert found(filled, "failed", before=20) == ["a"]
    assert found(filled, "failed", after=50) == found(filled, "failed", before=1) == []
    assert [one.id for one in filled.list(limit=1, text="failed")] == ["c"]


def test_marks_are_not_for_people(filled):
    assert [found(filled, text) for text in ("told", "silent", f"a{b'brute'.hex()}", "marks")] == [[], [], [], []]
    assert found(filled, "told", suppressed=True) == ["d"]  # it stands in the headline


ODD = ['"', "'", "*", "(", ")", "^", ":", "-", "+", "{", "}", "\\", "\0", "\n", "\udcff", "AND", "OR", "NOT", "NEAR(", "marks :", "text:",
       "é", "日本"]  # fmt: skip


@pytest.mark.parametrize("first", ODD)
def test_nothing_that_is_typed_is_an_error(filled, first):
    for second, third in product(ODD, ("", '"', "*", "failed")):
        for text in (f"{first}{second}{third}", f"{first} {second} {third}"):
            assert set(found(filled, text)) <= {"a", "b", "c"}


def test_a_long_question_is_cut():
    asked = wanted("word* " * 10_000)
    assert asked.count('"word"*') == 32
    assert len(wanted("x" * 10_000)) < 1100


def test_what_is_forgotten_leaves_no_word(filled, clock):
    clock.now += 2 * DAY
    filled.commit(Commit(alerts=[alert("e", "failed again")]))
    assert filled.trim(1_000) == 4
    assert found(filled, "failed", suppressed=None) == ["e"]
    rows = filled._database.rows
    rows("INSERT INTO words (words) VALUES ('integrity-check')")
    rows("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, words, row)")
    assert {word for (word,) in rows("SELECT term FROM vocabulary")} == {"failed", "again", "brute", "told", f"a{b'brute'.hex()}",
                                                                         f"s{b'high'.hex()}"}  # fmt: skip


@pytest.mark.parametrize("document", [b"", b"x" * 100, b"\xff\xfe", b"null", b"[1]", b'{"user":7}', b'{"user":{"name":{"a":null}}}',
                                      b'"text"',
                                      b'{"user":{"name":null},"message":["a","b"]}', b'{"message":"' + b"y" * 5000 + b'"}'])  # fmt: skip
def test_documents_of_any_kind_come_and_go(store, clock, document):
    store.commit(Commit(alerts=[NewAlert("a", 5, "high", "brute", "f", 1, "headline", document)]))
    assert found(store, "headline") == ["a"]
    clock.now += 2 * DAY
    assert store.trim(1_000) == 1
    assert store._database.rows("INSERT INTO words (words) VALUES ('integrity-check')") == []
    assert found(store, "headline") == []


def test_a_part_at_a_time_gives_everything_in_the_order_it_was_stored(filled, monkeypatch):
    monkeypatch.setattr("pluginhost.store.archive._SLICE", 2)

    def all_of(**filters):
        ids, seq = [], 0
        while seq is not None:
            part, seq = filled.part(seq, **filters)
            assert len(part) <= 2
            ids += [one.id for one in part]
        return "".join(ids)

    assert all_of() == "abcd"
    assert all_of(suppressed=False) == "abc"
    assert all_of(text="failed") == "acd"
    assert all_of(text="failed", suppressed=True) == "d"
    assert all_of(text="--") == ""
    assert all_of(after=20, before=40, analyzer="brute") == "b"
    monkeypatch.setattr("pluginhost.store.archive._AT_ONCE", 1)
    assert all_of(severity="high") == "acd"
