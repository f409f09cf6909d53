"""Too many connections, and TLS before the protocol: over real sockets, in front of the HTTP door."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import ssl
from pathlib import Path

import pytest
from certificates import Authority
from http_doors import GOOD, Client, ask, request, with_door

from pluginhost.inputs.arrivals import Arrivals
from pluginhost.tls import Calling, Serving, client_context, serving_context


async def spoken(client):
    """A connection that has made a request, and stays."""
    await client.send(request(b"", method="GET"))
    assert (await client.answer()).status == 200


def test_who_never_said_anything_makes_room_the_longest_silent_first():
    async def test(door, host):
        async with Client(door) as first, Client(door) as second, Client(door) as third:
            await spoken(second)
            assert (await ask(door)).status == 200  # the fourth
            assert await first.closed()
            await third.send(request())
            assert (await third.answer()).status == 200
            await spoken(second)

    counts = with_door(test, connections=3)
    assert (counts["evicted"], counts["busy"]) == (1, 0)


def test_half_a_head_is_not_enough_to_stay():
    async def test(door, host):
        async with Client(door) as slow:
            await slow.send(b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\n")
            await asyncio.sleep(0.05)
            assert (await ask(door)).status == 200
            assert await slow.closed()

    assert with_door(test, connections=1)["evicted"] == 1


def test_a_place_is_free_again_when_its_connection_ends():
    async def test(door, host):
        for _ in range(5):
            assert (await ask(door, Connection="close")).status == 200

    counts = with_door(test, connections=1)
    assert counts["records"] == 10
    assert counts["busy"] == 0


def test_a_burst_is_bounded():
    async def test(door, host):
        clients = [Client(door) for _ in range(60)]
        for client in clients:
            await client.__aenter__()
        assert (await ask(door)).status == 200
        ended = await asyncio.gather(*(asyncio.wait_for(client.reader.read(), 10) for client in clients[:50]))
        assert ended == [b""] * 50
        for client in clients:
            await client.__aexit__()

    assert with_door(test, connections=10)["evicted"] >= 50


class Echo(asyncio.Protocol):
    """Notes the order in which it is told of things, and says what it hears."""

    def __init__(self, arrival, told, ended):
        self.arrival, self.told, self.ended = arrival, told, ended

    def connection_made(self, transport):
        self.transport = transport
        self.told.append("made")

    def data_received(self, data):
        self.told.append(data)
        if self.transport.is_closing():
            return
        self.transport.write(data)

    def connection_lost(self, exc):
        self.told.append("lost")
        self.arrival.left()
        if self.told.count("lost") == 20:
            self.ended.set()


@pytest.fixture
def serving(tmp_path):
    authority = Authority(tmp_path / "tls")
    files = {name: Path(file) for name, file in authority.issue("server").items()}
    return Serving(**files), Calling(ca=authority.ca)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_comes_right_behind_the_handshake_is_not_lost_and_comes_in_order(serving, version):
    async def main():
        told, counts, ended = [], {"busy": 0, "evicted": 0}, asyncio.Event()
        arrivals = Arrivals(lambda arrival: Echo(arrival, told, ended), 4, counts=counts, full=bool, tls=serving_context(serving[0]))
        server = await asyncio.get_running_loop().create_server(arrivals, "127.0.0.1", 0)
        context = client_context(serving[1])
        context.minimum_version = context.maximum_version = version
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=context)
            writer.write(b"early")
            assert await asyncio.wait_for(reader.readexactly(5), 10) == b"early"
            writer.close()
            await writer.wait_closed()
        server.close()
        async with asyncio.timeout(10):
            await ended.wait()
        assert told == ["made", b"early", "lost"] * 20
        assert arrivals._open == 0
        assert not arrivals._newcomers

    asyncio.run(main())


def test_what_is_said_before_a_hasty_end_is_heard(serving):
    async def main():
        told, counts, ended = [], {"busy": 0, "evicted": 0}, asyncio.Event()
        arrivals = Arrivals(lambda arrival: Echo(arrival, told, ended), 4, counts=counts, full=bool, tls=serving_context(serving[0]))
        server = await asyncio.get_running_loop().create_server(arrivals, "127.0.0.1", 0)
        for _ in range(20):
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=client_context(serving[1]))
            writer.write(b"early")
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        server.close()
        async with asyncio.timeout(20):
            await ended.wait()
        assert told == ["made", b"early", "lost"] * 20
        assert arrivals._open == 0

    asyncio.run(main())


def test_a_handshake_that_never_ends_takes_a_place_and_gives_way(serving):
    async def test(door, host):
        async with Client(door) as silent:
            port = int(door.address.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context(serving[1]))
            writer.write(request(GOOD))
            assert (await asyncio.wait_for(reader.readline(), 10)).split()[1] == b"200"
            assert await silent.closed()
            writer.close()

    counts = with_door(test, connections=1, tls=serving[0])
    assert (counts["evicted"], counts["tls_failed"]) == (1, 0)


@pytest.fixture
def uncollected():
    """The garbage collector does not run."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def secured():
    """How many server's ends of TLS there are in memory."""
    return sum(issubclass(type(one), ssl.SSLObject) and one.server_side for one in gc.get_objects())


async def freed():
    async with asyncio.timeout(5):
        while secured():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"])
def test_a_handshake_that_came_to_nothing_leaves_nothing_for_the_collector(serving, uncollected, said):
    async def test(door, host):
        for _ in range(3):
            async with Client(door) as client:
                await client.send(said)
                async with asyncio.timeout(5):
                    while not secured():  # noqa: ASYNC110  # as above
                        await asyncio.sleep(0)
                client.writer.write_eof()
                await client.reader.read()
        await freed()

    with_door(test, tls=serving[0])


def test_a_handshake_that_gave_way_leaves_nothing_for_the_collector(serving, uncollected):
    async def test(door, host):
        async with Client(door) as first, Client(door) as second, Client(door):
            await first.reader.read()
            await second.reader.read()
        await freed()

    assert with_door(test, connections=1, tls=serving[0])["evicted"] == 2


def test_garbage_over_tls_leaves_no_tls_for_the_collector(serving, uncollected):
    async def test(door, host):
        for said in (b"no http\r\n\r\n", request(b"", method="G(T"), request(b"z\r\n", Transfer_Encoding="chunked")):
            port = int(door.address.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context(serving[1]))
            for one, status in ((request(), b"200"), (said, b"400")):
                writer.write(one)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                assert head.split()[1] == status
                await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))
            writer.close()
            await writer.wait_closed()
        await freed()

    assert with_door(test, tls=serving[0])["garbage"] == 3
