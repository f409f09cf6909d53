"""What a worker was doing when it ended is there to be read afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

from pluginhost.engine.trace import Call, Trace, last


def test_the_call_that_was_under_way_outlives_the_process(tmp_path):
    path = tmp_path / "trace"
    script = f"import os, pathlib; from pluginhost.engine.trace import Trace; t = Trace(pathlib.Path({str(path)!r})); "
    subprocess.run([sys.executable, "-c", script + "t.enter(b'slow', 7, 3); t.enter(b'bad', 1 << 40, 12); os._exit(9)"], check=False)
    assert last(path) == Call("bad", 1 << 40, 12)
    subprocess.run([sys.executable, "-c", script + "t.enter(b'bad', 1, 2); t.done(); os._exit(9)"], check=False)
    assert last(path) is None


def test_a_new_process_has_no_call_under_way_and_no_file_is_none(tmp_path):
    path = tmp_path / "trace"
    Trace(path).enter(b"a" * 64, 1, 2)
    assert last(path) == Call("a" * 64, 1, 2)
    Trace(path)
    assert last(path) is None
    assert last(tmp_path / "missing") is None
    path.write_bytes(os.urandom(5))
    assert last(path) is None
