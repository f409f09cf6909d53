"""The handshake of the forward protocol, both sides of it, without a socket: bytes in, bytes out.

The server says HELO with a nonce, the client PING with proofs that it knows the shared key (and a password, where users are asked for),
the server PONG with its own proof. Each side has one try. Chance is an argument: nonce, auth and salt are the caller's. Proofs are
compared in constant time, and a wrong key costs as much work as a wrong user. What comes behind a good PING is handed on untouched.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha512
from typing import Any, Final

import msgpack
import msgspec

from ..problem import PeerError, printable

__all__ = [
    "ANONYMOUS", "INVALID", "LONGEST", "WRONG_KEY", "WRONG_USER", "Account", "ClientHandshake", "ServerHandshake", "Terms", "Verdict"
]  # fmt: skip

LONGEST: Final = 4096
"""The most bytes of one message of a handshake."""

INVALID, WRONG_KEY, WRONG_USER, ANONYMOUS = (
    "invalid ping message", "shared_key mismatch", "username/password mismatch", "anonymous source host '{}' denied"
)  # fmt: skip
"""Why a client is turned away, in the words of Fluentd."""

_ENCODER = msgspec.msgpack.Encoder()


class Account(msgspec.Struct, frozen=True):
    """A user and the password; never shown."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Account({self.name!r}, …)"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a server asks of a client: the shared key, and one of `users` if there are any. With `refusal` nobody is let in."""

    hostname: str
    key: str
    users: tuple[Account, ...] = ()
    keepalive: bool = True
    refusal: str = ""

    def __repr__(self) -> str:
        return f"Terms({self.hostname!r}, …)"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a PING: the `answer` to write, why the client is turned away ("": it is let in), and what came behind.

    `hostname` and `user` are what the client says of itself; where it is let in and users are asked for, `user` is proven.
    """

    answer: bytes
    reason: str = ""
    hostname: str = ""
    user: str = ""
    rest: bytes = b""


class ServerHandshake:
    """The server's side of one connection. `hello` is to be written first; `nonce` and `auth` are 16 random bytes each."""

    def __init__(self, terms: Terms, *, nonce: bytes, auth: bytes) -> None:
        self._terms, self._nonce, self._auth, self._message = terms, nonce, auth, _Message()
        asked: bytes | str = auth if terms.users else ""
        self.hello = _ENCODER.encode(["HELO", {"nonce": nonce, "auth": asked, "keepalive": terms.keepalive}])

    def receive_data(self, data: bytes) -> Verdict | None:
        """The verdict once the PING is there, however it was cut; the first one is the last, and the connection's data follow it."""
        try:
            if not self._message.feed(data):
                return None
            return self._judged(self._message.value)
        except PeerError:
            return _refused(INVALID)

    def _judged(self, ping: Any) -> Verdict:
        _, hostname, salt, proof, user, password = _fields(ping, b"PING", 6, slice(1, 4))
        terms, named = self._terms, user if isinstance(user, bytes) else b""
        knows_key = hmac.compare_digest(proof, _digest(salt, hostname, self._nonce, terms.key.encode()))
        knows_user = self._knows(named, password if isinstance(password, bytes) else b"")
        reason = terms.refusal or ("" if knows_key else WRONG_KEY) or ("" if knows_user else WRONG_USER)
        if reason:
            return _refused(reason, _text(hostname), _text(named))
        own = terms.hostname.encode()
        pong = ["PONG", True, "", terms.hostname, _digest(salt, own, self._nonce, terms.key.encode()).decode()]
        known = _text(named) if terms.users else ""
        return Verdict(answer=_ENCODER.encode(pong), hostname=_text(hostname), user=known, rest=self._message.rest)

    def _knows(self, name: bytes, proof: bytes) -> bool:
        """Whether it is one of the users; all are compared, whatever is found."""
        if not self._terms.users:
            return True
        found = [
            hmac.compare_digest(name, user.name.encode()) & hmac.compare_digest(proof, _proof_of(user, self._auth))
            for user in self._terms.users
        ]
        return any(found)


class ClientHandshake:
    """The client's side of one connection. `salt` is random text; nothing but `receive_data`'s answers may be sent before `done`."""

    def __init__(self, *, hostname: str, key: str, salt: str, user: Account | None = None) -> None:
        self._hostname, self._key, self._salt, self._user = hostname.encode(), key.encode(), salt, user
        self._message, self._nonce = _Message(), b""
        self.greeted = self.done = False

    def receive_data(self, data: bytes) -> bytes:
        """What is to be sent now, in one piece. `PeerError` if the server turns us away or does not prove that it knows the key."""
        if not self._message.feed(data):
            return b""
        value, rest = self._message.value, self._message.rest
        if not self.greeted:
            self.greeted, self._message = True, _Message()
            ping = self._ping(value)
            return ping + self.receive_data(rest) if rest else ping
        self._vet(value)
        if rest:
            raise PeerError("not_a_handshake", "the receiver sends more than its PONG")
        self.done = True
        return b""

    def _ping(self, helo: Any) -> bytes:
        if not (isinstance(helo, list) and len(helo) == 2 and helo[0] == b"HELO" and isinstance(helo[1], dict)):
            raise PeerError("not_a_handshake", "the receiver does not begin with HELO: is it a forward input with a shared key?")
        nonce, auth = helo[1].get(b"nonce", b""), helo[1].get(b"auth", b"")
        if not (isinstance(nonce, bytes) and isinstance(auth, bytes)):
            raise PeerError("not_a_handshake", "the receiver's HELO has no proper nonce")
        self._nonce = nonce
        proof = _digest(self._salt.encode(), self._hostname, nonce, self._key).decode()
        user = self._user if auth else None  # who does not ask for a password gets no digest of it
        password = _proof_of(user, auth).decode() if user else ""
        return _ENCODER.encode(["PING", self._hostname.decode(), self._salt, proof, user.name if user else "", password])

    def _vet(self, pong: Any) -> None:
        _, fine, reason, hostname, proof = _fields(pong, b"PONG", 5, slice(2, 5))
        if fine is not True:
            raise PeerError("refused", f"the receiver turns us away: {_text(reason) or 'no reason given'}")
        if hostname == self._hostname:  # our own proof sent back would be right
            raise PeerError("same_hostname", f"the receiver calls itself {_text(hostname)}, as we do: choose another `self_hostname`")
        if not hmac.compare_digest(proof, _digest(self._salt.encode(), hostname, self._nonce, self._key)):
            raise PeerError("wrong_proof", "the receiver does not prove that it knows the shared key: nothing is sent to it")


class _Message:
    """The first msgpack value of what is fed; `rest` is what came behind it."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=LONGEST)
        self._seen = bytearray()
        self.value: Any = None

    def feed(self, data: bytes) -> bool:
        """Whether the value is complete. `PeerError` if it is none, or too long."""
        self._unpacker.feed(data[: LONGEST - len(self._seen)])
        self._seen += data
        try:
            self.value = self._unpacker.unpack()
        except msgpack.OutOfData:
            if len(self._seen) >= LONGEST:
                raise PeerError("not_a_handshake", f"a message of more than {LONGEST} bytes") from None
            return False
        except (msgpack.UnpackException, ValueError, TypeError):  # TypeError: a list as a key
            raise PeerError("not_a_handshake", "the receiver's answer is no msgpack") from None
        return True

    @property
    def rest(self) -> bytes:
        return bytes(self._seen[self._unpacker.tell() :])


def _fields(message: Any, name: bytes, count: int, texts: slice) -> Sequence[Any]:
    """The message, if it has this name, so many fields, and texts where they must be."""
    fits = isinstance(message, list) and len(message) == count and message[0] == name
    if not (fits and all(isinstance(field, bytes) for field in message[texts])):
        raise PeerError("not_a_handshake", f"what comes is no {_text(name)}")
    return tuple(message)


def _refused(reason: str, hostname: str = "", user: str = "") -> Verdict:
    return Verdict(answer=_ENCODER.encode(["PONG", False, reason, "", ""]), reason=reason, hostname=hostname, user=user)


def _proof_of(user: Account, auth: bytes) -> bytes:
    return _digest(auth, user.name.encode(), user.password.encode())


def _digest(*parts: bytes) -> bytes:
    return sha512(b"".join(parts)).hexdigest().encode()


def _text(raw: bytes) -> str:
    return printable(raw.decode("utf-8", "backslashreplace"), 200)
