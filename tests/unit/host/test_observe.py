"""The listener for those who watch, with made-up measures."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import threading

import pytest
from prometheus import scrape

from pluginhost.host.config import Metrics
from pluginhost.host.exposition import Sample
from pluginhost.host.observe import Observer
from pluginhost.metrics import Counts
from pluginhost.options import Secret
from pluginhost.problem import Problem

WELL = {"doors_open": True, "not_draining": True, "worker_ready": True, "journal_has_room": True, "disk_has_room": True}


class Measures:
    async def take(self):
        return [Sample("pluginhost_generation", (), 7)]


class Listening:
    """An observer in a thread of its own."""

    def __init__(self, *, alive=True, conditions=WELL, **options):
        self.counts = Counts("busy", "garbage")
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.made = (Metrics(port=0, **options), Measures(), alive, conditions)

    async def _start(self):
        options, measures, alive, conditions = self.made
        self.observer = Observer(options, measures, alive=lambda: alive, conditions=lambda: conditions, counts=self.counts)
        await self.observer.start()

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)
        return int(self.observer.address.rsplit(":", 1)[1])

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.observer.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def test_metrics_are_told():
    with Listening() as port:
        status, text = scrape(port)
    assert (status, text.splitlines()[-1]) == (200, "pluginhost_generation 7.0")


def test_nothing_else_is_there_and_nothing_can_be_sent():
    with Listening() as port:
        assert scrape(port, "/")[0] == scrape(port, "/metrics/x")[0] == 404
        with socket.create_connection(("127.0.0.1", port), 5) as peer:
            peer.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 405")


class TestToken:
    @pytest.mark.parametrize(("header", "status"), [
        ({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Bearer s3cret"}, 200),
        ({"Authorization": "Basic " + base64.b64encode(b"anybody:s3cret").decode()}, 200),
    ])  # fmt: skip
    def test_metrics_ask_for_it(self, header, status):
        with Listening(token=Secret("s3cret")) as port:
            found, text = scrape(port, **header)
        assert found == status
        assert "s3cret" not in text

    def test_probes_do_not_need_it(self):
        with Listening(token=Secret("s3cret")) as port:
            assert scrape(port, "/healthz")[0] == scrape(port, "/readyz")[0] == 200

    @pytest.mark.parametrize(("options", "refused"), [
        ({"bind": "0.0.0.0"}, True), ({"bind": "::"}, True), ({"bind": "sidecar.example"}, True),
        ({"bind": "0.0.0.0", "token": Secret("s3cret")}, False), ({"bind": "0.0.0.0", "allow_unauthenticated": True}, False),
        ({"bind": "localhost"}, False), ({"bind": "::1"}, False),
    ])  # fmt: skip
    def test_other_machines_are_not_let_in_without(self, options, refused):
        def made():
            return Observer(Metrics(**options), Measures(), alive=lambda: True, conditions=dict, counts=Counts("busy", "garbage"))

        if not refused:
            assert made()
            return
        with pytest.raises(Problem) as caught:
            made()
        assert caught.value.code == "metrics.unauthenticated"


class TestProbes:
    @pytest.mark.parametrize(("alive", "status"), [(True, 200), (False, 503)])
    def test_health_is_whether_the_tasks_run(self, alive, status):
        with Listening(alive=alive) as port:
            found, text = scrape(port, "/healthz")
        assert (found, json.loads(text)) == (status, {"alive": alive})

    @pytest.mark.parametrize("failing", [*([name] for name in WELL), ["doors_open", "worker_ready"], []])
    def test_readiness_says_what_fails(self, failing):
        conditions = {name: name not in failing for name in WELL}
        with Listening(conditions=conditions) as port:
            found, text = scrape(port, "/readyz")
        assert found == (503 if failing else 200)
        assert json.loads(text) == {"ready": not failing, "failing": failing, "conditions": conditions}


def test_connections_are_bounded():
    with Listening() as port, contextlib.ExitStack() as held:
        answers = [asked(held, port) for _ in range(34)]
    assert answers == [b"HTTP/1.1 200"] * 32 + [b"HTTP/1.1 503"] * 2


def asked(held, port):
    """The beginning of an answer over a connection that stays open."""
    peer = held.enter_context(socket.create_connection(("127.0.0.1", port), 5))
    peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return peer.recv(1000)[:12]
