from __future__ import annotations

from pluginhost.alerts.flagged import flagged, with_original

DOCUMENT = {
    "@timestamp": "2026-01-02T03:04:05.123Z", "message": "25 failures",
    "event": {"id": "9f2c", "reason": "why", "risk_score": 88.0, "original": "raw"},
    "log": {"level": "high"}, "rule": {"id": "brute"},
    "pluginhost": {"analyzer": "brute", "alert": {"fingerprint": "c1d9", "count": 25}, "source": {"tag": "app.auth"},
                   "events": [{"message": "one"}], "record": {"message": "Failed password", "pid": 4242}},
}  # fmt: skip
SUMMARY = {"id": "9f2c", "severity": "high", "rule": "brute", "analyzer": "brute", "message": "25 failures", "reason": "why", "risk": 88.0,
           "fingerprint": "c1d9", "time": "2026-01-02T03:04:05.123Z"}  # fmt: skip


def test_the_record_is_enriched_under_one_field():
    assert flagged(DOCUMENT, "web1") == {
        "message": "Failed password",
        "pid": 4242,
        "pluginhost": {"host": "web1", "hop": 1, "alert": SUMMARY, "tag": "app.auth"},
    }


def test_evidence_goes_along_when_asked_for():
    assert flagged(DOCUMENT, "web1", evidence=True)["pluginhost"]["evidence"] == [{"message": "one"}]


def of(record):
    return flagged({**DOCUMENT, "pluginhost": {**DOCUMENT["pluginhost"], "record": record}}, "web1")["pluginhost"]


def test_hops_are_counted_and_what_stood_there_is_kept():
    before = {"host": "web0", "hop": 2}
    assert (of({"pluginhost": before})["hop"], of({"pluginhost": before})["previous"]) == (3, before)
    for odd in ("text", {"hop": "2"}, {"hop": True}, {"hop": -1}, [1]):
        assert (of({"pluginhost": odd})["hop"], of({"pluginhost": odd})["previous"]) == (1, odd)
    assert "previous" not in of({})


def test_a_timers_finding_goes_as_its_document_with_the_marks():
    timer = {**DOCUMENT, "pluginhost": {"analyzer": "brute"}}
    assert flagged(timer, "web1") == {**DOCUMENT, "pluginhost": {"analyzer": "brute", "host": "web1", "hop": 1}}


def test_the_record_itself_is_not_touched():
    before = repr(DOCUMENT)
    flagged(DOCUMENT, "web1", evidence=True)
    assert repr(DOCUMENT) == before


def test_an_original_is_added_only_where_there_is_none():
    assert with_original({"a": 1}, "raw") == {"a": 1, "event": {"original": "raw"}}
    assert with_original({"event": {"id": 1}}, "raw") == {"event": {"id": 1, "original": "raw"}}
    assert with_original({"event": {"original": "mine"}}, "raw") == {"event": {"original": "mine"}}
    assert with_original({"event": "text"}, "raw") == {"event": "text"}
