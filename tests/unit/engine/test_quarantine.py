"""Who is taken out, for what, for how long, and how it comes back. Time is an argument."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost.engine.quarantine import Decision, Entry, Quarantine
from pluginhost.engine.sampling import Spent

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def fresh(**given):
    made = Quarantine(**{"rate": 0.5, "budget": 1.0, "first": MINUTE, **given})
    made.running({"a": "1", "b": "1"})
    return made


def spent(seconds, offset=1, records=1, analyzer="a"):
    return Spent(analyzer, offset, seconds, 0, records - 1)


class TestFailures:
    def test_nothing_is_decided_over_fewer_calls_than_a_rate_needs(self):
        one = fresh()
        one.counted("a", 99, 99, 0)
        assert one.decisions(0) is None
        one.counted("a", 1, 1, 5, "ValueError: boom")
        entry = Entry("100 of 100 calls failed, the last with ValueError: boom", 5, MINUTE + 5, 1, "1")
        assert one.decisions(5) == Decision({"a": entry}, ())
        assert one.active() == {"a": entry}
        assert one.decisions(6) is None

    @pytest.mark.parametrize(("failed", "out"), [(50, False), (51, True)])
    def test_the_rate_itself_is_allowed(self, failed, out):
        one = fresh()
        one.counted("a", 100, failed, 0)
        assert ("a" in one.active()) is out

    def test_what_went_well_long_ago_does_not_outweigh_what_fails_now(self):
        one = fresh()
        one.counted("a", 100_000, 0, 0)
        one.counted("a", 100, 100, 1)
        assert "a" in one.active()

    def test_one_says_nothing_of_another(self):
        one = fresh()
        one.counted("a", 100, 100, 0)
        one.counted("b", 100, 0, 0)
        assert one.active().keys() == {"a"}


class TestComingBack:
    def enter(self, one, now):
        one.counted("a", 100, 100, now)
        return one.decisions(now).quarantine["a"]

    def test_it_comes_out_on_probation_when_its_time_is_over(self):
        one = fresh()
        self.enter(one, 0)
        assert one.decisions(MINUTE - 1) is None
        assert one.decisions(MINUTE) == Decision({}, ("a",))
        assert one.active() == {}
        assert one.decisions(MINUTE) is None

    def test_on_probation_ten_calls_are_enough_and_it_takes_twice_as_long_up_to_an_hour(self):
        one, now, lasted = fresh(), 0, []
        self.enter(one, 0)
        for _ in range(9):
            entry = one.active()["a"]
            lasted.append((entry.until - entry.since) // MINUTE)
            now = entry.until
            assert one.decisions(now) == Decision({}, ("a",))
            one.counted("a", 9, 9, now)
            assert one.decisions(now) is None
            one.counted("a", 1, 1, now)
            assert one.decisions(now).quarantine.keys() == {"a"}
        assert lasted == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    def test_probation_ends_after_a_hundred_calls_that_went_well_and_is_forgotten(self):
        one = fresh()
        self.enter(one, 0)
        one.decisions(MINUTE)
        one.counted("a", 50, 2, MINUTE)
        assert one.entries.keys() == {"a"}
        one.counted("a", 50, 2, MINUTE)
        assert one.entries == {}
        assert self.enter(one, HOUR).times == 1

    def test_on_probation_a_first_row_over_budget_or_death_is_one_too_many(self):
        for misdeed in (lambda one: one.spent(0, spent(1.1), MINUTE), lambda one: one.died("a", 3, MINUTE)):
            one = fresh()
            self.enter(one, 0)
            one.decisions(MINUTE)
            misdeed(one)
            assert one.decisions(MINUTE).quarantine["a"].times == 2

    def test_what_is_still_heard_of_one_that_is_out_changes_nothing(self):
        one = fresh()
        before = self.enter(one, 0)
        one.counted("a", 1000, 1000, 5)
        one.spent(0, spent(4.0), 5)
        assert one.decisions(5) is None
        assert one.active() == {"a": before}

    def test_a_worker_that_does_not_get_as_far_as_the_quarantine_begins_it_earlier(self):
        one = fresh()
        before = self.enter(one, 0)
        one.died("a", 7, 5)
        assert one.decisions(5) == Decision({"a": msgspec.structs.replace(before, row=7)}, ())
        one.died("a", 6, 6)
        assert one.decisions(6) is None
        assert one.decisions(MINUTE) == Decision({}, ("a",))

    def test_a_release_by_hand_forgets_everything(self):
        one = fresh()
        self.enter(one, 0)
        assert one.release(["a", "b"]) == ("a",)
        assert one.entries == {}
        one.counted("a", 99, 99, 1)
        assert one.decisions(1) is None

    def test_a_new_version_or_none_at_all_is_out_no_longer(self):
        one = fresh()
        self.enter(one, 0)
        assert one.running({"a": "1", "b": "2"}) == ()
        assert one.running({"a": "2", "b": "2"}) == ("a",)
        self.enter(one, 1)
        assert one.running({"b": "2"}) == ("a",)
        one.counted("a", 100, 100, 2)  # a late word of one that runs no longer
        assert one.active() == {}

    def test_another_start_goes_on_where_the_last_one_was(self):
        one = fresh()
        self.enter(one, 0)
        stored = msgspec.json.decode(msgspec.json.encode(one.entries), type=dict[str, Entry])
        again = fresh(entries=stored)
        assert again.active() == one.active()
        assert again.decisions(1) is None
        assert again.decisions(MINUTE) == Decision({}, ("a",))


class TestBudget:
    def test_three_rows_over_budget_within_an_hour_are_too_many(self):
        one = fresh()
        assert one.spent(0, spent(1.0, 1), 0) is None
        assert one.spent(0, spent(1.1, 1), 0) == "took 1.1 s for its part of row 1; its budget is 1.0 s"
        assert one.spent(0, spent(1.9, 1), 0) is None  # told already
        assert one.spent(1, spent(1.5, 1), 1) is not None  # another worker's part of the row
        assert one.decisions(1) is None
        assert one.spent(0, spent(1.2, 2), 2) is not None
        assert one.decisions(2).quarantine["a"].reason == "took 1.2 s for its part of row 2; its budget is 1.0 s, and so 3 times"

    def test_strikes_are_forgotten_after_an_hour(self):
        one = fresh()
        for n in range(20):
            one.spent(0, spent(1.1, n), n * (HOUR // 2 + 1))
        assert one.decisions(20 * HOUR) is None

    def test_five_times_the_budget_is_too_long_at_once(self):
        one = fresh()
        one.spent(0, spent(5.0), 0)
        assert one.decisions(0) is None
        one.spent(0, spent(5.1), 0)
        assert one.decisions(0).quarantine["a"].row == 1

    def test_a_large_row_may_take_as_long_as_many_small_ones(self):
        one = fresh()
        assert one.spent(0, spent(19.0, records=20_000), 0) is None
        assert one.spent(0, spent(21.0, records=20_000), 0) == "took 21.0 s for its part of row 1; its budget is 20.0 s"

    def test_no_budget_is_no_bound(self):
        one = fresh(budget=0.0)
        assert one.spent(0, spent(1e6), 0) is None
        assert one.decisions(0) is None


def test_the_third_death_within_an_hour_is_one_too_many():
    one = fresh()
    for now in (0, HOUR - 1, HOUR + 1):
        one.died("a", 9, now)
    assert one.decisions(HOUR + 1) is None
    one.died("a", 9, HOUR + 2)
    entry = one.decisions(HOUR + 2).quarantine["a"]
    assert (entry.reason, entry.row) == ("its worker ended in it 3 times", 9)
