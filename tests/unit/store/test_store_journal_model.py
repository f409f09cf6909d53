"""The journal against a plain list, in any order of appending, reading, dropping, reopening and cutting."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pluginhost.store.journal import Journal, Kind, Row

ROWS = st.builds(
    Row,
    kind=st.sampled_from(Kind),
    body=st.binary(max_size=80),
    input=st.text(max_size=3),
    tag=st.text(max_size=3),
    chunk_id=st.binary(max_size=3),
    count=st.integers(0, 2**40),
    columns=st.binary(max_size=9),
    rejected=st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9), st.integers(0, 9)), max_size=2).map(tuple),
)


HEAD = 28  # bytes of a segment before its first row; without them there is no segment


class JournalMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now, self.rows = 0, []
        self.open()

    def open(self):
        self.journal = Journal(self.folder, clock=lambda: self.now, segment_bytes=300, sync=lambda _file: None)

    @rule(rows=st.lists(ROWS, max_size=5), now=st.integers(0, 1000))
    def append(self, rows, now):
        self.now = now
        self.journal.append(rows)
        self.rows += rows

    @rule(data=st.data())
    def read(self, data):
        offset = data.draw(st.integers(self.journal.start, self.journal.end))
        assert list(self.journal.read(offset)) == self.rows[offset:]

    @rule(data=st.data())
    def drop(self, data):
        before = data.draw(st.integers(0, len(self.rows) + 2))
        start, firsts = self.journal.start, [int(path.stem) for path in sorted(self.folder.iterdir())]
        self.journal.drop(before)
        assert self.journal.start == max([start, *(first for first in firsts if first <= before)])

    @rule()
    def reopen(self):
        self.journal.close()
        self.open()
        assert self.journal.torn == 0

    @precondition(lambda self: self.journal.end > self.journal.start)
    @rule(data=st.data())
    def cut(self, data):
        """A crash takes any part of the newest file; what stood whole before the cut stays."""
        self.journal.close()
        newest = max(self.folder.iterdir())
        size, first = newest.stat().st_size, int(newest.stem)
        lone = first > 0 and first == self.journal.start  # what came before was dropped, once this head was durable
        length = data.draw(st.integers(HEAD if lone else 0, size))
        os.truncate(newest, length)
        self.open()
        assert first <= self.journal.end <= len(self.rows)
        if length == size:
            assert self.journal.end == len(self.rows)
        assert self.journal.torn == (length - newest.stat().st_size if length >= HEAD else length)
        del self.rows[self.journal.end :]

    @invariant()
    def dense(self):
        assert self.journal.end == len(self.rows)
        assert [row.offset for row in self.rows] == list(range(len(self.rows)))
        assert all(a.arrival <= b.arrival for a, b in zip(self.rows, self.rows[1:], strict=False))
        assert self.journal.bytes == sum(path.stat().st_size for path in self.folder.iterdir())

    def teardown(self):
        assert list(self.journal.read(self.journal.start)) == self.rows[self.journal.start :]
        self.journal.close()
        shutil.rmtree(self.folder)


TestJournalModel = JournalMachine.TestCase
TestJournalModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
