"""Many objects in few lines."""

from __future__ import annotations

from pluginhost.cli.setup.objects import lines
from pluginhost.review.steps import Step


def steps(type_, count, state="create", why="version 1"):
    return [Step(state, type_, f"{type_}-{number}", f"Title {number}", why) for number in range(count)]


def told(*found, word=""):
    return [(one.word, one.what, one.why, one.todo) for one in lines((word or step.state, step, step.why) for step in found)]


def test_what_is_alike_is_counted_by_kind_in_one_order():
    found = [*steps("dashboard", 5), *steps("lens", 3), *steps("visualization", 2), *steps("index-pattern", 1, why="")]
    assert told(*found) == [("create", 'data view "Title 0"', "", 1), ("create", "5 charts and tables", "version 1", 5),
                            ("create", "5 dashboards", "version 1", 5)]  # fmt: skip


def test_states_and_reasons_are_kept_apart():
    assert told(*steps("lens", 2), *steps("lens", 2, "ok"), *steps("lens", 2, "update", "from version 1 to 2")) == [
        ("create", "2 charts and tables", "version 1", 2), ("ok", "2 charts and tables", "version 1", 0),
        ("update", "2 charts and tables", "from version 1 to 2", 2),
    ]  # fmt: skip


def test_what_is_left_or_fails_is_told_one_by_one_unless_it_is_much():
    assert told(*steps("map", 2, "leave", "mine")) == [
        ("leave", 'map "Title 0" (map-0)', "mine", 0), ("leave", 'map "Title 1" (map-1)', "mine", 0)]  # fmt: skip
    assert told(*steps("map", 4), *steps("search", 3), word="failed") == [("failed", "7 objects", "version 1", 7)]
    (line,) = told(*steps("map", 1), word="failed")
    assert line == ("failed", 'map "Title 0" (map-0)', "version 1", 1)


def test_what_is_about_no_object_comes_first_as_it_is():
    blind = Step("leave", "", "", "what stands", "it may not be looked at")
    assert told(*steps("lens", 2), blind)[0] == ("leave", "what stands", "it may not be looked at", 0)
