"""The forward door: sockets, answers in order, push-back, deadlines, and how connections end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct

import msgspec
import pytest
from forward_doors import connect, ended, read, run, until
from forwarding import pack

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Size, Tree, build
from pluginhost.problem import Busy, Problem

AT = 1_795_923_297


def frame(number, *, record=None, chunk=True):
    return pack(["t", [[AT, {"n": number, **(record or {})}]], {"chunk": f"id{number}"} if chunk else {}])


def ack(number):
    return pack({"ack": f"id{number}"})


class Journal:
    """A host that takes chunks when it is let."""

    def __init__(self):
        self.chunks, self.sources, self.carried, self.calls = [], [], [], 0
        self.go = asyncio.Event()
        self.go.set()
        self.busy = 0  # how many calls are refused first
        self.error = None

    async def accept(self, chunk, *, source, carried=None):
        self.calls += 1
        if self.busy:
            self.busy -= 1
            raise Busy("full", 0.01)
        if self.error:
            raise self.error
        await self.go.wait()
        self.chunks.append(chunk)
        self.sources.append(source)
        self.carried.append(carried)
        return Receipt(len(self.chunks))

    @property
    def numbers(self):
        return [msgspec.msgpack.decode(chunk.data[start:end])["n"] for chunk in self.chunks
                for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)]  # fmt: skip


@contextlib.asynccontextmanager
async def door(journal=None, **options):
    """A listening door, its journal, its counters."""
    journal, registry = journal or Journal(), Registry()
    made = Forward(ForwardOptions(port=0, **options), Context("forward", journal.accept, registry))
    await made.start()
    try:
        yield made, journal, registry.counts("input.forward")
    finally:
        await made.drain(0.05)


@run
async def test_frames_are_accepted_and_answered():
    async with door() as (made, journal, counts):
        reader, writer = await connect(made)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
        assert journal.numbers == [1]
        assert journal.sources == ["127.0.0.1"]
        assert (counts["connections"], counts["open"], counts["acks"], counts["frames"], counts["records"]) == (1, 1, 1, 1, 1)
        writer.close()
        await until(lambda: counts["open"] == 0)


@run
async def test_an_ack_waits_until_the_chunk_is_durable_and_several_are_on_their_way_at_once():
    async with door() as (made, journal, counts):
        journal.go.clear()
        reader, writer = await connect(made)
        writer.write(b"".join(frame(number) for number in range(200)))
        await until(lambda: journal.calls == 200)
        assert counts["acks"] == 0
        journal.go.set()
        wanted = b"".join(ack(number) for number in range(200))
        assert await read(reader, len(wanted)) == wanted
        assert journal.numbers == list(range(200))
        writer.close()


@run
async def test_acks_keep_the_order_of_frames_whatever_order_the_journal_has():
    gates = {number: asyncio.Event() for number in range(3)}

    class Slow(Journal):
        async def accept(self, chunk, *, source, carried=None):
            await gates[msgspec.msgpack.decode(chunk.data[chunk.columns.starts[0] :])["n"]].wait()
            return await super().accept(chunk, source=source)

    async with door(Slow()) as (made, journal, counts):
        reader, writer = await connect(made)
        writer.write(frame(0) + frame(1) + pack(["t", [], {"chunk": "id9"}]) + frame(2))
        for number in (2, 1):
            gates[number].set()
        await until(lambda: len(journal.chunks) == 2)
        assert counts["acks"] == 0
        gates[0].set()
        assert await read(reader, 4 * len(ack(0))) == ack(0) + ack(1) + ack(9) + ack(2)
        writer.close()


@run
async def test_a_good_frame_before_a_fault_is_answered_then_the_connection_closes():
    async with door() as (made, journal, counts):
        journal.go.clear()
        reader, writer = await connect(made)
        writer.write(frame(1) + b"\xc1" + frame(2))
        await until(lambda: counts["closed"] == 1)
        journal.go.set()
        assert await ended(reader) == ack(1)
        assert journal.numbers == [1]


@run
async def test_one_connection_never_harms_another():
    async with door() as (made, _, _):
        good, writer = await connect(made)
        for bad in (b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\x93\xa1t\xdd\xff\xff\xff\xff"):
            reader, other = await connect(made)
            other.write(bad)
            assert await ended(reader) == b""
            other.close()
        writer.write(frame(1))
        assert await read(good, len(ack(1))) == ack(1)
        writer.close()


@run
async def test_a_sender_that_ends_its_side_still_gets_its_answers():
    async with door() as (made, journal, counts):
        journal.go.clear()
        reader, writer = await connect(made)
        writer.write(frame(1) + frame(2)[:-3])
        writer.write_eof()
        await until(lambda: counts["half_frames"] == 1)
        journal.go.set()
        assert await ended(reader) == ack(1)
        assert journal.numbers == [1]


@run
async def test_what_was_read_is_stored_although_the_sender_is_gone():
    async with door() as (made, journal, counts):
        journal.go.clear()
        _, writer = await connect(made)
        writer.write(frame(1, chunk=False))
        await until(lambda: journal.calls == 1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()  # with this option: by a reset
        await until(lambda: counts["open"] == 0)
        journal.go.set()
        await until(lambda: journal.numbers == [1])


@run
async def test_busy_pauses_the_sender_and_is_tried_again_in_order():
    async with door() as (made, journal, counts):
        journal.busy = 5
        reader, writer = await connect(made)
        writer.write(b"".join(frame(number) for number in range(4)))
        assert await read(reader, 4 * len(ack(0))) == b"".join(ack(number) for number in range(4))
        assert journal.numbers == [0, 1, 2, 3]
        assert counts["busy"] == 4
        writer.close()


@run
async def test_while_it_is_busy_nothing_more_is_read_and_no_frame_is_late():
    async with door(progress_timeout=Duration(0.1), frame_timeout=Duration(0.1)) as (made, journal, counts):
        journal.busy = 10**9
        reader, writer = await connect(made)
        writer.write(frame(1) + frame(2)[:5])
        await until(lambda: counts["busy"] == 1)
        writer.write(frame(2)[5:])
        await asyncio.sleep(0.3)
        assert counts["frames"] == 1
        assert counts["closed"] == 0
        journal.busy = 0
        assert await read(reader, 2 * len(ack(1))) == ack(1) + ack(2)
        writer.close()


@run
async def test_busy_for_too_long_closes_a_sender_that_waits_for_an_ack():
    async with door(busy_timeout=Duration(0.05)) as (made, journal, counts):
        journal.busy = 10**9
        reader, writer = await connect(made)
        writer.write(frame(1))
        assert await ended(reader) == b""
        assert counts["busy_timeouts"] == 1
        assert journal.chunks == []
        writer.close()


@run
async def test_busy_for_long_keeps_what_nobody_would_send_again():
    async with door(busy_timeout=Duration(0.02)) as (made, journal, _):
        journal.busy = 8
        _, writer = await connect(made)
        writer.write(frame(1, chunk=False))
        await until(lambda: journal.numbers == [1])
        writer.close()


@run
async def test_too_much_on_its_way_stops_the_reading():
    async with door(waiting_bytes=Size(100_000)) as (made, journal, counts):
        journal.go.clear()
        _, writer = await connect(made)
        big = frame(1, record={"x": "x" * 50_000}, chunk=False)
        writer.write(big * 100)
        await until(lambda: journal.calls >= 2)
        calls = -1
        while calls != journal.calls:  # nothing more is read once what was received is handed on
            calls = journal.calls
            await asyncio.sleep(0.05)
        assert calls < 100
        journal.go.set()
        await until(lambda: counts["records"] == 100)
        writer.close()


@run
async def test_too_much_on_its_way_over_all_connections_stops_everyone_and_starts_everyone_again():
    async with door(waiting_bytes_all=Size(1000)) as (made, journal, counts):
        journal.go.clear()
        _, first = await connect(made)
        first.write(frame(1, record={"x": "x" * 2000}))
        await until(lambda: journal.calls == 1)
        reader, second = await connect(made)
        await until(lambda: counts["open"] == 2)
        second.write(frame(2))
        await asyncio.sleep(0.05)
        assert journal.calls == 1
        journal.go.set()
        assert await read(reader, len(ack(2))) == ack(2)
        first.close()
        second.close()


@run
async def test_half_a_frame_and_then_silence():
    async with door(progress_timeout=Duration(0.1)) as (made, journal, counts):
        reader, writer = await connect(made)
        writer.write(frame(1) + frame(2)[:-1])
        assert await ended(reader) == ack(1)
        assert counts["closed"] == 1
        assert journal.numbers == [1]
        writer.close()


@run
async def test_a_frame_that_takes_too_long_altogether():
    async with door(progress_timeout=Duration(5), frame_timeout=Duration(0.2)) as (made, _, counts):
        reader, writer = await connect(made)
        ending = asyncio.ensure_future(ended(reader))
        for byte in frame(1)[:-1]:
            if ending.done():
                break
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.02)
        assert await ending == b""
        assert counts["closed"] == 1
        writer.close()


@run
async def test_an_idle_connection_lives_unless_the_operator_says_otherwise():
    async with door(progress_timeout=Duration(0.5), frame_timeout=Duration(0.5)) as (made, _, counts):
        reader, writer = await connect(made)
        writer.write(frame(1))
        await read(reader, len(ack(1)))
        await asyncio.sleep(0.7)
        writer.write(frame(2)[:-1])
        await asyncio.sleep(0.01)
        writer.write(frame(2)[-1:])
        assert await read(reader, len(ack(2))) == ack(2)
        writer.close()
    async with door(idle_timeout=Duration(0.05)) as (made, _, counts):
        reader, writer = await connect(made)
        assert await ended(reader) == b""
        assert counts["closed"] == 0
        writer.close()


@run
async def test_half_frames_of_all_connections_together_are_bounded():
    async with door(half_frame_bytes=Size(3000)) as (made, _, counts):
        opened = [await connect(made) for _ in range(3)]
        half = frame(1, record={"x": "x" * 2000})[:1500]
        for _, writer in opened[:2]:
            writer.write(half)
        await asyncio.sleep(0.05)
        assert counts["closed"] == 0
        opened[2][1].write(half)
        assert await ended(opened[2][0]) == b""
        assert counts["closed"] == 1
        opened[0][1].write(frame(1, record={"x": "x" * 2000})[1500:])
        assert await read(opened[0][0], len(ack(1))) == ack(1)
        for _, writer in opened:
            writer.close()


@run
async def test_connections_are_bounded():
    async with door(connections=1) as (made, _, counts):
        silent, _ = await connect(made)
        reader, writer = await connect(made)
        assert await ended(silent) == b""  # who never said anything makes room
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
        refused, other = await connect(made)
        assert await ended(refused) == b""  # who did stays
        assert (counts["evicted"], counts["refused"]) == (1, 1)
        writer.write(frame(2))
        assert await read(reader, len(ack(2))) == ack(2)
        writer.close()
        other.close()


@run
async def test_deny_keepalive_closes_after_the_ack_at_a_frame_boundary():
    async with door(deny_keepalive=True) as (made, journal, _):
        reader, writer = await connect(made)
        both = frame(1) + frame(2)
        writer.write(both[:-1])
        assert await read(reader, len(ack(1))) == ack(1)
        writer.write(both[-1:])
        assert await ended(reader) == ack(2)
        assert journal.numbers == [1, 2]
        writer.close()


@run
async def test_drain_finishes_what_was_begun_and_no_more():
    journal = Journal()
    journal.go.clear()
    async with door(journal) as (made, _, counts):
        idle, first = await connect(made)
        reader, writer = await connect(made)
        whole = frame(1) + frame(2)
        writer.write(whole[:-1])
        await until(lambda: journal.calls == 1)
        draining = asyncio.ensure_future(made.drain(60))
        assert await ended(idle) == b""
        writer.write(whole[-1:])
        await until(lambda: journal.calls == 2)
        assert not draining.done()
        journal.go.set()
        assert await ended(reader) == ack(1) + ack(2)
        writer.close()
        first.close()
        await asyncio.wait_for(draining, 20)
        assert counts["open"] == 0
        with pytest.raises(ConnectionRefusedError):
            await connect(made)


@run
async def test_drain_ends_in_time_and_acks_nothing_that_is_not_durable():
    journal = Journal()
    journal.go.clear()
    async with door(journal) as (made, _, counts):
        reader, writer = await connect(made)
        writer.write(frame(1))
        await until(lambda: journal.calls == 1)
        await asyncio.wait_for(made.drain(0.1), 10)
        with contextlib.suppress(ConnectionResetError):
            assert await ended(reader) == b""
        await until(lambda: counts["open"] == 0)
        journal.go.set()
        await asyncio.sleep(0.01)
        assert counts["acks"] == 0
        assert journal.chunks == []
        writer.close()


@run
async def test_our_own_bug_closes_the_connection_without_an_ack():
    logging.getLogger("pluginhost.inputs.forward.peer").disabled = True
    try:
        async with door() as (made, journal, _):
            journal.error = RuntimeError("a bug")
            reader, writer = await connect(made)
            writer.write(frame(1))
            assert await ended(reader) == b""
            writer.close()
    finally:
        logging.getLogger("pluginhost.inputs.forward.peer").disabled = False


@run
async def test_closing_is_no_reset_while_the_sender_goes_on_writing():
    async with door() as (made, _, counts):
        reader, writer = await connect(made)
        writer.write(frame(1) + b"\xc1" + bytes(8_000_000))
        assert await read(reader, len(ack(1))) == ack(1)
        assert await ended(reader) == b""  # a reset would raise here
        writer.close()
        await until(lambda: counts["open"] == 0)


@run
async def test_udp_heartbeats_are_answered_with_one_zero_byte_also_when_empty():
    async with door() as (made, _, counts):
        host, port = made.address.rsplit(":", 1)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heart:
            heart.setblocking(False)
            await loop.sock_connect(heart, (host, int(port)))
            for beat in (b"\0", b"", b"anything"):
                heart.send(beat)
                assert await asyncio.wait_for(loop.sock_recv(heart, 10), 5) == b"\0"
        assert counts["heartbeats"] == 3


@run
async def test_connecting_and_closing_is_silent():
    async with door() as (made, _, counts):
        for _ in range(3):
            _, writer = await connect(made)
            writer.close()
        await until(lambda: counts["connections"] == 3 and counts["open"] == 0)
        assert counts["closed"] == 0


@run
async def test_tags_can_be_replaced_and_prefixed():
    for options, tag in (({"tag": "x"}, "x"), ({"add_tag_prefix": "p"}, "p.t"), ({"tag": "x", "add_tag_prefix": "p"}, "p.x")):
        async with door(**options) as (made, journal, _):
            reader, writer = await connect(made)
            writer.write(frame(1))
            await read(reader, len(ack(1)))
            assert journal.chunks[0].tag == tag
            writer.close()


@run
async def test_an_address_that_is_taken_is_a_problem():
    async with door() as (made, journal, _):
        port = int(made.address.rsplit(":", 1)[1])
        other = Forward(ForwardOptions(port=port), Context("other", journal.accept, Registry()))
        with pytest.raises(Problem) as raised:
            await other.start()
        assert raised.value.code == "input.address"
        assert str(port) in raised.value.what


def test_warnings_name_the_likely_cause_and_do_not_flood(caplog):
    async def main():
        async with door(chunk_size_limit=Size(1000), chunk_size_warn_limit=Size(5)) as (made, _, _counts):
            bad = (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", frame(1, record={"x": "x" * 1000}))
            for sent in (*bad, *bad, frame(1)):
                reader, writer = await connect(made)
                writer.write(sent)
                writer.write_eof()
                await ended(reader)
                writer.close()

    with caplog.at_level(logging.WARNING, logger="pluginhost.inputs.forward"):
        asyncio.run(main())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert "HTTP" in said[0]
    assert "TLS" in said[1]
    assert "chunk_limit_size" in said[2]
    assert "tag t" in said[2]
    assert "chunk_size_warn_limit" in said[3]


def test_options_are_read_from_a_configuration():
    made = build(ForwardOptions, Tree({"port": 1, "chunk_size_limit": "8MiB", "idle_timeout": "5m", "deny_keepalive": True}))
    assert (made.port, made.chunk_size_limit, made.idle_timeout, made.deny_keepalive) == (1, 8 << 20, 300, True)
    assert made.bind == "127.0.0.1"
