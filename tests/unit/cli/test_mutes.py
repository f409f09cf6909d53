"""`alerts mute`, `alerts unmute` and `mutes`, over a real control socket, journal and desk; also as a hostile person would use them."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest
from muting_host import DAY, SECOND, Host

from pluginhost.host import muting
from pluginhost.host.control import ask
from pluginhost.problem import Problem


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    yield made
    made.close()


def test_from_the_first_mute_to_its_end(host):
    host.put("e1", "mute_1", fingerprint="f-e1")
    assert host.said("mutes") == "nothing is muted\n"
    told = host.said("alerts", "mute", "e1", "--for", "2h", "--by", "eve", "--reason", "a test")
    assert told == "mute_1                until 2026-03-04 12:00       0 silenced  group f-e1  eve: a test\n"
    host.now += SECOND
    host.said("alerts", "mute", "--analyzer", "new_*", "--analyzer", "brute", "--when", "user.name:ann", "--name", "travel", "--by", "")
    assert host.held() == ["mute_1", "travel"]
    assert host.said("mutes").splitlines() == [
        "travel                until 2026-03-05 10:00       0 silenced  new_*, brute and user.name:ann",
        "mute_1                until 2026-03-04 12:00       1 silenced  group f-e1  eve: a test",
    ]
    assert host.said("alerts", "unmute", "mute_1") == "mute_1 has ended\n"
    assert host.held() == ["travel"]
    host.now += DAY
    assert host.said("mutes") == "nothing is muted\n"
    listed = [json.loads(line) for line in host.said("mutes", "--all", "--json").splitlines()]
    assert [(one["name"], one["holds"], one["ended"]) for one in listed] == [("travel", False, None), ("mute_1", False, 2)]
    assert "was until 2026-03-05 10:00" in host.said("mutes", "--all")


def test_they_are_listed_without_a_host_too_and_hold_again_with_the_next(tmp_path):
    one = Host(tmp_path)
    one.said("alerts", "mute", "--analyzer", "brute", "--for", "300d", "--name", "long")
    one.close()
    assert "long " in one.said("mutes", "--all")
    assert one.refused("alerts", "unmute", "long").startswith("host.absent")
    again = Host(tmp_path)
    assert again.held() == ["long"]
    again.close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "mute.meaning: say what to mute: an alert, analyzers, a query"),
        (("--analyzer", "*"), "mute.meaning: that means every alert"),
        (("--analyzer", "brute", "--analyzer", "?*"), "mute.meaning: that means every alert"),
        (("--when", "*"), "mute.meaning: that means every alert"),
        (("--when", "*:*"), "mute.meaning: that means every alert"),
        (("--everything", "--for", "25h"), "mute.everything: everything is muted for a day at most"),
        (("--everything", "--analyzer", "brute"), "mute.meaning: everything, or a part: not both"),
        (("--everything", "--for", "0s"), "mute.span: a mute lasts for some time, and a year at most"),
        (("--analyzer", "brute", "--for", "367d"), "mute.span: a mute lasts for some time, and a year at most"),
        (("--analyzer", ""), "mute.meaning: '' names no analyzer"),
        (("--analyzer", "a b"), "mute.meaning: 'a b' names no analyzer"),
        (("--analyzer", "a\x1b[2J"), "mute.meaning: "),
        (("--analyzer", "a" * 201), "mute.meaning: "),
        (("--when", "(((("), "query."),
        (("--when", "(" * 5000), "query."),
        (("--when", "a:" + "x" * 10_000), "mute.meaning: at most 100 analyzers and 10,000 characters"),
        (("--when", "a:/((((a*)*)*)*$/", "--analyzer", "brute", "--name", "Two words"), "mute.name: "),
        (("--analyzer", "brute", "--name", "a\x1b[31m"), "mute.name: "),
        (("--analyzer", "brute", "--name", "a" * 41), "mute.name: "),
        (("nope",), "alert.unknown: there is no alert nope"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_laid_down(host, words, told):
    first = host.refused("alerts", "mute", *words)
    assert first.startswith(told)
    assert first.isprintable()
    assert host.held() == []


def test_everything_for_a_day_is_what_somebody_may_want(host):
    assert "everything" in host.said("alerts", "mute", "--everything", "--for", "1d", "--reason", "the exercise")
    assert host.held() == ["mute_1"]


def test_texts_of_any_kind_are_shown_harmlessly_and_bounded(host):
    evil = "\x1b]0;x\x07\r\n" + "y" * 5000
    host.said("alerts", "mute", "--analyzer", "brute", "--by", evil, "--reason", "\udcff" + evil)
    (shown,) = host.said("mutes").splitlines()
    assert shown.isprintable()
    assert len(shown) < 400
    (one,) = ask(host.folder / "data", "mutes")
    assert (len(one["author"]), len(one["reason"])) == (200, 1000)


def test_of_many_people_at_once_each_has_a_mute_and_one_ends_it(host):
    data, made, ended = host.folder / "data", [], []

    def lay():
        made.append(next(ask(data, "mute", seconds=60, analyzers=["brute"]))["name"])

    def end():
        try:
            ended.append(next(ask(data, "unmute", name="mute_1")))
        except Problem as problem:
            ended.append(problem.code)

    for work in (lay, end):
        people = [threading.Thread(target=work) for _ in range(8)]
        for one in people:
            one.start()
        for one in people:
            one.join()
    assert sorted(made) == [f"mute_{n}" for n in range(1, 9)]
    assert sorted(ended) == ["mute.unknown"] * 7 + ["mute_1"]
    assert sorted(host.held()) == [f"mute_{n}" for n in range(2, 9)]


def test_there_are_bounds_to_how_many_hold_and_a_name_is_taken_while_it_does(host, monkeypatch):
    monkeypatch.setattr(muting, "_MOST", 3)
    for name in ("a", "b", "c"):
        host.said("alerts", "mute", "--analyzer", "brute", "--name", name, "--for", "1h")
    assert host.refused("alerts", "mute", "--analyzer", "x").startswith("mute.many: 3 mutes hold already")
    host.said("alerts", "unmute", "b")
    assert host.refused("alerts", "mute", "--analyzer", "x", "--name", "a").startswith("mute.twice: ")
    host.said("alerts", "mute", "--analyzer", "x", "--name", "b")
    host.now += 7200 * SECOND
    host.said("alerts", "mute", "--analyzer", "x", "--name", "a")
    assert host.refused("alerts", "unmute", "c").startswith("mute.unknown: ")


def test_a_clock_that_jumps_ends_no_mute_for_good_and_forgets_none(host):
    host.said("alerts", "mute", "--analyzer", "brute", "--name", "a", "--for", "2d")
    host.now -= 400 * DAY
    assert "until 2026-03-06 10:00" in host.said("mutes")
    assert host.refused("alerts", "mute", "--analyzer", "x", "--name", "a").startswith("mute.twice: ")
    host.said("alerts", "unmute", "a")
    assert host.held() == []


@pytest.mark.parametrize(
    "args",
    [
        {"seconds": "60", "analyzers": ["a"]}, {"seconds": 60, "analyzers": [5]}, {"seconds": 60, "analyzers": ["a"], "reason": ["x"]},
        {"seconds": 60, "analyzers": ["a"], "author": {"x": 1}}, {"seconds": 60, "analyzers": ["a"], "name": 7},
        {"seconds": 60, "query": 7},
        {"seconds": 60, "analyzers": [["a"]]}, {}, {"seconds": 60, "unknown": 1}, {"seconds": 1e300, "analyzers": ["a"]},
        {"seconds": None, "analyzers": ["a"]}, {"seconds": 60, "analyzers": None},
    ],
)  # fmt: skip
def test_whatever_is_asked_over_the_socket_no_row_is_written_that_cannot_be_read(host, args):
    with pytest.raises(Problem):
        list(ask(host.folder / "data", "mute", **args))
    assert host.held() == []
    assert msgspec.json.encode(host.said("mutes"))
