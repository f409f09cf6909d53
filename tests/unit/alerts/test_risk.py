"""The score of an entity, by hand and by its definition; when its rise is told; what its alert says."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest

from pluginhost.alerts.risk import Cause, Scale, Score, decayed, entities, labelled, level, mark, raised, rank, recount
from pluginhost.alerts.sanitise import clean

DAY = 86_400 * 10**9
T = 1_800_000_000 * 10**9
SCALE = Scale(half_life=14 * DAY, weights={"low": 1.0, "medium": 4.0, "high": 10.0, "critical": 20.0}, cuts=(0.5, 20.0, 40.0, 80.0),
              alert_from="medium", most=100)  # fmt: skip


def cause(days=0.0, severity="high", n=0, analyzer="brute"):
    return Cause(f"alert-{days}-{n}", T + round(days * DAY), analyzer, severity)


def run(*causes, score=None, override=None, scale=SCALE):
    """The score after these alerts, and before which of them what level was left."""
    score, rises = score or Score(), []
    for one in causes:
        score, before = recount(score, one, scale, override)
        rises.append(before)
    return score, rises


def test_weights_add_up_and_halve_with_every_half_life():
    score, _ = run(cause(), cause(14, "medium"), cause(28, "low"))
    assert score.value == pytest.approx(10 / 4 + 4 / 2 + 1)
    assert decayed(score, T + 42 * DAY, SCALE) == pytest.approx(5.5 / 2)
    assert decayed(score, T, SCALE) == pytest.approx(5.5)  # of what is older than its latest alert it says nothing


def test_the_order_in_which_alerts_come_does_not_matter():
    causes = [cause(0), cause(3.5, "low"), cause(20, "critical"), cause(9, "medium")]
    found = {round(run(*order)[0].value, 9) for order in itertools.permutations(causes)}
    assert found == {round(sum(SCALE.weights[one.severity] * 2 ** -((20 * DAY + T - one.time) / 14 / DAY) for one in causes), 9)}


@pytest.mark.parametrize("time", [0, 1, T - 10_000 * DAY, 1 << 62])
def test_absurd_times_harm_nothing(time):
    score, _ = run(cause(), Cause("odd", time, "a", "high"), cause(1))
    assert 0 < score.value <= 30
    assert math.isfinite(rank(score, SCALE))


def test_levels_begin_at_their_cut_points():
    found = [level(value, SCALE) for value in (0, 0.49, 0.5, 19.9, 20, 40, 79.9, 80, 1e9)]
    assert found == ["no_risk", "no_risk", "low", "low", "medium", "high", "high", "critical", "critical"]


def test_a_rise_is_told_once_for_each_level_from_the_configured_one_on():
    _, rises = run(*(cause(n=n) for n in range(9)))
    assert rises == ["", "low", "", "medium", "", "", "", "high", ""]
    assert run(*(cause(n=n) for n in range(9)), scale=msgspec.structs.replace(SCALE, alert_from="critical"))[1][7] == "high"
    assert set(run(*(cause(n=n) for n in range(9)), scale=msgspec.structs.replace(SCALE, alert_from=None))[1]) == {""}


def test_who_has_calmed_down_can_rise_again():
    _, rises = run(cause(0, "critical"), cause(30, "low"), cause(60, "critical"), cause(61, "low"))
    assert rises == ["no_risk", "", "low", ""]


def test_what_an_analyst_says_holds_and_what_happened_meanwhile_is_told_after_it():
    score, rises = run(cause(n=1), cause(n=2), cause(n=3), override="low")
    assert (rises, score.level, round(score.value)) == (["", "", ""], "low", 30)
    assert run(cause(1, "low"), score=score)[1] == ["low"]
    trusted, _ = run(cause(n=1), override="critical")
    assert run(cause(n=2), score=trusted)[1] == ["low"]  # low is what the score itself had come to


def test_only_the_latest_alerts_are_remembered():
    score, _ = run(*(cause(n=n) for n in range(25)))
    assert [one.id for one in score.causes] == [f"alert-0.0-{n}" for n in range(15, 25)]


def test_rank_orders_scores_of_any_age_as_they_are_at_one_moment():
    scores = [run(cause(days, severity))[0] for days in (0, 5, 11, 30) for severity in SCALE.weights]
    by_rank = sorted(scores, key=lambda one: rank(one, SCALE))
    assert by_rank == sorted(scores, key=lambda one: decayed(one, T + 100 * DAY, SCALE))
    assert rank(Score(), SCALE) == 0.0


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"user": {"name": "ann"}, "host": {"name": "web1"}, "source": {"ip": "192.0.2.1"}},
         {"user": "ann", "host": "web1", "address": "192.0.2.1"}),
        ({"user": {"name": ["ann"]}}, {"user": "ann"}),
        ({"user": {"name": ["ann", "bob"]}}, {}),
        ({"user": {"name": "x" * 9999}}, {"user": "x" * 256}),
        ({"user": {"name": ""}, "host": {"name": None}, "source": {"ip": 7}}, {}),
        ({"user": "ann", "host": ["a"], "source": None}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_an_alert_is_about_whom_it_names(document, found):
    assert entities(document) == found


def test_the_risk_is_written_on_a_copy():
    document = {"user": {"name": "ann"}, "pluginhost": {"source": {"tag": "t"}}}
    before = repr(document)
    score, _ = run(cause())
    marks = {"user": mark(score, T + 14 * DAY, SCALE, "critical"), "host": mark(Score(), T, SCALE), "address": mark(score, T, SCALE)}
    assert labelled(document, marks) == {
        "user": {"name": "ann", "risk": {"calculated_score": 5.0, "calculated_level": "low", "static_level": "critical"}},
        "host": {"risk": {"calculated_score": 0.0, "calculated_level": "no_risk"}},
        "pluginhost": {"source": {"tag": "t", "risk": {"calculated_score": 10.0, "calculated_level": "low"}}},
    }
    assert repr(document) == before


def test_the_alert_about_a_risk_says_what_it_rests_on_and_is_one_the_index_takes():
    causes = [cause(0, "high", 0), cause(0, "high", 1), cause(1, "medium", 2, "new_country")]
    score, _ = run(*causes)
    made = raised("änn\n", "low", score, causes[-1], SCALE, {"backtest": {"id": "b"}})
    document = msgspec.json.decode(made.document)
    assert clean(document) == document
    assert document["message"] == made.message == "risk of änn\n rose from low to medium"
    assert document["event"]["reason"] == "its alerts weigh 23.0; the latest: 2 high by brute, 1 medium by new_country"
    assert (document["log"]["level"], document["user"]["name"], document["related"]["user"]) == ("medium", "änn\n", ["änn\n"])
    assert [one["id"] for one in document["pluginhost"]["events"]] == [one.id for one in causes]
    assert document["pluginhost"]["backtest"] == {"id": "b"}
    assert made.id != raised("änn\n", "low", score, causes[0], SCALE, {}).id
    assert made.fingerprint == raised("änn\n", "low", score, causes[0], SCALE, {}).fingerprint
