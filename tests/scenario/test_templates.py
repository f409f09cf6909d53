"""Detectors that are configured, in a real sidecar: one is changed, one added, one removed over restarts; what they know is kept."""

from __future__ import annotations

from pluginhost import shipped_analyzers

AGENTS = {"use": "new_value", "where": "event.category:web", "key": "host.name", "field": "user_agent.original", "learn": 0}


def request(agent):
    return {"event": {"category": ["web"]}, "host": {"name": "web1"}, "user_agent": {"original": agent}, "labels": {"team": agent}}


def test_uses_come_change_and_go_over_restarts_and_keep_what_they_know(sidecar):
    one = sidecar(options={"new_agents": AGENTS})
    for name in ("new_value.py", "_generic.py"):
        (one.analyzers / name).write_text((shipped_analyzers() / name).read_text())
    one.start()
    one.post([request("curl"), request("curl")])
    one.settled()
    assert one.stop() == 0

    one.config["options"] = {"new_agents": {**AGENTS, "severity": "high"}, "new_teams": {**AGENTS, "key": [], "field": "labels.team"}}
    one.start()
    assert sorted(info["name"] for info in one.ask("analyzers")) == ["new_agents", "new_teams"]
    one.post([request("curl"), request("wget")])
    one.settled()
    told = {(alert["analyzer"], alert["severity"], alert["headline"]) for alert in one.alerts()}
    assert told == {("new_agents", "high", "new value of user_agent.original: wget"),
                    ("new_teams", "low", "new value of labels.team: wget")}  # fmt: skip
    assert one.stop() == 0

    one.config["options"] = {"new_teams": {**AGENTS, "key": [], "field": "labels.team"}, "typo": {**AGENTS, "use": "new_valu"}}
    one.start()
    one.says("options are given for typo, but no such analyzer runs")
    assert [info["name"] for info in one.ask("analyzers")] == ["new_teams"]
    one.post([request("wget"), request("nc")])
    one.settled()
    assert [alert["analyzer"] for alert in one.alerts() if "nc" in alert["headline"]] == ["new_teams"]
    assert len(one.alerts()) == 3
