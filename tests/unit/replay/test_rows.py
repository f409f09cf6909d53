"""Streams → rows in order of time with ticks among them, as a journal would hold them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from pluginhost.engine.splitter import items, slices
from pluginhost.replay.rows import Counted, limited, merged, ticking
from pluginhost.replay.running import GROUP, grouped
from pluginhost.replay.sources.port import Stream, Window
from pluginhost.replay.stamps import stamp
from pluginhost.replay.timing import Timing
from pluginhost.store.row import Kind
from pluginhost.wire.bodies import decode_body

SECOND = 10**9
START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
NOW = START + 86_400 * SECOND


def record(n, at):
    return msgspec.json.encode({"n": n} if at is None else {"n": n, "time": (START + at * SECOND) / SECOND})


def stream(name, *chunks):
    bodies = [b"\n".join(record(*one) for one in chunk) for chunk in chunks]
    return Stream(name, iter([decode_body(body, content_type="application/x-ndjson", tag=name) for body in bodies]), NOW)


def rows(*streams, span=SECOND, window=Window(), field="", counted=None):
    return list(merged(streams, "files", Timing(field, NOW), window, span=span, latest=NOW, counted=counted or Counted()))


def numbers(found):
    return [(msgspec.json.decode(one.raw)["n"], (one.time - START) / SECOND, (one.arrival - START) / SECOND)
            for row in found if row.kind == Kind.RECORDS for one in slices(row)]  # fmt: skip


class TestMerged:
    def test_streams_come_together_in_order_of_time(self):
        found = rows(stream("a", [(1, 0), (2, 10)], [(3, 20)]), stream("b", [(4, 5), (5, 15), (6, 25)]), stream("c", []))
        assert [n for n, _, _ in numbers(found)] == [1, 4, 2, 5, 3, 6]
        assert [(row.source, row.tag, row.count) for row in found[:2]] == [("a", "a", 1), ("b", "b", 1)]

    def test_the_arrival_never_goes_back(self):
        assert numbers(rows(stream("a", [(1, 10), (2, 3), (3, 11)]))) == [(1, 10, 10), (2, 3, 10), (3, 11, 11)]

    def test_no_row_reaches_over_a_span_and_blocks_do_not_matter(self):
        many = [(n, n * 0.3) for n in range(100)]
        whole, parted = rows(stream("a", many)), rows(stream("a", many[:7], many[7:50], many[50:]))
        assert numbers(whole) == numbers(parted)
        assert all(row.arrival // SECOND == min(one.time for one in slices(row)) // SECOND for row in whole)
        assert len(whole) == 30

    def test_one_without_a_time_happened_at_its_arrival(self):
        counted = Counted()
        found = rows(stream("a", [(1, None), (2, 4), (3, None), (4, 5)]), counted=counted)
        assert numbers(found) == [(1, 4, 4), (2, 4, 4), (3, 4, 4), (4, 5, 5)]
        assert (counted.records, counted.untimed) == (4, 2)

    def test_a_time_in_the_future_of_the_clock_is_none(self):
        assert numbers(rows(stream("a", [(1, 1), (2, 10**8), (3, 2)]))) == [(1, 1, 1), (2, 1, 1), (3, 2, 2)]

    def test_a_window_and_a_limit(self):
        counted = Counted()
        window = Window(START + 2 * SECOND, START + 5 * SECOND)
        assert [n for n, _, _ in numbers(rows(stream("a", [(n, n) for n in range(9)]), window=window, counted=counted))] == [2, 3, 4]
        assert (counted.records, counted.outside) == (3, 6)
        many = rows(stream("a", [(n, 0) for n in range(9)]))
        assert [n for n, _, _ in numbers(limited(many, 4))] == [0, 1, 2, 3]

    def test_a_named_field_wins(self):
        both = Stream("a", iter([decode_body(b'{"n": 1, "time": 1767225601, "in": {"at": 1767225602123}}', tag="a")]))
        assert numbers(rows(both, field="in.at")) == [(1, 2.123, 2.123)]


class TestTicking:
    def told(self, found):
        """Seconds of arrivals, and less than nothing for ticks."""
        return [-(items(row)[0].watermark - START) // SECOND if row.kind == Kind.TICK else (row.arrival - START) // SECOND for row in found]

    def test_time_passes_second_by_second_as_live(self):
        found = list(ticking(rows(stream("a", [(1, 100), (2, 103), (3, 107)])), 5 * SECOND))
        assert self.told(found) == [100, -95, 103, -98, 107, -107]

    def test_when_all_are_silent_the_clock_goes_on(self):
        found = list(ticking(rows(stream("a", [(1, 100), (2, 140)])), 5 * SECOND))
        assert self.told(found) == [100, -95, *range(-125, -136, -1), 140, -140]

    def test_a_gap_of_years_costs_few_ticks(self):
        found = list(ticking(rows(stream("a", [(1, -1_500_000_000), (2, 1)])), 5 * SECOND))
        assert 10_000 < len(found) < 30_000
        assert [row.arrival for row in found] == sorted(row.arrival for row in found)

    def test_a_window_is_over_at_its_end(self):
        found = list(ticking(rows(stream("a", [(1, 3)])), 5 * SECOND, began=START, end=START + 10 * SECOND))
        assert self.told(found)[-1] == -10
        assert self.told(list(ticking([], 0, began=START, end=START + 2 * SECOND))) == [-1, -2, -2]


class TestGrouped:
    def test_groups_end_with_their_span(self):
        groups = list(grouped(rows(stream("a", [(n, n) for n in range(12)]))))
        assert [[row.arrival // GROUP * GROUP for row in group] for group in groups] == [
            [group[0].arrival // GROUP * GROUP] * len(group) for group in groups]  # fmt: skip
        assert [len(group) for group in groups] == [5, 5, 2]


STAMPS = [
    ("Nov 21 10:00:00 web1 sshd[42]: x", "2025-11-21T10:00:00"),
    ("<34>Nov  1 10:00:00.25 web1 x", "2025-11-01T10:00:00.25"),
    ("Dec 31 2024 23:59:59 x", "2024-12-31T23:59:59"),
    ("Feb 29 10:00:00 x", "2024-02-29T10:00:00"),
    ("<34>1 2026-01-01T10:00:00.5+02:00 h a - - -", "2026-01-01T08:00:00.5"),
    ("2026-01-01 10:00:00,123 INFO x", "2026-01-01T10:00:00.123"),
    ("2026/01/01 10:00:00 [error] x", "2026-01-01T10:00:00"),
    ('192.0.2.1 - - [01/Jan/2026:10:00:00 +0100] "GET /"', "2026-01-01T09:00:00"),
    ("h haproxy[1]: 192.0.2.1:1 [01/Jan/2026:10:00:00.655] in", "2026-01-01T10:00:00.655"),
    ("1767225600.123   12 192.0.2.1 TCP_HIT", "2026-01-01T00:00:00.123"),
    ("type=USER msg=audit(1767225600.5:42): x", "2026-01-01T00:00:00.5"),
]


class TestStamp:
    @pytest.mark.parametrize(("line", "expected"), STAMPS)
    def test_the_usual_ones(self, line, expected):
        when = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        assert stamp(line, NOW) == int(when.timestamp()) * SECOND + when.microsecond * 1000

    @pytest.mark.parametrize("line", ["", "x", "Nov 31 10:00:00 x", "Foo 21 10:00:00", "Nov 21 25:00:00", "[99/Jan/2026:10:00:00 +0000]",
                                      "[" * 10_000, "0" * 10_000, "2026-13-01T10:00:00", "\x00", "٢٠٢٦-01-01T10:00:00"])  # fmt: skip
    def test_what_is_none(self, line):
        assert stamp(line, NOW) == 0

    def test_by_the_time_the_log_was_written(self):
        assert stamp("Jan  1 12:00:00 x", NOW) == START + 43_200 * SECOND  # of a zone ahead, perhaps
        assert stamp("Jan  3 12:00:00 x", NOW) < START
        assert stamp("Jan  3 12:00:00 x", 0) == 0
