"""TLS at the forward door: who speaks it and who does not, certificates that change under way, and goodbyes that destroy nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from certificates import Authority
from forward_doors import ack, connect, door, ended, frame, introduce, read, run, until

from pluginhost import tls as tls_module
from pluginhost.inputs.forward import Forward, ForwardOptions, peer
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.problem import Problem
from pluginhost.tls import Serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "other")


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server")


def serving(server, **more):
    return Serving(cert=Path(server["cert"]), key=Path(server["key"]), **more)


def trusting(*authorities, client=None, version=None):
    context = ssl.create_default_context()
    for authority in authorities:
        context.load_verify_locations(authority.ca)
    if client:
        context.load_cert_chain(client["cert"], client["key"])
    if version:
        context.minimum_version = context.maximum_version = version
    return context


async def sends(made, context, number):
    """Whether a frame is acked over a connection of its own."""
    try:
        reader, writer = await connect(made, context)
        writer.write(frame(number))
        answer = await asyncio.wait_for(reader.read(100), 20)
        writer.close()
    except OSError:  # what a client certificate is worth, TLS 1.3 says with the first answer
        return False
    return answer == ack(number)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("key", [True, False])
@run
async def test_frames_over_tls(authority, server, version, key):
    async with door(tls=serving(server), **({"shared_key": Secret("sekrit")} if key else {})) as (made, journal, counts):
        reader, writer = await connect(made, trusting(authority, version=version))
        assert writer.get_extra_info("ssl_object").version() == version.name.replace("TLSv1_", "TLSv1.")
        if key:
            await introduce(reader, writer, behind=frame(1))
        else:
            writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)
        assert (journal.sources, counts["open"], counts["tls_failed"]) == (["127.0.0.1"], 1, 0)
        writer.close()
        await until(lambda: counts["open"] == 0)


@run
async def test_tls_below_1_2_and_strange_authorities_are_refused(authority, stranger, server):
    async with door(tls=serving(server, client_ca=authority.ca, min_version="1.3")) as (made, _, counts):
        assert not await sends(made, trusting(authority, version=ssl.TLSVersion.TLSv1_2), 1)
        await until(lambda: counts["tls_failed"] == 1)
        for number, client in enumerate((None, stranger.issue("forged"), authority.issue("late", expired=True)), 2):
            assert not await sends(made, trusting(authority, client=client), number)
            await until(lambda number=number: counts["tls_failed"] == number)
        assert await sends(made, trusting(authority, client=authority.issue("agent")), 5)
        assert (counts["tls_failed"], counts["frames"]) == (4, 1)


@run
async def test_plain_bytes_on_the_tls_port_are_told_of_and_heartbeats_are_not(authority, server, caplog):
    async with door(tls=serving(server)) as (made, journal, counts):
        reader, writer = await connect(made)
        writer.close()
        reader, writer = await connect(made, trusting(authority))
        writer.close()
        for _ in range(3):
            reader, writer = await connect(made)
            writer.write(frame(1))
            await ended(reader)
        reader, writer = await connect(made)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await ended(reader)
        await until(lambda: counts["tls_failed"] == 4)
        told = [record.getMessage() for record in caplog.records]
        assert [line.endswith(": the peer does not speak TLS") for line in told] == [True, True]
        assert all(line.startswith(f"no TLS came about with a peer of {made.address}: ") for line in told)
        assert (journal.chunks, counts["connections"]) == ([], 1)


@run
async def test_who_never_says_hello_holds_a_place_for_a_while_only(authority, server):
    async with door(tls=serving(server), connections=2, handshake_timeout=Duration(0.3)) as (made, _, counts):
        silent = [await connect(made) for _ in range(3)]
        await until(lambda: counts["evicted"] == 1)
        assert [await ended(reader) for reader, _ in silent] == [b"", b"", b""]
        assert await sends(made, trusting(authority), 1)
        await until(lambda: counts["open"] == 0)
        for number in range(2, 6):  # who came and went gave its place back at once
            assert await sends(made, trusting(authority), number)
            await until(lambda: counts["open"] == 0)
        assert (counts["evicted"], counts["refused"]) == (1, 0)


@run
async def test_the_log_names_the_certificate_of_who_is_turned_away(authority, server, caplog):
    async with door(tls=serving(server, client_ca=authority.ca), shared_key=Secret("sekrit")) as (made, _, _counts):
        reader, writer = await connect(made, trusting(authority, client=authority.issue("agent7", "agent7.example")))
        with pytest.raises(Exception, match="turns us away"):
            await introduce(reader, writer, key="guess")
        assert await ended(reader) == b""
    (told,) = caplog.records
    assert told.getMessage().endswith("shared_key mismatch; it says it is client.example, certificate agent7.example")


# -- certificates that change


@run
async def test_new_certificates_hold_for_the_next_connection_and_open_ones_live_on(tmp_path, monkeypatch):
    monkeypatch.setattr(tls_module, "_LOOK", 0.0)
    first, second = Authority(tmp_path / "a", "one"), Authority(tmp_path / "b", "two")
    old, new = first.issue("server"), second.issue("server")
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(first.ca.read_bytes())
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def put(pair):
        cert.write_bytes(open(pair["cert"], "rb").read())  # noqa: SIM115, PTH123
        key.write_bytes(open(pair["key"], "rb").read())  # noqa: SIM115, PTH123

    put(old)
    agents = {authority: authority.issue("agent") for authority in (first, second)}
    async with door(tls=Serving(cert=cert, key=key, client_ca=trusted)) as (made, journal, counts):
        reader, writer = await connect(made, trusting(first, client=agents[first]))
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)

        put(new)
        assert not await sends(made, trusting(first, client=agents[first]), 2)  # which does not trust the new one
        assert await sends(made, trusting(second, client=agents[first]), 3)

        trusted.write_bytes(second.ca.read_bytes())
        assert not await sends(made, trusting(second, client=agents[first]), 4)  # whose authority was withdrawn
        assert await sends(made, trusting(second, client=agents[second]), 5)

        cert.write_text("broken")
        assert await sends(made, trusting(second, client=agents[second]), 6)
        put(old)
        assert await sends(made, trusting(first, client=agents[second]), 7)

        writer.write(frame(8))  # over the connection of before
        assert await read(reader, len(ack(8))) == ack(8)
        assert journal.numbers == [1, 3, 5, 6, 7, 8]
        writer.close()
        await until(lambda: counts["open"] == 0)


# -- goodbyes


def talk(address, context, said):
    """What came back until the other side's close_notify (without one this raises, as after a reset)."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 20) as plain:
        secured = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        secured.sendall(said)
        heard = b""
        while data := secured.recv(4096):
            heard += data
        assert secured.unwrap().recv(1) == b""  # a reset would be an error here, and may have destroyed what was not read yet
        return heard


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@run
async def test_the_answer_before_a_close_arrives_whatever_is_still_being_sent(authority, server, version, monkeypatch):
    monkeypatch.setattr(peer, "_SILENCE", 0.5)  # the sender may be held up, by this test's own machine
    monkeypatch.setattr(peer, "_LINGER", 20.0)
    async with door(tls=serving(server), chunk_size_limit=Size(1000)) as (made, journal, counts):
        said = frame(1) + b"\x93\xa1t\xc6\x01\x00\x00\x00" + bytes(1 << 20)  # a good frame, and one that is too large
        heard = await asyncio.to_thread(talk, made.address, trusting(authority, version=version), said)
        assert (heard, journal.numbers, counts["closed"]) == (ack(1), [1], 1)


@run
async def test_a_drain_answers_and_says_goodbye_over_tls(authority, server):
    async with door(tls=serving(server)) as (made, journal, counts):
        reader, writer = await connect(made, trusting(authority))
        idle, idle_writer = await connect(made, trusting(authority))
        writer.write(frame(1))
        await until(lambda: counts["frames"] == 1 and counts["open"] == 2)
        draining = asyncio.ensure_future(made.drain(20))
        assert await ended(reader) == ack(1)
        assert await ended(idle) == b""
        writer.close()
        idle_writer.close()
        await draining
        assert (journal.numbers, counts["open"]) == ([1], 0)


@run
async def test_what_is_not_answered_when_the_peer_says_goodbye_counts_as_unanswered(authority, server, caplog):
    class Slow:
        def __init__(self):
            self.go = asyncio.Event()

        async def accept(self, chunk, *, source, carried=None):
            self.carried = carried
            await self.go.wait()
            return Receipt(0)

    slow, registry = Slow(), Registry()
    made = Forward(ForwardOptions(port=0, tls=serving(server)), Context("forward", slow.accept, registry))
    await made.start()
    counts = registry.counts("input.forward")
    _, writer = await connect(made, trusting(authority))
    writer.write(frame(1))
    await until(lambda: counts["frames"] == 1)
    writer.close()
    await until(lambda: counts["open"] == 0)
    slow.go.set()
    await made.drain(5)
    assert (slow.carried.lost, counts["acks"]) == (True, 0)
    assert caplog.records == []  # asyncio would tell of a side that is to be left open


@pytest.mark.parametrize("options", [{"port": None, "path": "/tmp/x"}])
def test_tls_without_a_port_makes_no_sense(options, server):
    with pytest.raises(Problem, match="TLS is spoken on the port only"):
        Forward(ForwardOptions(tls=serving(server), **options), Context("f", None, Registry()))


def test_a_client_authority_is_enough_to_listen_to_others(authority, server):
    options = ForwardOptions(bind="0.0.0.0", tls=serving(server, client_ca=authority.ca))
    assert Forward(options, Context("f", None, Registry())).address == "0.0.0.0:24224"
    with pytest.raises(Problem, match="asks nobody"):
        Forward(ForwardOptions(bind="0.0.0.0", tls=serving(server)), Context("f", None, Registry()))
