"""Who may come in, and under which tags: the rules that all doors have in common. Nothing here knows a protocol.

A door that others can reach asks who they are: a token, a list of keys, or a certificate that an authority of ours signed. A key may be
bound to addresses, to the name in a certificate, and to tags. Every key is compared in full, so that no answer comes sooner for a
better guess.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from ..options import Secret, doc
from ..problem import Problem
from ..tls import Serving

__all__ = ["Access", "Caller", "Key", "Offer", "inside", "knows", "loopback", "networks", "refuse_strangers"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A sender that is let in. What is given must all be so: its token, the name in its certificate, its address."""

    name: Annotated[str, doc("what it is called in the log", min_length=1)]
    token: Annotated[Secret | None, doc("what it must know", min_length=1)] = None
    certificate: Annotated[str, doc("the name that its client certificate must bear; needs `client_ca`")] = ""
    networks: Annotated[tuple[str, ...], doc("addresses it may come from, such as `10.1.0.0/16`; none named: any")] = ()
    tags: Annotated[tuple[str, ...], doc("patterns of tags it may use, such as `web.*`; none named: any")] = ()


class Caller(msgspec.Struct, frozen=True):
    """Who came in, as far as the door asked: the name of the key, and the tags it may use."""

    name: str = ""
    tags: tuple[str, ...] = ()

    def may(self, tag: str) -> bool:
        """Whether records may come under `tag`."""
        return not self.tags or any(fnmatchcase(tag, pattern) for pattern in self.tags)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer says of itself: its address, an `Authorization` header, a bare key, the names in its verified certificate."""

    address: str = ""
    authorization: str = ""
    key: str = ""
    certificate: Sequence[str] = ()


class _Rule(msgspec.Struct, frozen=True):
    caller: Caller
    token: Secret | None
    certificate: str
    networks: tuple[Network, ...]


class Access:
    """The rules of one door. Raises a `Problem` if it would take records from other machines without asking who they are."""

    def __init__(self, name: str, bind: str, *, token: Secret | None = None, keys: Sequence[Key] = (), tls: Serving | None = None,
                 allowed: bool = False) -> None:  # fmt: skip
        if not (token or keys or (tls and tls.client_ca) or allowed):
            refuse_strangers(name, bind, "`token`, `keys`")
        self._rules = [_Rule(Caller("token"), token, "", ()), *map(_rule, keys)] if token else list(map(_rule, keys))
        for key in keys:
            if not (key.token or key.certificate):
                raise Problem("input.key", f"input {name}: the key {key.name} asks for nothing",
                              todo="give it a `token` or a `certificate`")  # fmt: skip
            if key.certificate and not (tls and tls.client_ca):
                raise Problem("input.key", f"input {name}: the key {key.name} asks for a certificate, the door does not",
                              todo="set `tls` with `client_ca`")  # fmt: skip

    def admit(self, offer: Offer) -> Caller | None:
        """Who the peer is, None for a stranger."""
        if not self._rules:
            return Caller(next(iter(offer.certificate), ""))
        offers = _offers(offer)
        known = [rule for rule in self._rules if _knows(rule.token, offers)]  # all are compared, whatever is found
        return next((rule.caller for rule in known if _fits(rule, offer)), None)


def refuse_strangers(name: str, bind: str, ways: str) -> None:
    """Raises a `Problem` unless only this machine reaches the door; `ways` are options by which it could ask who they are, beside TLS."""
    if not loopback(bind):
        raise Problem(
            "input.unauthenticated",
            f"input {name} listens on {bind} and asks nobody who they are: whoever reaches it may send records",
            todo=f"set {ways} or `tls` with `client_ca`, or `bind: 127.0.0.1`; if the network keeps strangers out, "
            "`allow_unauthenticated: true`",
        )


def knows(token: str | None, *, authorization: str = "", key: str = "") -> bool:
    """Whether the peer knows the token: as `Bearer`, as the password of `Basic` (any user name), or as a plain `key`."""
    return _knows(token, _offers(Offer(authorization=authorization, key=key)))


def loopback(bind: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def networks(given: Iterable[str], at: str) -> tuple[Network, ...]:
    """The networks that the texts say; a `Problem` that names `at` for one that says none."""
    made = []
    for one in given:
        try:
            made.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            raise Problem("input.network", f"{at}: `{one}` is no address or network", todo="write `10.1.0.0/16` or `10.1.2.3`") from None
    return tuple(made)


def _rule(key: Key) -> _Rule:
    return _Rule(Caller(key.name, key.tags), key.token, key.certificate, networks(key.networks, f"key {key.name}"))


def _fits(rule: _Rule, offer: Offer) -> bool:
    if rule.certificate and rule.certificate not in offer.certificate:
        return False
    return not rule.networks or inside(offer.address, rule.networks)


def inside(address: str, wanted: tuple[Network, ...]) -> bool:
    """Whether the address is in one of the networks; a Unix socket's is in none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in wanted)


def _knows(token: str | None, offers: list[bytes]) -> bool:
    if not token:
        return True
    wanted = token.encode()
    found = [hmac.compare_digest(offer, wanted) for offer in offers]
    return any(found)  # after all were compared


def _offers(offer: Offer) -> list[bytes]:
    """The texts that may be the token: shippers put it where their protocol has a place for it."""
    scheme, _, said = offer.authorization.partition(" ")
    said, scheme = said.strip(), scheme.lower()
    texts = [offer.key, said if scheme in ("bearer", "splunk", "apikey") else ""]
    if scheme in ("basic", "apikey"):  # user:password, or the id and the key of Elasticsearch's API keys
        texts.append(_behind_the_colon(said))
    return [text.encode("utf-8", "surrogateescape") for text in texts]


def _behind_the_colon(said: str) -> str:
    try:
        return base64.b64decode(said, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
