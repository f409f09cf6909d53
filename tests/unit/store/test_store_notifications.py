"""Messages to people in the desk's database: what is gathered, what waits, what became of it; and what waits is counted exactly."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pluginhost.options import Duration
from pluginhost.store import notifications
from pluginhost.store.alerts import AlertStore, Buffer, Commit, Keep, NewAlert
from pluginhost.store.notifications import NewNotification

SECOND, DAY = 10**9, 86_400 * 10**9
NOW = 1_800_000_000 * SECOND


def composed(id_, kind, documents, count, why, fields):
    """A message that shows what it was made of."""
    return msgspec.json.encode([id_, kind, [one.decode() for one in documents], count, why, list(fields)])


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Bench:
    def __init__(self, path, **more):
        self.clock, self._numbers = Clock(), 0
        self._path, self._more = path, {"composed": composed, "members": 5, **more}
        self.open()

    def open(self):
        self.store = AlertStore(self._path / "alerts.db", clock=self.clock, **self._more)
        self.told = self.store.notifications

    def alert(self, *news, document=b'{"a":1}'):
        """Stores one more alert, of which it is told as `news` say: (output, key, seconds from now, …)."""
        self._numbers += 1
        name = f"a{self._numbers}"
        made = NewAlert(name, 7, "high", "brute", "f", 1, "x", document)
        told = [NewNotification(output, name, f"n-{name}-{output}", "alert", self.clock.now + round(after * SECOND), key, *more)
                for output, key, after, *more in news]  # fmt: skip
        return self.store.commit(Commit(alerts=[made], notifications=told))

    def due(self, output="chat", limit=100):
        return [(row.seq, *msgspec.json.decode(row.document)[1:4:2]) for row in self.told.due(output, self.clock.now, limit)]

    def waiting(self):
        return self.store.waiting()

    def of(self, alert):
        return [(one.output, one.kind, one.status, one.count, one.attempts, one.reason) for one in self.store.cases.fates(f"a{alert}")]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_one_that_is_told_at_once_waits_until_it_is_delivered(bench):
    bench.alert(("chat", None, 0), ("mail", None, 0))
    (row,) = bench.told.due("chat", NOW, 10)
    assert (row.seq, row.id, row.time, row.severity, row.analyzer, row.attempts) == (1, "n-a1-chat", 7, "high", "brute", 0)
    assert msgspec.json.decode(row.document) == ["n-a1-chat", "alert", ['{"a":1}'], 1, "", []]
    assert bench.of(1) == [("chat", "alert", "waiting", 1, 0, ""), ("mail", "alert", "waiting", 1, 0, "")]
    assert bench.waiting() == {"chat": (1, 7), "mail": (1, 7)}
    bench.told.settle("chat", done=[1])
    assert bench.of(1)[0] == ("chat", "alert", "delivered", 1, 1, "")
    assert (bench.due(), bench.told.next_due("chat"), bench.waiting()) == ([], None, {"mail": (1, 7)})
    bench.told.settle("chat", done=[1], retry=[(1, 0, "no")], dead=[(1, "no")])  # what is settled stays so
    assert bench.of(1)[0] == ("chat", "alert", "delivered", 1, 1, "")
    assert bench.waiting() == {"mail": (1, 7)}


def test_what_is_gathered_lies_open_until_its_time_and_goes_by_its_key(bench):
    for key, after in (("a", 60), ("b", 60), ("a", 90), ("a", 10)):
        bench.alert(("chat", key, after, "gathered", ("user.name",)))
    assert bench.of(1) == bench.of(3) == bench.of(4) == [("chat", "digest", "open", 3, 0, "")]
    assert (bench.due(), bench.told.next_due("chat")) == ([], NOW + 60 * SECOND)  # the first says when
    bench.clock.now += 60 * SECOND
    found = bench.told.due("chat", bench.clock.now, 10)
    assert [msgspec.json.decode(one.document) for one in found] == [
        [f"n-a{first}-chat", "digest", ['{"a":1}'] * count, count, "gathered", ["user.name"]] for first, count in ((1, 3), (2, 1))
    ]
    bench.alert(("chat", "a", 60, "gathered"))  # to what is about to be told nothing is added
    assert [one[3] for one in (*bench.of(1), *bench.of(5))] == [3, 1]
    assert bench.waiting() == {"chat": (3, 35)}


def test_more_alerts_than_are_kept_by_name_are_counted(bench):
    for _ in range(9):
        bench.alert(("chat", "a", 1))
    bench.clock.now += SECOND
    (row,) = bench.told.due("chat", bench.clock.now, 10)
    assert msgspec.json.decode(row.document)[2:4] == [['{"a":1}'] * 5, 9]
    assert (bench.waiting(), bench.of(5)[0][3], bench.of(6)) == ({"chat": (1, 63)}, 9, [])


def test_where_too_many_lie_open_all_that_comes_goes_into_one_more(bench, monkeypatch):
    monkeypatch.setattr(notifications, "_MOST_OPEN", 3)
    for key in "abcdebdf":
        bench.alert(("chat", key, 1))
    bench.clock.now += SECOND
    assert [(seq, count) for seq, _, count in bench.due()] == [(1, 1), (2, 2), (3, 1), (4, 4)]


def test_retries_keep_their_place_and_their_reason_and_the_dead_are_letters(bench):
    bench.alert(("chat", None, 0))
    bench.alert(("chat", None, 0))
    bench.told.settle("chat", retry=[(1, NOW + 5 * SECOND, "busy")], dead=[(2, "400: no")])
    assert (bench.of(1), bench.of(2)) == ([("chat", "alert", "waiting", 1, 1, "busy")], [("chat", "alert", "dead", 1, 1, "400: no")])
    (letter,) = bench.store.dead_letters(9)
    assert (letter.stage, letter.reason, letter.body) == ("output", "400: no", b'{"a":1}')
    assert msgspec.json.decode(letter.source) == {"output": "chat", "attempts": 1}
    assert (bench.due(), bench.waiting()) == ([], {"chat": (1, 7)})
    bench.told.awaken(NOW)
    assert bench.told.due("chat", NOW, 9)[0].attempts == 1


def test_awakening_leaves_what_is_gathered_as_it_is(bench):
    bench.alert(("chat", "a", 60))
    bench.told.awaken(NOW)
    assert (bench.due(), bench.told.next_due("chat")) == ([], NOW + 60 * SECOND)


def test_what_has_waited_too_long_since_it_was_meant_to_be_told_is_dead_however_often_it_was_tried(bench):
    week = 7 * DAY
    bench.alert(("chat", None, 0))
    bench.alert(("chat", "a", 30 * 86_400))  # told once a month
    for day in range(8):
        bench.clock.now = NOW + day * DAY
        assert bench.told.expire("chat") == 0
        bench.told.settle("chat", retry=[(1, bench.clock.now + SECOND, "busy")])
    bench.clock.now = NOW + week + 1
    assert (bench.told.expire("chat"), bench.told.expire("chat")) == (1, 0)
    assert bench.of(1)[0][2:] == ("dead", 1, 9, "waited longer than 1w")
    bench.clock.now = NOW + 30 * DAY
    assert (bench.due(), bench.told.expire("chat")) == ([(2, "digest", 1)], 0)
    bench.clock.now += week + 1
    assert bench.told.expire("chat") == 1
    assert bench.waiting() == {}


def test_a_full_buffer_makes_dead_letters_and_a_message_on_its_way_is_not_touched(tmp_path):
    bench = Bench(tmp_path, buffers={"chat": Buffer(max_bytes=20, when_full="dead_letter")})
    overflowed = [bench.alert(("chat", key, 1)).overflowed for key in ("a", None, "b", "a")]
    assert overflowed == [{}, {}, {"chat": 1}, {"chat": 1}]
    assert bench.waiting() == {"chat": (2, 14)}
    assert sorted(one.id for one in bench.store.dead_letters(9)) == ["chat.n-a3-chat", "chat.n-a4-chat"]
    bench.told.settle("chat", done=[2])
    assert bench.alert(("chat", "a", 1)).overflowed == {}
    assert bench.waiting() == {"chat": (1, 14)}


def test_an_output_that_is_no_more_gives_up_what_waits_for_it(bench):
    bench.alert(("chat", None, 0), ("mail", "a", 5))
    bench.alert(("chat", "a", 9))
    assert bench.store.drop_output("chat") == 2
    assert (bench.waiting(), bench.due()) == ({"mail": (1, 7)}, [])
    assert [one[2] for one in bench.of(1)] == ["dead", "open"]


def trimmed(bench, alerts):
    while bench.store.trim(alerts):
        pass


def test_alerts_stay_while_a_message_about_them_waits_and_messages_go_with_their_alerts(tmp_path):
    bench = Bench(tmp_path, keep=Keep(alerts_age=Duration(86_400)))
    for key in ("a", None):
        bench.alert(("chat", key, 3 * 86_400))
    bench.clock.now += 2 * DAY
    trimmed(bench, 100)
    assert (bench.store.count(), len(bench.of(1))) == (2, 1)
    bench.told.settle("chat", done=[1, 2])
    bench.clock.now += 2 * DAY
    trimmed(bench, 100)
    assert (bench.store.count(), bench.of(1), bench.of(2)) == (0, [], [])
    assert bench.store._database.rows("SELECT (SELECT COUNT(*) FROM notifications), (SELECT COUNT(*) FROM notified)") == [(0, 0)]


def test_messages_go_with_alerts_that_make_room_for_newer_ones(bench):
    for _ in range(10):
        bench.alert(("chat", None, 0))
    bench.told.settle("chat", done=range(1, 11))
    bench.alert()
    trimmed(bench, 3)
    rows = bench.store._database.rows
    assert rows("SELECT seq FROM alerts") == [(9,), (10,), (11,)]
    assert (rows("SELECT seq FROM notifications"), rows("SELECT alert FROM notified")) == ([(9,), (10,)], [(9,), (10,)])


def test_without_its_alerts_a_message_waits_for_nothing(bench):
    bench.alert(("chat", None, 0))
    with bench.store._database.transaction():
        bench.store._database.run("DELETE FROM alerts")
    assert bench.due() == []
    found = bench.store._database.rows("SELECT status, count, attempts, error FROM notifications")
    assert found == [("dead", 1, 0, "its alerts are no longer stored")]
    assert bench.waiting() == {}


def test_when_the_last_messages_were_told_or_are_to_be(bench):
    for after in (5, 1, 9):
        bench.alert(("chat", None, after), ("mail", None, 0))
    bench.told.settle("chat", done=[1])
    assert [(at - NOW) // SECOND for at in bench.told.taken("chat", 2)] == [5, 9]
    assert bench.told.taken("none", 2) == []


def test_the_same_message_begins_once(bench):
    bench.alert(("chat", None, 0))
    again = NewNotification("chat", "a1", "n-a1-chat", "alert", NOW)
    bench.store.commit(Commit(notifications=[again]))
    assert (len(bench.due()), bench.waiting()) == (1, {"chat": (1, 7)})


class Model(RuleBasedStateMachine):
    """The tables against a plain list of messages: [status, key, due, meant, number of alerts]."""

    outputs = st.sampled_from(["chat", "mail"])

    def __init__(self):
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self._folder.name), buffers={"chat": Buffer(max_bytes=100, when_full="dead_letter")})
        self.known, self.numbers = {"chat": [], "mail": []}, []

    def teardown(self):
        self.bench.store.close()
        self._folder.cleanup()

    def of(self, output, *statuses):
        return [one for one in self.known[output] if one["status"] in statuses]

    def held(self, output):
        return sum(one["size"] for one in self.of(output, "open", "waiting"))

    @rule(output=outputs, key=st.sampled_from([None, "a", "b"]), after=st.integers(0, 3))
    def alert(self, output, key, after):
        full = output == "chat" and self.held(output) + 7 > 100
        assert self.bench.alert((output, key, after)).overflowed == ({"chat": 1} if full else {})
        if full:
            return
        lying = [one for one in self.of(output, "open") if one["key"] == key]
        if key is not None and lying:
            lying[0]["count"] += 1
            lying[0]["size"] += 7
            return
        due = self.bench.clock.now + after * SECOND
        one = {"seq": len(self.numbers) + 1, "status": "open" if key else "waiting", "key": key, "due": due, "meant": due}
        one |= {"count": 1, "size": 7}
        self.numbers.append(one)
        self.known[output].append(one)

    @rule(output=outputs)
    def due(self, output):
        for one in self.of(output, "open"):
            if one["due"] <= self.bench.clock.now:
                one["status"] = "waiting"
        ready = [one for one in self.of(output, "waiting") if one["due"] <= self.bench.clock.now]
        assert self.bench.due(output) == [(one["seq"], "digest" if one["key"] else "alert", one["count"]) for one in ready]

    @rule(output=outputs, data=st.data(), what=st.sampled_from(["done", "retry", "dead"]))
    def settle(self, output, data, what):
        ready = self.of(output, "waiting", "delivered", "dead")
        if not ready:
            return
        one, again = data.draw(st.sampled_from(ready)), self.bench.clock.now + 2 * SECOND
        given = {"done": [one["seq"]], "retry": [(one["seq"], again, "busy")], "dead": [(one["seq"], "no")]}[what]
        self.bench.told.settle(output, **{what: given})
        if one["status"] == "waiting":
            one |= {"due": again} if what == "retry" else {"status": "delivered" if what == "done" else "dead"}

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds):
        self.bench.clock.now += seconds * SECOND

    @rule(output=outputs)
    def a_long_time_passes(self, output):
        self.bench.clock.now += 5 * DAY
        late = [one for one in self.of(output, "waiting") if one["meant"] < self.bench.clock.now - 7 * DAY]
        assert self.bench.told.expire(output) == len(late)
        for one in late:
            one["status"] = "dead"

    @rule()
    def awaken(self):
        self.bench.told.awaken(self.bench.clock.now)
        for output in self.known:
            for one in self.of(output, "waiting"):
                one["due"] = min(one["due"], self.bench.clock.now)

    @rule(output=outputs)
    def drop(self, output):
        assert self.bench.store.drop_output(output) == len(self.of(output, "open", "waiting"))
        for one in self.of(output, "open", "waiting"):
            one["status"] = "dead"

    @rule()
    def reopen(self):
        self.bench.store.close()
        self.bench.open()

    @invariant()
    def it_is_as_the_model_says(self):
        for output in self.known:
            waits = self.of(output, "open", "waiting")
            assert self.bench.waiting().get(output, (0, 0)) == (len(waits), self.held(output))
            assert self.bench.told.next_due(output) == min((one["due"] for one in waits), default=None)
        found = self.bench.store._database.rows("SELECT seq, status, count FROM notifications ORDER BY seq")
        assert found == [(one["seq"], one["status"], one["count"]) for one in self.numbers]


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
