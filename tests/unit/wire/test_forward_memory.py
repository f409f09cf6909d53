"""A connection that ends with nonsense is freed at once, with all it received: else strangers would fill an open door's memory."""

from __future__ import annotations

import gc
import weakref

import msgpack
import pytest

from pluginhost.problem import PeerError
from pluginhost.wire.forward import COUNTERS, Connection, Limits


@pytest.fixture(autouse=True)
def uncollected():
    """The garbage collector does not run."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("data", [
    msgpack.packb("x" * 300_000) * 20, b"\xc1", b'{"' + b"x" * 300_000, b"[1, 2}" * 1000, b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01" + bytes(999),
], ids=["strays", "no msgpack", "cut json", "bad json", "http", "tls"])  # fmt: skip
def test_nothing_waits_for_the_collector(data):
    connection = Connection(Limits(), dict.fromkeys(COUNTERS, 0))
    kept, ended = weakref.ref(connection), False
    connection.receive_data(data)
    try:
        list(connection.frames())
    except PeerError:
        ended = True
    del connection
    assert kept() is None
    assert ended == (not data.startswith(b'{"'))  # what may still be completed is waited for
