from __future__ import annotations

import asyncio

import pytest

from pluginhost.outputs.parts import Part, Refused, in_parts, settled
from pluginhost.outputs.port import DONE, Dead, Outgoing, Retry, Unavailable


def outgoing(name):
    return Outgoing(sequence=1, id=name, time=0, severity="low", analyzer="a", document=b"{}")


def part(name, size=1):
    return Part(outgoing(name), b"x" * size)


def run(parts, send, most=100):
    return asyncio.run(in_parts(parts, send, most))


def test_requests_are_filled_up_to_the_bytes():
    requests = []

    async def send(parts):
        requests.append([one.alert.id for one in parts])
        return [DONE] * len(parts)

    outcomes = run([part("a", 60), part("b", 40), part("c"), part("d", 500), part("e"), part("f", 99)], send)
    assert requests == [["a", "b"], ["c"], ["d"], ["e", "f"]]
    assert outcomes == dict.fromkeys("abcdef", DONE)


def test_what_is_refused_whole_is_halved_until_the_culprit_is_alone():
    requests = []

    async def send(parts):
        requests.append("".join(one.alert.id for one in parts))
        if "d" in requests[-1] or "g" in requests[-1]:
            raise Refused("bad")
        return [DONE] * len(parts)

    outcomes = run([part(name) for name in "abcdefgh"], send)
    assert requests == ["abcdefgh", "abcd", "ab", "cd", "c", "d", "efgh", "ef", "gh", "g", "h"]
    assert outcomes == {**dict.fromkeys("abcefh", DONE), "d": Dead("bad"), "g": Dead("bad")}


def test_a_peer_that_is_gone_at_once_is_unavailable():
    async def send(parts):
        raise Unavailable("gone")

    with pytest.raises(Unavailable, match="gone"):
        run([part("a", 100), part("b")], send)


def test_a_peer_that_goes_later_costs_the_rest_a_retry():
    async def send(parts):
        if parts[0].alert.id == "b":
            raise Unavailable("gone", after=3, slow=True)
        return [DONE]

    outcomes = run([part("a", 100), part("b", 100), part("c", 100)], send)
    later = Retry("gone", 3, slow=True)
    assert outcomes == {"a": DONE, "b": later, "c": later}


def test_nothing_is_no_request():
    assert run([], None) == {}


def test_outcomes_come_in_the_order_of_the_alerts():
    dead = Dead("x")
    assert settled([outgoing("a"), outgoing("b"), outgoing("c")], {"c": DONE, "b": dead, "a": DONE}) == [DONE, dead, DONE]
