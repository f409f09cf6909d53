"""Objects are put there, and of each that could not be it is said why; the rest stands."""

from __future__ import annotations

import pytest
from kibana_server import kibana_server
from recording import Answer
from reviewing import few, made, stored, with_server

from pluginhost.review.importing import put


def sent(api, objects=None, **section):
    failed = with_server(api, lambda server: put(server, few() if objects is None else objects), **section)
    return {id_.removeprefix("pluginhost-"): why for (_, id_), why in failed.items()}


@pytest.fixture
def api():
    with kibana_server(key="k3y-of-tests", spaces=("default", "soc")) as one:
        yield one


def uploads(api):
    return api.counts["POST /api/saved_objects/_import"]


def test_all_goes_in_one_upload_and_stands(api):
    assert sent(api) == {}
    assert api.objects["default"] == stored(few())
    (asked,) = api.received
    assert asked.path == "/api/saved_objects/_import?overwrite=true"
    assert b'filename="pluginhost.ndjson"' in asked.body


def test_what_stands_is_overwritten(api):
    assert (sent(api, few(1)), sent(api, few(2))) == ({}, {})
    assert api.objects["default"] == stored(few(2))


def test_what_is_refused_by_itself_keeps_nothing_else_from_being_written(api):
    api.failing["lens", "pluginhost-panel-one"] = {"statusCode": 400, "message": "[attributes.state]: unexpected \x1b[2Jvalue"}
    assert sent(api) == {"panel-one": "400 [attributes.state]: unexpected \\x1b[2Jvalue"}
    assert (uploads(api), api.of("lens"), api.of("dashboard")) == (1, ["pluginhost-panel-two"], ["pluginhost-overview"])


@pytest.mark.parametrize(
    ("error", "why"),
    [({"type": "conflict", "destinationId": "other"}, "another object stands for it: other"),
     ({"type": "ambiguous_conflict", "destinations": [{"id": "a"}, {"id": "b"}]}, "several objects stand for it: a, b")],
)  # fmt: skip
def test_where_one_keeps_the_whole_from_being_written_the_rest_is_sent_again(api, error, why):
    api.failing["lens", "pluginhost-panel-one"] = error
    assert sent(api) == {"panel-one": why}
    assert (uploads(api), api.of("lens"), api.of("dashboard")) == (2, ["pluginhost-panel-two"], ["pluginhost-overview"])


def test_what_needs_what_is_not_there_is_said_and_the_rest_stands(api):
    lost = made("lens", "pluginhost-panel-lost", ("index-pattern", "nowhere"), description="(pluginhost 1)")
    assert sent(api, (*few(), lost)) == {"panel-lost": "it needs what is not there: index-pattern nowhere"}
    assert api.objects["default"] == stored(few())
    assert sent(api, (lost,)) == {"panel-lost": "it needs what is not there: index-pattern nowhere"}  # there is no rest


def test_where_obstacles_do_not_end_it_is_given_up_and_the_rest_said_to_be_unwritten(api):
    chain = [made("search", f"s{number}", ("search", f"s{number + 1}")) for number in range(9)]
    failed = sent(api, chain)
    assert set(failed) == {f"s{number}" for number in range(9)}
    assert failed["s8"] == "it needs what is not there: search s9"
    assert failed["s0"] == "others kept the whole from being written: run it again"
    assert (uploads(api), api.objects["default"]) == (5, {})


def test_a_type_that_the_product_does_not_know_is_said():
    with kibana_server("dashboards", "3.1.0") as api:
        assert sent(api) == dict.fromkeys(("panel-one", "panel-two"), "this OpenSearch Dashboards has no objects of type lens")
        assert api.of("dashboard") == ["pluginhost-overview"]


def test_a_file_of_a_newer_form_is_refused_whole_with_a_way_out(api):
    api.version = "8.7.1"
    newer = made("dashboard", "pluginhost-overview", typeMigrationVersion="8.9.0", coreMigrationVersion="8.8.0")
    whys = set(sent(api, (newer, *few()[:2])).values())
    assert len(whys) == 1
    (why,) = whys
    assert why.startswith('422 Document "pluginhost-overview" belongs to a more recent version of Kibana [8.9.0]')
    assert why.endswith("(this Kibana is too old for it: try --classic)")
    assert api.objects["default"] == {}


def test_one_id_twice_or_too_many_bytes_are_refused_whole(api):
    twice = [*few(), few()[0]]
    assert set(sent(api, twice).values()) == {"400 Non-unique import objects detected: [index-pattern:pluginhost-alerts]"}
    api.most = 100
    assert set(sent(api).values()) == {"413 Payload content length greater than maximum allowed: 100"}
    assert api.objects["default"] == {}


def test_where_another_space_holds_the_ids_no_copies_are_left(api):
    assert sent(api) == {}
    failed = sent(api, space="soc")
    assert set(failed.values()) == {"its id is taken in another space of this Kibana"}
    assert len(failed) == 5
    assert api.objects == {"default": stored(few()), "soc": {}}


def test_a_copy_that_stood_before_is_left_and_named(api):
    api.objects = {"default": stored(few()), "soc": {("lens", "copy"): {**stored(few())["lens", "pluginhost-panel-one"], "id": "copy",
                                                                        "originId": "pluginhost-panel-one"}}}  # fmt: skip
    failed = sent(api, few()[2:3] + few()[:1], space="soc")
    assert failed["panel-one"] == "its id is taken in another space of this Kibana; the copy copy here was brought up to date"
    assert api.of("lens", "soc") == ["copy"]


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"<html>", "its answer is not that of Kibana"), (b'{"success": 1}', "its answer is not that of Kibana"),
     (b"[" * 100_000, "its answer"), (b'{"success": false}', "it says that not all was taken, and not what"), (b"{}", "its answer"),
     (b'{"success": true, "errors": [{"type": "lens", "id": null}]}', "its answer")],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_leaves_it_open_what_was_written(api, body, why):
    api.answers = {"/_import": Answer(200, body)}
    whys = set(sent(api).values())
    assert len(whys) == 1
    (told,) = whys
    assert told.startswith(why)
    assert told.endswith("; whether it was written nobody knows: run it again")
