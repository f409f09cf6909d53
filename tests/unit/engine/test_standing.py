"""What holds at a row beside the policy: mutes and lists hold from their rows on, and what no commit has kept holds for nobody."""

from __future__ import annotations

import pytest

from pluginhost.engine.splitter import Control, control_row, tick_row
from pluginhost.engine.standing import Standing, mute_of
from pluginhost.problem import Problem
from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.mutes import StoredMute

DAY = 86_400 * 10**9
NOW = 1_800_000_000 * 10**9


def laid(name, since=NOW, until=NOW + DAY, **more):
    return StoredMute(name, since, until, **more)


class Bench:
    """A standing over a real store; `pass_to` does what the desk does with one commit."""

    def __init__(self, path):
        self.path, self.asked = path, []
        self.start, self.rows = 0, []
        self.open()

    def lists(self, generation):
        self.asked.append(generation)
        return {"generation": generation}

    def open(self):
        """As after a restart: what lies behind the position comes again."""
        self.store = AlertStore(self.path / "alerts.db", clock=lambda: NOW)
        self.standing = Standing(self.store.mutes, self.lists, self.start)
        for row in self.rows[self.start :]:
            self.standing.seen(row)

    def row(self, control=None):
        """One more row of the journal; gives its offset."""
        row = tick_row(0) if control is None else control_row(control)
        row.offset = len(self.rows)
        self.rows.append(row)
        self.standing.seen(row)
        return row.offset

    def held(self, *offsets):
        """(mutes, generation of the lists) at rows, in one look that comes to nothing."""
        look = self.standing.look()
        return [shown(look.at(offset)) for offset in offsets]

    def pass_to(self, frontier, *offsets, commit=True):
        with self.store.turn():
            look = self.standing.look()
            found = [shown(look.at(offset)) for offset in offsets]
            look.until(frontier)
            look.keep(self.store.mutes)
            if not commit:
                raise OSError("no room")
            self.store.commit(Commit(positions={0: frontier}))
        self.standing.took(look, frontier)
        self.start = frontier
        return found


def shown(held):
    return " ".join(one.name for one in held.mutes), held.lists.get("generation", 0)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_mutes_and_lists_hold_behind_their_rows_in_one_look_and_over_many(bench):
    for control in (Control(1), Control(mute=laid("a")), None, Control(mute=laid("b")), Control(2), Control(unmute="a"), None):
        bench.row(control)
    expected = [("", 0), ("", 1), ("a", 1), ("a", 1), ("a b", 1), ("a b", 2), ("b", 2), ("b", 2)]
    assert bench.held(*range(8)) == expected
    assert [one for offset in range(7) for one in bench.pass_to(offset + 1, offset)] == expected[:7]
    assert bench.held(7) == expected[7:]
    assert [(one.name, one.row, one.ended) for one in bench.store.mutes.all()] == [("a", 1, 5), ("b", 3, None)]


@pytest.mark.parametrize("start", range(8))
def test_after_a_restart_anywhere_the_same_holds(bench, start):
    for control in (Control(1), Control(mute=laid("a")), None, Control(mute=laid("b")), Control(2), Control(unmute="a"), None):
        bench.row(control)
    if start:
        bench.pass_to(start)
    expected = bench.held(*range(start, 8))
    bench.open()
    assert bench.held(*range(start, 8)) == expected
    assert bench.held(7) == [("b", 2)]


def test_the_lists_are_known_when_the_row_that_brought_them_is_long_gone(bench):
    bench.row(Control(7))
    bench.row()
    bench.pass_to(2)
    bench.rows[0] = None
    bench.open()
    assert bench.held(2) == [("", 7)]


def test_in_a_store_that_was_brought_forward_the_journal_says_which_lists_hold(bench):
    for control in (Control(4), Control(5), Control(mute=laid("a"))):
        row = control_row(control)
        row.offset = len(bench.rows)
        bench.standing.recall(row)
    assert bench.held(9) == [("", 5)]


def test_a_commit_that_fails_takes_nothing_over(bench):
    bench.row(Control(1))
    bench.row(Control(mute=laid("a")))
    with pytest.raises(OSError, match="no room"):
        bench.pass_to(2, commit=False)
    assert (bench.held(0, 2), bench.store.mutes.all()) == ([("", 0), ("a", 1)], [])
    assert bench.pass_to(2, 1, 2) == [("", 1), ("a", 1)]
    assert [one.name for one in bench.store.mutes.all()] == ["a"]
    bench.row(Control(unmute="a"))
    with pytest.raises(OSError, match="no room"):
        bench.pass_to(3, commit=False)
    assert bench.held(2, 3) == [("a", 1), ("", 1)]


def test_a_mute_laid_again_stands_behind_those_laid_since_also_after_a_restart(bench):
    for control in (Control(mute=laid("a")), Control(mute=laid("b")), Control(mute=laid("a", NOW + 1))):
        bench.row(control)
    bench.pass_to(3)
    assert bench.held(3) == [("b a", 0)]
    bench.open()
    assert bench.held(3) == [("b a", 0)]


def test_ending_what_is_not_there_is_nothing_and_twice_is_once(bench):
    for control in (Control(mute=laid("a")), Control(unmute="a"), Control(unmute="a"), Control(unmute="x"), Control(mute=laid("a"))):
        bench.row(control)
    assert bench.pass_to(5, 1, 2, 3, 5) == [("a", 0), ("", 0), ("", 0), ("a", 0)]
    assert [(one.name, one.row, one.ended) for one in bench.store.mutes.all()] == [("a", 4, None)]
    bench.open()
    assert bench.held(5) == [("a", 0)]


def test_mutes_long_over_are_forgotten_when_another_is_laid_and_the_same_after_a_restart(bench):
    """By what stands in the journal only: a record that comes late is muted in every replay, or in none."""
    for n in range(50):
        bench.row(Control(mute=laid(f"m{n}", NOW + n * DAY, NOW + n * DAY + 1)))
    bench.pass_to(50)
    assert bench.held(50) == [("m48 m49", 0)]
    bench.open()
    assert bench.held(50) == [("m48 m49", 0)]
    assert len(bench.store.mutes.all()) == 50


def test_a_query_that_only_another_version_could_read_mutes_nothing_and_stops_nobody(bench):
    bench.row(Control(mute=laid("odd", query="a:(((")))
    bench.row(Control(mute=laid("b", query="user.name:ann")))
    assert bench.pass_to(2, 2) == [("b", 0)]
    with bench.store.turn():
        bench.store.mutes.put(laid("odd", query="a:(((", row=0))
        bench.store.commit(Commit())
    bench.open()
    assert bench.held(2) == [("b", 0)]
    with pytest.raises(Problem):
        mute_of(laid("odd", query="a:((("))


def test_rows_that_say_nothing_of_it_are_passed_over(bench):
    for control in (Control(quarantine=("x",)), Control(skip=("x", 1, 2)), Control(release=("x",)), None):
        bench.row(control)
    assert bench.standing.pending() == ()
