from __future__ import annotations

import aiohttp
import pytest

from pluginhost.outputs.answers import meaning, unreachable, wait
from pluginhost.outputs.port import DONE, Dead, Retry

NOW = 10**18  # 2001-09-09T01:46:40Z


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (200, DONE), (202, DONE), (204, DONE), (301, Retry("301 no", slow=True)), (400, Dead("400 no")), (401, Retry("401 no", slow=True)),
        (403, Retry("403 no", slow=True)), (404, Retry("404 no", slow=True)), (408, Retry("408 no")), (410, Retry("410 no", slow=True)),
        (413, Dead("413 no")), (422, Dead("422 no")), (423, Retry("423 no")), (425, Retry("425 no")), (429, Retry("429 no")),
        (500, Retry("500 no")), (503, Retry("503 no")),
    ],
)  # fmt: skip
def test_what_a_status_means(status, means):
    assert meaning(status, {}, b"no", NOW) == means


def test_when_to_come_again():
    assert meaning(429, {"Retry-After": "7"}, b"", NOW) == Retry("429", 7.0)
    assert wait("Sun, 09 Sep 2001 01:47:00 GMT", NOW) == 20.0
    assert wait("Sun, 09 Sep 2001 01:46:00 GMT", NOW) == 0.0
    assert wait("99999999999999999999", NOW) == 3600.0
    assert [wait(told, NOW) for told in ("", "-1", "soon", "²", "Sun, 99 Sep 99999 00:00:00 GMT", "1e9")] == [0.0] * 6


def test_a_reason_is_one_safe_line_of_bounded_length():
    assert meaning(400, {}, b" a\r\nb\x1b[31m\xff ", NOW) == Dead("400 a\\x0d\\x0ab\\x1b[31m\ufffd")
    assert len(meaning(400, {}, b"x" * 10_000, NOW).reason) == 304


def test_no_answer():
    assert unreachable(TimeoutError()).reason == "TimeoutError"
    assert not unreachable(aiohttp.ServerDisconnectedError()).slow
