from __future__ import annotations

import inspect
from typing import Literal

import pytest

from pluginhost import Alert, Derived, Event, FirstSeen, SlidingCount, Table, Timers, analyzer
from pluginhost.detect.declaration import Analyzer
from pluginhost.options import Duration
from pluginhost.problem import Place, Problem


def line() -> int:
    return inspect.currentframe().f_back.f_lineno


def test_a_function_with_all_that_it_can_say():
    @analyzer(where="a:1", key=["user.name", "source.ip"], tags="auth.*", group="user.name", keys=7)
    def many_logins(event: Event, seen: FirstSeen = FirstSeen("1d"), table: Table = Table("t"), limit: int = 5,
                    mode: Literal["a", "b"] = "a", wait: Duration = Duration(5)) -> Alert | None:  # fmt: skip
        """Too many logins.

        And more.
        """

    assert (many_logins.name, many_logins.title, many_logins.doc) == ("many_logins", "Too many logins", "Too many logins.\n\nAnd more.")
    declared = many_logins.declared
    assert (declared.key, declared.tags, declared.group, declared.keys) == (("user.name", "source.ip"), ("auth.*",), ("user.name",), 7)
    assert (list(many_logins.states), list(many_logins.tables)) == (["seen"], ["table"])
    assert {name: (one.kind, one.default) for name, one in many_logins.options.items()} == {
        "limit": (int, 5), "mode": (Literal["a", "b"], "a"), "wait": (Duration, Duration(5)),
    }  # fmt: skip
    assert (many_logins.shape, many_logins.has_timers) == ("seen:FirstSeen/1", False)


def test_a_class_with_timers_in_annotated_bare_and_inherited_state():
    class Common:
        limit: int = 3
        window = SlidingCount("10s")

    @analyzer(key="host.name")
    class QuietHost(Common):
        wait: str = "5m"
        timers: Timers = Timers()

        def on_event(self, event: Event) -> None: ...
        def on_timer(self, timer: object) -> None: ...

    assert (QuietHost.name, QuietHost.title) == ("quiet_host", "quiet host")
    assert (sorted(QuietHost.states), sorted(QuietHost.options)) == (["timers", "window"], ["limit", "wait"])
    assert (QuietHost.shape, QuietHost.has_timers) == ("timers:Timers/1,window:SlidingCount/2", True)


def test_the_least_that_can_be_said():
    @analyzer
    def seen(event): ...

    assert (seen.name, seen.doc, seen.title, seen.shape) == ("seen", "", "seen", "")
    assert seen.declared.group == ()


def test_the_group_is_the_key_where_nothing_else_is_said():
    assert analyzer(key="a", name="x")(lambda event: None).declared.group == ("a",)


def no_default(event, limit): ...
def Bad(event): ...  # noqa: N802
def ok(event): ...
def no_event(): ...
def counts(event, window=SlidingCount("1m")): ...
def waits(event, timers=Timers()): ...


class NoHandler: ...


class TwoTimers:
    one: Timers = Timers()
    two: Timers = Timers()

    def on_event(self, event): ...
    def on_timer(self, timer): ...


@pytest.mark.parametrize(
    ("body", "given", "code", "what"),
    [
        (no_default, {}, "analyzer.parameter", "no_default: the parameter `limit` has no default"),
        (ok, {"name": "Über"}, "analyzer.name", "`Über` is no name for an analyzer"),
        (ok, {"name": "a" * 65}, "analyzer.name", None),
        (NoHandler, {}, "analyzer.handler", "the class no_handler has no method on_event"),
        (no_event, {}, "analyzer.handler", "no_event takes no event"),
        (counts, {}, "analyzer.stateless", "counts keeps state but has no key"),
        (counts, {"key": "a", "keys": 0}, "analyzer.keys", "counts may remember 0 keys"),
        (waits, {"key": "a"}, "analyzer.timers", "waits sets timers but has no method on_timer"),
        (TwoTimers, {"key": "a"}, "analyzer.timers", "two_timers has several Timers"),
    ],
)
def test_a_mistake_is_told_at_the_line_of_the_decorator(body, given, code, what):
    at = line() + 2
    with pytest.raises(Problem) as caught:
        analyzer(**given)(body)
    problem = caught.value
    assert (problem.code, what in (None, problem.what)) == (code, True), problem.what
    assert problem.where == Place(__file__, at)
    assert problem.todo


def test_pinned_state_needs_no_key():
    assert analyzer(pinned=True)(counts).states.keys() == {"window"}


def test_a_query_that_does_not_parse_names_the_analyzer_and_shows_where():
    with pytest.raises(Problem) as caught:
        analyzer(where="a:(b OR", name="odd")(ok)
    assert caught.value.what.startswith("odd: where: ")
    assert caught.value.where.text == "a:(b OR"


def test_examples_are_recorded_with_their_line():
    made = analyzer(ok)
    at = line() + 1
    made.fires_on("text", tag="x", alerts=2, limit=3)
    made.quiet_on([{"a": 1}, "b"], every="5m", wait="1h").survives([])
    fires, quiet, survives = made.examples
    assert (fires.want, fires.records, fires.every, fires.wait, fires.tag, fires.alerts) == ("fires", ("text",), 10**9, 0, "x", 2)
    assert (fires.options, fires.where) == ({"limit": 3}, Place(__file__, at))
    assert (quiet.want, quiet.records, quiet.every, quiet.wait) == ("quiet", ({"a": 1}, "b"), 300 * 10**9, 3600 * 10**9)
    assert (quiet.where.line, quiet.tag, survives.want, survives.records) == (at + 1, "example", "survives", ())


def test_the_decorator_gives_an_analyzer():
    assert isinstance(analyzer(ok), Analyzer)
    assert isinstance(analyzer()(ok), Analyzer)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"severity": "urgent", "message": "x"}, "severity is one of low, medium, high, critical, not 'urgent'"),
        ({"severity": "low", "message": ""}, "an alert needs a message"),
        ({"severity": "low", "message": b"x"}, "an alert needs a message"),
        ({"severity": "low", "message": "x", "risk": 101}, "risk is a number from 0 to 100, not 101"),
        ({"severity": "low", "message": "x", "risk": float("nan")}, "risk is a number from 0 to 100, not nan"),
    ],
)
def test_no_alert_is_made_of_nonsense(given, told):
    with pytest.raises(ValueError, match=told):
        Alert(**given)


def test_techniques_and_derived_records():
    assert [Alert("low", "x", given).techniques for given in ("", "T1", ["T1", "T2"])] == [("",), ("T1",), ("T1", "T2")]
    assert Alert("low", "x").techniques == ()
    assert Derived("t", {}).time is None
