"""The forward door on a Unix socket: the file's mode, who may take its place, and that it goes with the door."""

from __future__ import annotations

import asyncio
import socket
import stat

import pytest
from forward_doors import ack, connect, door, ended, frame, introduce, read, run

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.forward.options import Client
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.problem import Problem


def made(path, **options):
    return Forward(ForwardOptions(port=None, path=path, **options), Context("f", None, Registry()))


@run
async def test_frames_over_the_socket_alone_and_its_file(tmp_path):
    path = tmp_path / "f.sock"
    async with door(port=None, path=path, mode="0600") as (one, journal, counts):
        assert one.address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reader, writer = await connect(one)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
        assert (journal.numbers, journal.sources, counts["heartbeats"]) == ([1], ["unix"], 0)
    assert not path.exists()


@run
async def test_the_socket_and_the_port_at_once(tmp_path):
    path = tmp_path / "f.sock"
    async with door(path=path) as (one, journal, _):
        port, told = one.address.split(", ")
        assert port.startswith("127.0.0.1:")
        assert told == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        for number, (reader, writer) in enumerate([await connect(one), await asyncio.open_unix_connection(str(path))]):
            writer.write(frame(number))
            assert await read(reader, len(ack(number))) == ack(number)
        assert sorted(journal.sources) == ["127.0.0.1", "unix"]


@run
async def test_the_handshake_is_asked_for_there_too_and_networks_are_not(tmp_path):
    more = {"clients": (Client(network="203.0.113.0/24"),), "allow_anonymous_source": False}
    async with door(port=None, path=tmp_path / "f.sock", shared_key=Secret("sekrit"), **more) as (one, journal, counts):
        reader, writer = await connect(one)
        await introduce(reader, writer, behind=frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
        reader, writer = await connect(one)
        writer.write(frame(2))
        assert b"invalid ping message" in await ended(reader)
        assert (journal.numbers, counts["handshakes_failed"]) == ([1], 1)


@run
async def test_a_socket_that_nobody_answers_on_is_replaced(tmp_path):
    path = tmp_path / "f.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    async with door(port=None, path=path) as (one, _, _counts):
        reader, writer = await connect(one)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)


@run
async def test_a_socket_that_somebody_answers_on_is_left_alone(tmp_path):
    path = tmp_path / "f.sock"
    async with door(port=None, path=path) as (one, _, _counts):
        second = made(path)
        with pytest.raises(Problem, match="Address already in use") as refused:
            await second.start()
        assert refused.value.code == "input.address"
        await second.drain(1)
        reader, writer = await connect(one)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)


@run
async def test_what_is_no_socket_is_never_taken_away(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(Problem, match="it is no socket"):
        await made(path).start()
    assert path.read_text() == "data"


@run
async def test_a_folder_that_is_not_there_is_a_problem_and_the_port_is_given_back(tmp_path):
    both = Forward(ForwardOptions(port=0, path=tmp_path / "no" / "f.sock"), Context("f", None, Registry()))
    with pytest.raises(Problem) as refused:
        await both.start()
    assert refused.value.code == "input.address"
    await both.drain(1)


@run
async def test_another_doors_socket_in_its_place_stays(tmp_path):
    path = tmp_path / "f.sock"
    first = made(path)
    await first.start()
    path.unlink()
    async with door(port=None, path=path) as (second, _, _counts):
        await first.drain(1)
        reader, writer = await connect(second)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
