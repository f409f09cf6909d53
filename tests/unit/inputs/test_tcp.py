"""The TCP door over real sockets, with an `accept` that the test controls."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from pluginhost.inputs.port import Context, Receipt
from pluginhost.inputs.tcp import Tcp, TcpOptions
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Size
from pluginhost.problem import Busy, Problem
from pluginhost.wire import records


class Host:
    def __init__(self):
        self.records, self.rejected, self.busy, self.gate = [], [], 0, asyncio.Event()
        self.gate.set()

    async def accept(self, chunk, *, source, carried=None):
        await self.gate.wait()
        if self.busy:
            self.busy -= 1
            raise Busy("full", 0.01)
        bounds = zip(chunk.columns.starts, chunk.columns.ends, strict=True)
        self.records += [records.decode(chunk.codec, chunk.data[start:end]) for start, end in bounds]
        self.rejected += [one.reason for one in chunk.rejected]
        assert (chunk.tag, source, carried) == ("tcp", "127.0.0.1", None)
        return Receipt(0)


def with_door(test, **options):
    async def main():
        host, metrics = Host(), Registry()
        door = Tcp(TcpOptions(port=0, **options), Context("tcp", host.accept, metrics))
        await door.start()
        counts = metrics.counts("input.tcp")
        try:
            await test(door, host, counts)
        finally:
            await door.drain(5)
        assert counts["open"] == 0
        return counts

    return asyncio.run(main())


async def connect(door):
    host, port = door.address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of another task's doing
            await asyncio.sleep(0.005)


def messages(host):
    return [record["message"] for record in host.records]


def test_lines_come_in_order_and_the_last_needs_no_end():
    async def test(door, host, counts):
        reader, writer = await connect(door)
        for number in range(500):
            writer.write(b"line %d\r\n" % number)
        writer.write(b'{"message":"last"}')
        writer.write_eof()
        assert await reader.read() == b""
        await until(lambda: len(host.records) == 501)
        assert messages(host) == [*(f"line {number}" for number in range(500)), "last"]

    counts = with_door(test)
    assert (counts["records"], counts["connections"], counts["lost"]) == (501, 1, 0)


def test_what_cannot_be_taken_now_is_held_and_not_read_on():
    async def test(door, host, counts):
        host.gate.clear()
        _, writer = await connect(door)
        writer.write((b"x" * 99 + b"\n") * 200_000)  # 20 MB, far more than all buffers hold
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 1)
        (connection,) = door._open
        assert connection._size < 1_000_000
        host.busy = 3
        host.gate.set()
        await until(lambda: len(host.records) == 200_000, 60)
        writer.close()

    counts = with_door(test, waiting_bytes=Size(100_000))
    assert (counts["busy"], counts["records"], counts["lost"]) == (3, 200_000, 0)


def test_a_line_too_long_is_a_dead_letter_and_harms_no_other():
    async def test(door, host, counts):
        _, writer = await connect(door)
        writer.write(b"before\n" + b"x" * 5000 + b"\nafter\n")
        await until(lambda: messages(host) == ["before", "after"])
        assert host.rejected == ["too_large"]
        writer.close()

    assert with_door(test, max_line=Size(1024))["rejected"] == 1


def test_a_drain_makes_durable_what_was_read():
    async def test(door, host, counts):
        host.gate.clear()
        _, writer = await connect(door)
        writer.write(b"one\ntwo\n")
        await until(lambda: counts["open"] == 1 and next(iter(door._open))._waiting)
        draining = asyncio.ensure_future(door.drain(20))
        await asyncio.sleep(0.05)
        host.gate.set()
        await draining
        assert messages(host) == ["one", "two"]

    assert with_door(test)["lost"] == 0


def test_what_a_stop_loses_is_told(caplog):
    async def test(door, host, counts):
        host.gate.clear()
        _, writer = await connect(door)
        writer.write(b"one\ntwo\n")
        await until(lambda: counts["open"] == 1 and next(iter(door._open))._waiting)
        await door.drain(0.05)

    with caplog.at_level(logging.ERROR):
        assert with_door(test)["lost"] == 2
    assert [record.getMessage() for record in caplog.records] == ["2 lines of 127.0.0.1 came in and could not be kept before the stop"]


def test_only_certain_networks():
    async def test(door, host, counts):
        reader, _ = await connect(door)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""

    assert with_door(test, networks=("10.0.0.0/8",))["unauthorized"] == 1


def test_a_silent_connection_is_closed_where_that_is_wanted():
    async def test(door, host, counts):
        reader, writer = await connect(door)
        writer.write(b"one\n")
        assert await asyncio.wait_for(reader.read(), 20) == b""
        assert messages(host) == ["one"]

    with_door(test, idle_timeout=Duration(0.1))


def test_one_connection_too_many():
    async def test(door, host, counts):
        _, writer = await connect(door)
        writer.write(b"one\n")
        await until(lambda: host.records)
        refused, _ = await connect(door)
        assert await asyncio.wait_for(refused.read(), 10) == b""

    assert with_door(test, connections=1)["refused"] == 1


def test_a_door_that_others_reach_must_ask_who_they_are():
    with pytest.raises(Problem) as found:
        Tcp(TcpOptions(bind="0.0.0.0", networks=("10.0.0.0/8",)), Context("tcp", None, Registry()))
    assert found.value.code == "input.unauthenticated"
