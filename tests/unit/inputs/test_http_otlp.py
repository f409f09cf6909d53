"""OTLP over HTTP: the path, the forms of requests and answers, and what each refusal looks like."""

import asyncio
import gzip
import json

import aiohttp
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from pluginhost.inputs.access import Key
from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Secret, Size
from pluginhost.problem import Busy
from pluginhost.wire import records

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Host:
    def __init__(self):
        self.chunks, self.carried, self.busy = [], [], []

    async def accept(self, chunk, *, source, carried=None):
        if self.busy:
            raise self.busy.pop()
        self.chunks.append(chunk)
        self.carried.append(carried)
        return Receipt(len(self.chunks))

    @property
    def records(self):
        return [
            (chunk.tag, records.decode(chunk.codec, chunk.data[start:end]))
            for chunk in self.chunks for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)
        ]  # fmt: skip


def protobuf(*texts, tags=()):
    logs = [LogRecord(body=AnyValue(string_value=text)) for text in texts]
    for log, tag in zip(logs, tags, strict=False):
        log.attributes.append(KeyValue(key="fluent.tag", value=AnyValue(string_value=tag)))
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=logs)])]).SerializeToString()


def as_json(*texts):
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": text}} for text in texts]}]}]}).encode()


def with_door(test, **options):
    async def main():
        host, metrics = Host(), Registry()
        door = Http(HttpOptions(port=0, **options), Context("http", host.accept, metrics))
        await door.start()
        try:
            async with asyncio.timeout(60), aiohttp.ClientSession() as session:

                async def post(body, kind=PROTOBUF, path="/v1/logs", **headers):
                    named = {key.replace("_", "-"): value for key, value in headers.items()} | ({"Content-Type": kind} if kind else {})
                    async with session.post(f"http://{door.address}{path}", data=body, headers=named) as answer:
                        return answer.status, answer.content_type, await answer.read(), answer.headers

                await test(post, host)
        finally:
            await door.drain(0.2)
        return metrics.snapshot()["input.http"]

    return asyncio.run(main())


@pytest.mark.parametrize(("body", "kind", "answer"), [(protobuf("a", "b"), PROTOBUF, b""), (as_json("a", "b"), JSON, b"{}")])
@pytest.mark.parametrize("packing", ["", "gzip"])
def test_a_request_is_answered_in_its_own_form(body, kind, answer, packing):
    async def test(post, host):
        sent = gzip.compress(body) if packing else body
        headers = {"Content_Encoding": packing} if packing else {}
        assert (await post(sent, f"{kind}; charset=utf-8" if kind == JSON else kind, **headers))[:3] == (200, kind, answer)
        assert host.records == [("standard", {"message": "a"}), ("standard", {"message": "b"})]

    assert with_door(test, tag="standard")["records"] == 2


def test_tags():
    async def test(post, host):
        await post(protobuf("a", "b", "c", tags=("x", "y", "x")), X_Pluginhost_Tag="mine")
        await post(protobuf("d"), X_Pluginhost_Tag="mine")
        assert [(tag, record["message"]) for tag, record in host.records] == [("x", "a"), ("x", "c"), ("y", "b"), ("mine", "d")]
        assert host.chunks[0].chunk_id == host.chunks[1].chunk_id != host.chunks[2].chunk_id

    with_door(test)


def test_more_tags_than_are_kept_at_once():
    async def test(post, host):
        tags = [f"t{n}" for n in range(200)]
        assert (await post(protobuf(*tags, tags=tags)))[0] == 200
        assert [(tag, record["message"]) for tag, record in host.records] == [(tag, tag) for tag in tags]

    with_door(test)


def test_a_tag_that_the_key_may_not_use_keeps_all_out():
    async def test(post, host):
        tags = [*(f"web.{n}" for n in range(100)), "db"]
        assert (await post(protobuf(*tags, tags=tags), X_Api_Key="w3b"))[0] == 403
        assert host.chunks == []
        assert (await post(protobuf(*tags, tags=[*tags[:-1], "web"]), X_Api_Key="w3b"))[0] == 200

    assert with_door(test, keys=(Key(name="web", token=Secret("w3b"), tags=("web*",)),))["forbidden"] == 1


def test_partial_success():
    async def test(post, host):
        good = protobuf("good")
        bad = good.replace(b"\x2a\x06\x0a\x04good", b"\x2a\x06\x0a\x7fgood") + good
        status, kind, body, _ = await post(bad)
        partial = ExportLogsServiceResponse.FromString(body).partial_success
        assert (status, kind, partial.rejected_log_records, partial.error_message) == (200, PROTOBUF, 1, "malformed")
        status, kind, body, _ = await post(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[1,{}]}]}]}', JSON)
        assert (status, kind) == (200, JSON)
        assert json.loads(body) == {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "not_a_record"}}
        assert [(chunk.count, len(chunk.rejected)) for chunk in host.chunks] == [(1, 1), (1, 1)]

    assert with_door(test)["rejected"] == 2


@pytest.mark.parametrize(("body", "kind", "headers", "status", "code", "message"), [
    (b"\xff", PROTOBUF, {}, 400, 3, "malformed: this is no ExportLogsServiceRequest"),
    (b"[]", JSON, {}, 400, 3, "malformed: an ExportLogsServiceRequest is a JSON object"),
    (protobuf("x"), "text/plain", {}, 400, 3, "content_type: OTLP is application/x-protobuf or application/json, not 'text/plain'"),
    (protobuf("x"), PROTOBUF, {"Content_Encoding": "gzip"}, 400, 3, "not_packed: the body is not gzip"),
    (protobuf("x" * 5000), PROTOBUF, {}, 413, 3, "too_large: "),
    (gzip.compress(protobuf("x" * 9000)), PROTOBUF, {"Content_Encoding": "gzip"}, 413, 3, ""),
    (protobuf("x"), PROTOBUF, {"X_Api_Key": "no"}, 401, 16, "token missing or wrong"),
    (as_json("x"), JSON, {"X_Api_Key": "w3b"}, 403, 7, "this key may not use the tag"),
])  # fmt: skip
def test_refusals_are_statuses_in_the_form_of_the_request(body, kind, headers, status, code, message):
    async def test(post, host):
        answer = await post(body, kind, **{"X_Api_Key": "4ll", **headers})
        said = json.loads(answer[2]) if kind == JSON else {one.name: value for one, value in Status.FromString(answer[2]).ListFields()}
        assert (answer[0], answer[1], said["code"]) == (status, JSON if kind == JSON else PROTOBUF, code)
        assert said["message"].startswith(message)
        assert host.records == []
        assert (await post(protobuf("ok"), X_Api_Key="4ll"))[0] == 200

    keys = (Key(name="web", token=Secret("w3b"), tags=("web.*",)), Key(name="all", token=Secret("4ll")))
    with_door(test, keys=keys, max_body=Size(4000), max_data=Size(8000))


def test_overload():
    async def test(post, host):
        host.busy = [Busy("full", 3)] * 2
        status, kind, body, headers = await post(protobuf("x"))
        assert (status, kind, headers["Retry-After"]) == (503, PROTOBUF, "3")
        assert (Status.FromString(body).code, Status.FromString(body).message) == (14, "full")
        status, kind, body, _ = await post(as_json("x"), JSON)
        assert (status, kind, json.loads(body)) == (503, JSON, {"code": 14, "message": "full"})
        assert (await post(protobuf("x")))[0] == 200

    assert with_door(test)["busy"] == 2


def test_a_body_that_never_stops_coming_is_taken_in_the_end():
    async def test(post, host):
        statuses = [(await post(b"\xff"))[0] for _ in range(5)]
        assert statuses == [400, 400, 400, 400, 200]
        assert [chunk.body for chunk in host.chunks] == [b"\xff"]

    with_door(test)


def test_a_small_request_cannot_mean_more_than_the_memory():
    async def test(post, host):
        request = ExportLogsServiceRequest.FromString(protobuf(*"x" * 1000))
        request.resource_logs[0].resource.attributes.append(KeyValue(key="a", value=AnyValue(string_value="y" * 10_000)))
        assert (await post(request.SerializeToString()))[0] == 413
        assert host.chunks == []

    with_door(test, max_data=Size(1 << 20))


def test_no_other_method_and_no_prefix():
    async def test(post, host):
        assert (await post(protobuf("x"), path="/prefix/v1/logs"))[0] == 404
        assert (await post(protobuf("x"), path="/v1/traces"))[0] == 404

    with_door(test)


def test_it_is_served_only_where_it_is_wanted():
    async def test(post, host):
        assert (await post(protobuf("x")))[0] == 404

    with_door(test, serve=("ingest",))
