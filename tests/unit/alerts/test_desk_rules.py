from __future__ import annotations

from pluginhost.alerts.desk import Found, Group, decide

DOCUMENT = {"message": "x", "event": {"id": "e"}, "observer": {"type": "ids"}}
CREATED = 1_767_225_600_123_456_789


def found(time):
    return Found("brute", "f", time, "high")


def test_the_first_alert_of_a_group_has_number_one():
    made = decide(DOCUMENT, found(50), None, created=CREATED, observer="web1")
    assert made.document == {
        "message": "x", "event": {"id": "e", "sequence": 1, "created": "2026-01-01T00:00:00.123Z"},
        "observer": {"type": "ids", "name": "web1"},
    }  # fmt: skip
    assert (made.group, made.suppressed) == (Group(1, 50, 50, told="high"), ())


def test_the_group_counts_on_and_keeps_first_and_last_even_for_a_late_alert():
    group = None
    for time, expected in ((50, (1, 50, 50)), (70, (2, 50, 70)), (40, (3, 40, 70))):
        made = decide(DOCUMENT, found(time), group, created=CREATED, observer="")
        group = made.group
        assert (group, made.document["event"]["sequence"]) == (Group(*expected, told="high"), expected[0])


def test_the_finding_itself_is_not_touched():
    before = repr(DOCUMENT)
    decide(DOCUMENT, found(1), None, created=CREATED, observer="web1")
    assert repr(DOCUMENT) == before
