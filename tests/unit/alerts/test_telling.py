"""Who is told of an alert, when and with what: each row of the terms of an output, and what one message holds."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pluginhost.alerts.calendar import Hours, Schedule
from pluginhost.alerts.notification import Notification, Table, decoded
from pluginhost.alerts.telling import Audience, Gather, Limit, Turn, composed, kind_of, message, notification_id, turn

SECOND, HOUR = 10**9, 3600 * 10**9
NOW = 1_772_618_400 * SECOND  # Wednesday, 2026-03-04T10:00:00Z
UTC = ZoneInfo("UTC")
OFFICE = Hours(frozenset(range(5)), time(9), time(17), UTC)
NIGHT = Hours(frozenset(range(7)), time(22), time(6), UTC)


def document(n=0, severity="high", user="ann", ip="192.0.2.7", **more):
    alert = {"fingerprint": f"f-{user}", **more.pop("alert", {})}
    return {"event": {"id": f"e{n}", "original": "x"}, "log": {"level": severity}, "user": {"name": user}, "source": {"ip": ip},
            "pluginhost": {"alert": alert, **more.pop("ours", {})}, **more}  # fmt: skip


def of(**terms):
    return Audience("people", **terms)


GATHERED = Gather(every=300 * SECOND)
TEN_IN_A_MINUTE = Limit(10, 60 * SECOND)


@pytest.mark.parametrize(
    ("terms", "kind", "taken", "expected"),
    [
        (of(), "alert", (), Turn(NOW)),
        (of(), "escalated", (), Turn(NOW)),
        (of(), "resolved", (), None),
        (of(resolved=True), "resolved", (), Turn(NOW)),
        (of(gather=GATHERED), "alert", (), Turn(NOW + 300 * SECOND, "gather", "gathered")),
        (of(gather=GATHERED, resolved=True), "resolved", (), Turn(NOW + 300 * SECOND, "gather", "gathered")),
        (of(gather=Gather(schedule=Schedule("0 9 * * mon-fri", UTC))), "alert", (), Turn(NOW + 23 * HOUR, "gather", "gathered")),
        (of(gather=Gather(every=SECOND, by=("user.name", "source.ip"))), "alert", (),
         Turn(NOW + SECOND, "gather\x1fann\x1f192.0.2.7", "gathered")),
        (of(gather=Gather(every=SECOND, by=("no.such", "pluginhost"))), "alert", (),
         Turn(NOW + SECOND, "gather\x1f\x1f{'alert': {'fingerprint': 'f-ann'}}", "gathered")),
        (of(hours=OFFICE), "alert", (), Turn(NOW)),
        (of(hours=NIGHT), "alert", (), None),
        (of(hours=NIGHT, hold=True), "alert", (), Turn(NOW + 12 * HOUR, "hours", "outside of the hours")),
        (of(hours=NIGHT, hold=True), "resolved", (), None),
        (of(hours=NIGHT, hold=True, gather=GATHERED), "alert", (), Turn(NOW + 12 * HOUR, "hours", "outside of the hours")),
        (of(limit=TEN_IN_A_MINUTE), "alert", [NOW - n * SECOND for n in range(9, 0, -1)], Turn(NOW)),
        (of(limit=TEN_IN_A_MINUTE), "alert", [NOW - n * SECOND for n in range(10, 0, -1)],
         Turn(NOW + 50 * SECOND, "limit", "more than 10 messages in 60 s")),
        (of(limit=TEN_IN_A_MINUTE), "alert", [NOW - 60 * SECOND, *(NOW - n * SECOND for n in range(9, 0, -1))], Turn(NOW)),
        (of(limit=TEN_IN_A_MINUTE), "alert", [NOW - 60 * SECOND + 1, *(NOW - n * SECOND for n in range(9, 0, -1))],
         Turn(NOW + 1, "limit", "more than 10 messages in 60 s")),
        (of(limit=Limit(1, 60 * SECOND)), "alert", [NOW + 30 * SECOND], Turn(NOW + 90 * SECOND, "limit", "more than 1 messages in 60 s")),
    ],
)  # fmt: skip
def test_when_an_audience_is_told(terms, kind, taken, expected):
    assert turn(document(), kind, terms, NOW, taken) == expected


def test_the_key_of_a_window_is_bounded_whatever_a_record_holds():
    made = turn(document(user="x" * 10**6, ip=["1"] * 10**5), "alert", of(gather=Gather(every=1, by=("user.name", "source.ip"))), NOW, ())
    assert len(made.key) == len("gather") + 2 * 201


@pytest.mark.parametrize(
    ("alert", "kind"), [({}, "alert"), ({"escalated": "low"}, "escalated"), ({"status": "resolved"}, "resolved"),
                        ({"withheld": 3}, "alert")]
)
def test_the_kind_of_a_message_about_one_alert(alert, kind):
    assert kind_of(document(alert=alert)) == kind


def test_a_message_has_the_same_id_at_every_try_and_another_for_each_output_and_alert():
    assert notification_id("people", "e1") == "d89458ae01214a0af7e2c0683af40fa84d67ee90ebf3cc7e1317ef72664344d7"
    assert len({notification_id(output, alert) for output in ("a", "b") for alert in ("1", "2")}) == 4


class TestComposed:
    def test_one_alert(self):
        made = composed("n", "alert", [document()], count=1)
        assert (made.id, made.kind, made.count, made.why, made.table, made.group) == ("n", "alert", 1, "", None, "f-ann")
        assert made.alerts == (document(),)

    def test_a_digest_has_its_alerts_the_oldest_first_and_a_table_of_them(self):
        many = [document(n, user=("ann", "bob")[n % 3 == 0], ip=f"192.0.2.{n % 2}") for n in range(6)]
        made = composed("n", "digest", many, count=6, why="gathered", fields=("user.name", "source.ip", "no.such"))
        assert [one["event"]["id"] for one in made.alerts] == [f"e{n}" for n in range(6)]
        assert made.table == Table(("user.name", "source.ip", "no.such"), (
            (("ann", "192.0.2.1", ""), 2), (("ann", "192.0.2.0", ""), 2), (("bob", "192.0.2.0", ""), 1),
            (("bob", "192.0.2.1", ""), 1)))  # fmt: skip
        assert (made.why, made.group, made.severity) == ("gathered", "n", "high")

    @pytest.mark.parametrize(("alert", "kind"), [({}, "alert"), ({"status": "resolved"}, "resolved"), ({"escalated": "low"}, "escalated")])
    def test_one_that_came_alone_is_no_digest(self, alert, kind):
        made = composed("n", "digest", [document(alert=alert)], count=1, why="gathered", fields=("user.name",))
        assert (made.kind, made.why, made.table, made.group) == (kind, "", None, "f-ann")

    def test_of_more_than_a_hundred_the_gravest_are_held_and_all_are_counted(self):
        many = [document(n, "critical" if n in (150, 1999) else "low", user=f"u{n % 70}") for n in range(2000)]
        made = composed("n", "digest", many, count=5000, fields=("user.name",))
        held = [int(one["event"]["id"][1:]) for one in made.alerts]
        assert (held, made.count, made.severity) == ([*range(98), 150, 1999], 5000, "critical")
        assert made.first["event"]["id"] == "e150"
        assert (len(made.table.rows), made.table.rows[0]) == (50, (("u0",), 29))

    def test_values_in_a_table_are_short_whatever_they_are(self):
        values = ["x" * 500, None, ["a", "b"], {"k": 1}, 7, True]
        made = composed("n", "digest", [document(n, user=value) for n, value in enumerate(values)], count=6, fields=("user.name",))
        assert [row[0][0] for row in made.table.rows] == [f"{'x' * 199}…", "", "a, b", "{'k': 1}", "7", "True"]

    def test_what_is_too_large_is_left_out_and_the_alert_keeps_it(self):
        large = document(ours={"record": {"m": "x" * 10_000_000}, "events": [{"message": "y" * 40_000}] * 10, "source": {"tag": "t"}})
        large["event"]["original"] = "z" * 10_000_000
        before = msgspec.json.encode(large)
        (told,) = composed("n", "alert", [large], count=1).alerts
        assert told["pluginhost"] == {"alert": {"fingerprint": "f-ann"}, "source": {"tag": "t"}}
        assert told["event"]["original"] == f"{'z' * (32 << 10)}…"
        assert msgspec.json.encode(large) == before
        small = document(ours={"record": {"m": "x"}, "events": [{"message": "y"}]})
        assert composed("n", "alert", [small], count=1).alerts == (small,)

    @pytest.mark.parametrize("of", [{"message": "x" * 10_000_000}, {"related": {"ip": ["192.0.2.1"] * 500_000}},
                                    {"labels": {f"name{n}": "x" * 5000 for n in range(2000)}}])  # fmt: skip
    def test_no_message_is_heavy_whatever_an_alert_is_made_of(self, of):
        (told,) = composed("n", "alert", [{**document(), **of}], count=1).alerts
        assert len(msgspec.json.encode(told)) < 128 << 10
        assert told["event"] == document()["event"]
        assert told.keys() == {**document(), **of}.keys()

    def test_as_it_goes_to_an_output(self):
        made = decoded(message("n", "digest", [msgspec.json.encode(document(n)) for n in range(2)], 3, "gathered", ["user.name"]))
        assert made == Notification("n", "digest", (document(0), document(1)), 3, "gathered", Table(("user.name",), ((("ann",), 2),)))
