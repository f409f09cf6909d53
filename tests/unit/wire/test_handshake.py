"""The handshake, both sides: the vector of the protocol, any chunking, and everything that must end it."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire.handshake import INVALID, LONGEST, WRONG_KEY, WRONG_USER, Account, ClientHandshake, ServerHandshake, Terms

NONCE, AUTH, SALT, KEY = bytes(range(16)), bytes(range(16, 32)), "0123456789abcdef", "sekrit"
PING_DIGEST = ("afd99b9c97c9e3b0a4107c34416b3c4cb3d156624aa51cf2e23c72b1caf0d699"
               "e5e320ee50a0730e321ce4525b31b4b4ba3f71a9f7927367c888844f15dd0ae8")  # fmt: skip
PONG_DIGEST = ("67a537bf8c077612eec46073dd1e83c2ee1b120d373226eb2dce142740ae2606"
               "979b1093db3e21c43851697450fbeeb6e1e20d2e686052c33de46f14cb93f3cf")  # fmt: skip
PASSWORD_DIGEST = ("6cef7aeb20f055eb502789f72ee15bc40ca39c24eeb8f9249d4481645e3e7f0b"
                   "92bbd6cdbddab73fc3443147c8d2ad12519793283c5a457a8a57bb31f96b781a")  # fmt: skip
USER = Account("agent1", "pw")
PING = ["PING", "client.example", SALT, PING_DIGEST, "agent1", PASSWORD_DIGEST]
PONG = ["PONG", True, "", "server.example", PONG_DIGEST]


def pack(*values):
    return b"".join(msgpack.packb(value) for value in values)


def server(*, users=(), refusal="", keepalive=True):
    terms = Terms(hostname="server.example", key=KEY, users=users, refusal=refusal, keepalive=keepalive)
    return ServerHandshake(terms, nonce=NONCE, auth=AUTH)


def client(user=None, hostname="client.example"):
    return ClientHandshake(hostname=hostname, key=KEY, salt=SALT, user=user)


def helo(auth="", nonce=NONCE):
    return pack(["HELO", {"nonce": nonce, "auth": auth, "keepalive": True}])


def ping(**changed):
    fields = dict(zip(("name", "hostname", "salt", "digest", "user", "password"), PING, strict=True))
    return pack([value for value in {**fields, **changed}.values() if value is not ...])


class TestServer:
    def test_its_greeting_has_the_nonce_as_bytes_and_asks_for_users_only_where_there_are_some(self):
        assert server().hello == helo()
        assert server(users=(USER,), keepalive=False).hello == pack(["HELO", {"nonce": NONCE, "auth": AUTH, "keepalive": False}])
        assert b"\xc4\x10" + NONCE in server().hello
        assert len(server(users=(USER,)).hello) < 1000

    def test_the_vector(self):
        verdict = server(users=(USER,)).receive_data(pack(PING))
        assert msgpack.unpackb(verdict.answer) == PONG
        assert (verdict.reason, verdict.hostname, verdict.user, verdict.rest) == ("", "client.example", "agent1", b"")

    @pytest.mark.parametrize("salt", [b"\xff\x00raw salt", "text", b""])
    def test_a_salt_of_any_kind(self, salt):
        from hashlib import sha512

        raw = salt if isinstance(salt, bytes) else salt.encode()
        digest = sha512(raw + b"client.example" + NONCE + b"sekrit").hexdigest()
        for packed in (salt, raw):
            verdict = server().receive_data(ping(salt=packed, digest=digest))
            assert msgpack.unpackb(verdict.answer)[:2] == ["PONG", True]
        as_text = b"\xa0" if not raw else bytes([0xA0 | len(raw)]) + raw  # bytes that are not UTF-8 under a text's header
        made = b"\x96" + pack("PING", "client.example") + as_text + pack(digest, "", "")
        assert server().receive_data(made).reason == ""

    @pytest.mark.parametrize(("user", "password"), [("", ""), ("x", "cf83e1"), (None, 5), ("agent1", PASSWORD_DIGEST)])
    def test_without_users_what_is_said_of_one_does_not_count(self, user, password):
        verdict = server().receive_data(ping(user=user, password=password))
        assert (verdict.reason, verdict.user) == ("", "")

    @pytest.mark.parametrize(
        "made",
        [
            ping(password=...), pack([*PING, "more"]), pack({"PING": 1}), pack("PING"), b"\xc0", b"\xc1", ping(name="PONG"), pack([]),
            ping(hostname=None), ping(salt=None), ping(digest=None), ping(hostname=5), pack(["tag", 1, {"a": 1}]), b"GET / HTTP/1.1\r\n",
            b'["tag",1,{}]', b"\x16\x03\x01\x02\x00", b"\xdd\xff\xff\xff\xff", b"\x91" * 4096,
            pack([{"a": 1}]), b"\x81\x91\x01\x01",
        ],
        ids=range(20),
    )  # fmt: skip
    def test_what_is_no_ping(self, made):
        verdict = server(users=(USER,)).receive_data(made)
        assert (verdict.reason, msgpack.unpackb(verdict.answer)) == (INVALID, ["PONG", False, INVALID, "", ""])

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"digest": PING_DIGEST.upper()}, WRONG_KEY), ({"digest": ""}, WRONG_KEY), ({"digest": PING_DIGEST[:-1]}, WRONG_KEY),
            ({"salt": "another"}, WRONG_KEY), ({"hostname": "another"}, WRONG_KEY), ({"digest": PONG_DIGEST}, WRONG_KEY),
            ({"user": ""}, WRONG_USER), ({"user": "agent2"}, WRONG_USER), ({"password": ""}, WRONG_USER), ({"user": None}, WRONG_USER),
            ({"password": PASSWORD_DIGEST.upper()}, WRONG_USER), ({"digest": "", "user": ""}, WRONG_KEY),
        ],
    )  # fmt: skip
    def test_who_proves_nothing(self, changed, reason):
        verdict = server(users=(USER, Account("other", "pw"))).receive_data(ping(**changed))
        assert (verdict.reason, msgpack.unpackb(verdict.answer)) == (reason, ["PONG", False, reason, "", ""])
        assert verdict.rest == b""

    def test_a_refusal_goes_before_everything(self):
        assert server(refusal="not from there").receive_data(ping()).reason == "not from there"
        assert server(refusal="not from there").receive_data(ping(digest="")).reason == "not from there"

    def test_a_ping_may_not_be_long_but_what_follows_may(self):
        rest = bytes(100_000)
        assert server().receive_data(ping() + rest).rest == rest
        assert server().receive_data(ping(user="x" * LONGEST)).reason == INVALID

    def test_a_ping_that_never_ends_is_ended(self):
        handshake, fed = server(), 0
        data = b"\x96\xa4PING\xda\x0f\xff" + b"x" * 5000
        while (verdict := handshake.receive_data(data[fed : fed + 1])) is None:
            fed += 1
        assert verdict.reason == INVALID
        assert fed < LONGEST

    @given(st.lists(st.integers(0, 400), max_size=8), st.binary(max_size=60))
    def test_any_chunking_gives_the_same(self, cuts, rest):
        data, whole = pack(PING) + rest, server(users=(USER,)).receive_data(pack(PING) + rest)
        handshake, verdict, start, behind = server(users=(USER,)), None, 0, b""
        for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            if verdict is None:
                verdict = handshake.receive_data(data[start:cut])
            else:
                behind += data[start:cut]
            start = cut
        assert verdict.answer == whole.answer
        assert verdict.rest + behind == whole.rest == rest

    @given(st.binary(max_size=200))
    def test_no_bytes_do_more_than_be_refused(self, data):
        verdict = server().receive_data(data)
        assert verdict is None or verdict.reason == INVALID


class TestClient:
    def test_the_vector(self):
        handshake = client(USER)
        assert msgpack.unpackb(handshake.receive_data(helo(AUTH))) == PING
        assert (handshake.greeted, handshake.done) == (True, False)
        assert handshake.receive_data(pack(PONG)) == b""
        assert handshake.done

    def test_a_user_is_named_only_where_one_is_asked_for(self):
        assert msgpack.unpackb(client(USER).receive_data(helo()))[4:] == ["", ""]
        assert msgpack.unpackb(client().receive_data(helo(AUTH)))[4:] == ["", ""]

    def test_a_nonce_under_a_texts_header(self):
        made = b"\x92\xa4HELO\x82\xa5nonce\xb0" + NONCE + b"\xa4auth\xa0"
        assert msgpack.unpackb(client().receive_data(made))[3] == PING_DIGEST

    @given(st.lists(st.integers(0, 300), max_size=8))
    def test_any_chunking_gives_the_same(self, cuts):
        data, handshake, sent, start = helo(AUTH) + pack(PONG), client(USER), [], 0
        for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            sent.append(handshake.receive_data(data[start:cut]))
            start = cut
        assert b"".join(sent) == pack(PING)
        assert len([one for one in sent if one]) == 1  # in one piece
        assert handshake.done

    @pytest.mark.parametrize(
        ("pong", "reason", "hint"),
        [
            (["PONG", False, "shared_key mismatch", "", ""], "refused", "the receiver turns us away: shared_key mismatch"),
            (["PONG", False, "", "", ""], "refused", "the receiver turns us away: no reason given"),
            (["PONG", 1, "", "server.example", PONG_DIGEST], "refused", "the receiver turns us away: no reason given"),
            (["PONG", True, "", "server.example", PONG_DIGEST.upper()], "wrong_proof", None),
            (["PONG", True, "", "server.example", ""], "wrong_proof", None),
            (["PONG", True, "", "server.other", PONG_DIGEST], "wrong_proof", None),
            (["PONG", True, "", "client.example", PING_DIGEST], "same_hostname", None),  # our own proof, sent back
            (["PONG", True, "", None, PONG_DIGEST], "not_a_handshake", None),
            (["PONG", True, "", "server.example"], "not_a_handshake", None),
            ({"ack": "x"}, "not_a_handshake", None),
        ],
    )
    def test_who_does_not_prove_itself_gets_nothing(self, pong, reason, hint):
        handshake = client()
        handshake.receive_data(helo())
        with pytest.raises(PeerError) as lost:
            handshake.receive_data(pack(pong))
        assert lost.value.reason == reason
        assert hint is None or lost.value.hint == hint
        assert not handshake.done

    @pytest.mark.parametrize(
        "said",
        [pack({"ack": "x"}), b"HTTP/1.1 400 Bad Request", pack(["HELO"]), pack(["HELO", None]), helo(nonce=5), b"\xc1", b"\x91" * 5000],
    )
    def test_what_is_no_greeting(self, said):
        with pytest.raises(PeerError) as lost:
            client().receive_data(said)
        assert lost.value.reason == "not_a_handshake"

    def test_nothing_may_follow_the_pong(self):
        handshake = client()
        handshake.receive_data(helo())
        with pytest.raises(PeerError):
            handshake.receive_data(pack(PONG) + b"\x81")
        assert not handshake.done


@given(st.text(min_size=1), st.text(), st.text(min_size=1), st.text(min_size=1), st.binary(min_size=16, max_size=16))
def test_both_sides_agree_on_any_key_and_names(key, hostname, name, password, nonce):
    user = Account(name, password)
    here, there = f"s{hostname}", f"c{hostname}"
    serving = ServerHandshake(Terms(hostname=here, key=key, users=(Account("x", "y"), user)), nonce=nonce, auth=AUTH)
    calling = ClientHandshake(hostname=there, key=key, salt=SALT, user=user)
    verdict = serving.receive_data(calling.receive_data(serving.hello))
    assert verdict.reason == ""
    calling.receive_data(verdict.answer)
    assert calling.done


def test_secrets_are_not_shown():
    shown = repr(Terms(hostname="h", key=KEY, users=(USER,))) + repr(USER)
    assert "sekrit" not in shown
    assert "pw" not in shown
