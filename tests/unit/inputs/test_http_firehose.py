"""The path for Amazon Data Firehose, over real sockets."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from http_families import ask, with_door

from pluginhost.options import Secret, Size
from pluginhost.problem import Busy

ID = {"X_Amz_Firehose_Request_Id": "r-1", "X_Amz_Firehose_Protocol_Version": "1.0"}


def body_of(*parts, named="r-1"):
    listed = [{"data": base64.b64encode(part).decode()} for part in parts]
    return json.dumps({"requestId": named, "timestamp": 1767323046000, "records": listed}).encode()


@pytest.mark.parametrize(("path", "tag"), [("/v1/firehose", "http"), ("/v1/firehose/waf", "waf"), ("/v1/firehose?tag=t", "t")])
def test_a_delivery_is_kept_and_its_answer_names_it(path, tag):
    async def test(door, host):
        body = gzip.compress(body_of(b'{"a":1}\n', gzip.compress(b"a line")))
        answer = await ask(door, "POST", path, body, X_Amz_Firehose_Access_Key="s3cret", Content_Encoding="gzip", **ID)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert answer.body == b'{"requestId":"r-1","timestamp":1767323046000}'
        assert host.records == {tag: [{"a": 1}, {"message": "a line"}]}

    with_door(test, token=Secret("s3cret"))


def test_the_id_of_the_request_is_what_a_copy_is_known_by():
    async def test(door, host):
        for named, part in (("r-1", b"a"), ("r-1", b"b"), ("r-2", b"a")):
            await ask(door, "POST", "/v1/firehose", body_of(part, named=named), X_Amz_Firehose_Request_Id=named)
        await ask(door, "POST", "/v1/firehose", body_of(b"a", named="r-2"))  # without the header
        assert [chunk.chunk_id for chunk in host.chunks] == [b"r-1", b"r-1", b"r-2", b"r-2"]

    with_door(test)


@pytest.mark.parametrize(("body", "headers", "status"), [
    (body_of(b"a"), {"X_Amz_Firehose_Access_Key": "wrong"}, 401), (body_of(b"a"), {}, 401),
    (b"hello", {"X_Amz_Firehose_Access_Key": "s3cret"}, 422), (body_of(b"x" * 3000), {"X_Amz_Firehose_Access_Key": "s3cret"}, 413),
    (body_of(*[gzip.compress(b"x" * 1500)] * 2), {"X_Amz_Firehose_Access_Key": "s3cret"}, 413),
])  # fmt: skip
def test_an_error_has_the_form_that_firehose_shows(body, headers, status):
    async def test(door, host):
        answer = await ask(door, "POST", "/v1/firehose", body, **headers, **ID)
        assert (answer.status, answer.json["requestId"], answer.json["timestamp"]) == (status, "r-1", 0)
        assert list(answer.json) == ["requestId", "timestamp", "errorMessage"]
        assert answer.json["errorMessage"]
        assert not host.records.get("http")

    with_door(test, token=Secret("s3cret"), max_data=Size(2000))


def test_overload_is_told_to_wait():
    async def test(door, host):
        host.busy = [Busy("full", 1)]
        answer = await ask(door, "POST", "/v1/firehose", body_of(b"a"), **ID)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json == {"requestId": "r-1", "timestamp": 0, "errorMessage": "full"}

    with_door(test)


def test_records_that_cannot_be_read_are_dead_letters_and_taken():
    async def test(door, host):
        answer = await ask(door, "POST", "/v1/firehose", b'{"requestId":"r-1","timestamp":7,"records":[{"data":"???"}]}')
        assert (answer.status, answer.json) == (200, {"requestId": "r-1", "timestamp": 7})
        assert [one.reason for one in host.chunks[0].rejected] == ["malformed"]
        assert (await ask(door, "POST", "/v1/firehose", body_of())).status == 200  # a trial of the connection

    assert with_door(test)["rejected"] == 1
