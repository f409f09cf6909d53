"""Bodies as shippers send them → records, times, rejections."""

import contextlib
import gzip
import json
import struct
import time
import zlib

import cramjam
import msgpack
import pytest
import zstandard

from pluginhost.problem import PeerError
from pluginhost.wire import records
from pluginhost.wire.bodies import Limits, Unreadable, decode_body
from pluginhost.wire.chunk import Meta

S = 10**9
JSON = "application/json"
NDJSON = "application/x-ndjson"
MSGPACK = "application/msgpack"
FORM = "application/x-www-form-urlencoded"


def chunk_of(body, kind="", packing="", /, **limits):
    return decode_body(body, content_type=kind, content_encoding=packing, tag="t", limits=Limits(**limits))


def read(chunk):
    columns = chunk.columns
    return [records.decode(chunk.codec, chunk.data[start:end]) for start, end in zip(columns.starts, columns.ends, strict=True)]


def bad(chunk):
    return [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected]


def event_time(seconds, fraction=0):
    return msgpack.ExtType(0, struct.pack(">II", seconds, fraction))


def packed(*items):
    return b"".join(msgpack.packb(item) for item in items)


LOGSTASH = (
    b'{"@version":"1","event":{"original":"Failed password for root from 203.0.113.7 port 22 ssh2"},"host":"vm",'
    b'"message":"Failed password for root from 203.0.113.7 port 22 ssh2","@timestamp":"2026-11-21T20:31:37.476875019Z"}'
)
LOGSTASH_TIME = 1795293097 * S + 476875019
ISO_2026 = 1767323045 * S  # 2026-01-02T03:04:05Z

GOLDEN = {
    # sender: (content type, body, codec, records, times)
    "logstash json": (JSON, LOGSTASH, "json", [json.loads(LOGSTASH)], [LOGSTASH_TIME]),
    "logstash json_batch": (JSON, b"[" + LOGSTASH + b"," + LOGSTASH + b"]", "json", [json.loads(LOGSTASH)] * 2, [LOGSTASH_TIME] * 2),
    "logstash message": ("text/plain", b"Failed password for root", "line", [{"message": "Failed password for root"}], [0]),
    "fluent bit json": (
        JSON, b'[{"date":1767323045.25,"log":"a"},{"date":1767323046.5,"log":"b"}]', "json",
        [{"date": 1767323045.25, "log": "a"}, {"date": 1767323046.5, "log": "b"}], [ISO_2026 + S // 4, ISO_2026 + 3 * S // 2],
    ),
    "fluent bit json_stream": (
        JSON, b'{"date":1767323045,"log":"a}{"}{"date":1767323045,"log":"b"}', "json",
        [{"date": 1767323045, "log": "a}{"}, {"date": 1767323045, "log": "b"}], [ISO_2026, ISO_2026],
    ),
    "fluent bit json_lines": (
        NDJSON, b'{"date":1767323045,"log":"a"}\n{"log":"b"}\n', "json", [{"date": 1767323045, "log": "a"}, {"log": "b"}], [ISO_2026, 0],
    ),
    "fluent bit epoch_ms": (JSON, b'[{"date":1767323045250}]', "json", [{"date": 1767323045250}], [ISO_2026 + S // 4]),
    "fluent bit java_sql_timestamp": (
        JSON, b'[{"date":"2026-01-02 03:04:05.000250"}]', "json", [{"date": "2026-01-02 03:04:05.000250"}], [ISO_2026 + 250_000],
    ),
    "fluent bit msgpack": (
        MSGPACK, packed([[event_time(1767323045, 7), {}], {"log": "a"}], [[event_time(1767323046), {}], {"log": "b"}]), "msgpack",
        [{"log": "a"}, {"log": "b"}], [ISO_2026 + 7, ISO_2026 + S],
    ),
    "fluent bit msgpack, old": (MSGPACK, packed([1767323045, {"log": "a"}]), "msgpack", [{"log": "a"}], [ISO_2026]),
    "fluentd ndjson": (NDJSON, b'{"message":"a"}\n{"message":"b"}\n', "json", [{"message": "a"}, {"message": "b"}], [0, 0]),
    "fluentd json_array": (JSON, b'[{"message":"a"},{"message":"b"}]', "json", [{"message": "a"}, {"message": "b"}], [0, 0]),
    "fluentd msgpack": (
        "application/x-msgpack", packed({"message": "a"}, {"message": "b"}), "msgpack", [{"message": "a"}, {"message": "b"}], [0, 0],
    ),
    "fluentd out_file": ("text/plain", b"a line\nanother\n", "line", [{"message": "a line"}, {"message": "another"}], [0, 0]),
    "vector ndjson": (NDJSON, b'{"message":"a"}\n{"message":"b"}', "json", [{"message": "a"}, {"message": "b"}], [0, 0]),
    "syslog-ng": (
        "", b'{"PROGRAM":"sshd","ISODATE":"2026-01-02T04:04:05+01:00","MESSAGE":"x"}\n{"MESSAGE":"y"}', "json",
        [{"PROGRAM": "sshd", "ISODATE": "2026-01-02T04:04:05+01:00", "MESSAGE": "x"}, {"MESSAGE": "y"}], [ISO_2026, 0],
    ),
    "syslog-ng text": ("", b"<38>Jan  2 03:04:05 h sshd[1]: x", "line", [{"message": "<38>Jan  2 03:04:05 h sshd[1]: x"}], [0]),
    "syslog-ng batch": (JSON, b'[{"MESSAGE":"x"},{"MESSAGE":"y"}]', "json", [{"MESSAGE": "x"}, {"MESSAGE": "y"}], [0, 0]),
    "vector text": ("text/plain", b"a\nb", "line", [{"message": "a"}, {"message": "b"}], [0, 0]),
    "vector json": (JSON, b'[{"timestamp":"2026-01-02T03:04:05Z"},{}]', "json", [{"timestamp": "2026-01-02T03:04:05Z"}, {}], [ISO_2026, 0]),
    "fluent bit gelf": (
        JSON, b'{"version":"1.1","short_message":"a","timestamp":1767323045.250}', "json",
        [{"version": "1.1", "short_message": "a", "timestamp": 1767323045.25}], [ISO_2026 + S // 4],
    ),
    "a json stream": ("application/x-json-stream", b'{"a":1}{"a":2}', "json", [{"a": 1}, {"a": 2}], [0, 0]),
    "another kind of json": ("application/vnd.events+json; charset=UTF-8", b'{"a":1}', "json", [{"a": 1}], [0]),
    "json as text": ("text/json; charset=utf-8", b'[{"a":1}]', "json", [{"a": 1}], [0]),
    "rsyslog jsonarray": (JSON + "; charset=utf-8", b'[{"msg":"\\/a"}]', "json", [{"msg": "/a"}], [0]),
    "rsyslog newline": ("text/plain", b'{"msg":"a"}\n\n{"msg":"b"}\n\n', "json", [{"msg": "a"}, {"msg": "b"}], [0, 0]),
    "python-logstash-async": (
        JSON, b'[{"@timestamp":"2026-01-02T03:04:05.123Z","@version":"1","host":"h","level":"INFO","extra":{"a":1}}]', "json",
        [{"@timestamp": "2026-01-02T03:04:05.123Z", "@version": "1", "host": "h", "level": "INFO", "extra": {"a": 1}}],
        [ISO_2026 + 123_000_000],
    ),
    "log4js": (
        NDJSON, b'{"message":"m","level":300,"datetime":"2026-01-02T03:04:05.000Z","extra":{}}\n', "json",
        [{"message": "m", "level": 300, "datetime": "2026-01-02T03:04:05.000Z", "extra": {}}], [ISO_2026],
    ),
    "log4js, as it is": (
        NDJSON, b'{"index":{"_index":"app","_type":"application"}}\n{"message":"m","datetime":"2026-01-02T03:04:05.000Z"}\n', "json",
        [{"message": "m", "datetime": "2026-01-02T03:04:05.000Z"}], [ISO_2026],
    ),
    "an index of its own": (JSON, b'{"index":{"name":"a"}}\n{"index":{"_index":"b"},"x":1}\n', "json",
                            [{"index": {"name": "a"}}, {"index": {"_index": "b"}, "x": 1}], [0, 0]),
    "curl": (
        FORM, b'{\n  "message": "pretty",\n  "list": [\n{"a": 1}]\n}\n', "json",
        [{"message": "pretty", "list": [{"a": 1}]}], [0],
    ),
    "a list in msgpack": (MSGPACK, packed([{"a": 1}, {"a": 2}]), "msgpack", [{"a": 1}, {"a": 2}], [0, 0]),
    "a list of entries": (
        "", packed([[1767323045, {"a": 1}], [1767323046.5, {"a": 2}]]), "msgpack", [{"a": 1}, {"a": 2}], [ISO_2026, ISO_2026 + 3 * S // 2],
    ),
    "a timestamp": (MSGPACK, packed([msgpack.Timestamp(1767323045, 9), {"a": 1}]), "msgpack", [{"a": 1}], [ISO_2026 + 9]),
    "a byte order mark": (JSON, b"\xef\xbb\xbf [{}]", "json", [{}], [0]),
}  # fmt: skip


@pytest.mark.parametrize("sender", GOLDEN)
def test_golden_bodies(sender):
    kind, body, codec, wanted, times = GOLDEN[sender]
    chunk = chunk_of(body, kind)
    assert (chunk.codec, read(chunk), list(chunk.columns.times)) == (codec, wanted, times)
    assert (chunk.tag, chunk.body, chunk.data, chunk.packing, chunk.rejected) == ("t", body, body, "", ())


@pytest.mark.parametrize("sender", [name for name, (kind, _, codec, *_) in GOLDEN.items() if codec == "json" and kind != "text/plain"])
def test_the_careful_way_gives_the_same(sender):
    """A broken tail makes the fast way impossible; what stood before it must not change."""
    kind, body, _, wanted, times = GOLDEN[sender]
    chunk = chunk_of(body.rstrip().removesuffix(b"]") + b'\n{"cut": ', kind)
    assert (read(chunk), list(chunk.columns.times)) == (wanted, times)
    assert [reason for reason, _ in bad(chunk)] == ["malformed"]


@pytest.mark.parametrize(("packing", "pack"), [
    ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZIP", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ("snappy", lambda data: bytes(cramjam.snappy.compress_raw(data))), ("snappy", lambda data: bytes(cramjam.snappy.compress(data))),
    ("deflate", zlib.compress), ("deflate", lambda data: zlib.compress(data, wbits=-15)), ("zstd", zstandard.compress),
])  # fmt: skip
def test_packed_bodies_are_kept_packed(packing, pack):
    body = pack(b'[{"a":1}]')
    chunk = chunk_of(body, JSON, packing)
    assert (chunk.body, chunk.data, read(chunk)) == (body, b'[{"a":1}]', [{"a": 1}])
    assert chunk.packing == packing.lower().removeprefix("x-")


def test_an_action_without_a_document_is_a_record_like_any_other():
    assert read(chunk_of(b'{"index":{"_index":"b"}}\n', NDJSON)) == [{"index": {"_index": "b"}}]


def test_a_form_is_one_record_of_text():
    sent = (
        b"%40timestamp=2026-01-02T03%3A04%3A05.000000007Z&%40version=1&host=vm&message=Failed+password+%26+more%3D%F0%9F%98%80&empty=&tags=%5B%5D"
        b"&event=%7B%22original%22%3D%3E%22Failed+password%22%7D"
    )
    chunk = chunk_of(gzip.compress(sent), FORM + "; charset=utf-8", "gzip")
    wanted = {"@timestamp": "2026-01-02T03:04:05.000000007Z", "@version": "1", "host": "vm", "message": "Failed password & more=\U0001f600",
              "empty": "", "tags": "[]"}  # fmt: skip
    assert (read(chunk), list(chunk.columns.times), chunk.packing) == ([wanted], [ISO_2026 + 7], "")
    assert chunk.body == chunk.data == json.dumps(wanted, separators=(",", ":"), ensure_ascii=False).encode()


GOOD = b'{"a":1}'
DEEP = b'{"d":' + b"[" * 64 + b"]" * 64 + b"}"
BOTTOMLESS = b'{"b":' + b"[" * 5000 + b"]" * 5000 + b"}"
MIXED = {
    "no object": (
        b'[{"a":1},1,"x{,]",null,[{"b":2}],{"a":1}]', 2, [("not_a_record", one) for one in (b"1", b'"x{,]"', b"null", b'[{"b":2}]')],
    ),
    "broken": (b'[{"a":1},{"b":tru},{"a":1}]', 2, [("malformed", b'{"b":tru}')]),
    "broken inside": (b'[{"a":1},{"b":[1},{"a":1}]', 2, [("malformed", b'{"b":[1}')]),
    "no comma": (b'[{"a":1} {"a":1}]', 2, []),
    "cut array": (b'[{"a":1},{"a":1},{"b":"c', 2, [("malformed", b'{"b":"c')]),
    "cut line": (b'{"a":1}\n{"b": "c\n{"a":1}\n', 2, [("malformed", b'{"b": "c')]),
    "cut line, quotes even": (b'{"a":1}\n{"b": 1\n{"a":1}\n', 2, [("malformed", b'{"b": 1')]),
    "text between": (b'{"a":1}\noops\n{"a":1}\n', 2, [("malformed", b"oops")]),
    "stray brace": (b'{"a":1}}{"a":1}', 2, [("malformed", b"}")]),
    "too deep": (b"[" + GOOD + b"," + DEEP + b"," + GOOD + b"]", 2, [("too_deep", DEEP)]),
    "too deep, and amiss": (GOOD + DEEP + b"x" + GOOD, 2, [("too_deep", DEEP), ("malformed", b"x")]),
    "bottomless": (b'{"a":1}\n' + BOTTOMLESS + b'\n{"a":1}', 2, [("too_deep", BOTTOMLESS)]),
    "unclosed": (b'{"a":1}\n{"b":' + b"[" * 5000 + b'\n{"a":1}', 1, [("malformed", b'{"b":' + b"[" * 5000 + b'\n{"a":1}')]),
}


@pytest.mark.parametrize("case", MIXED)
def test_a_bad_item_never_harms_its_neighbours(case):
    body, good, rejected = MIXED[case]
    chunk = chunk_of(body, JSON)
    assert (read(chunk), bad(chunk)) == ([{"a": 1}] * good, rejected)


def test_a_record_may_be_too_large():
    body = b'[{"a":1},{"b":"' + b"x" * 100 + b'"},{"a":1}]'
    chunk = chunk_of(body, JSON, record=100)
    assert (read(chunk), [reason for reason, _ in bad(chunk)]) == ([{"a": 1}] * 2, ["too_large"])
    lines = chunk_of(b"short\n" + b"x" * 101, "text/plain", record=100)
    assert (read(lines), [reason for reason, _ in bad(lines)]) == ([{"message": "short"}], ["too_large"])


@pytest.mark.parametrize(("raw", "value"), [(b"\xff", "\\xff"), (b"\\ud800", "\\ud800")])
def test_text_that_is_none_is_tolerated(raw, value):
    chunk = chunk_of(b'[{"a":"' + raw + b'"},{"a":"b"}]', JSON)
    assert (read(chunk), chunk.rejected) == ([{"a": value}, {"a": "b"}], ())


def test_nan_and_giant_numbers_are_tolerated():
    nan, giant, far = read(chunk_of(b'[{"a":NaN},{"a":' + b"9" * 5000 + b'},{"a":1e999}]', JSON))
    assert nan["a"] != nan["a"]
    assert giant == far == {"a": float("inf")}


@pytest.mark.parametrize(("fields", "time"), [
    ({"datetime": "2026-01-02T03:04:05Z", "@timestamp": "2026-01-02T03:04:06Z"}, ISO_2026 + S),
    ({"@timestamp": "yesterday", "date": "2026-01-02T03:04:05Z"}, ISO_2026),
    ({"date": {"a": 1}, "time": [], "timestamp": 1767323045}, ISO_2026),
    ({"time": 12.5}, 0),  # a span
    ({"time": True, "date": None}, 0),
    ({"nested": {"@timestamp": "2026-01-02T03:04:05Z"}}, 0),
])  # fmt: skip
@pytest.mark.parametrize("way", ["fast", "careful", "msgpack"])
def test_the_time_is_the_first_field_that_is_one(fields, time, way):
    text = json.dumps(fields).encode()
    chunk = chunk_of(msgpack.packb(fields), MSGPACK) if way == "msgpack" else chunk_of(text if way == "fast" else text + b"x", JSON)
    assert list(chunk.columns.times) == [time]


@pytest.mark.parametrize("tail", [b"", packed(7)], ids=["fast", "careful"])
def test_groups_and_metadata_are_kept_beside_the_records(tail):
    head = packed([[event_time(0xFFFFFFFF), {"schema": "otlp"}], {"resource": {}}])
    inner = packed([[event_time(5), {"otlp": 1}], {"log": "a"}])
    end = packed([[event_time(0xFFFFFFFE), {}], {}])
    after = packed([[event_time(6), {}], {"log": "b"}])
    chunk = chunk_of(head + inner + end + after + tail, MSGPACK)
    assert read(chunk) == [{"log": "a"}, {"log": "b"}]
    assert list(chunk.columns.times) == [5 * S, 6 * S]
    meta = chunk.columns.metas[0]
    assert len(chunk.columns.metas) == 1
    assert msgpack.unpackb(chunk.data[meta.start : meta.end]) == {"otlp": 1}
    assert meta == Meta(0, meta.start, meta.end, 0, len(head))


def test_bad_msgpack_items_harm_no_other():
    items = [[1, {"a": 1}], ["noon", {"b": 1}], 7, [1, 2, 3], [[1, 2], {"b": 1}], [msgpack.ExtType(5, b"x"), {}], {"a": 1}]
    chunk = chunk_of(packed(*items) + b"\xc1\xc1", MSGPACK)
    assert read(chunk) == [{"a": 1}, {"b": 1}, {"a": 1}]
    reasons = ["not_a_time", "not_a_record", *["not_a_record"] * 3, "not_a_time", "malformed"]
    assert [reason for reason, _ in bad(chunk)] == reasons
    assert bad(chunk)[0][1] == packed(items[1])
    assert bad(chunk)[-1][1] == b"\xc1\xc1"


def test_msgpack_that_nests_too_deep_is_rejected():
    deep = msgpack.packb({"a": 1})
    for _ in range(64):
        deep = b"\x81\xa1d" + deep
    assert [reason for reason, _ in bad(chunk_of(packed({"a": 1}) + deep, MSGPACK))] == ["too_deep"]
    assert chunk_of(deep[3:], MSGPACK).count == 1


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("kind", ["", JSON, NDJSON, "text/plain"])
def test_nothing_is_nothing(body, kind):
    chunk = chunk_of(body, kind)
    assert (chunk.count, chunk.rejected) == (0, ())


@pytest.mark.parametrize(("body", "kind", "packing", "reason"), [
    (b"hello", JSON, "", "malformed"), (b'{"a":', JSON, "", "malformed"), (b"[1,2]", JSON, "", "not_a_record"),
    (b"\xc1", MSGPACK, "", "malformed"), (b"\n\x0b\n", "application/x-protobuf", "", "content_type"),
    (b"a=b c=d", FORM, "", "content_type"), (b"user", FORM, "", "content_type"), (b"a=b&&", FORM, "", "content_type"),
    (b"{}", JSON, "brotli", "encoding"), (b"{}", JSON, "snappy", "not_packed"), (b"{}", JSON, "gzip", "not_packed"),
    (gzip.compress(b"[{}]")[:-3], JSON, "gzip", "cut_off"),
])  # fmt: skip
def test_what_cannot_be_read_at_all_brings_its_dead_letter(body, kind, packing, reason):
    with pytest.raises(Unreadable) as caught:
        chunk_of(body, kind, packing)
    chunk = caught.value.chunk
    assert (caught.value.reason, chunk.count, chunk.body, chunk.data, chunk.packing) == (reason, 0, body, body, "")
    assert bad(chunk) == [(reason, body)]


def test_a_dead_letter_keeps_the_first_64_kib():
    with pytest.raises(Unreadable) as caught:
        chunk_of(b"x" * 200_000, JSON)
    assert len(caught.value.chunk.body) == 65536


@pytest.mark.parametrize(("body", "packing", "limits"), [
    (b"[{},{}]", "", {"body": 6}), (b"[{},{}]", "", {"data": 6}), (gzip.compress(b"[" + b" " * 10_000 + b"]"), "gzip", {"data": 9_000}),
    (b"[{},{},{}]", "", {"entries": 2}), (b"{}{}{}", "", {"entries": 2}), (b"[1,2,3]", "", {"entries": 2}), (b"[]" * 7, "", {"entries": 2}),
])  # fmt: skip
def test_limits_on_the_whole_body(body, packing, limits):
    with pytest.raises(PeerError) as caught:
        chunk_of(body, JSON, packing, **limits)
    assert caught.value.reason == "too_large"
    assert not isinstance(caught.value, Unreadable)


def test_an_array_that_promises_too_much_is_refused_before_it_is_read():
    with pytest.raises(PeerError, match="too_large"):
        chunk_of(packed([1] * 5), MSGPACK, entries=4)


HOSTILE = {
    "braces": b"{" * 300_000, "brackets": b"[" * 300_000, "pairs": b"[]" * 150_000, "quotes": b'"' * 300_000, "spaces": b" " * 300_000,
    "escapes": b'{"' + b'\\"' * 150_000, "blanks": b'{"a":1' + b" " * 300_000 + b"x", "newlines": b'{"a":1' + b"\n" * 300_000 + b"x",
    "cut lines": b'{"a":[{},\n' * 30_000, "cut lines, closed": b'{"a":[\n' * 500 + b"{},\n" * 60_000, "openers": b'{"a":[[[\n' * 30_000,
    "mixed": b"[{" * 100_000 + b"}]" * 50_000, "ones": b"[" + b"1," * 150_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", [JSON, "text/plain", MSGPACK])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bodies_cost_linear_time(case, kind):
    before = time.process_time()
    with contextlib.suppress(PeerError):
        chunk_of(HOSTILE[case], kind)
    assert time.process_time() - before < 3  # quadratic would be minutes
