from __future__ import annotations

import msgspec
import pytest

from pluginhost.engine.gate import START, check, rows
from pluginhost.engine.loader import Bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.splitter import slices
from pluginhost.problem import Problem

HEAD = """\
from pluginhost import Alert, SlidingCount, Timers, analyzer

@analyzer(where="a:1", key="k")
def probe(event, window: SlidingCount = SlidingCount("10s"), limit: int = 2):
    if window.add(event) == limit:
        return Alert("high", "seen " + event["m"])

A, NO_M = {"a": 1, "k": "x", "m": "me"}, {"a": 1, "k": "x"}
"""
MAPPINGS = mappings()


def passed(*examples: str, options=None, head=HEAD):
    return check(Bundle("p", "/x/p.py", head + "\n".join(examples), {}), options or {}, MAPPINGS)


@pytest.mark.parametrize(
    "example",
    [
        "probe.fires_on([A, A])", "probe.fires_on([A] * 4, alerts=1)", "probe.fires_on([A] * 3, limit=3)", "probe.fires_on([A], limit='1')",
        "probe.quiet_on([A])", "probe.quiet_on(A)", "probe.quiet_on([A, A], every='10s')", "probe.quiet_on([A, {**A, 'k': 'y'}])",
        "probe.quiet_on('text')", "probe.quiet_on([])", "probe.survives([A] * 5)", "probe.survives([{}, 'x', {'a': [1]}])",
    ],
)  # fmt: skip
def test_an_example_that_comes_out_as_it_says(example):
    (info,) = passed(example).analyzers
    assert (info.name, info.examples, info.options, info.shape, info.key) == ("probe", 1, {"limit": 2}, "window:SlidingCount/2", ("k",))


@pytest.mark.parametrize(
    ("example", "page"),
    [
        ("probe.fires_on([A, {'a': 1}, {'a': 2}])",
         "analyzer.example: probe: expected an alert, got none; 2 of 3 records matched `where`, 1 of them without the key k"),
        ("probe.quiet_on([A] * 3)",
         "analyzer.example: probe: expected no alert, got 1, the first at record 2: seen me; 3 of 3 records matched `where`"),
        ("probe.fires_on([A] * 3, alerts=2)",
         "analyzer.example: probe: expected 2 alerts, got 1, the first at record 2: seen me; 3 of 3 records matched `where`"),
        ("probe.fires_on([A, A, {**A, 'k': 'y'}] * 2, alerts=1)",
         "analyzer.example: probe: expected 1 alerts, got 2, the first at record 2: seen me; 6 of 6 records matched `where`"),
        ("probe.fires_on(A, limt=1)", "config.unknown: probe: an example's options.limt: probe has no option `limt`"),
        ("probe.fires_on(A, limit='x')", "config.value: probe: an example's options.limit: expected `int`, got text"),
        ("probe.fires_on([5])", "analyzer.example: probe: an example that is no text or record: 'int' object is not iterable"),
        ("probe.fires_on({'a': object()})",
         "analyzer.example: probe: an example that is no text or record: Encoding objects of type object is unsupported"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_shown_with_its_line(example, page):
    with pytest.raises(Problem) as caught:
        passed("", example)
    assert caught.value.page().split("\n")[:3] == [page, "  /x/p.py:10", f"    {example}"]


@pytest.mark.parametrize("want", ["fires_on", "quiet_on", "survives"])
def test_one_at_which_the_analyzer_raises_shows_the_line_that_raised(want):
    with pytest.raises(Problem) as caught:
        passed("", f"probe.{want}([NO_M] * 2)")
    assert caught.value.page() == (
        "analyzer.example: probe: MissingField: the record has no field `m`; event.get(`m`) gives None instead, "
        "at record 2 of the example in line 10\n"
        "  /x/p.py:6:40\n    return Alert(\"high\", \"seen \" + event[\"m\"])\n                                   ^^^^^^^^^^"
    )


def test_every_example_is_looked_at_and_the_first_that_fails_is_told():
    with pytest.raises(Problem) as caught:
        passed("probe.fires_on([A] * 2)", "probe.quiet_on([A] * 2)", "probe.fires_on([])")
    assert caught.value.where.line == 10


def test_configured_options_hold_in_the_examples():
    assert passed("probe.fires_on([A] * 3)", options={"probe": {"limit": 3}}).options == {"probe": {"limit": 3}}
    with pytest.raises(Problem, match=r"\$\.options\.probe\.limit: expected `int`"):
        passed(options={"probe": {"limit": []}})
    with pytest.raises(Problem, match=r"(?s)\$\.options\.probe\.limt: probe has no option `limt`.*did you mean `limit`\?"):
        passed(options={"probe": {"limt": 1}})


TIMED = """\
from pluginhost import Alert, Timers, analyzer

@analyzer(key="k")
class Silent:
    timers: Timers = Timers()
    def on_event(self, event):
        self.timers.set("silence", event.time + 60_000_000_000)
    def on_timer(self, timer):
        return Alert("low", "silent")

"""


def test_time_goes_on_after_the_last_record_by_the_wait():
    passed("Silent.fires_on([{'k': 1}] * 3, wait='60s', alerts=1).quiet_on({'k': 1}, wait='58s')", head=TIMED)


def test_records_of_an_example_are_those_of_a_shipper():
    row = rows(["text", {"a": 1}], START, 5_000_000_000, "app.auth")
    one, other = slices(row)
    assert [msgspec.msgpack.decode(each.raw) for each in (one, other)] == [{"message": "text"}, {"a": 1}]
    assert (one.time, other.time, other.arrival, one.tag) == (START, START + 5_000_000_000, START + 5_000_000_000, "app.auth")
    assert slices(rows([], START, 1, "x")) == []
