"""Frames of `pluginhost top`: what they tell, and that they fit."""

from __future__ import annotations

import click
import pytest

from pluginhost.cli.top import Look, frame

INPUT, JOURNAL, OUTPUT = ("input", "http", "http"), ("journal", "journal", "journal"), ("output", "http", "es")


def look(at, n, *, analyzers=("a",), also=None):
    """A host that has received `n` records by `at`."""
    of = {
        ("build_info", "1.2", "3.11"): 1, ("uptime_seconds",): 7320, ("generation",): 4, ("ready",): 1,
        ("component_received_events_total", *INPUT): n, ("component_received_bytes_total", *INPUT): n * 100,
        ("component_errors_total", *INPUT, "receiving", "busy"): 2, ("component_errors_total", *INPUT, "receiving", "slow"): 3,
        ("component_discarded_events_total", *INPUT, "true"): 0,
        ("worker_records_total", "0"): n, ("worker_up", "0"): 1, ("worker_cpu_seconds_total", "0"): at / 2,
        ("worker_resident_memory_bytes", "0"): 50 << 20, ("worker_lag_rows", "0"): 7,
        ("buffer_events", *JOURNAL): 7, ("buffer_oldest_seconds", *JOURNAL): 1.25, ("buffer_bytes", *JOURNAL): 3 << 20,
        ("buffer_max_bytes", *JOURNAL): 4 << 30, ("desk_alerts_total",): 12, ("dead_letters_total",): 5,
        ("component_sent_events_total", *OUTPUT): 0, ("buffer_events", *OUTPUT): 12, ("buffer_oldest_seconds", *OUTPUT): 200,
        ("output_up", "es"): 0,
    }  # fmt: skip
    for index, name in enumerate(analyzers):
        of |= {("component_received_events_total", "analyzer", "python", name): n * (index + 1),
               ("component_sent_events_total", "analyzer", "python", name): 3, ("analyzer_keys", name): 1234,
               ("analyzer_cpu_seconds_total", name): at * 0.1 * (index + 1)}  # fmt: skip
    of |= also or {}
    return Look([(f"pluginhost_{name}", labels, value) for (name, *labels), value in of.items()], at)


def shown(width=100, height=50, **options):
    return [click.unstyle(line) for line in frame(look(10.0, 1000, **options), look(12.0, 5000, **options), width, height)]


def row(lines, name):
    (line,) = [line for line in lines if line.split()[:1] == [name]]
    return line.split()[1:]


def test_rates_are_what_happened_between_two_looks():
    lines = shown()
    assert lines[0] == "pluginhost 1.2, up 2 h, generation 4"
    text = " ".join(" ".join(lines).split())
    for told in ("records in 2,000/s", "analysed 2,000/s", "behind 7 rows, 1.2 s", "journal 3.0 MiB of 4.0 GiB", "dead letters 5"):
        assert told in text
    assert row(lines, "http") == ["2,000", "195", "KiB", "5", "0"]
    assert row(lines, "a") == ["2,000", "3", "0", "1,234", "0", "20%"]
    assert row(lines, "es") == ["12", "3", "min", "0", "0", "in", "trouble"]
    assert row(lines, "0") == ["7", "50%", "50", "MiB", "0"]


def test_alerts_that_nobody_was_told_of_are_counted_apart():
    told = {("desk_alerts_total",): 50, ("desk_suppressed_total",): 20}
    text = " ".join(" ".join(shown(also=told)).split())
    assert "alerts 0/s, 30 in all and 20 suppressed" in text
    assert "suppressed" not in " ".join(shown())


def test_the_costliest_analyzer_stands_first():
    lines = shown(analyzers=("a", "b", "c"))
    assert [line.split()[0] for line in lines if line.split()[:1] in (["a"], ["b"], ["c"])] == ["c", "b", "a"]


def test_what_is_in_quarantine_or_broken_is_told():
    lines = shown(analyzers=("a", "b"), also={("analyzer_quarantined", "a"): 1, ("analyzer_problem", "b"): 1})
    assert row(lines, "a")[-1] == "quarantined"
    assert row(lines, "b")[-2:] == ["file", "broken"]


def test_a_host_that_is_not_ready_is_told():
    assert shown(also={("ready",): 0})[0].endswith("not ready")


def test_a_host_that_was_restarted_between_two_looks_is_not_told_to_run_backwards():
    lines = [click.unstyle(line) for line in frame(look(10.0, 9000), look(12.0, 10), 100, 50)]
    assert not any("-" in line for line in lines)


@pytest.mark.parametrize("width", [1, 12, 20, 33, 44, 60, 80, 110, 200])
@pytest.mark.parametrize("height", [1, 5, 12, 24, 60])
def test_a_frame_fits(width, height):
    lines = shown(width, height, analyzers=[f"analyzer_with_a_long_name_{n}" for n in range(30)])
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_narrow_terminals_keep_what_matters_most():
    head = next(line for line in shown(40) if line.startswith("analyzer"))
    assert head.split() == ["analyzer", "seen/s", "fired", "errors"]


@pytest.mark.parametrize("height", [16, 20, 24, 30])
def test_analyzers_come_before_what_else_there_is(height):
    lines = shown(100, height, analyzers=[f"a{n}" for n in range(30)])
    assert sum(line.startswith("a") and line[1].isdigit() for line in lines) >= 4


def test_of_many_analyzers_those_that_do_not_fit_are_counted():
    lines = shown(100, 24, analyzers=[f"a{n}" for n in range(30)])
    (more,) = [line for line in lines if line.endswith(" more")]
    assert int(more.split()[0]) + sum(line.startswith("a") and line[1].isdigit() for line in lines) == 30


def test_names_cannot_act_on_the_terminal():
    name = "a\x1b[31m"
    (line,) = [line for line in frame(look(1.0, 0, analyzers=[name]), look(2.0, 9, analyzers=[name]), 100, 50) if line.startswith("a\\x1b")]
    assert line.split()[0] == r"a\x1b[31m"
