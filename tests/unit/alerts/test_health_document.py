"""A host's health as a document among the scores: one a host and span, every field mapped."""

from __future__ import annotations

from pluginhost import __version__
from pluginhost.alerts.scores import Health, health_document, health_identity, sent
from pluginhost.alerts.template import scores_template

END, MINUTE = 1_772_150_460 * 10**9, 60 * 10**9  # 2026-02-27T00:01:00Z
HELD = Health(records=2_000, alerts=7, suppressed=2, dead_letters=1, errors=3, journal_rows=4, journal_age=0.123456, undelivered=5,
              undelivered_age=61.0, quarantined=1, memory=200 << 20)  # fmt: skip


def test_it_says_what_was_counted_and_what_waits_at_the_end():
    name = health_identity("sidecar-1", END)
    made = sent(health_document(HELD, event_id=name, end=END, span=MINUTE), "prod", "sidecar-1")
    assert made == {
        "@timestamp": "2026-02-27T00:01:00.000Z", "ecs": {"version": "8.17.0"},
        "event": {"id": name, "kind": "metric", "module": "pluginhost", "dataset": "pluginhost.scores", "provider": "pluginhost.health",
                  "start": "2026-02-27T00:00:00.000Z", "end": "2026-02-27T00:01:00.000Z", "duration": MINUTE},
        "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": __version__, "name": "sidecar-1"},
        "pluginhost": {"analyzer": "pluginhost.health", "health": {
            "records": 2000, "alerts": 7, "suppressed": 2, "dead_letters": 1, "errors": 3, "journal_rows": 4, "journal_age": 0.123,
            "undelivered": 5, "undelivered_age": 61.0, "quarantined": 1, "memory": 209715200}},
        "data_stream": {"type": "metrics", "dataset": "pluginhost.scores", "namespace": "prod"},
    }  # fmt: skip


def test_of_each_host_and_span_there_is_one():
    names = [health_identity(host, end) for host in ("a", "b", "\udcff") for end in (END, END + MINUTE)]
    assert len({*names, health_identity("a", END)}) == len(names) == 6
    assert all(len(one) == 64 for one in names)


def test_every_field_is_mapped():
    properties = scores_template("8.19.21")["template"]["mappings"]["properties"]

    def unmapped(document, of, path=()):
        for name, value in document.items():
            if name not in of:
                yield ".".join((*path, name))
            elif isinstance(value, dict):
                yield from unmapped(value, of[name].get("properties", {}), (*path, name))

    assert [*unmapped(sent(health_document(HELD, event_id="i", end=END, span=MINUTE), "prod", "me"), properties)] == []
