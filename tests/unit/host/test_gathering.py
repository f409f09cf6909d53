"""What a configuration says of incidents and states, and what it may not."""

from __future__ import annotations

import pytest

from pluginhost.alerts.incidents import Gathering
from pluginhost.host.config import configure
from pluginhost.problem import Problems

HOUR = 3600 * 10**9


@pytest.fixture
def written(tmp_path):
    def read(text):
        (tmp_path / "pluginhost.yaml").write_text(text)
        return configure(tmp_path / "pluginhost.yaml").policy

    return read


def test_alerts_are_gathered_unless_that_is_off(written):
    fields = ("user.name", "host.name", "source.ip")
    assert written("{}").incidents == Gathering(window=4 * HOUR, fields=fields, least="medium", most=10_000)
    given = written("incidents: {window: 1h, entities: [user.id], from: high}").incidents
    assert given == Gathering(window=HOUR, fields=("user.id",), least="high")
    assert [given.takes(severity) for severity in ("low", "medium", "high", "critical", "odd")] == [False, False, True, True, False]
    assert written("incidents: {enabled: false}").incidents is None


def test_states_go_to_outputs_that_take_them(written):
    assert written("outputs: [{type: file, path: a}]").states == ()
    assert written("outputs: [{type: elasticsearch}, {type: elasticsearch, name: other, states: false}]").states == ("elasticsearch",)


@pytest.mark.parametrize(
    ("text", "what"),
    [("incidents: {window: 0}", "$.incidents.window: "), ("incidents: {entities: []}", "$.incidents.entities: "),
     ("incidents: {from: odd}", "$.incidents.from: "), ("incidents: {severity: low}", "$.incidents.severity: ")],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(written, text, what):
    with pytest.raises(Problems) as told:
        written(text)
    assert told.value.found[0].what.startswith(what)
