"""python-logstash-async, a real client that sends a failed batch again for ever."""

import asyncio
import logging
import threading

import pytest
from logstash_async.constants import constants
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import HttpTransport

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.problem import Busy
from pluginhost.wire import records


class Sidecar(threading.Thread):
    """A door in a loop of its own, as the client's thread is another process' in life."""

    def __init__(self, **options):
        super().__init__(daemon=True)
        self.options, self.records, self.busy, self.dead = options, [], 0, []
        self.metrics, self.listening, self.changed = Registry(), threading.Event(), threading.Condition()

    async def accept(self, chunk, *, source, carried=None):
        with self.changed:
            self.changed.notify_all()
            if self.busy:
                self.busy -= 1
                raise Busy("full")
            self.dead += chunk.rejected
            bounds = zip(chunk.columns.starts, chunk.columns.ends, chunk.columns.times, strict=True)
            self.records += [(records.decode(chunk.codec, chunk.data[start:end]), time) for start, end, time in bounds]
        return Receipt(0)

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        self.door = Http(HttpOptions(port=0, **self.options), Context("http", self.accept, self.metrics))
        await self.door.start()
        self.loop, self.end = asyncio.get_running_loop(), asyncio.Event()
        self.listening.set()
        await self.end.wait()
        await self.door.drain(1)

    def until(self, ready):
        with self.changed:
            assert self.changed.wait_for(ready, 20)

    def __enter__(self):
        self.start()
        assert self.listening.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.end.set)
        self.join(10)


@pytest.fixture
def _impatient(monkeypatch):
    monkeypatch.setattr(constants, "QUEUED_EVENTS_FLUSH_INTERVAL", 0.1)
    monkeypatch.setattr(constants, "QUEUE_CHECK_INTERVAL", 0.05)


def logger_for(sidecar, **credentials):
    port = int(sidecar.door.address.rpartition(":")[2])
    transport = HttpTransport("127.0.0.1", port, ssl_enable=False, timeout=5.0, path="v1/ingest", **credentials)
    handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=None, transport=transport)
    logger = logging.Logger("app")  # noqa: LOG001  # one a test
    logger.addHandler(handler)
    return logger, handler


@pytest.mark.usefixtures("_impatient")
def test_records_arrive_with_the_password_as_token_and_once_more_after_503():
    with Sidecar(token=Secret("s3cret")) as sidecar:
        sidecar.busy = 1
        logger, handler = logger_for(sidecar, username="app", password="s3cret")
        for n in range(120):  # more than its batch of 50
            logger.warning("attempt %d", n, extra={"user": "root"})
        sidecar.until(lambda: len(sidecar.records) >= 120)
        handler.close()
    messages = sorted(record["message"] for record, _ in sidecar.records)  # what failed it sends last
    assert messages == sorted(f"attempt {n}" for n in range(120))
    first, time = sidecar.records[0]
    assert (first["level"], first["extra"]["user"]) == ("WARNING", "root")
    assert time % 10**9 // 10**6 == int(first["@timestamp"][20:23])
    assert sidecar.metrics.snapshot()["input.http"]["busy"] == 1


@pytest.mark.usefixtures("_impatient")
def test_the_poison_loop_of_this_client_ends():
    """It repeats a body that answers 422; after some rounds the door takes it, and the client goes on with the next."""

    class Poison(logging.Formatter):
        def format(self, record):
            return '"no object"' if record.getMessage() == "poison" else '{"message":"fine"}'

    with Sidecar() as sidecar:
        logger, handler = logger_for(sidecar)
        handler.setFormatter(Poison())
        logger.warning("poison")
        sidecar.until(lambda: sidecar.dead)
        counts = sidecar.metrics.snapshot
        waited = threading.Event()
        for _ in range(400):
            if counts()["input.http"]["poison"]:
                break
            waited.wait(0.05)
        logger.warning("fine")
        sidecar.until(lambda: sidecar.records)
        handler.close()
    assert [record for record, _ in sidecar.records] == [{"message": "fine"}]
    assert [one.reason for one in sidecar.dead] == ["not_a_record"]
    assert counts()["input.http"]["poison"] == 1
