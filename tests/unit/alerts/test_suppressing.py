"""Who is told nothing, and why: an analyzer's own reasons and an operator's rules, all of them kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pluginhost import Alert
from pluginhost.alerts.desk import Found, Policy, Suppress, decide, silenced
from pluginhost.alerts.document import Rule, document
from pluginhost.alerts.flagged import flagged
from pluginhost.alerts.scope import Scope
from pluginhost.match import compile as compiled
from pluginhost.match import parse, parse_with_warnings

RULE = Rule("impossible_travel", "Impossible travel", "Faster than a plane.", "logins")


def made(alert):
    return document(RULE, alert, event=None, key={}, event_id="e", fingerprint="f", time=10**18, window=None)


def alert(suppressed=(), **fields):
    return Alert("high", "too fast", fields={name.replace("__", "."): value for name, value in fields.items()}, suppressed=suppressed)


def rule(name, when="", analyzers=()):
    return Suppress(name, Scope(compiled(parse(when)) if when else None, analyzers))


def decided(document, *rules, analyzer="impossible_travel"):
    return decide(document, Found(analyzer, "f", 10**18, "high"), None, created=0, observer="me", policy=Policy(rules))


def reasons(given, *rules, analyzer="impossible_travel"):
    decision = decided(made(given), *rules, analyzer=analyzer)
    assert decision.suppressed == silenced(decision.document)
    assert decision.document["event"]["kind"] == "alert"
    return decision.suppressed


def test_an_alert_that_nobody_silences_says_nothing_of_it():
    document = made(alert())
    assert "suppressed" not in document["pluginhost"]["alert"]
    assert reasons(alert()) == ()


def test_the_reasons_of_the_analyzer_stand_in_the_document_each_once():
    document = made(alert(["learning", "shared_egress", "learning"]))
    assert document["pluginhost"]["alert"] == {"fingerprint": "f", "count": 1, "suppressed": ["learning", "shared_egress"]}
    assert made(alert("learning"))["pluginhost"]["alert"]["suppressed"] == ["learning"]


@pytest.mark.parametrize("wrong", ["", "Learning", "two words", "a" * 41, "ä", "x\n", [""], [None], [7]])
def test_a_reason_is_a_short_word(wrong):
    with pytest.raises(ValueError, match="a reason is a word such as"):
        alert(wrong)


def test_fields_of_an_alert_cannot_silence_it():
    assert reasons(alert(pluginhost__alert__suppressed=5)) == ()
    assert reasons(alert(pluginhost__alert__suppressed=["x"])) == ()


def test_all_rules_that_match_are_kept_behind_the_analyzers_own_reasons():
    rules = (rule("ignored_users", "user.name:(svc* OR root)"), rule("elsewhere", "user.name:nobody"), rule("quiet", analyzers=("imp*",)))
    assert reasons(alert("learning", user__name="svc-backup"), *rules) == ("learning", "ignored_users", "quiet")
    assert reasons(alert("quiet", user__name="ann"), *rules) == ("quiet",)


@pytest.mark.parametrize(
    ("analyzers", "analyzer", "silent"),
    [(("a", "b"), "b", True), (("imp*",), "impossible_travel", True), (("*_travel", "x"), "new_country", False), (("A",), "a", False)],
)
def test_a_rule_may_mean_certain_analyzers_only(analyzers, analyzer, silent):
    assert reasons(alert(), rule("muted", analyzers=analyzers), analyzer=analyzer) == (("muted",) if silent else ())


def test_query_and_analyzers_must_both_hold():
    both = rule("muted", "user.name:ann", ("new_*",))
    assert reasons(alert(user__name="ann"), both, analyzer="new_country") == ("muted",)
    assert reasons(alert(user__name="ann"), both, analyzer="old") == ()
    assert reasons(alert(user__name="bob"), both, analyzer="new_country") == ()


@pytest.mark.parametrize(
    ("when", "fields", "silent"),
    [
        ('source.ip:"10.1.0.0/16"', {"source__ip": "10.1.2.3"}, True),
        ('source.ip:"10.1.0.0/16"', {"source__ip": "10.2.2.3"}, False),
        ('source.ip:("127.0.0.1" OR "2001:db8::/32")', {"source__ip": "2001:db8::7"}, True),
        ('source.ip:"10.1.0.0/16"', {}, False),
        ("NOT user.name:(ceo OR cfo)", {"user__name": "ann"}, True),
        ("NOT user.name:(ceo OR cfo)", {"user__name": "ceo"}, False),
        ("user_agent.os.name:(iOS OR Android OR \"Windows Phone\")", {"user_agent__os__name": "Android"}, True),
        ("source.geo.country_iso_code:(DE OR FR)", {"source__geo__country_iso_code": "FR"}, True),
        ('source.as.organization.name:"Example Transit"', {"source__as__organization__name": "Example Transit"}, True),
        ("event.severity:<47", {}, False),
        ("event.severity:<=73", {}, True),
    ],
)  # fmt: skip
def test_what_others_have_as_options_is_a_query(when, fields, silent):
    assert reasons(alert(**fields), rule("silent", when)) == (("silent",) if silent else ())


def test_the_finding_itself_is_not_touched():
    document = made(alert("learning"))
    before = repr(document)
    decided(document, rule("muted", analyzers=("*",)))
    assert repr(document) == before


def test_every_query_in_the_docs_is_one_without_a_warning():
    shown = re.findall(r"when: '([^']*)'", (Path(__file__).parents[3] / "docs" / "suppressing.md").read_text("utf-8"))
    assert len(shown) >= 10
    assert [(query, told) for query in shown if (told := parse_with_warnings(query)[1])] == []


def test_a_record_that_goes_back_although_it_is_suppressed_says_so():
    document = made(alert("learning")) | {"pluginhost": {"record": {"a": 1}, "alert": {"suppressed": ["learning"]}}}
    assert flagged(document, "me")["pluginhost"]["alert"]["suppressed"] == ["learning"]
    assert "suppressed" not in flagged({"pluginhost": {"record": {"a": 1}, "alert": {}}}, "me")["pluginhost"]["alert"]
