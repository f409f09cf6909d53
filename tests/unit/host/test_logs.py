"""Lines that cannot be forged and cannot flood."""

from __future__ import annotations

import io
import json
import logging

import pytest

from pluginhost.host.logs import Calm, JsonLines, TextLines, speak

EVIL = "a\x1b[31mb\u202ec\x9bd\x00e"


def record(text, *values, level=logging.WARNING, name="pluginhost.x"):
    return logging.LogRecord(name, level, "file.py", 1, text, values, None)


class Told:
    """What comes through a `Calm` under a clock that the test moves."""

    def __init__(self, **options):
        self.now, self.lines, self.timers = 0.0, [], []
        self.calm = Calm(self.keep, clock=lambda: self.now, later=lambda seconds, call: self.timers.append((seconds, call)), **options)

    def keep(self, one):
        self.lines.append(one.getMessage())

    def say(self, text, *values, **options):
        one = record(text, *values, **options)
        if self.calm.filter(one):
            self.keep(one)


class TestForms:
    def test_a_text_line_has_time_level_and_nothing_a_terminal_acts_on(self):
        line = TextLines().format(record("peer %s", EVIL))
        assert line[8:] == r"  warning  peer a\x1b[31mb\u202ec\x9bd\x00e"

    def test_a_line_feed_in_a_message_begins_no_line_of_ours(self):
        lines = TextLines().format(record("a page\nof two lines\r00:00:00  info  forged")).split("\n")
        assert lines[1] == " " * 19 + r"of two lines\x0d00:00:00  info  forged"

    def test_json_is_one_line_of_ascii(self):
        line = JsonLines().format(record("peer %s – ☃ \U0001f600\nmore", EVIL))
        assert line.isascii()
        assert line.isprintable()
        said = json.loads(line)
        assert said.keys() == {"time", "level", "logger", "message"}
        assert (said["level"], said["logger"]) == ("warning", "pluginhost.x")
        assert said["message"] == "peer a\\x1b[31mb\\u202ec\\x9bd\\x00e – ☃ \U0001f600\nmore"
        assert said["time"].endswith("Z")

    def test_a_traceback_comes_along(self):
        try:
            raise ValueError(EVIL)
        except ValueError as error:
            one = logging.LogRecord("x", logging.ERROR, "f", 1, "oh", (), (ValueError, error, error.__traceback__))
        assert json.loads(JsonLines().format(one))["message"].endswith("ValueError: a\\x1b[31mb\\u202ec\\x9bd\\x00e")
        assert "\x1b" not in TextLines().format(one)


class TestCalm:
    def test_the_same_warning_comes_once_and_then_its_number(self):
        told = Told()
        for _ in range(1000):
            told.say("peer %s broke off", "1.2.3.4")
        assert told.lines == ["peer 1.2.3.4 broke off"]
        told.now = 10.0
        (seconds, flush), = told.timers
        flush()
        assert seconds == 10.0
        assert told.lines[1:] == ["… 999 more like this in the last 10 s: peer 1.2.3.4 broke off"]
        told.say("peer %s broke off", "1.2.3.4")
        assert told.lines[2:] == ["peer 1.2.3.4 broke off"]

    def test_nothing_is_summed_up_where_nothing_was_held_back(self):
        told = Told()
        told.say("a")
        told.now = 10.0
        told.say("b")
        assert told.lines == ["a", "b"]

    def test_of_one_template_a_few_that_differ_are_told(self):
        told = Told()
        for number in range(100):
            told.say("peer %s broke off", number)
        assert told.lines == [f"peer {number} broke off" for number in range(5)]
        told.now = 10.0
        told.say("another thing")
        assert told.lines[5:] == ["… 95 more like this in the last 10 s: peer 0 broke off", "another thing"]

    def test_templates_loggers_and_levels_are_apart(self):
        told = Told()
        for name in ("a", "b"):
            for level in (logging.WARNING, logging.ERROR):
                told.say("the same", level=level, name=name)
                told.say("the same", level=level, name=name)
        assert told.lines == ["the same"] * 4

    def test_information_always_passes(self):
        told = Told()
        for _ in range(20):
            told.say("listening", level=logging.INFO)
        assert len(told.lines) == 20
        assert told.timers == []

    def test_the_timer_goes_on_while_something_is_held_and_ends_then(self):
        told = Told()
        told.say("a")
        told.say("a")
        told.now = 5.0
        told.say("b")
        told.say("b")
        assert len(told.timers) == 1
        told.now = 10.0
        told.timers.pop()[1]()
        assert len(told.timers) == 1
        told.now = 20.0
        told.timers.pop()[1]()
        assert told.timers == []
        assert [line for line in told.lines if "more" in line] == ["… 1 more like this in the last 10 s: a",
                                                                   "… 1 more like this in the last 15 s: b"]  # fmt: skip

    def test_memory_is_bounded(self):
        told = Told()
        for number in range(5000):
            told.say(f"template {number}")
            told.say(f"template {number}")
        assert len(told.calm._heard) <= 1024
        assert sum("more like this" in line for line in told.lines) >= 5000 - 1024  # what was pushed out is still told


@pytest.fixture
def stream():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before, level


def test_the_configured_form_and_level_hold(stream):
    speak("json", "warning", stream)
    log = logging.getLogger("pluginhost.x")
    log.info("not this")
    for _ in range(3):
        log.warning("this, %s", "once")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["this, once"]
