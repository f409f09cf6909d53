from __future__ import annotations

import json

import pytest
from notifying import alert, made, notification

from pluginhost.outputs.notify.sender import Said
from pluginhost.problem import Problem

URL = "https://teams.example/workflows/7f3a9c"


def request(told, said=None, **options):
    output = made("teams", {"url": URL, **options})
    (one,) = output.requests(told, said or output.said(told))
    return one


def card(told, **options):
    return json.loads(request(told, **options).body)["attachments"][0]["content"]


@pytest.mark.parametrize(
    ("kind", "level", "color"),
    [("alert", "critical", "attention"), ("alert", "medium", "warning"), ("alert", "low", "default"), ("resolved", "high", "good"),
     ("escalated", "high", "attention")],
)  # fmt: skip
def test_the_colour_says_how_grave_it_is(kind, level, color):
    assert card(notification(kind, alert(level)))["body"][0]["color"] == color


def test_what_an_attacker_writes_is_no_markup_and_no_button():
    evil = alert(user={"name": "[pay here](https://evil.example) **now** `x`"}, event={"id": "a", "url": "javascript:alert(1)"})
    shown = card(notification("alert", evil), title="{user.name}", facts=[{"name": "User", "value": "{user.name}"}])
    assert shown["body"][0]["text"] == shown["body"][2]["facts"][0]["value"] == r"\[pay here\](https://evil.example) \*\*now\*\* \`x\`"
    assert shown["actions"] == []


@pytest.mark.parametrize(
    ("options", "titles"), [({}, ["Open", "Dashboard"]), ({"open": "", "dashboard": "Who"}, ["Who"]), ({"dashboard": ""}, ["Open"])]
)
def test_buttons_lead_to_the_alert_and_to_its_dashboard(options, titles):
    linked = alert()
    linked["pluginhost"]["alert"]["dashboard"] = "https://kibana.example/app/dashboards#/view/a"
    actions = card(notification("alert", linked), **options)["actions"]
    assert [one["title"] for one in actions] == titles
    urls = {"Open": "https://kibana.example/app/discover#/a"}
    assert all(one["url"] == urls.get(one["title"], "https://kibana.example/app/dashboards#/view/a") for one in actions)


@pytest.mark.parametrize("text", ["line of text ", '"quoted" \\ ', "\U0001f600 é ", "[*_`]"])
def test_a_long_card_is_cut_to_what_teams_takes(text):
    told = notification("alert", alert(message=text * 100))
    made_of = request(told, Said(text * 20, text * 5000), facts=[{"name": "m", "value": "{message}"}] * 20)
    assert 27 << 10 < len(made_of.body) <= 28 << 10
    assert f"(cut; {len(text) * 5000} characters in all)" in made_of.body.decode()


def test_a_wrong_template_is_told_at_the_start():
    with pytest.raises(Problem, match=r"facts\[1\].value"):
        made("teams", {"url": URL, "facts": [{"name": "a", "value": "x"}, {"name": "b", "value": "{x!r}"}]})
    with pytest.raises(Problem, match="0 to 20 items, got 21"):
        made("teams", {"url": URL, "facts": [{"name": "a", "value": "x"}] * 21})
