"""The forward output to a receiver that asks who is there: our own door, and receivers that misbehave."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import msgpack
import pytest
from certificates import Authority
from forward_doors import door, run, until

from pluginhost import tls as tls_module
from pluginhost.inputs.forward.options import User
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, build, parse
from pluginhost.outputs.forward import Forward
from pluginhost.outputs.port import DONE, Context, Outgoing, Unavailable
from pluginhost.problem import Problem
from pluginhost.tls import Calling, Serving

KEY = Secret("sekrit")
USERS = (User(username="agent1", password=Secret("pw"), tags=("flagged.*",)),)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server")


@pytest.fixture(scope="module")
def agent(authority):
    return authority.issue("agent", "agent.example")


def outgoing(number):
    document = {"event": {"id": f"id{number}"}, "pluginhost": {"record": {"n": number}}}
    return Outgoing(sequence=1, id=f"id{number}", time=10**18, severity="high", analyzer="a", document=json.dumps(document).encode())


def output(address, **options):
    given = Forward.Options(servers=(address.replace("127.0.0.1", options.pop("host", "127.0.0.1")),), ack_timeout=Duration(10), **options)
    return Forward(given, Context(name="out", metrics=Registry(), clock=lambda: 10**18, hostname="here"))


def serving(pair, **more):
    return Serving(cert=Path(pair["cert"]), key=Path(pair["key"]), **more)


def calling(authority, pair=None, **more):
    mine = {"cert": Path(pair["cert"]), "key": Path(pair["key"])} if pair else {}
    return Calling(ca=authority.ca, **mine, **more)


async def delivered(made, *numbers):
    alerts = [outgoing(number) for number in numbers]
    assert await made.deliver(alerts) == [DONE] * len(alerts)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3", ""])
@pytest.mark.parametrize("compress", ["none", "gzip"])
@pytest.mark.parametrize("secret", [(), ("key",), ("key", "user")], ids="-".join)
@run
async def test_alerts_arrive_at_our_own_door(authority, server, agent, version, compress, secret):
    there, here = {}, {}
    if version:
        there["tls"] = serving(server, client_ca=authority.ca, min_version=version[-3:])
        here["tls"] = calling(authority, agent)
    if secret:
        there["shared_key"] = here["shared_key"] = KEY
    if "user" in secret:
        there["users"], here["username"], here["password"] = USERS, "agent1", Secret("pw")
    async with door(**there) as (one, journal, counts):
        made = output(one.address, compress=compress, **here)
        if version == "TLSv1.2":
            made._caller.tls().maximum_version = ssl.TLSVersion.TLSv1_2
        await made.check()
        for first in (0, 2):
            await delivered(made, first, first + 1)
        spoken = made._link._writer.get_extra_info("ssl_object")
        assert (spoken.version() if spoken else "") == version
        assert journal.numbers == [0, 1, 2, 3]
        assert {chunk.packing for chunk in journal.chunks} == {"gzip" if compress == "gzip" else ""}
        assert {chunk.tag for chunk in journal.chunks} == {"flagged.high.a"}
        assert (counts["handshakes"], counts["handshakes_failed"]) == ((2, 0) if secret else (0, 0))  # of the check, and of the delivery
        await made.close()
        await until(lambda: counts["open"] == 0)
        assert counts["tls_failed"] == 0


@run
async def test_alerts_over_a_unix_socket_with_a_key(tmp_path):
    async with door(port=None, path=tmp_path / "f.sock", shared_key=KEY) as (_, journal, _counts):
        made = output(f"unix:{tmp_path}/f.sock", shared_key=KEY)
        assert made.address == f"unix:{tmp_path}/f.sock"
        await delivered(made, 1)
        await made.close()
        assert journal.numbers == [1]


@run
async def test_an_own_name_may_be_given_and_is_not_the_servers(authority):
    async with door(shared_key=KEY, self_hostname="twin") as (one, journal, _):
        made = output(one.address, shared_key=KEY, self_hostname="twin")
        with pytest.raises(Unavailable, match="the receiver calls itself twin, as we do: choose another `self_hostname`"):
            await made.deliver([outgoing(1)])
        made = output(one.address, shared_key=KEY)
        await delivered(made, 2)
        await made.close()
        assert journal.numbers == [2]


# -- what keeps alerts waiting, until it is mended


def _mends(authority, other, server, agent):
    """{name: (the door's options, the output's, what is said, what is mended at the door, what at the output)}"""
    expired, elsewhere = authority.issue("expired", expired=True), authority.issue("elsewhere", "elsewhere.example")
    tls = {"tls": serving(server)}
    return {
        "wrong key": ({"shared_key": Secret("other")}, {"shared_key": KEY}, "us away: shared_key mismatch", {"shared_key": KEY}, None),
        "wrong password": (
            {"shared_key": KEY, "users": USERS}, {"shared_key": KEY, "username": "agent1", "password": Secret("no")},
            "turns us away: username/password mismatch", {"shared_key": KEY}, None,
        ),
        "no key there": (
            {}, {"shared_key": KEY, "handshake_timeout": Duration(0.2)}, "no HELO within 0.2 s: has the server a shared key at all?",
            {"shared_key": KEY}, {"shared_key": KEY},
        ),
        "no key here": ({"shared_key": KEY}, {}, "helo: the receiver asks for a shared key, which this output does not have", {}, None),
        "wrong CA": (tls, {"tls": calling(other)}, "the receiver's certificate: ", tls, {"tls": calling(authority)}),
        "expired": ({"tls": serving(expired)}, {"tls": calling(authority)}, "certificate: certificate has expired", tls, None),
        "wrong name": ({"tls": serving(elsewhere)}, {"tls": calling(authority)}, "certificate: IP address mismatch", tls, None),
        "no TLS there": ({}, {"tls": calling(authority)}, "closed: does it speak TLS?", tls, None),
        "no TLS here": (tls, {}, "closed without an ack", {}, None),
        "no certificate": (
            {"tls": serving(server, client_ca=authority.ca)}, {"tls": calling(authority)},
            "does it ask for another certificate?", tls, None,
        ),
        "strange certificate": (
            {"tls": serving(server, client_ca=other.ca), "shared_key": KEY}, {"tls": calling(authority, agent), "shared_key": KEY},
            "; does it ask for another certificate?)", {**tls, "shared_key": KEY}, None,
        ),
    }  # fmt: skip


CASES = ["wrong key", "wrong password", "no key there", "no key here", "wrong CA", "expired", "wrong name", "no TLS there", "no TLS here",
         "no certificate", "strange certificate"]  # fmt: skip


@pytest.fixture(scope="module")
def mends(tmp_path_factory, authority, server, agent):
    made = _mends(authority, Authority(tmp_path_factory.mktemp("other"), "other"), server, agent)
    assert list(made) == CASES
    return made


@pytest.mark.parametrize("case", CASES)
@run
async def test_alerts_wait_until_it_is_mended_and_arrive_once(mends, case):
    there, here, said, mended_there, mended_here = mends[case]
    async with door(**there) as (one, journal, _):
        made, port = output(one.address, **here), int(one.address.rsplit(":", 1)[1])
        for _ in range(2):
            with pytest.raises(Unavailable) as lost:
                await made.deliver([outgoing(1), outgoing(2)])
            assert said in lost.value.reason
            assert "sekrit" not in lost.value.reason
        assert journal.chunks == []
    async with door(port=port, heartbeat=False, **mended_there) as (_, journal, _counts):
        if mended_here:
            await made.close()
            made = output(f"127.0.0.1:{port}", **mended_here)
        await delivered(made, 1, 2)
        await made.close()
        assert journal.numbers == [1, 2]


@run
async def test_an_address_may_be_checked_by_a_name(authority):
    async with door(tls=serving(authority.issue("named", "receiver.example"))) as (one, journal, _):
        with pytest.raises(Unavailable, match="IP address mismatch"):
            await output(one.address, tls=calling(authority)).deliver([outgoing(1)])
        made = output(one.address, tls=calling(authority, server_name="receiver.example"))
        await delivered(made, 1)
        await made.close()
        made = output(one.address, tls=Calling(verify=False))
        await delivered(made, 2)
        await made.close()
        assert journal.numbers == [1, 2]


@run
async def test_a_renewed_certificate_of_ours_is_used_for_the_next_connection(authority, tmp_path):
    strange = Authority(tmp_path / "x", "x")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def put(pair):
        cert.write_bytes(Path(pair["cert"]).read_bytes())
        key.write_bytes(Path(pair["key"]).read_bytes())

    put(strange.issue("agent"))
    async with door(tls=serving(authority.issue("server"), client_ca=authority.ca)) as (one, journal, _):
        made = output(one.address, tls=Calling(ca=authority.ca, cert=cert, key=key))
        with pytest.raises(Unavailable):
            await made.deliver([outgoing(1)])
        put(authority.issue("agent"))
        tls_module._LOOK, before = 0.0, tls_module._LOOK
        try:
            await delivered(made, 1)
        finally:
            tls_module._LOOK = before
        await made.close()
        assert journal.numbers == [1]


# -- receivers that misbehave


class Fake:
    """A receiver that says what it is told to, and writes down what comes."""

    def __init__(self, *answers):
        self.answers, self.heard = answers, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        heard = b""
        for answer in self.answers:
            writer.write(answer)
            heard += await reader.read(1 << 16)
        self.heard.append(heard)
        writer.close()


HELO = msgpack.packb(["HELO", {"nonce": bytes(16), "auth": "", "keepalive": True}])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((HELO,), "closed during handshake: shared key? (end of stream)"),  # as Fluent Bit does
        ((HELO, msgpack.packb(["PONG", True, "", "server", "0" * 128])), "does not prove that it knows the shared key"),
        ((HELO, msgpack.packb(["PONG", False, "shared_key mismatch", "", ""])), "the receiver turns us away: shared_key mismatch"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "the receiver does not begin with HELO: is it a forward input with a shared key?"),
        ((HELO, b"", b""), "no PONG within 0.3 s"),
        ((b"", b""), "no HELO within 0.3 s: has the server a shared key at all?"),
    ],
)
@run
async def test_nothing_but_a_ping_is_sent_before_the_receiver_has_proven_itself(answers, said):
    async with Fake(*answers) as fake:
        made = output(fake.address, shared_key=KEY, handshake_timeout=Duration(0.3))
        with pytest.raises(Unavailable) as lost:
            await made.deliver([outgoing(1)])
        assert said in lost.value.reason
        assert lost.value.reason.startswith(f"{fake.address}: ")
        await until(lambda: fake.heard)
    unpacker = msgpack.Unpacker()
    unpacker.feed(fake.heard[0])
    assert [value[0] for value in unpacker] in ([], ["PING"])


@run
async def test_a_receiver_that_never_speaks_tls_gets_no_record():
    async with Fake(b"", b"") as fake:
        made = output(fake.address, tls=Calling(verify=False), connect_timeout=Duration(0.3))
        with pytest.raises(Unavailable, match=r"no connection within 0\.3 s"):
            await made.deliver([outgoing(1)])
        await until(lambda: fake.heard)
    assert fake.heard[0][:2] == b"\x16\x03"
    assert b"pluginhost" not in fake.heard[0]


@run
async def test_the_next_server_is_taken_where_the_first_does_not_know_the_key():
    async with door(shared_key=Secret("other")) as (wrong, _, _), door(shared_key=KEY) as (right, journal, _):
        options = Forward.Options(servers=(wrong.address, right.address), shared_key=KEY)
        made = Forward(options, Context(name="out", metrics=Registry(), clock=lambda: 10**18))
        await delivered(made, 1)
        await made.close()
        assert journal.numbers == [1]


# -- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shared_key": Secret("")}, "is empty"),
        ({"shared_key": KEY, "username": "a"}, "half given"),
        ({"shared_key": KEY, "password": KEY}, "half given"),
        ({"username": "a", "password": KEY}, "without a `shared_key`"),
        ({"shared_key": KEY, "profile": "logstash"}, "Logstash knows no shared key"),
        ({"tls": Calling(), "servers": ("h:1", "unix:/x")}, "not spoken over a Unix socket"),
    ],
)
def test_options_that_make_no_sense_together(options, words):
    with pytest.raises(Problem) as refused:
        Forward(Forward.Options(**options), Context(name="f", metrics=Registry(), clock=lambda: 0))
    assert refused.value.code == "output.forward.security"
    assert words in refused.value.what


def test_files_that_cannot_be_read_are_a_problem_at_the_start(tmp_path):
    with pytest.raises(Problem) as refused:
        output("h:1", tls=Calling(ca=tmp_path / "none.pem"))
    assert refused.value.code == "tls.files"


def test_options_are_read_as_an_operator_writes_them():
    text = "{servers: ['[::1]:24225', 'unix:/run/f.sock'], shared_key: k, username: u, password: p}"
    options = build(Forward.Options, parse(text))
    made = Forward(options, Context(name="f", metrics=Registry(), clock=lambda: 0))
    assert [str(server) for server in made._servers] == ["[::1]:24225", "unix:/run/f.sock"]
    assert "'k'" not in repr(options)
