"""What a worker is doing can be read while it does it, and after it has ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from pluginhost.engine.trace import Call, Reader, Trace, last

BEGIN = """
import os, pathlib, sys
from pluginhost.engine.trace import Trace
trace = Trace(pathlib.Path(sys.argv[1]))
trace.names(["slow", "bad"])
trace.note[0], trace.note[1], trace.note[2] = 1 << 40, 12, 1
"""


def run(path, then):
    subprocess.run([sys.executable, "-c", f"{BEGIN}{then}\nos._exit(9)", str(path)], check=False)


def test_the_call_that_was_under_way_outlives_the_process(tmp_path):
    path = tmp_path / "trace"
    run(path, "")
    assert last(path) == Call("bad", 1 << 40, 12)
    run(path, "trace.note[2] = 0")
    assert last(path) == Call("slow", 1 << 40, 12)
    run(path, "trace.done()")
    assert last(path) is None
    run(path, "trace.note[0] = -1")
    assert last(path) is None


def test_a_new_process_has_no_call_under_way_and_no_file_is_none(tmp_path):
    path = tmp_path / "trace"
    trace = Trace(path)
    trace.names(["a" * 64])
    trace.note[0] = trace.note[1] = trace.note[2] = 0
    assert last(path) == Call("a" * 64, 0, 0)
    Trace(path)
    assert last(path) is None
    assert last(tmp_path / "missing") is None
    path.write_bytes(os.urandom(5))
    assert last(path) is None


def test_a_reader_follows_the_names_as_they_change(tmp_path):
    path = tmp_path / "trace"
    with contextlib.closing(Reader(path)) as reader:
        assert reader.call() is None
        trace = Trace(path)
        for names in (["one", "two"], ["the", "other", "way", "round"], [], ["one"]):
            trace.done()
            trace.names(names)
            for place, name in enumerate(names):
                trace.note[0], trace.note[1], trace.note[2] = 5, place, place
                assert reader.call() == Call(name, 5, place)
            trace.note[2] = len(names)  # no unit's place: nothing is made up
            assert reader.call() is None
