"""TLS at the gRPC door: who is let in, what a certificate says, and that renewed files hold without a restart."""

import asyncio
import logging
import os
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from certificates import Authority
from grpc_doors import SEND, opened, refused, stream

from pluginhost.inputs.access import Key
from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.problem import Problem
from pluginhost.tls import Serving
from pluginhost.wire.v1 import ingest_pb2 as pb


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


def serving(authority, *, client_ca=None, name="server"):
    made = authority.issue(name)
    return Serving(cert=Path(made["cert"]), key=Path(made["key"]), client_ca=client_ca)


def trust(authority, shown=None):
    mine = (Path(shown["key"]).read_bytes(), Path(shown["cert"]).read_bytes()) if shown else ()
    return grpc.ssl_channel_credentials(authority.ca.read_bytes(), *mine)


async def sent(door, credentials, tag="t", **metadata):
    """The ack of one batch over a connection of its own."""
    address = door.address.replace("127.0.0.1", "localhost")
    async with grpc.aio.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = stream(channel, SEND, **metadata)
        await call.write(pb.Batch(sequence=1, tag=tag, payload=b'{"a":1}').SerializeToString())
        await call.done_writing()
        return pb.Ack.FromString(await call.read())


def test_records_over_tls(authority):
    async def main():
        async with opened(tls=serving(authority), token=Secret("s3cret")) as (door, host, counts):
            assert (await sent(door, trust(authority), x_api_key="s3cret")).accepted == 1
            assert (await refused(sent(door, trust(authority)))).code() == grpc.StatusCode.UNAUTHENTICATED
            async with grpc.aio.insecure_channel(door.address) as plain:
                assert (await refused(plain.unary_unary("/a/b")(b""))).code() == grpc.StatusCode.UNAVAILABLE
            assert (len(host.chunks), counts["unauthorized"]) == (1, 1)

    asyncio.run(main())


def test_client_certificates_and_their_names(authority):
    keys = (Key(name="web", certificate="web.example", tags=("web.*",)), Key(name="db", certificate="db", token=Secret("d8")))

    async def main():
        async with opened(tls=serving(authority, client_ca=authority.ca), keys=keys) as (door, host, _):
            web, db = trust(authority, authority.issue("a", "web.example")), trust(authority, authority.issue("db", "db.example"))
            assert (await sent(door, web, "web.a")).accepted == 1
            assert (await sent(door, web, "db.a")).error == "forbidden: this key may not use the tag db.a"
            assert (await sent(door, db, "db.a", authorization="Bearer d8")).accepted == 1
            assert (await refused(sent(door, db, "db.a"))).code() == grpc.StatusCode.UNAUTHENTICATED  # its key wants both
            stranger = Authority(authority.folder, "other").issue("web", "web.example")
            for shown in (None, stranger):
                assert (await refused(sent(door, trust(authority, shown)))).code() == grpc.StatusCode.UNAVAILABLE
            assert [chunk.tag for chunk in host.chunks if chunk.count] == ["web.a", "db.a"]

    asyncio.run(main())


def test_a_certificate_is_enough_to_listen_to_the_network(authority):
    Grpc(GrpcOptions(bind="0.0.0.0", tls=serving(authority, client_ca=authority.ca)), Context("grpc", None, Registry()))
    with pytest.raises(Problem) as caught:
        Grpc(GrpcOptions(bind="0.0.0.0", tls=serving(authority)), Context("grpc", None, Registry()))
    assert caught.value.code == "input.unauthenticated"


def renew(*files):
    for source, target in files:
        shutil.copy(source, f"{target}.new")
        Path(f"{target}.new").replace(target)
        os.utime(target, ns=(time.time_ns(), time.time_ns()))


async def until_sent(door, credentials):
    async with asyncio.timeout(20):
        while True:
            try:
                return await sent(door, credentials)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.2)


def test_renewed_files_hold_without_a_restart_and_bad_ones_change_nothing(authority, tmp_path, caplog):
    other = Authority(tmp_path / "later")

    async def main():
        tls = serving(authority)
        async with opened(tls=tls) as (door, host, _):
            await sent(door, trust(authority))
            tls.cert.write_text("half of it")
            await asyncio.sleep(1.1)
            await sent(door, trust(authority))
            made = other.issue("server")
            renew((made["key"], tls.key), (made["cert"], tls.cert))
            await until_sent(door, trust(other))
            assert (await refused(sent(door, trust(authority)))).code() == grpc.StatusCode.UNAVAILABLE
            assert len(host.chunks) == 3

    with caplog.at_level(logging.INFO, logger="pluginhost"):
        asyncio.run(main())
    assert "TLS goes on with what was read before" in caplog.text


def test_a_withdrawn_authority_holds_for_those_who_knew_the_door(authority, tmp_path):
    clients, later = Authority(tmp_path / "clients"), Authority(tmp_path / "later")
    ca = tmp_path / "clients.pem"
    shutil.copy(clients.ca, ca)

    async def main():
        async with opened(tls=serving(authority, client_ca=ca)) as (door, _, _):
            old, new = trust(authority, clients.issue("a")), trust(authority, later.issue("b"))
            await sent(door, old)
            renew((later.ca, ca))
            await until_sent(door, new)
            assert (await refused(sent(door, old))).code() == grpc.StatusCode.UNAVAILABLE

    asyncio.run(main())


def test_problems_of_the_declaration(authority, tmp_path):
    good = serving(authority)
    for tls, code in (
        (Serving(cert=good.cert, key=tmp_path / "none", client_ca=None), "tls.files"),
        (Serving(cert=good.cert, key=Path(authority.issue("else")["key"])), "tls.files"),
        (Serving(cert=good.cert, key=good.key, min_version="1.3"), "tls.version"),
    ):
        with pytest.raises(Problem) as caught:
            Grpc(GrpcOptions(tls=tls), Context("grpc", None, Registry()))
        assert caught.value.code == code


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_nothing_below_tls_1_2_is_spoken(authority):
    async def main():
        async with opened(tls=serving(authority)) as (door, _, _):
            host, _, port = door.address.rpartition(":")
            context = ssl.create_default_context(cafile=authority.ca)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")

    asyncio.run(main())


def test_the_library_is_quiet_about_strangers():
    """It would write a line for each failed handshake, from a thread of its own, straight to the standard error."""
    code = "import pluginhost.inputs.grpc, os; print(os.environ['GRPC_VERBOSITY'])"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert said.stdout == "ERROR\n"
