"""The recorded answers of servers, which docs and pictures are made of, belong to the files and the fixtures as they are."""

from __future__ import annotations

import pytest
from kibana_answers import PAGE, asked, expected, file, recorded, spans, titles
from kibana_page import page
from kibana_shown import differences

FILES = {"kibana": "kibana", "classic": "dashboards"}
AGAIN = "run: python tests/support/kibana_answers.py"


@pytest.mark.parametrize(("name", "product"), FILES.items())
def test_what_was_asked_is_what_the_file_asks_today(name, product):
    today = {one.object: (one.title, list(one.requests)) for one in asked(name, product)}
    assert {one.object: (one.title, one.asked) for one in recorded()[name]} == today, AGAIN


@pytest.mark.parametrize("name", FILES)
def test_what_was_answered_is_what_the_fixtures_hold(name):
    wrong = {one.object: lines for one in recorded()[name] if one.kind != "text" and (lines := differences(expected(one, name), one))}
    assert wrong == {}, AGAIN


def test_a_wrong_number_is_noticed():
    one = next(one for one in recorded()["kibana"] if one.object == "lens/pluginhost-panel-severity")
    (key, number), *others = one.rows
    one.rows[0] = [key, number + 1]
    assert differences(expected(one, "kibana"), one) == [f"[0][1]: {number + 1}, not {number}"]
    one.rows[:] = others
    assert len(differences(expected(one, "kibana"), one)) == 1


def test_every_dashboard_and_every_panel_was_asked():
    objects = {(one["type"], one["id"]) for one in file("kibana") if one["type"] in {"lens", "map", "search", "visualization"}}
    assert {tuple(one.object.split("/")[:2]) for one in recorded()["kibana"] if one.kind != "control"} == objects
    assert set(spans(file("kibana"))) == set(spans(file("classic"))) == {one["id"] for one in file("kibana") if one["type"] == "dashboard"}


def test_the_page_tells_of_these_answers():
    assert PAGE.read_text("utf-8") == page(recorded(), expected, titles()), AGAIN
