"""The handshake at the forward door, over real sockets: who is let in, who is turned away and how, and what the log says of it."""

from __future__ import annotations

import asyncio
from hashlib import sha512

import msgpack
import pytest
from forward_doors import KEY, ack, connect, door, ended, frame, introduce, read, run, until

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.forward.options import Client, User
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, build, parse
from pluginhost.problem import Problem

SALT = b"0123456789abcdef"
WEB, ANY = User(username="web", password=Secret("pw"), tags=("web.*", "web")), User(username="any", password=Secret("pw2"))
LOCAL, ELSEWHERE = Client(network="127.0.0.0/8"), Client(network="203.0.113.0/24")


def digest(*parts):
    return sha512(b"".join(parts)).hexdigest()


class Knock:
    """A connection on which the HELO was read."""

    @classmethod
    async def at(cls, made):
        self = cls()
        self.reader, self.writer = await connect(made)
        unpacker = msgpack.Unpacker()
        while not (said := list(unpacker)):
            data = await asyncio.wait_for(self.reader.read(4096), 20)
            assert data, "closed instead of a HELO"
            unpacker.feed(data)
        (self.helo,) = said
        return self

    def ping(self, key=KEY, hostname="client.example", salt=SALT, user="", password="", **changed):
        options = self.helo[1]
        name = hostname.encode() if isinstance(hostname, str) else b""
        proof = digest(salt, name, options["nonce"], key.encode())
        fields = {"name": "PING", "hostname": hostname, "salt": salt, "proof": proof, "user": user,
                  "password": digest(options["auth"] or b"", user.encode(), password.encode()), **changed}  # fmt: skip
        return msgpack.packb([value for value in fields.values() if value is not ...])

    async def pong(self, sent, *, whole=True):
        """(pong, what came behind it until the close) of what is sent, byte by byte if it is not sent whole."""
        for piece in [sent] if whole else [sent[n : n + 1] for n in range(len(sent))]:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)
        unpacker = msgpack.Unpacker()
        unpacker.feed(await asyncio.wait_for(self.reader.read(4096), 20))
        return next(unpacker)


def shared(**more):
    return door(shared_key=Secret(KEY), **more)


@pytest.mark.parametrize(
    ("salt", "whole"), [(SALT, True), (SALT.decode(), True), (b"\xff\x00\xfe", True), (SALT, False)], ids=["bin", "str", "raw", "bytewise"]
)
@run
async def test_a_good_ping_lets_in(salt, whole):
    async with shared() as (made, journal, counts):
        knock = await Knock.at(made)
        raw = salt if isinstance(salt, bytes) else salt.encode()
        ping = knock.ping(salt=raw)
        pong = await knock.pong(ping if isinstance(salt, bytes) else ping.replace(b"\xc4\x10", b"\xb0"), whole=whole)
        assert pong == ["PONG", True, "", "server.example", digest(raw, b"server.example", knock.helo[1]["nonce"], KEY.encode())]
        knock.writer.write(frame(1))
        assert await read(knock.reader, len(ack(1))) == ack(1)
        assert journal.numbers == [1]
        assert (counts["handshakes"], counts["handshakes_failed"], counts["connections"], counts["open"]) == (1, 0, 1, 1)
        knock.writer.close()
        await until(lambda: counts["open"] == 0)


@run
async def test_the_greeting_differs_each_time_and_asks_for_users_only_where_there_are_some():
    async with shared() as (made, _, _):
        first, second = (await Knock.at(made)).helo, (await Knock.at(made)).helo
        assert first[1]["nonce"] != second[1]["nonce"]
        assert (len(first[1]["nonce"]), first[1]["auth"], first[1]["keepalive"]) == (16, "", True)
    async with shared(users=(ANY,), deny_keepalive=True) as (made, _, _):
        helo = (await Knock.at(made)).helo
        assert (len(helo[1]["auth"]), helo[1]["keepalive"]) == (16, False)


BAD = {
    "wrong key": (lambda knock: knock.ping("another"), "shared_key mismatch"),
    "no key": (lambda knock: knock.ping(""), "shared_key mismatch"),
    "upper case": (lambda knock: knock.ping(proof=msgpack.unpackb(knock.ping())[3].upper()), "shared_key mismatch"),
    "five elements": (lambda knock: knock.ping(proof=...), "invalid ping message"),
    "a map": (lambda _: msgpack.packb({"PING": 1}), "invalid ping message"),
    "data": (lambda _: frame(1), "invalid ping message"),
    "hostname nil": (lambda knock: knock.ping(hostname=None), "invalid ping message"),
    "http": (lambda _: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "invalid ping message"),
    "json": (lambda _: b'["t",1795923297,{"n":1},{"chunk":"c"}]', "invalid ping message"),
    "tls": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "invalid ping message"),
    "bad, then good": (lambda knock: knock.ping("another") + knock.ping(), "shared_key mismatch"),
    "bad, then good and data": (lambda knock: knock.ping("another") + knock.ping() + frame(1), "shared_key mismatch"),
    "too long": (lambda knock: knock.ping(hostname="x" * 5000), "invalid ping message"),
}


@pytest.mark.parametrize("case", BAD)
@run
async def test_a_bad_ping_is_answered_no_and_closed(case):
    make, reason = BAD[case]
    async with shared() as (made, journal, counts):
        knock = await Knock.at(made)
        knock.writer.write(make(knock))
        assert msgpack.unpackb(await ended(knock.reader)) == ["PONG", False, reason, "", ""]  # and nothing more
        assert (counts["handshakes_failed"], counts["unauthorized"]) == ((0, 1) if reason == "shared_key mismatch" else (1, 0))
        knock.writer.close()
        await until(lambda: counts["open"] == 0)
        assert (journal.chunks, counts["handshakes"], counts["frames"]) == ([], 0, 0)


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ({"user": "web", "password": "pw"}, True), ({"user": "any", "password": "pw2"}, True),
        ({}, False),
        ({"user": "web", "password": "pw2"}, False), ({"user": "nobody", "password": "pw"}, False),
        ({"user": "web", "password": ""}, False),
    ],
)  # fmt: skip
@run
async def test_users_are_asked_for(said, fine):
    async with shared(users=(WEB, ANY)) as (made, _, counts):
        knock = await Knock.at(made)
        pong = await knock.pong(knock.ping(**said))
        assert pong[1:3] == [fine, "" if fine else "username/password mismatch"]
        assert counts["unauthorized"] == (not fine)
        knock.writer.close()


@run
async def test_data_behind_the_ping_is_taken_and_answered_after_the_pong():
    async with shared() as (made, journal, _):
        knock = await Knock.at(made)
        knock.writer.write(knock.ping() + frame(1) + frame(2)[:-3])
        answer = await read(knock.reader, len(msgpack.packb(["PONG", True, "", "server.example", "x" * 128])) + len(ack(1)))
        assert answer.endswith(ack(1))
        assert answer[:7] == b"\x95\xa4PONG\xc3"
        knock.writer.write(frame(2)[-3:])
        assert await read(knock.reader, len(ack(2))) == ack(2)
        assert journal.numbers == [1, 2]


@run
async def test_a_second_ping_is_not_answered():
    async with shared() as (made, journal, counts):
        knock = await Knock.at(made)
        assert (await knock.pong(knock.ping()))[1] is True
        knock.writer.write(knock.ping() + frame(1))
        assert await read(knock.reader, len(ack(1))) == ack(1)
        assert journal.numbers == [1]
        assert counts["handshakes"] == 1


@run
async def test_who_sends_no_ping_is_closed_when_the_time_is_up():
    async with shared(handshake_timeout=Duration(0.2)) as (made, _, counts):
        idle, half, good = await Knock.at(made), await Knock.at(made), await Knock.at(made)
        half.writer.write(half.ping()[:50])
        assert (await good.pong(good.ping()))[1] is True
        assert await ended(idle.reader) == b""
        assert await ended(half.reader) == b""
        assert counts["handshakes_failed"] == 2
        good.writer.write(frame(1))  # its time is not counted any more
        assert await read(good.reader, len(ack(1))) == ack(1)


@run
async def test_who_only_connects_is_no_failure():
    async with shared() as (made, _, counts):
        knock = await Knock.at(made)
        knock.writer.close()
        await until(lambda: counts["connections"] == 1 and counts["open"] == 0)
        assert (counts["handshakes_failed"], counts["unauthorized"]) == (0, 0)


@run
async def test_who_waits_to_be_let_in_counts_among_the_connections_and_ends_with_the_door():
    async with shared(connections=2) as (made, _, counts):
        silent, two = await Knock.at(made), await Knock.at(made)
        assert (await two.pong(two.ping()))[1] is True
        three = await Knock.at(made)
        assert await ended(silent.reader) == b""  # it makes room; who was let in stays
        assert (counts["evicted"], counts["refused"]) == (1, 0)
        draining = asyncio.ensure_future(made.drain(20))
        assert await ended(three.reader) == b""
        assert await ended(two.reader) == b""
        two.writer.close()
        await draining


# -- networks, tags


@pytest.mark.parametrize("handshake", [True, False])
@run
async def test_unknown_sources_are_turned_away(handshake):
    key = {"shared_key": Secret(KEY)} if handshake else {}
    async with door(**key, clients=(ELSEWHERE,), allow_anonymous_source=False) as (made, journal, counts):
        if handshake:
            knock = await Knock.at(made)
            pong = await knock.pong(knock.ping() + frame(1))
            assert pong == ["PONG", False, "anonymous source host '127.0.0.1' denied", "", ""]
            reader = knock.reader
        else:
            reader, writer = await connect(made)
            writer.write(frame(1))
        assert await ended(reader) == b""
        assert counts["unauthorized"] == 1
    assert journal.chunks == []
    async with door(**key, clients=(ELSEWHERE, LOCAL), allow_anonymous_source=False) as (made, journal, counts):
        reader, writer = await connect(made)
        if handshake:
            await introduce(reader, writer)
        writer.write(frame(1))
        assert await read(reader, len(ack(1))) == ack(1)


@run
async def test_a_network_may_have_its_own_key_and_users():
    special = Client(network="127.0.0.1", shared_key=Secret("other"), users=("any",))
    async with shared(users=(WEB, ANY), clients=(ELSEWHERE, special, LOCAL)) as (made, _, _):
        for key, user, password, reason in (
            ("other", "any", "pw2", ""), ("other", "web", "pw", "username/password mismatch"), (KEY, "any", "pw2", "shared_key mismatch"),
        ):  # fmt: skip
            knock = await Knock.at(made)
            assert (await knock.pong(knock.ping(key, user=user, password=password)))[2] == reason


@run
async def test_a_tag_that_the_user_may_not_use_is_a_dead_letter_and_acked():
    async with shared(users=(WEB, ANY), add_tag_prefix="in") as (made, journal, counts):
        reader, writer = await connect(made)
        await introduce(reader, writer, user="web", password="pw")
        for number, tag in enumerate(("web.a", "auth", "web", "webx")):
            writer.write(frame(number, tag))
            assert await read(reader, len(ack(number))) == ack(number)
        reader, writer = await connect(made)
        await introduce(reader, writer, user="any", password="pw2")
        writer.write(frame(4, "auth"))
        assert await read(reader, len(ack(4))) == ack(4)
    assert journal.numbers == [0, 2, 4]
    assert [chunk.tag for chunk in journal.chunks] == ["in.web.a", "auth", "in.web", "webx", "in.auth"]
    dead = [chunk for chunk in journal.chunks if chunk.rejected]
    assert [(part.reason, chunk.data[part.start : part.end]) for chunk in dead for part in chunk.rejected] == [
        ("forbidden_tag", chunk.data) for chunk in dead
    ]
    assert [chunk.chunk_id for chunk in dead] == [msgpack.packb("id1"), msgpack.packb("id3")]
    assert (counts["records"], counts["rejected_forbidden_tag"]) == (3, 2)


# -- the log


@run
async def test_the_log_says_once_who_was_turned_away_and_no_secret(caplog):
    async with shared(users=(WEB,)) as (made, _, _):
        for _ in range(3):
            knock = await Knock.at(made)
            await knock.pong(knock.ping("guess\n", hostname="evil\nhost", user="web", password="secretpw"))
            await ended(knock.reader)
        knock = await Knock.at(made)
        await knock.pong(b"\x16\x03\x01" + bytes(20))
        knock = await Knock.at(made)
        await knock.pong(frame(1))
    assert [record.getMessage() for record in caplog.records] == [
        "127.0.0.1 is turned away: shared_key mismatch; it says it is evil\\x0ahost, user web",
        "127.0.0.1 is turned away: invalid ping message (the peer speaks TLS, this port does not)",
        "127.0.0.1 is turned away: invalid ping message (has the sender a shared key?)",
    ]


# -- options


def made(**options):
    return Forward(ForwardOptions(**options), Context("f", None, Registry()))


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"bind": "0.0.0.0"}, "input.unauthenticated", "asks nobody who they are"),
        ({"bind": "::", "clients": (LOCAL,)}, "input.unauthenticated", "asks nobody"),
        ({"shared_key": Secret("")}, "input.forward.security", "is empty"),
        ({"shared_key": Secret("k"), "users": (User(username="a", password=Secret("")),)}, "input.forward.security", "is empty"),
        ({"users": (ANY,)}, "input.forward.security", "need a `shared_key`"),
        ({"clients": (Client(network="10.0.0.0/8", shared_key=Secret("k")),)}, "input.forward.security", "need a `shared_key`"),
        ({"shared_key": Secret("k"), "users": (ANY, ANY)}, "input.forward.security", "named twice"),
        ({"shared_key": Secret("k"), "clients": (Client(network="::1", users=("who",)),)}, "input.forward.security", "not there: who"),
        ({"allow_anonymous_source": False}, "input.forward.security", "nobody could come in"),
        ({"clients": (Client(network="10.0.0.0/33"),)}, "input.network", "is no address or network"),
        ({"port": None}, "input.address", "listens nowhere"),
    ],
)
def test_options_that_make_no_sense_or_let_strangers_in(options, code, words):
    with pytest.raises(Problem) as refused:
        made(**options)
    assert refused.value.code == code
    assert words in refused.value.what


@pytest.mark.parametrize("options", [{"shared_key": Secret("k")}, {"allow_unauthenticated": True}])
def test_others_may_be_listened_to_once_they_are_asked(options):
    assert made(bind="0.0.0.0", **options).address == "0.0.0.0:24224"


def test_options_are_read_as_an_operator_writes_them(tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    text = f"""
shared_key: file:{tmp_path}/key
users: [{{username: web, password: pw, tags: [web.*]}}]
clients: [{{network: 10.0.0.0/8, shared_key: other, users: [web]}}]
allow_anonymous_source: false
port: null
path: /run/x.sock
mode: "0600"
"""
    options = build(ForwardOptions, parse(text))
    assert (options.shared_key, options.clients[0].shared_key) == ("from a file", "other")
    assert options.users == (User(username="web", password=Secret("pw"), tags=("web.*",)),)
    assert (options.port, str(options.path), options.mode) == (None, "/run/x.sock", "0600")
    assert "from a file" not in repr(options)
