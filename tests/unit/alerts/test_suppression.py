"""Why an alert is told to nobody: maintenance, allow lists, VIPs, too little risk, mutes; each rule alone and all of them together."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import pytest

from pluginhost.alerts.calendar import Hours, Schedule, Span
from pluginhost.alerts.desk import Found, Held, Policy, decide
from pluginhost.alerts.scope import Scope, named
from pluginhost.alerts.suppression import Mute, Suppress, Vip, reasons, risk_reasons
from pluginhost.events.fields import Document
from pluginhost.events.references import listing_of
from pluginhost.match import compile as compiled
from pluginhost.match import parse

SECOND, HOUR = 10**9, 3600 * 10**9
T = 1_772_618_400 * SECOND  # Wednesday, 2026-03-04T10:00:00Z
UTC = ZoneInfo("UTC")
NIGHTLY = Schedule("0 22 * * *", UTC, HOUR)
WEEKLY = Hours(frozenset({2}), time(9), time(11), UTC)
LISTS = {
    "offices": listing_of("networks", ["192.0.2.0/24", "2001:db8::/32"]),
    "robots": listing_of("strings", ["svc-backup", "Scanner"]),
    "partners": listing_of("domains", ["example.org"]),
}


def document(user="ann", ip="192.0.2.7", **more):
    return {"event": {"id": "e"}, "observer": {}, "user": {"name": user}, "source": {"ip": ip}, "pluginhost": {"alert": {}}, **more}


def when(query, *analyzers):
    return Scope(compiled(parse(query)) if query else None, analyzers)


def told(rules, made=None, *, at=T, analyzer="brute", lists=LISTS):
    return reasons(analyzer, "f", at, Document(made or document()), rules, lists)


@pytest.mark.parametrize(
    ("during", "inside", "outside"),
    [
        ((Span(T, T + HOUR),), (T, T + HOUR - 1), (T - 1, T + HOUR)),
        ((WEEKLY,), (T, T + 7 * 24 * HOUR), (T + HOUR, T + 24 * HOUR)),
        ((NIGHTLY,), (T + 12 * HOUR, T + 12 * HOUR + 1), (T, T + 13 * HOUR)),
        ((Span(until=T), NIGHTLY), (T - 1, T + 12 * HOUR), (T, T + 13 * HOUR)),  # any of them
    ],
)
def test_maintenance_holds_by_event_time(during, inside, outside):
    rule = Suppress("upgrade", when("", "brute"), during)
    assert [told([rule], at=at) for at in inside] == [["upgrade"]] * len(inside)
    assert [told([rule], at=at) for at in outside] == [[]] * len(outside)
    assert told([rule], at=inside[0], analyzer="other") == []


@pytest.mark.parametrize(
    ("name", "field", "made", "holds"),
    [
        ("offices", "source.ip", document(ip="192.0.2.200"), True),
        ("offices", "source.ip", document(ip="2001:db8:9::1"), True),
        ("offices", "source.ip", document(ip="198.51.100.1"), False),
        ("offices", "source.ip", document(ip=["198.51.100.1", "192.0.2.1"]), True),
        ("offices", "source.ip", document(ip="no address"), False),
        ("offices", "source.ip", document(ip=None), False),
        ("offices", "source.ip", document(ip=7), False),
        ("offices", "source.ip", document(ip={"x": "192.0.2.1"}), False),
        ("offices", "source.ip", {"source.ip": "192.0.2.1"}, True),
        ("offices", "destination.ip", document(), False),
        ("robots", "user.name", document("svc-backup"), True),
        ("robots", "user.name", document("svc-backup2"), False),
        ("robots", "user.name", document(["ann", "svc-backup"]), True),
        ("partners", "url.domain", document(url={"domain": "login.example.org"}), True),
        ("gone", "source.ip", document(), False),  # a list that could not be read yet
        ("offices", "source.ip", document(ip=["198.51.100.1"] * 100 + ["192.0.2.1"]), False),  # a hundred values are looked up
    ],
)
def test_an_allow_list_is_asked_for_every_value_of_its_field(name, field, made, holds):
    assert told([Suppress("known", list=name, field=field)], made) == (["known"] if holds else [])


def test_all_that_a_rule_says_must_hold():
    rule = Suppress("known", when("user.name:ann", "bru*"), (WEEKLY,), "offices", "source.ip")
    assert told([rule]) == ["known"]
    assert told([rule], document("bob")) == told([rule], at=T + HOUR) == told([rule], analyzer="x") == told([rule], lists={}) == []


@pytest.mark.parametrize(
    ("vip", "user", "holds"),
    [
        (Vip("user.name", frozenset({"ceo"})), "CEO", True),
        (Vip("user.name", frozenset({"strasse"})), "Straße", True),
        (Vip("user.name", frozenset({"ceo"})), ["ann", "Ceo"], True),
        (Vip("user.name", frozenset({"ceo"})), "ceo2", False),
        (Vip("user.name", frozenset({"ceo"})), None, False),
        (Vip("user.name", frozenset(), "robots"), "svc-backup", True),
        (Vip("user.name", frozenset({"ceo"}), "robots"), "ann", False),
        (Vip("user.name", frozenset(), "gone"), "ceo", False),
    ],
)
def test_who_is_a_vip_is_said_in_the_alert_and_rules_see_it(vip, user, holds):
    only = Suppress("no_vip", when("NOT pluginhost.alert.vip:true"))
    held = Held((), LISTS)
    made = decide(document(user), Found("brute", "f", T, "high"), None, created=0, observer="me", policy=Policy((only,), vip=vip),
                  held=held)
    assert (made.document["pluginhost"]["alert"].get("vip"), made.suppressed) == ((True, ()) if holds else (None, ("no_vip",)))


@pytest.mark.parametrize(
    ("risk", "least", "holds"),
    [
        ({"calculated_level": "low"}, "medium", True),
        ({"calculated_level": "no_risk"}, "low", True),
        ({"calculated_level": "medium"}, "medium", False),
        ({"calculated_level": "critical"}, "high", False),
        ({"calculated_level": "critical", "static_level": "low"}, "medium", True),  # what an analyst says goes before
        ({"calculated_level": "low", "static_level": "critical"}, "medium", False),
        (None, "critical", False),  # without a user there is no risk
        ({"calculated_level": "odd"}, "critical", False),
        ("odd", "critical", False),
        ({"calculated_level": ["low"]}, "critical", False),
    ],
)
def test_minimum_risk_asks_the_user_whom_the_alert_is_about(risk, least, holds):
    made = document() | {"user": {"name": "ann", **({"risk": risk} if risk else {})}}
    rule = Suppress("minimum_risk", when("user.name:*"), below_risk=least)
    assert risk_reasons("brute", "f", T, Document(made), [rule, Suppress("other", when("user.name:*"))],
                        {}) == (["minimum_risk"] if holds else [])
    assert told([rule], made) == []  # before the risk is reckoned it is not asked at all


def test_a_mute_is_of_analyzers_of_a_group_or_of_what_a_query_means():
    view = Document(document())
    for scope, holds in ((Scope(), True), (Scope(analyzers=("br*",)), True), (Scope(analyzers=("x", "y")), False),
                         (Scope(fingerprint="f"), True),
                         (Scope(fingerprint="g"), False), (when("source.ip:\"192.0.2.0/24\""), True), (when("user.name:bob"), False),
                         (Scope(None, ("br*",), "g"), False)):  # fmt: skip
        assert reasons("brute", "f", T, view, [Mute("mute_1", Span(until=T + 1), scope)], {}) == (["mute_1"] if holds else [])
    assert reasons("brute", "f", T, view, [Mute("mute_1", Span(until=T))], {}) == []  # it has ended by the alert's own time
    assert reasons("brute", "f", -5, view, [Mute("mute_1", Span(until=T))], {}) == ["mute_1"]


def test_all_reasons_are_kept_in_the_order_of_the_rules_mutes_last():
    rules = (Suppress("known", list="offices", field="source.ip"), Suppress("upgrade", when("", "*"), (WEEKLY,)),
             Suppress("bobs", when("user.name:bob")))
    mutes = (Mute("mute_1", Span(until=T + 1)), Mute("upgrade", Span(until=T + 1)))
    made = decide(document(), Found("brute", "f", T, "high"), None, created=0, observer="me", policy=Policy(rules), held=Held(mutes, LISTS))
    assert made.suppressed == ("known", "upgrade", "mute_1")
    assert made.document["pluginhost"]["alert"]["suppressed"] == ["known", "upgrade", "mute_1"]


def test_names_of_analyzers_are_matched_whole():
    assert [named("new_device", globs) for globs in ((), ("new_*",), ("device",), ("*",), ("NEW_*",), ("x", "new_devic?"))] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_a_policy_knows_which_lists_it_asks():
    policy = Policy((Suppress("a", list="one"), Suppress("b", when("a:b")), Suppress("c", list="two")),
                    vip=Vip("user.name", frozenset(), "three"))
    assert policy.lists == {"one", "two", "three"}
    assert Policy().lists == frozenset()
