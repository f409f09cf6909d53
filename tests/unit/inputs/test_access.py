"""Who may come in."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from pluginhost.inputs.access import Access, Caller, Key, Offer, knows, loopback, networks
from pluginhost.options import Secret
from pluginhost.problem import Problem
from pluginhost.tls import Serving

TLS = Serving(cert=Path("c"), key=Path("k"), client_ca=Path("a"))


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def access(*keys, token=None, tls=None, bind="127.0.0.1", allowed=False):
    return Access("door", bind, token=Secret(token) if token else None, keys=keys, tls=tls, allowed=allowed)


def key(name, token=None, **more):
    return Key(name=name, token=Secret(token) if token else None, **more)


@pytest.mark.parametrize("bind", ["0.0.0.0", "10.0.0.1", "::", "example.org", ""])
def test_a_door_that_others_reach_must_ask_who_they_are(bind):
    with pytest.raises(Problem, match=f"input door listens on {bind} and asks nobody who they are") as found:
        access(bind=bind)
    assert found.value.code == "input.unauthenticated"
    with pytest.raises(Problem):
        access(bind=bind, tls=Serving(cert=Path("c"), key=Path("k")))  # tells who we are, asks nobody else
    for allowed in ({"token": "t"}, {"tls": TLS}, {"allowed": True}):
        assert access(bind=bind, **allowed)
    assert access(key("a", "t"), bind=bind)


@pytest.mark.parametrize(("bind", "is_loopback"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
                                                   ("0.0.0.0", False), ("localhost.example.org", False)])  # fmt: skip
def test_loopback(bind, is_loopback):
    assert loopback(bind) is is_loopback


OFFERS = [
    Offer(key="sekrit"), Offer(authorization="Bearer sekrit"), Offer(authorization="bearer  sekrit "), Offer(authorization="Splunk sekrit"),
    Offer(authorization=basic("anybody:sekrit")), Offer(authorization="ApiKey sekrit"),
    Offer(authorization="ApiKey " + base64.b64encode(b"id:sekrit").decode()),
]  # fmt: skip
STRANGERS = [
    Offer(), Offer(key="sekri"), Offer(key="sekritt"), Offer(key="SEKRIT"), Offer(authorization="sekrit"), Offer(authorization="Bearer"),
    Offer(authorization=basic("sekrit")), Offer(authorization=basic("sekrit:")), Offer(authorization="Basic sekrit"),
    Offer(authorization="Basic \u00fcber"), Offer(authorization="Digest sekrit"), Offer(key="\udcff"),
    Offer(authorization="Bearer " + "x" * 9999),
]  # fmt: skip


@pytest.mark.parametrize("offer", OFFERS)
def test_who_knows_the_token_comes_in_wherever_the_protocol_puts_it(offer):
    assert access(token="sekrit").admit(offer) == Caller("token")
    assert knows("sekrit", authorization=offer.authorization, key=offer.key)


@pytest.mark.parametrize("offer", STRANGERS)
def test_who_does_not_know_it_does_not(offer):
    assert access(token="sekrit").admit(offer) is None
    assert access(key("a", "sekrit")).admit(offer) is None


def test_without_rules_everybody_comes_in_under_the_name_of_the_certificate():
    assert access().admit(Offer()) == Caller("")
    assert access(tls=TLS).admit(Offer(certificate=("shipper",))) == Caller("shipper")


def test_a_key_is_known_by_its_token_and_bound_to_its_tags():
    both = access(key("web", "one", tags=("web.*", "proxy")), key("auth", "two"), token="three")
    web = both.admit(Offer(key="one"))
    assert (web.name, both.admit(Offer(key="two")).name, both.admit(Offer(key="three")).name) == ("web", "auth", "token")
    assert [tag for tag in ("web.nginx", "web", "proxy", "auth.sshd", "web.a.b") if web.may(tag)] == ["web.nginx", "proxy", "web.a.b"]
    assert both.admit(Offer(key="two")).may("anything")


def test_a_key_may_ask_for_a_certificate_an_address_or_all_three():
    bound = access(key("a", "t", certificate="shipper", networks=("10.1.0.0/16", "2001:db8::/32")), tls=TLS)
    good = {"key": "t", "certificate": ("shipper.example", "shipper"), "address": "10.1.2.3"}
    assert bound.admit(Offer(**good)).name == "a"
    assert bound.admit(Offer(**good | {"address": "2001:db8::1"})).name == "a"
    assert bound.admit(Offer(**good | {"address": "::ffff:10.1.2.3"})).name == "a"
    wrongs = ({"key": "x"}, {"certificate": ("other",)}, {"certificate": ()}, {"address": "10.2.0.1"}, {"address": "unix"}, {"address": ""})
    for wrong in wrongs:
        assert bound.admit(Offer(**good | wrong)) is None
    assert access(key("c", certificate="shipper"), tls=TLS).admit(Offer(certificate=("shipper",))).name == "c"


@pytest.mark.parametrize("made", [
    lambda: access(key("a")), lambda: access(key("a", certificate="x")),
    lambda: access(key("a", certificate="x"), tls=Serving(cert=Path("c"), key=Path("k"))),
])  # fmt: skip
def test_a_key_that_could_let_in_anybody_is_a_problem(made):
    with pytest.raises(Problem) as found:
        made()
    assert found.value.code == "input.key"


def test_networks_are_read_or_a_problem():
    assert [str(one) for one in networks(("10.1.2.3", "10.1.0.0/16", "10.1.2.3/8", "::1"), "x")] == [
        "10.1.2.3/32", "10.1.0.0/16", "10.0.0.0/8", "::1/128",
    ]  # fmt: skip
    with pytest.raises(Problem, match=r"key a: `10\.1\.0\.0/99` is no address or network"):
        access(key("a", "t", networks=("10.1.0.0/99",)))


def test_no_token_shows_in_what_is_printed_of_a_key():
    assert "sekrit" not in repr(key("a", "sekrit"))
