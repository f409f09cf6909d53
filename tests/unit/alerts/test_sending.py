from __future__ import annotations

import pytest

from pluginhost.alerts.sending import stamped, with_lag

SECOND = 10**9
ALERT = {"event": {"id": "i", "kind": "alert"}, "pluginhost": {"analyzer": "a", "alert": {"count": 2}}}


def test_when_it_is_sent_is_stamped_anew_at_each_try_and_nothing_of_the_document_is_altered():
    first = stamped(ALERT, 1_000 * SECOND)
    assert first == {**ALERT, "event": {"id": "i", "kind": "alert", "ingested": "1970-01-01T00:16:40.000Z"}}
    assert stamped(first, 1_001 * SECOND)["event"]["ingested"] == "1970-01-01T00:16:41.000Z"
    assert ALERT["event"] == {"id": "i", "kind": "alert"}


@pytest.mark.parametrize(("time", "lag"), [(990 * SECOND, 10.0), (999_999_600_000, 0.0), (998_765_432_100, 1.235), (1_002 * SECOND, -2.0)])
def test_the_lag_is_told_in_seconds_to_the_millisecond_and_may_lie_ahead(time, lag):
    assert with_lag(ALERT, time, 1_000 * SECOND)["pluginhost"] == {"analyzer": "a", "alert": {"count": 2, "lag": lag}}


@pytest.mark.parametrize(
    "document",
    [{}, {"event": None}, {"event": "alert", "pluginhost": {}}, {"event": {"kind": "event"}, "pluginhost": {"alert": {}}},
     {"event": {"kind": "metric"}, "pluginhost": {"score": {}}}, {"event": {"kind": "alert"}, "pluginhost": []},
     {"event": {"kind": "alert"}, "pluginhost": {"alert": {}, "backtest": {"id": "b"}}}],
)  # fmt: skip
def test_what_is_no_live_alert_has_none(document):
    assert with_lag(document, 1, 2) is document
