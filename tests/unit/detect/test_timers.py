from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, at

from pluginhost.detect.timers import Absence, Timers
from pluginhost.engine.gate import check
from pluginhost.engine.loader import Bundle
from pluginhost.events.mapping import Mappings
from pluginhost.problem import Problem


def test_timers_are_set_moved_and_cancelled():
    timers = Timers()
    timers.set("a", 5)
    timers.set("b", 6)
    timers.set("a", 7)
    assert (timers.due("a"), timers.due("c")) == (7, None)
    assert timers.moved() == [("a", 5), ("b", 6), ("a", 7)]
    assert timers.moved() == []
    assert (timers.cancel("a"), timers.cancel("a"), timers.dump()) == (True, False, {"b": 6})


def test_timers_that_were_loaded_have_moved():
    timers = Timers()
    timers.load({"a": 5})
    assert timers.moved() == [("a", 5)]


@pytest.mark.parametrize(("name", "due"), [("a", "5m"), ("a", None), ("a", 1.5), ("a", -1), ("a", 1 << 63), (5, 5), (None, 5)])
def test_what_is_no_timer_is_refused_at_the_authors_line(name, due):
    timers = Timers()
    with pytest.raises(TypeError, match="a timer is a name and a time in ns UTC"):
        timers.set(name, due)
    assert timers.dump() == {}


@given(st.lists(st.integers(0, 100), min_size=1))
def test_silence_begins_after_the_newest_sign_of_life_in_any_order(seconds):
    silence = Absence("1h")
    dues = [silence.heard(at(second)) for second in seconds]
    assert dues == [at(max(seconds[: n + 1])).time + 3600 * SECOND for n in range(len(seconds))]
    assert silence.due("silent") == dues[-1]


def test_a_silence_beyond_all_time_is_not_waited_for():
    silence, event = Absence("1h"), at(0)
    event.time = (1 << 63) - 1
    silence.heard(event)
    assert silence.dump() == {}


QUIET = '''
from pluginhost import Absence, Alert, Event, Timer, analyzer

@analyzer(where="event.action:heartbeat", key="host.name")
class quiet_host:
    """A host that was heard and fell silent."""

    silence: Absence = Absence("1h")

    def on_event(self, event: Event) -> None:
        self.silence.heard(event)

    def on_timer(self, timer: Timer) -> Alert:
        return Alert("low", f"not heard since {(timer.due - self.silence.span) // 10**9}")

BEAT = {"event": {"action": "heartbeat"}, "host": {"name": "web1"}}
quiet_host.fires_on(BEAT, wait="61m", alerts=ALERTS).quiet_on(BEAT, wait="59m").quiet_on([BEAT] * 10, every="30m")
'''


def test_the_silence_of_a_key_is_told_once_by_the_real_engine():
    (one,) = check(Bundle("shown", "shown.py", QUIET.replace("ALERTS", "1"), {}), {}, Mappings()).analyzers
    assert (one.examples, one.shape) == (3, "silence:Absence/1")
    with pytest.raises(Problem, match="expected 2 alerts, got 1"):
        check(Bundle("shown", "shown.py", QUIET.replace("ALERTS", "2"), {}), {}, Mappings())
