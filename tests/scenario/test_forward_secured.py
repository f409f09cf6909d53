"""Two sidecars, the alerts of one going to the other over TLS with certificates, a key and a user; what is wrong is mended."""

from __future__ import annotations

from collections import Counter

import pytest
from certificates import Authority
from sidecars import Sender, until

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer(key="n")
def every(event):
    """Every record."""
    return Alert("low", f"n{event['n']}")
'''


@pytest.fixture
def pair(sidecar, tmp_path):
    """(sender, receiver): the receiver's input is locked, and the sender's output has the key to it."""
    authority = Authority(tmp_path / "ca")
    server, agent = authority.issue("server"), authority.issue("agent", "agent.example")
    two = sidecar("two", hostname="two", loop_tag="returned")
    two.config["inputs"][0] |= {
        "tls": {**server, "client_ca": str(authority.ca), "min_version": "1.3"}, "shared_key": "sekrit",
        "users": [{"username": "one", "password": "pw", "tags": ["flagged.*"]}],
    }  # fmt: skip
    output = {"type": "forward", "servers": [f"127.0.0.1:{two.forward}"], "compress": "gzip", "tls": {"ca": str(authority.ca), **agent},
              "shared_key": "sekrit", "username": "one", "password": "pw"}  # fmt: skip
    one = sidecar("one", hostname="one", outputs=[output])
    for each in (one, two):
        (each.analyzers / "every.py").write_text(EVERY)
    return one, two


def found(one):
    one.settled()
    return Counter(alert["headline"] for alert in one.alerts())


def test_alerts_wait_while_the_key_is_wrong_and_arrive_once_when_it_is_mended(pair):
    one, two = pair
    right = two.config["inputs"][0]["shared_key"]
    two.config["inputs"][0]["shared_key"] = "another"
    two.start()
    one.start()
    Sender(one.forward).send([{"n": n} for n in range(50)])
    one.says("the receiver turns us away: shared_key mismatch")
    two.says("is turned away: shared_key mismatch; it says it is forward.one, user one, certificate agent.example")
    one.kill()  # what waits, waits on disk
    one.start()
    assert found(two) == Counter()
    two.stop()
    two.config["inputs"][0]["shared_key"] = right
    two.start()
    until(lambda: one.status()["counts"]["output.forward"]["delivered"] == 50, 90)
    until(lambda: sum(found(two).values()) >= 50, 60)
    assert found(two) == Counter(f"n{n}" for n in range(50))
    assert "sekrit" not in one.log() + two.log()


def test_a_tag_that_the_user_may_not_use_is_kept_as_a_dead_letter(pair):
    one, two = pair
    one.config["outputs"][0]["tag_prefix"] = "others"
    two.start()
    one.start()
    Sender(one.forward).send([{"n": n} for n in range(5)])
    until(lambda: one.status()["counts"]["output.forward"]["delivered"] == 5, 60)
    two.says("the user one may not send the tag others.low.every")
    assert found(two) == Counter()
    assert two.status()["counts"]["input.forward"]["rejected_forbidden_tag"] == 1
    (dead,) = two.ask("dead_letters")
    assert dead["reason"] == "forbidden_tag"
