"""What `pluginhost.yaml` may say of the desk's policies: what becomes of it, and every mistake in it, with its place and line."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from pluginhost.alerts.calendar import Hours, Schedule, Span
from pluginhost.alerts.grouping import Grouping, Threshold
from pluginhost.alerts.scope import EVERY
from pluginhost.alerts.suppression import Vip
from pluginhost.alerts.telling import Audience, Gather, Limit
from pluginhost.host.config import configure
from pluginhost.problem import Problem, Problems

SECOND = 10**9
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")


@pytest.fixture
def written(tmp_path):
    def read(text):
        (tmp_path / "pluginhost.yaml").write_text(text)
        return configure(tmp_path / "pluginhost.yaml").policy

    return read


def ns(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("{from: '2026-03-01T22:00Z', to: '2026-03-02T02:00+01:00'}", Span(ns("2026-03-01 22:00"), ns("2026-03-02 01:00"))),
        ("{from: 2026-03-01T22:00Z, to: 2026-03-02}", Span(ns("2026-03-01 22:00"), ns("2026-03-02 00:00"))),
        ("{from: 2026-07-01 08:00, to: 2026-07-01 09:00, zone: Europe/Berlin}", Span(ns("2026-07-01 06:00"), ns("2026-07-01 07:00"))),
        ("{from: 2026-07-01}", Span(ns("2026-07-01 00:00"))),
        ("{to: 2026-07-01}", Span(until=ns("2026-07-01 00:00"))),
        ("{days: mon-fri, from: 08:00, to: 18:00}", Hours(frozenset(range(5)), time(8), time(18), UTC_ZONE)),
        ("{days: mon-fri, from: '08:00', to: '18:00'}", Hours(frozenset(range(5)), time(8), time(18), UTC_ZONE)),
        ("{days: 'fri-mon, WED', from: 18:00, to: 8:00, zone: Europe/Berlin}", None),
        ("{days: 'fri-mon, WED', from: 18:00, to: 08:00, zone: Europe/Berlin}",
         Hours(frozenset({4, 5, 6, 0, 2}), time(18), time(8), BERLIN)),
        ("{days: sat, to: 24:00}", Hours(frozenset({5}), time(), time(), UTC_ZONE)),
        ("{days: sun}", Hours(frozenset({6}), time(), time(), UTC_ZONE)),
        ("{schedule: '0 22 * * 6', for: 4h, zone: Europe/Berlin}", Schedule("0 22 * * 6", BERLIN, 4 * 3600 * SECOND)),
    ],
)
def test_when_a_rule_holds_with_quotes_or_without(written, text, when):
    if when is None:
        with pytest.raises(Problems, match="`8:00` is no time of the day"):
            written(f"suppress: [{{name: a, during: [{text}]}}]")
        return
    (rule,) = written(f"suppress: [{{name: a, during: [{text}]}}]").suppress
    assert (rule.name, rule.scope, rule.during) == ("a", EVERY, (when,))


def test_rules_with_lists_and_risk(written):
    policy = written("""
lists: {offices: {file: a.txt, kind: networks}}
suppress:
- {name: known, list: offices}
- {name: robots, list: offices, field: user.name, analyzers: [a, b*]}
- {name: minor, below_risk: high}
vip: {names: [CEO, Straße], list: offices}
""")
    assert [(one.name, one.list, one.field, one.below_risk, one.scope.analyzers) for one in policy.suppress] == [
        ("known", "offices", "source.ip", "", ()), ("robots", "offices", "user.name", "", ("a", "b*")),
        ("minor", "", "source.ip", "high", ()),
    ]  # fmt: skip
    assert policy.vip == Vip("user.name", frozenset({"ceo", "strasse"}), "offices")
    assert policy.lists == {"offices"}
    assert written("vip: {field: host.name}").vip is None


def test_how_often_people_hear_of_a_group(written):
    (one, other) = written("""
grouping:
- {analyzers: [brute*], threshold: {count: 3, within: 10m, distinct: source.ip}, realert: 1h, realert_most: 1d, resolve_after: 2h}
- {realert: 5m}
""").grouping
    minute = 60 * SECOND
    assert (one.scope.analyzers, one.threshold) == (("brute*",), Threshold(3, 10 * minute, "source.ip"))
    assert (one.realert, one.realert_most, one.resolve_after) == (60 * minute, 1440 * minute, 120 * minute)
    assert other == Grouping(realert=5 * minute)


@pytest.mark.parametrize(
    ("terms", "audience"),
    [
        ("", Audience("webhook", limit=Limit(20, 60 * SECOND))),
        ("resolved: true, limit: {most: 0}", Audience("webhook", resolved=True)),
        ("limit: {most: 5, per: 1h}", Audience("webhook", limit=Limit(5, 3600 * SECOND))),
        ("limit: {most: 0}, hours: {}", Audience("webhook", Hours(frozenset(range(7)), time(), time(), UTC_ZONE))),
        ("limit: {most: 0}, hours: {days: mon-fri, from: 09:00, to: 17:30, zone: Europe/Berlin, outside: hold}",
         Audience("webhook", Hours(frozenset(range(5)), time(9), time(17, 30), BERLIN), hold=True)),
        ("limit: {most: 0}, aggregate: {every: 5m, by: [user.name], table: [source.ip]}",
         Audience("webhook", gather=Gather(300 * SECOND, None, ("user.name",), ("source.ip",)))),
        ("limit: {most: 0}, aggregate: {schedule: '0 9 * * mon-fri', zone: Europe/Berlin}",
         Audience("webhook", gather=Gather(schedule=Schedule("0 9 * * mon-fri", BERLIN)))),
    ],
)  # fmt: skip
def test_who_is_told_when(written, terms, audience):
    policy = written(f"outputs: [{{type: webhook, url: 'http://127.0.0.1:1/', {terms}}}]")
    assert policy.audiences == (audience,)
    assert written("outputs: [{type: file, path: a}]").audiences == ()


HOOK = "outputs:\n- type: webhook\n  url: http://127.0.0.1:1/\n"
LISTS = "lists: {offices: {file: a.txt}}\n"


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("suppress:\n- name: a\n  during:\n  - {days: sat}\n  - {days: someday}", "$.suppress[0].during[1]: `someday` are no days", 5),
        ("suppress:\n- {name: a, during: [{days: 'mon-'}]}", None, 0),
        ("suppress:\n- {name: a, during: [{days: '-fri'}]}", "$.suppress[0].during[0]: `-fri` are no days", 2),
        ("suppress:\n- {name: a, during: [{days: sat, from: 25:00}]}", "$.suppress[0].during[0]: `25:00` is no time of the day", 2),
        ("suppress:\n- {name: a, during: [{days: sat, from: '08:00+02:00'}]}",
         "$.suppress[0].during[0]: `08:00+02:00` is no time of the day", 2),
        ("suppress:\n- {name: a, during: [{from: 08:00}]}", "$.suppress[0].during[0]: `08:00` is no moment", 2),
        ("suppress:\n- {name: a, during: [{from: 2026-02-30}]}", "$.suppress[0].during[0]: `2026-02-30` is no moment", 2),
        ("suppress:\n- {name: a, during: [{from: 2026-03-02, to: 2026-03-01}]}", "$.suppress[0].during[0]: `to` lies before `from`", 2),
        ("suppress:\n- {name: a, during: [{}]}", "$.suppress[0].during[0]: give `from` and `to`, `days`, or `schedule` and `for`", 2),
        ("suppress:\n- {name: a, during: [{schedule: '0 22 * * 6'}]}", "$.suppress[0].during[0]: `schedule` needs `for`", 2),
        ("suppress:\n- {name: a, during: [{days: sat, for: 2h}]}", "$.suppress[0].during[0]: `for` needs `schedule`", 2),
        ("suppress:\n- {name: a, during: [{schedule: '0 22 * * 6', for: 2h, days: sat}]}",
         "$.suppress[0].during[0]: `schedule` and `for` say", 2),
        ("suppress:\n- {name: a, during: [{schedule: '0 22 31 2 *', for: 2h}]}", "$.suppress[0].during[0]: `0 22 31 2 *` is no cron", 2),
        ("suppress:\n- {name: a, during: [{days: sat, zone: Europe/Nowhere}]}", "$.suppress[0].during[0]: there is no time zone", 2),
        ("suppress:\n- {name: a, during: [{days: sat, zone: ../../etc/passwd}]}", "$.suppress[0].during[0]: there is no time zone", 2),
        ("suppress:\n- {name: a, list: offices}", "$.suppress[0].list: there is no list `offices` in `lists`", 2),
        ("suppress:\n- {name: a, below_risk: no_risk}", "$.suppress[0].below_risk: ", 2),
        ("risk: {entities: 0}\nsuppress:\n- {name: a, below_risk: high}", "$.suppress[0].below_risk: no risk is reckoned", 3),
        ("suppress:\n- {name: a, reason: x}", "$.suppress[0] would suppress every alert", 2),
        (LISTS + "vip: {list: other}", "$.vip.list: there is no list `other` in `lists`", 2),
        ("grouping:\n- {threshold: {count: 0, within: 1m}}", "$.grouping[0].threshold.count: ", 2),
        ("grouping:\n- {threshold: {count: 3}}", "$.grouping[0].threshold.within is missing", 2),
        ("grouping:\n- threshold:\n    count: 1001\n    within: 1m\n    distinct: a",
         "$.grouping[0].threshold.count: at most 1000 different", 3),
        ("grouping:\n- {realert: 1h,\n   realert_most: 5m}", "$.grouping[0].realert_most: is what `realert` grows to", 3),
        ("grouping:\n- {realert_most: 5m}", "$.grouping[0].realert_most: is what `realert` grows to", 2),
        ("grouping:\n- {when: 'a:(b', realert: 5m}", "$.grouping[0].when: ", 2),
        (HOOK + "  hours: {days: x}", "$.outputs[0].hours: `x` are no days", 4),
        (HOOK + "  hours: {outside: drop}", "$.outputs[0].hours.outside: ", 4),
        (HOOK + "  aggregate: {}", "$.outputs[0].aggregate: give `every` or `schedule`", 4),
        (HOOK + "  aggregate: {every: 5m, schedule: '0 9 * * *'}", "$.outputs[0].aggregate: give `every` or `schedule`", 4),
        (HOOK + "  aggregate: {schedule: x}", "$.outputs[0].aggregate: `x` is no cron expression", 4),
        (HOOK + "  limit: {most: -1}", "$.outputs[0].limit.most: ", 4),
        (HOOK + "  limit: {per: 0s}", "$.outputs[0].limit.per: ", 4),
        (HOOK + "  suppressed: true", "$.outputs[0].suppressed: people are not told what is told to nobody", 4),
        ("outputs:\n- {type: file, path: a, resolved: true}", "$.outputs[0].resolved: there is no", 2),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(written, text, what, line):
    if what is None:
        assert written(text).suppress[0].during[0].days == frozenset({0})
        return
    with pytest.raises(Problem) as caught:
        written(text)
    (problem,) = caught.value.found if isinstance(caught.value, Problems) else [caught.value]
    assert (problem.what[: len(what)], problem.where.line) == (what, line)


def test_all_of_them_are_told_at_once(written):
    desk = "suppress:\n- {name: a}\n- {name: b, list: x}\ngrouping:\n- {realert_most: 1m}\nvip: {list: y}\n"
    with pytest.raises(Problems) as caught:
        written(f"{desk}{HOOK}  aggregate: {{}}")
    assert sorted(one.where.line for one in caught.value.found) == [2, 3, 5, 6, 10]
