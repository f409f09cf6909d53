from __future__ import annotations

import msgspec
import pytest

from pluginhost.outputs.bulk import create, item_outcome, reason_of, replace
from pluginhost.outputs.port import DONE, Dead, Retry

THEN, NOW = 1_767_323_045_123_000_000, 1_767_323_046_000_000_000  # 2026-01-02T03:04:05.123Z, and a second later


def error(kind, reason="why"):
    return {"type": kind, "reason": reason}


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        ({"status": 201}, DONE),
        ({"status": 201, "failure_store": "not_applicable_or_unknown"}, DONE),
        ({"status": 201, "failure_store": "used"}, Dead("rejected into the failure store")),
        ({"status": 409, "error": error("version_conflict_engine_exception")}, DONE),
        ({"status": 400, "error": error("document_parsing_exception")}, Dead("400 document_parsing_exception: why")),
        ({"status": 400, "error": error("mapper_parsing_exception")}, Dead("400 mapper_parsing_exception: why")),
        ({"status": 400, "error": error("illegal_argument_exception")}, Dead("400 illegal_argument_exception: why")),
        ({"status": 400, "error": error("strict_dynamic_mapping_exception")}, Dead("400 strict_dynamic_mapping_exception: why")),
        ({"status": 400, "error": error("illegal_argument_exception", "Limit of total fields [2000] has been exceeded")},
         Dead("400 illegal_argument_exception: Limit of total fields [2000] has been exceeded")),
        *(({"status": 400, "error": error("illegal_argument_exception", why)}, Retry(f"400 illegal_argument_exception: {why}", slow=True))
          for why in ("only write ops with an op_type of create are allowed in data streams", "pipeline with id [x] does not exist",
                      "no write index is defined for alias [x]. The write index may be explicitly disabled")),
        ({"status": 400, "error": error("document_parsing_exception", "Preview of field's value: 'pipeline with id [x]'")},
         Dead("400 document_parsing_exception: Preview of field's value: 'pipeline with id [x]'")),
        ({"status": 429, "error": error("rejected_execution_exception")}, Retry("429 rejected_execution_exception: why")),
        ({"status": 400, "error": error("index_closed_exception")}, Retry("400 index_closed_exception: why", slow=True)),
        ({"status": 429, "error": error("es_rejected_execution_exception")}, Retry("429 es_rejected_execution_exception: why")),
        ({"status": 429, "error": error("cluster_block_exception")}, Retry("429 cluster_block_exception: why", slow=True)),
        ({"status": 403, "error": error("cluster_block_exception")}, Retry("403 cluster_block_exception: why", slow=True)),
        ({"status": 403, "error": error("security_exception")}, Retry("403 security_exception: why", slow=True)),
        ({"status": 404, "error": error("index_not_found_exception")}, Retry("404 index_not_found_exception: why", slow=True)),
        ({"status": 503, "error": error("unavailable_shards_exception")}, Retry("503 unavailable_shards_exception: why")),
        ({"status": 500}, Retry("500")),
    ],
)
def test_every_answer_has_one_meaning(item, outcome):
    assert item_outcome(item) == outcome


def test_a_document_is_created_under_its_id_and_stamped_anew():
    document = {"event": {"id": "i", "created": "c", "ingested": "before"}, "host": "web1"}
    action, source = create('i"d', document, THEN, NOW).splitlines()
    assert msgspec.json.decode(action) == {"create": {"_id": 'i"d'}}
    assert msgspec.json.decode(source) == {
        "@timestamp": "2026-01-02T03:04:05.123Z",
        "event": {"id": "i", "created": "c", "ingested": "2026-01-02T03:04:06.000Z"},
        "pluginhost": {"unfit": {"host": "web1"}},
    }
    assert document["event"]["ingested"] == "before"


def test_a_document_keeps_its_own_time():
    assert msgspec.json.decode(create("i", {"@timestamp": "mine"}, THEN, NOW).splitlines()[1])["@timestamp"] == "mine"


@pytest.mark.parametrize(("kind", "lag"), [("alert", 0.877), ("event", None), ("metric", None)])
def test_an_alert_says_how_late_it_is_sent(kind, lag):
    document = {"event": {"kind": kind}, "pluginhost": {"alert": {"count": 1}}}
    made = msgspec.json.decode(create("i", document, THEN, NOW).splitlines()[1])["pluginhost"]["alert"]
    assert made == {"count": 1, **({"lag": lag} if lag else {})}
    later = msgspec.json.decode(create("i", document, THEN, NOW + 60 * 10**9).splitlines()[1])["pluginhost"]["alert"]
    assert later.get("lag") == (lag and 60.877)
    assert document["pluginhost"]["alert"] == {"count": 1}


def test_a_state_is_written_whole_under_its_revision():
    document = {"event": {"id": "i", "kind": "alert"}, "pluginhost": {"state": {"revision": 7}}}
    action, source = replace("f", 7, document, THEN, NOW).splitlines()
    assert msgspec.json.decode(action) == {"index": {"_id": "f", "version": 7, "version_type": "external"}}
    assert msgspec.json.decode(source) == {
        "@timestamp": "2026-01-02T03:04:05.123Z", "event": {"id": "i", "kind": "alert", "ingested": "2026-01-02T03:04:06.000Z"},
        "pluginhost": {"state": {"revision": 7}},
    }  # fmt: skip


def test_a_reason_is_one_safe_bounded_line():
    told = {"type": "t", "reason": "a\x1b[31m", "caused_by": {"reason": "deeper"}}
    assert reason_of(told) == "t: a\\x1b[31m: deeper"
    assert reason_of("text") == "text"
    assert reason_of(None) == ""
    assert len(reason_of(error("t", "x" * 10_000))) == 500
