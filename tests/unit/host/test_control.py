from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import msgspec
import pytest

from pluginhost.host.control import ask, running, serve
from pluginhost.problem import Problem


async def ping():
    yield "1.0"


async def count(to: int):
    for number in range(to):
        yield {"n": number}


async def refuse():
    yield 1
    raise Problem("alert.unknown", "there is no alert x", todo="look again")


async def fail():
    yield 1
    raise KeyError("our own bug")


CALLS = {"ping": ping, "count": count, "refuse": refuse, "fail": fail}




async def _talk(data: Path, work):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # a call that fails is logged by asyncio
    server = await serve(data, CALLS)
    try:
        return await asyncio.to_thread(work)
    finally:
        server.close()


def served(data: Path, work):
    """What `work` gives while a host serves `data`."""
    return asyncio.run(_talk(data, work))


def raw(data: Path, line: bytes) -> list:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(data / "control.sock"))
        peer.sendall(line)
        with peer.makefile("rb") as lines:
            return [msgspec.json.decode(one) for one in lines]


def test_items_come_one_by_one_and_end(tmp_path):
    assert served(tmp_path, lambda: list(ask(tmp_path, "count", to=3))) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert served(tmp_path, lambda: running(tmp_path)) is True


def test_only_the_owner_may_ask(tmp_path):
    assert served(tmp_path, lambda: (tmp_path / "control.sock").stat().st_mode & 0o777) == 0o600


def test_a_deep_folder_does_not_fit_into_a_socket_address_and_works_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    assert len(str(deep)) > 200
    assert served(deep, lambda: list(ask(deep, "ping"))) == ["1.0"]


def test_no_host(tmp_path):
    assert running(tmp_path) is False
    assert running(tmp_path / "none") is False
    assert running(tmp_path / ("d" * 120)) is False
    with pytest.raises(Problem, match=r"(?s)^host\.absent: no host runs on .*pluginhost run"):
        list(ask(tmp_path, "ping"))


def test_a_socket_left_by_a_host_that_died_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    assert running(tmp_path) is False
    assert served(tmp_path, lambda: running(tmp_path)) is True


def test_a_problem_of_the_host_is_told_as_it_is(tmp_path):
    def refused():
        with pytest.raises(Problem) as caught:
            list(ask(tmp_path, "refuse"))
        return caught.value

    problem = served(tmp_path, refused)
    assert problem.page() == "alert.unknown: there is no alert x\n  to do: look again"


@pytest.mark.parametrize(
    "call", [{"call": "nope"}, {"call": 5}, {}, {"call": "count"}, {"call": "count", "args": {"of": 1}}, {"call": "ping", "args": [1]}]
)
def test_a_call_that_there_is_not_is_answered(tmp_path, call):
    (answer,) = served(tmp_path, lambda: raw(tmp_path, msgspec.json.encode(call) + b"\n"))
    assert answer["problem"]["code"] in ("control.call", "control.request")


@pytest.mark.parametrize("line", [b"\n", b"nonsense\n", b"[1]\n", b"\xff\xfe\n", b"{\n", b'{"call": "ping"'])
def test_garbage_is_answered_and_harms_nobody(tmp_path, line):
    def both():
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(tmp_path / "control.sock"))
            peer.sendall(line)
            peer.shutdown(socket.SHUT_WR)
            answer = peer.makefile("rb").read()
        return answer, list(ask(tmp_path, "ping"))

    answer, after = served(tmp_path, both)
    assert msgspec.json.decode(answer)["problem"]["code"] == "control.request"
    assert after == ["1.0"]


def test_a_request_without_end_is_dropped(tmp_path):
    def flood():
        with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(ConnectionError):
            peer.settimeout(10)
            peer.connect(str(tmp_path / "control.sock"))
            peer.sendall(b"x" * (3 << 20))
            assert peer.recv(1) == b""
        return list(ask(tmp_path, "ping"))

    assert served(tmp_path, flood) == ["1.0"]


def test_who_hangs_up_early_harms_nobody(tmp_path):
    def leave():
        next(ask(tmp_path, "count", to=100_000))
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "control.sock"))
        return list(ask(tmp_path, "ping"))

    assert served(tmp_path, leave) == ["1.0"]


def test_an_answer_that_breaks_off_is_no_answer(tmp_path):
    def broken():
        with pytest.raises(Problem, match="did not answer"):
            list(ask(tmp_path, "fail"))
        return True

    assert served(tmp_path, broken)
