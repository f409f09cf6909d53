"""What a configuration says of suppression and risk, and what it may not."""

from __future__ import annotations

import pytest

from pluginhost.alerts.desk import Policy
from pluginhost.alerts.links import Links
from pluginhost.alerts.risk import Scale
from pluginhost.alerts.scope import Scope
from pluginhost.events.fields import Document
from pluginhost.host.config import configure
from pluginhost.host.gathering import Incidents, gathering
from pluginhost.problem import Problem, Problems

DAY = 86_400 * 10**9


@pytest.fixture
def written(tmp_path):
    def read(text):
        (tmp_path / "pluginhost.yaml").write_text(text)
        return configure(tmp_path / "pluginhost.yaml")

    return read


def test_without_a_word_of_it_nothing_is_suppressed_and_risk_is_reckoned(written):
    assert written("{}").policy == Policy(risk=Scale(
        half_life=14 * DAY, weights={"low": 1.0, "medium": 4.0, "high": 10.0, "critical": 20.0}, cuts=(0.5, 20.0, 40.0, 80.0),
        alert_from="medium", most=100_000), incidents=gathering(Incidents()))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("kibana: {url: https://k.example/base, space: soc}", Links("kibana", "https://k.example/base", "soc")),
        ("dashboards: {url: https://d.example, tenant: Soc}", Links("opensearch", "https://d.example", "Soc")),
        ("{kibana: {url: https://k.example}, dashboards: {url: https://d.example}}", Links("kibana", "https://k.example")),
        ("{kibana: {url: https://k.example, links: false}, dashboards: {url: https://d.example}}", Links("opensearch", "https://d.example")),
        ("{kibana: {url: https://k.example, links: false}}", None),
    ],
)
def test_links_lead_to_where_alerts_are_reviewed(written, text, links):
    assert written(text).policy.links == links


def test_rules_are_read_in_order_with_their_queries(written):
    policy = written("""
suppress:
  - {name: ignored_users, when: 'user.name:(svc* OR "N/A")', reason: service accounts}
  - {name: noisy, analyzers: [new_*, old]}
outputs:
  - {type: file, path: a}
  - {type: file, path: b, name: archive, suppressed: true, when: 'event.severity:>=73'}
""").policy
    users, noisy = policy.suppress
    assert (users.name, users.scope.analyzers, noisy.name, noisy.scope) == ("ignored_users", (), "noisy", Scope(None, ("new_*", "old")))
    assert [users.scope.test(Document({"user": {"name": name}})) for name in ("svc-1", "N/A", "ann")] == [True, True, False]
    assert policy.hears == {"archive"}


def test_scores_are_off_and_go_to_the_outputs_that_ask_for_them(written):
    outputs = "outputs: [{type: file, path: a, scores: true}, {type: file, path: b, name: other}]"
    off, on = written(outputs), written(f"scores: {{enabled: true, analyzers: [waf, web_*], per_minute: 7}}\n{outputs}")
    assert (off.policy.trends, off.scores) == ((), ())
    assert (on.policy.trends, on.policy.per_minute, on.scores) == (("file",), 7, ("waf", "web_*"))
    assert written("scores: {enabled: true}").scores == ()  # nobody takes them
    with pytest.raises(Problems) as told:
        written("outputs:\n- {type: http, url: 'http://127.0.0.1:1', scores: true}")
    assert told.value.found[0].what == "$.outputs[0].scores: an output of type http takes none"


def test_risk_is_configured_number_by_number(written):
    risk = written("risk: {half_life: 7d, weights: {low: 0}, levels: {critical: 100}, alert_from: never, entities: 7}").policy.risk
    assert (risk.half_life, risk.weights["low"], risk.weights["high"], risk.cuts) == (7 * DAY, 0.0, 10.0, (0.5, 20.0, 40.0, 100.0))
    assert (risk.alert_from, risk.most) == (None, 7)
    assert written("risk: {entities: 0}").policy.risk is None


@pytest.mark.parametrize(
    ("text", "code", "what", "line"),
    [
        ("suppress:\n- {name: Two words, when: 'a:b'}", "config.value", "$.suppress[0].name: ", 2),
        ("suppress:\n- when: a:b", "config.missing", "$.suppress[0].name is missing", 2),
        ("suppress:\n- {name: all}", "config.value", "$.suppress[0] would suppress every alert", 2),
        ("suppress:\n- {name: a, when: 'a:b'}\n- {name: a, when: 'a:c'}", "config.twice",
         "$.suppress[1]: there are two rules called `a`", 3),
        ("suppress:\n- name: a\n  when: 'a:(b'", "query.bracket", "$.suppress[0].when: ", 3),
        ("suppress: {name: a}", "config.value", "$.suppress: ", 1),
        ("outputs:\n- {type: file, path: a, suppressed: maybe}", "config.value", "$.outputs[0].suppressed: ", 2),
        ("risk:\n  levels: {low: 30}", "config.value", "$.risk.levels: each is higher than the one before", 2),
        ("risk: {levels: {low: 20}}", "config.value", "$.risk.levels: each is higher than the one before", 1),
        ("risk: {levels: {low: .nan}}", "config.value", "$.risk.levels.low: ", 1),
        ("risk: {half_life: 0}", "config.value", "$.risk.half_life: ", 1),
        ("risk: {weights: {low: -1}}", "config.value", "$.risk.weights.low: ", 1),
        ("risk: {alert_from: no_risk}", "config.value", "$.risk.alert_from: ", 1),
        ("risk: {entities: -1}", "config.value", "$.risk.entities: ", 1),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(written, text, code, what, line):
    with pytest.raises(Problem) as caught:
        written(text)
    (problem,) = caught.value.found if isinstance(caught.value, Problems) else [caught.value]
    assert (problem.code, problem.what[: len(what)], problem.where.line) == (code, what, line)
