"""Memory that the C library holds in vain is given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

from pluginhost.host.memory import give_back

_FLOOD = """\
import os
from pluginhost.host.memory import give_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = resident()
blocks = [bytes(1000) for _ in range(64_000)]
del blocks[:-1]  # what is left is at the end of the heap, and keeps all below
print(resident() - before, give_back(), resident() - before)
"""


def test_what_a_flood_left_free_is_given_back():
    told = subprocess.run([sys.executable, "-c", _FLOOD], capture_output=True, text=True, check=True, timeout=60)
    held, given, left = told.stdout.split()
    assert int(held) > 48 << 20
    assert given == "True"
    assert int(left) < 8 << 20


def test_a_library_that_cannot_is_not_asked(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert not give_back()
