"""OTLP logs as protobuf and JSON: what becomes of every part, and that nothing a peer sends does harm."""

import base64
import contextlib
import json
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pluginhost.options import Size
from pluginhost.problem import PeerError
from pluginhost.wire import otlp, records
from pluginhost.wire.bodies import Unreadable
from pluginhost.wire.sieve import Limits


def value(plain):
    """Plain data as `AnyValue`."""
    if isinstance(plain, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(plain)))
    if isinstance(plain, list):
        return AnyValue(array_value=ArrayValue(values=map(value, plain)))
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
    return AnyValue() if plain is None else AnyValue(**{kinds[type(plain)]: plain})


def pairs(attributes):
    return [KeyValue(key=key, value=value(one)) for key, one in attributes.items()]


def request(*logs, resource=None, scope="", scope_attributes=None):
    scoped = ScopeLogs(scope=InstrumentationScope(name=scope, attributes=pairs(scope_attributes or {})), log_records=logs)
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=Resource(attributes=pairs(resource or {})), scope_logs=[scoped])])


def log(body=None, attributes=None, **fields):
    return LogRecord(body=None if body is None else value(body), attributes=pairs(attributes or {}), **fields)


def json_value(plain):
    """Plain data as OTLP/JSON writes it."""
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": json_pairs(plain)}}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [json_value(one) for one in plain]}}
    if isinstance(plain, bytes):
        return {"bytesValue": base64.b64encode(plain).decode()}
    if plain is None:
        return {}
    kind = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}[type(plain)]
    return {kind: str(plain) if kind == "intValue" else plain}


def json_pairs(attributes):
    return [{"key": key, "value": json_value(one)} for key, one in attributes.items()]


def read(data, /, json=False, tag="standard", **limits):
    data = data if isinstance(data, bytes) else data.SerializeToString()
    return otlp.read(data, json=json, tag=tag, limits=Limits(**limits))


def told(export):
    """(tag, time, record) of every good record, in order."""
    return [
        (chunk.tag, time, records.decode(chunk.codec, chunk.data[start:end]))
        for chunk in export.chunks
        for start, end, time in zip(chunk.columns.starts, chunk.columns.ends, chunk.columns.times, strict=True)
    ]


def only(export):
    ((_, _, record),) = told(export)
    return record


class TestMapping:
    def test_everything_at_once(self):
        one = log("a line", {"http.request.method": "GET", "log.file.path": "/var/log/x"}, time_unix_nano=5 * 10**18, severity_number=17,
                  severity_text="ERR", trace_id=bytes(range(1, 17)), span_id=b"\xff" * 8, event_name="login")  # fmt: skip
        made = read(request(one, resource={"service.name": "shop", "host.name": "web1"}, scope="app.db", scope_attributes={"lib": 1}))
        assert told(made) == [("shop", 5 * 10**18, {
            "service.name": "shop", "host.name": "web1", "lib": 1, "log.logger": "app.db", "log.level": "error", "severity_text": "ERR",
            "event.name": "login", "trace.id": "0102030405060708090a0b0c0d0e0f10", "span.id": "ffffffffffffffff",
            "http.request.method": "GET", "log.file.path": "/var/log/x", "message": "a line",
        })]  # fmt: skip
        assert (made.rejected, made.reason) == (0, "")

    @pytest.mark.parametrize(("body", "record"), [
        ("text", {"message": "text"}), ("", {"message": ""}),
        ({"a": {"b": [1, None]}, "message": "m"}, {"a": {"b": [1, None]}, "message": "m"}),
        (5, {"message": "5"}), (True, {"message": "true"}), (1.5, {"message": "1.5"}), ([1, {"a": None}], {"message": '[1,{"a":null}]'}),
        (b"raw \xff", {"message": "raw \\xff"}), ([b"\xff"], {"message": '["\\\\xff"]'}), (None, {}),
    ], ids=repr)  # fmt: skip
    def test_bodies(self, body, record):
        assert only(read(request(log(body)))) == record

    def test_an_empty_value_as_body_says_nothing(self):
        assert only(read(request(LogRecord(body=AnyValue())))) == {}

    def test_attributes_of_every_kind(self):
        given = {"s": "x", "b": False, "i": -(1 << 63), "d": 0.5, "a": [1, [2]], "m": {"n": {}}, "raw": b"\x00a", "none": None}
        assert only(read(request(log(None, given)))) == {**given, "raw": "\x00a"}

    @pytest.mark.parametrize(("number", "text", "level"), [
        (1, "", "trace"), (4, "", "trace"), (5, "", "debug"), (9, "", "info"), (13, "WARN", "warn"), (20, "", "error"), (21, "", "fatal"),
        (24, "", "fatal"), (0, "Notice", "notice"), (25, "", None), (0, "", None),
    ])  # fmt: skip
    def test_levels(self, number, text, level):
        record = only(read(request(log("x", severity_number=number, severity_text=text))))
        assert (record.get("log.level"), record.get("severity_text")) == (level, text or None)

    def test_what_is_said_later_wins_and_the_body_over_all(self):
        one = log({"a": "body"}, {"a": "record", "b": "record", "log.level": "own"}, severity_number=9)
        made = only(read(request(one, resource={"a": "r", "b": "r", "c": "r"}, scope_attributes={"c": "scope"})))
        assert made == {"a": "body", "b": "record", "c": "scope", "log.level": "own"}

    @pytest.mark.parametrize(("time", "observed", "taken"), [(7, 8, 7), (0, 8, 8), (0, 0, 0), (1 << 63, 8, 8), ((1 << 64) - 1, 1 << 63, 0)])
    def test_times(self, time, observed, taken):
        assert told(read(request(log("x", time_unix_nano=time, observed_time_unix_nano=observed))))[0][1] == taken

    def test_ids_of_zeros_are_none(self):
        assert only(read(request(log("x", trace_id=bytes(16), span_id=bytes(8))))) == {"message": "x"}

    def test_the_filelog_of_a_collector(self):
        one = log("Nov 22 sshd[1]: x", {"log.file.name": "auth.log"}, observed_time_unix_nano=9)
        assert told(read(request(one))) == [("standard", 9, {"log.file.name": "auth.log", "message": "Nov 22 sshd[1]: x"})]


class TestTags:
    def test_each_tag_is_a_chunk_in_order(self):
        first = request(log("1", {"fluent.tag": "b"}), log("2"), log("3", {"fluent.tag": "b"}), log("4", {"fluent.tag": ""}))
        second = request(log("5"), log("6", {"fluent.tag": 7}), resource={"service.name": "svc"})
        third = request(log("7"), resource={"service.name": "svc", "fluent.tag": "named"})
        for more in (second, third):
            first.resource_logs.extend(more.resource_logs)
        assert [(tag, record["message"]) for tag, _, record in told(read(first))] == [
            ("b", "1"), ("b", "3"), ("standard", "2"), ("standard", "4"), ("svc", "5"), ("svc", "6"), ("named", "7"),
        ]  # fmt: skip
        assert [chunk.tag for chunk in read(first).chunks] == ["b", "standard", "svc", "named"]

    def test_tags_are_printable(self):
        assert [chunk.tag for chunk in read(request(log("x", {"fluent.tag": "a\x1b[31m\n"}))).chunks] == ["a\\x1b[31m\\x0a"]

    def test_chunks_hold_what_the_journal_keeps(self):
        (chunk,) = read(request(log("x"), log("y"))).chunks
        assert (chunk.codec, chunk.packing, chunk.body is chunk.data, chunk.data) == (
            "msgpack", "", True, msgpack.packb({"message": "x"}) + msgpack.packb({"message": "y"}),
        )  # fmt: skip


def field(number, value):
    size, made = len(value), b""
    while size > 127:
        made, size = made + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + made + bytes([size]) + value


def framed(*raw):
    """A request around records of any bytes."""
    return field(1, field(2, b"".join(field(2, one) for one in raw)))


def nested(levels):
    plain = "deep"
    for _ in range(levels):
        plain = {"a": plain}
    return plain


class TestHarm:
    def test_text_that_is_no_utf8_costs_nothing(self):
        text = b"caf\xe9 \xff"
        raw = field(5, field(1, text)) + field(6, field(1, b"k\xfe") + field(2, field(1, text)))
        assert told(read(framed(raw))) == [("standard", 0, {"k\\xfe": "caf\\xe9 \\xff", "message": "caf\\xe9 \\xff"})]

    def test_a_record_that_cannot_be_parsed_costs_only_itself(self):
        deep = field(1, b"bottom")
        for _ in range(200):
            deep = field(6, field(1, field(1, b"a") + field(2, deep)))
        deep = field(5, deep)
        made = read(framed(log("1").SerializeToString(), b"\xff\xff", deep, log("2").SerializeToString()))
        assert [record for _, _, record in told(made)] == [{"message": "1"}, {"message": "2"}]
        assert (made.rejected, made.reason) == (2, "malformed")
        (chunk,) = made.chunks
        assert [chunk.data[one.start : one.end] for one in chunk.rejected] == [b"\xff\xff", deep]

    def test_a_record_that_breaks_a_limit_is_rejected_alone(self):
        made = read(request(log("x" * 200), log(nested(6)), log("ok")), record=Size(100), depth=5)
        assert [record for _, _, record in told(made)] == [{"message": "ok"}]
        assert [one.reason for one in made.chunks[0].rejected] == ["too_large", "too_deep"]

    def test_a_record_is_measured_before_it_is_parsed(self):
        raw = b"".join(one.SerializeToString() for one in [log(None, {"a": 1})] * 50)  # the same attribute again and again
        made = read(framed(raw, log("ok").SerializeToString()), record=Size(len(raw) - 1))
        assert (only(made), made.reason) == ({"message": "ok"}, "too_large")
        assert told(read(framed(raw), record=Size(len(raw)))) == [("standard", 0, {"a": 1})]

    @pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"hello", b"{}"])
    def test_what_is_no_request_is_unreadable(self, data):
        with pytest.raises(Unreadable) as caught:
            read(data)
        assert (caught.value.reason, caught.value.chunk.body, caught.value.chunk.tag) == ("malformed", data, "standard")

    @pytest.mark.parametrize("data", [b"[]", b"hello", b"", b'{"resourceLogs":', b"[" * 100_000])
    def test_what_is_no_json_request_is_unreadable(self, data):
        with pytest.raises(Unreadable):
            read(data, json=True)

    def test_a_small_request_cannot_mean_more_than_the_limit(self):
        made = request(*[log("x")] * 1000, resource={"a": "y" * 1000})
        assert len(made.SerializeToString()) < 20_000
        with pytest.raises(PeerError) as caught:
            read(made, data=Size(500_000))
        assert (caught.value.reason, isinstance(caught.value, Unreadable)) == ("too_large", False)
        assert len(told(read(made, data=Size(2_000_000)))) == 1000

    def test_too_many_records(self):
        assert len(told(read(request(*[log("x")] * 10), entries=10))) == 10
        with pytest.raises(PeerError):
            read(request(*[log("x")] * 11), entries=10)

    @pytest.mark.parametrize("data", [b"\x0a\x00" * 30, field(1, b"\x12\x00" * 30), field(1, b"\x0a\x00" * 30), framed(*[b""] * 30)])
    def test_many_parts_are_counted_before_they_are_parsed(self, data):
        with pytest.raises(PeerError) as caught:
            read(data, entries=10)
        assert caught.value.reason == "too_large"
        assert read(data, entries=100).rejected == 0

    def test_a_resource_that_no_record_could_hold(self):
        made = request(log("x"), resource={"a": "y" * 1000})
        with pytest.raises(PeerError):
            read(made, record=Size(900))

    def test_json_is_bounded_more_tightly_than_protobuf(self):
        body = b'{"a":[' + b" " * (16 << 20) + b"]}"
        with pytest.raises(PeerError) as caught:
            read(body, json=True)
        assert (caught.value.reason, isinstance(caught.value, Unreadable)) == ("too_large", False)
        assert read(body.replace(b" " * 100, b""), json=True) == otlp.Export(())

    def test_fields_given_in_pieces_are_one(self):
        one = ResourceLogs(resource=Resource(attributes=pairs({"a": 1}))).SerializeToString()
        scoped = [ScopeLogs(log_records=[log("x")])]
        two = ResourceLogs(resource=Resource(attributes=pairs({"b": 2})), scope_logs=scoped).SerializeToString()
        late = two + one  # a resource may stand behind its records
        assert only(read(field(1, late))) == {"a": 1, "b": 2, "message": "x"}

    def test_nothing_in_it_is_no_chunk(self):
        assert read(b"") == read(b"{}", json=True) == otlp.Export(())


class TestJson:
    def test_the_example_of_the_specification_s_shape(self):
        one = {
            "timeUnixNano": "1544712660300000000", "observedTimeUnixNano": 1544712660300000001, "severityNumber": 10,
            "severityText": "Information", "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "eventName": "e",
            "attributes": json_pairs({"i": 10, "d": 637.704, "b": True, "a": ["many", 1], "m": {"k": "v"}, "raw": b"\xff"}),
            "body": {"stringValue": "Example"},
        }  # fmt: skip
        scoped = {"scope": {"name": "app", "version": "1"}, "logRecords": [one]}
        resource = {"attributes": json_pairs({"service.name": "shop"})}
        body = {"resourceLogs": [{"resource": resource, "schemaUrl": "u", "unknown": [1], "scopeLogs": [scoped]}]}
        assert told(read(json.dumps(body).encode(), json=True)) == [("shop", 1544712660300000000, {
            "service.name": "shop", "log.logger": "app", "log.level": "info", "severity_text": "Information", "event.name": "e",
            "trace.id": "5b8efff798038103d269b633813fc60c", "span.id": "eee19b7ec3c1b174", "i": 10, "d": 637.704, "b": True,
            "a": ["many", 1], "m": {"k": "v"}, "raw": "\\xff", "message": "Example",
        })]  # fmt: skip

    @pytest.mark.parametrize(("given", "plain"), [
        ({"intValue": "9223372036854775807"}, (1 << 63) - 1), ({"intValue": "0"}, 0), ({"intValue": -3}, -3),
        ({"intValue": "9" * 30}, "9" * 30), ({"intValue": "x"}, "x"), ({"intValue": [1]}, None),
        ({"doubleValue": "Infinity"}, float("inf")), ({"doubleValue": 3}, 3.0),
        ({"doubleValue": "x"}, None), ({"boolValue": 1}, None), ({"stringValue": 5}, ""), ({"bytesValue": "!"}, "!"),
        ({"bytesValue": "YQ=="}, "a"),
        ({"arrayValue": {}}, []), ({"arrayValue": []}, []), ({"kvlistValue": {"values": [{"key": 1}, 2, {"key": "a"}]}}, {"a": None}),
        ({"other": 1}, None), ("bare", None), (None, None), ({"stringValue": None, "intValue": 2}, 2),
    ], ids=repr)  # fmt: skip
    def test_values(self, given, plain):
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "k", "value": given}]}]}]}]}
        assert only(read(json.dumps(body).encode(), json=True)) == {"k": plain}

    def test_what_is_no_record_is_rejected_alone(self):
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [5, {"body": {"stringValue": "x"}}, [[]], None]}]}]}
        made = read(json.dumps(body).encode(), json=True)
        assert (only(made), made.rejected, made.reason) == ({"message": "x"}, 3, "not_a_record")

    def test_odd_bytes(self):
        data = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"caf\xe9 \\ud800"}}]}]}]}'
        assert only(read(data, json=True)) == {"message": "caf\\xe9 \\ud800"}

    @pytest.mark.parametrize("id_", ["zz", "0" * 32, 5, "a" * 65, ""])
    def test_ids_that_are_none(self, id_):
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": id_, "spanId": id_}]}]}]}
        assert only(read(json.dumps(body).encode(), json=True)) == {}


SCALARS = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text() | st.binary(max_size=20)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)
ATTRIBUTES = st.dictionaries(st.text(), VALUES, max_size=5)
NAMES = st.sampled_from([
    "resourceLogs", "scopeLogs", "logRecords", "resource", "scope", "attributes", "body", "key", "value", "values", "kvlistValue",
    "arrayValue", "stringValue", "intValue", "doubleValue", "bytesValue", "traceId", "timeUnixNano", "severityNumber",
])  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25,
)  # fmt: skip


class TestProperties:
    @given(st.lists(st.tuples(VALUES, ATTRIBUTES, st.integers(0, (1 << 64) - 1)), max_size=4), ATTRIBUTES)
    def test_both_forms_mean_the_same(self, logs, resource):
        made = [LogRecord(body=value(body), attributes=pairs(own), time_unix_nano=time) for body, own, time in logs]
        same = {"resourceLogs": [{"resource": {"attributes": json_pairs(resource)}, "scopeLogs": [{"logRecords": [
            {"body": json_value(body), "attributes": json_pairs(own), "timeUnixNano": str(time)} for body, own, time in logs
        ]}]}]}  # fmt: skip
        assert read(request(*made, resource=resource)) == read(json.dumps(same).encode(), json=True)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data):
        for form in (True, False):
            with contextlib.suppress(PeerError):
                told(read(data, json=form))

    @given(st.lists(st.binary(max_size=60), max_size=5))
    def test_any_records_are_read_or_rejected(self, raw):
        made = read(framed(*raw))
        assert len(told(made)) + made.rejected == len(raw)

    @given(JUNK)
    def test_any_json_is_read_or_refused(self, junk):
        for body in (junk, {"resourceLogs": junk}, {"resourceLogs": [{"scopeLogs": [{"logRecords": junk}]}]}):
            try:
                told(read(json.dumps(body).encode(), json=True))
            except Unreadable:
                assert not isinstance(body, dict)


class TestAnswers:
    def test_all_was_taken(self):
        assert (otlp.taken(False), otlp.taken(True)) == (b"", b"{}")

    def test_some_was_rejected(self):
        partial = ExportLogsServiceResponse.FromString(otlp.taken(False, 3, "malformed")).partial_success
        assert (partial.rejected_log_records, partial.error_message) == (3, "malformed")
        assert json.loads(otlp.taken(True, 3, "malformed")) == {"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "malformed"}}

    def test_a_failure_is_a_status(self):
        from google.rpc.status_pb2 import Status

        found = Status.FromString(otlp.failed(False, 14, "é" * 200))
        assert (found.code, found.message) == (14, "é" * 200)
        assert json.loads(otlp.failed(True, 3, "no")) == {"code": 3, "message": "no"}


def test_a_double_that_is_nan_stays_one():
    made = only(read(request(log(None, {"n": struct.unpack("d", struct.pack("d", float("nan")))[0]}))))
    assert made["n"] != made["n"]
