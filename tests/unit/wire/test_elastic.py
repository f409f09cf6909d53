"""Bodies of `_bulk` → documents, tags, and an item for each action."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import elastic, records
from pluginhost.wire.bodies import Unreadable
from pluginhost.wire.elastic import bulk_answer, read_bulk
from pluginhost.wire.sieve import Limits

NOON = 1767323045 * 10**9  # 2026-01-02T03:04:05Z
SHORT = "errors,items.*.error,items.*.status"


def bulk_of(body, *, index="", tag="", packing="", **limits):
    return read_bulk(body, content_encoding=packing, index=index, tag=tag, default="d", limits=Limits(**limits))


def found(bulk):
    """{tag: records}."""
    return {chunk.tag: read(chunk) for chunk in bulk.chunks}


def read(chunk):
    columns = chunk.columns
    return [records.decode(chunk.codec, chunk.data[start:end]) for start, end in zip(columns.starts, columns.ends, strict=True)]


def bad(bulk):
    return [(one.reason, chunk.data[one.start : one.end]) for chunk in bulk.chunks for one in chunk.rejected]


def items(bulk, filter_path=""):
    said = json.loads(bulk_answer(bulk, filter_path))
    return said["errors"], said["items"]


LOGSTASH = b'{"index":{"_id":null,"_index":"logs-x","routing":null}}\n{"a":1,"@timestamp":"2026-01-02T03:04:05.000000007Z"}\n'


def test_what_logstash_sends_is_kept_as_it_came():
    body = gzip.compress(LOGSTASH * 2)
    bulk = bulk_of(body, packing="gzip")
    (chunk,) = bulk.chunks
    assert (chunk.tag, chunk.body, chunk.data, chunk.packing, chunk.rejected) == ("logs-x", body, LOGSTASH * 2, "gzip", ())
    assert found(bulk) == {"logs-x": [{"a": 1, "@timestamp": "2026-01-02T03:04:05.000000007Z"}] * 2}
    assert list(chunk.columns.times) == [NOON + 7] * 2
    assert bulk_answer(bulk, SHORT) == b'{"took":1,"errors":false,"items":[{"index":{"status":201}},{"index":{"status":201}}]}'


def test_an_item_says_what_clients_look_for():
    bulk = bulk_of(b'{"create":{"_index":"a\\"b","_id":"i1"}}\n{}\n{"index":{}}\n{}')
    first, second = items(bulk)[1]
    assert first == {"create": {
        "_index": 'a"b', "_id": "i1", "_version": 1, "result": "created", "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": 0, "_primary_term": 1, "status": 201,
    }}  # fmt: skip
    assert (second["index"]["_index"], second["index"]["status"]) == ("d", 201)
    assert b'"errors":false,"items":[{' in bulk_answer(bulk)
    assert bulk_answer(bulk) == bulk_answer(bulk_of(b'{"create":{"_index":"a\\"b","_id":"i1"}}\n{}\n{"index":{}}\n{}'))


def test_ids_that_were_not_given_differ_within_a_body_and_between_bodies():
    one, other = bulk_of(b'{"index":{}}\n{}\n' * 40), bulk_of(b'{"index":{}}\n{}\n' * 41)
    ids = [item["index"]["_id"] for bulk in (one, other) for item in items(bulk)[1]]
    assert len(set(ids)) == len(ids) == 81


@pytest.mark.parametrize(("index", "tag", "wanted"), [
    ("", "", {"a": [{"n": 1}, {"n": 3}], "d": [{"n": 2}]}), ("p", "", {"a": [{"n": 1}, {"n": 3}], "p": [{"n": 2}]}),
    ("p", "t", {"t": [{"n": 1}, {"n": 2}, {"n": 3}]}),
])  # fmt: skip
def test_the_tag_is_the_requests_else_the_index_of_the_action_else_of_the_path(index, tag, wanted):
    body = b'{"index":{"_index":"a"}}\n{"n":1}\n{"index":{}}\n{"n":2}\n{"index":{"_index":"a"}}\n{"n":3}\n'
    bulk = bulk_of(body, index=index, tag=tag)
    assert found(bulk) == wanted
    assert list(found(bulk)) == list(wanted)  # in the order in which they came
    assert [item["index"]["_index"] for item in items(bulk)[1]] == ["a", index or "d", "a"]


def test_a_tag_is_printable_and_there_are_not_too_many():
    body = b"".join(b'{"index":{"_index":"\\u001b[%d"}}\n{"n":%d}\n' % (n, n) for n in range(70))
    tags = found(bulk_of(body))
    assert list(tags) == [f"\\x1b[{n}" for n in range(64)] + ["d"]
    assert tags["d"] == [{"n": n} for n in range(64, 70)]
    assert [len(chunk.tag) for chunk in bulk_of(b'{"index":{"_index":"%b"}}\n{}' % (b"x" * 5000)).chunks] == [256]


TOLERATED = {
    "rsyslog": b'{"create":{"_index":"logs-x","_id":"u"}}\n{"host.name":"h","message":"a\\/b"}\n\n',
    "log4js": b'{"index":{"_index":"app","_type":"application"}}\n{"message":"a/b"}\n',
    "no last line feed": b'{"index":{}}\n{"message":"a/b"}',
    "carriage returns": b'\r\n{"index":{}}\r\n{"message":"a/b"}\r\n\r\n',
    "null metadata": b'{"index":null}\n{"message":"a/b"}\n',
    "blanks": b' { "index" : { "dynamic_templates" : {"a":"b"} } } \n\t {"message":"a/b"} \n',
    "a number for an id": b'{"index":{"_id":7,"_index":7}}\n{"message":"a/b"}\n',
}


@pytest.mark.parametrize("sender", TOLERATED)
def test_what_is_tolerated(sender):
    bulk = bulk_of(TOLERATED[sender])
    ((record,),) = found(bulk).values()
    assert (record["message"], bad(bulk), items(bulk)[0], len(bulk.actions)) == ("a/b", [], False, 1)


def test_a_document_that_is_none_is_a_dead_letter_and_answered_like_the_rest():
    bulk = bulk_of(b'{"index":{}}\n{"n":1}\n{"index":{}}\n[1]\n{"create":{}}\n{"cut\n{"index":{}}\n{"n":2}\n')
    assert found(bulk) == {"d": [{"n": 1}, {"n": 2}]}
    assert bad(bulk) == [("malformed", b"[1]"), ("malformed", b'{"cut')]
    errors, said = items(bulk)
    assert (errors, [one[kind]["status"] for one in said for kind in one]) == (False, [201] * 4)


def test_what_brings_no_record_is_told_so():
    bulk = bulk_of(b'{"delete":{"_id":"1","_index":"a"}}\n{"update":{"_id":"2"}}\n{"doc":{}}\n{"index":{}}\n{"n":1}\n{"index":{}}')
    errors, said = items(bulk, SHORT)
    assert errors is True
    answered = [(kind, one[kind]["status"]) for one in said for kind in one]
    assert answered == [("delete", 400), ("update", 400), ("index", 201), ("index", 400)]
    assert said[0]["delete"]["error"]["type"] == "illegal_argument_exception"
    assert bad(bulk) == [
        ("unsupported", b'{"delete":{"_id":"1","_index":"a"}}'), ("unsupported", b'{"update":{"_id":"2"}}\n{"doc":{}}'),
        ("cut_off", b'{"index":{}}'),
    ]  # fmt: skip
    assert found(bulk)["d"] == [{"n": 1}]


def test_lines_that_are_no_actions_have_no_item():
    large = b'{"index":{"_id":"' + b"x" * 70_000 + b'"}}\n'
    bulk = bulk_of(b'nonsense\n{"index":{}}\n{"n":1}\n{"search":{}}\n{"index":{},"create":{}}\n' + large)
    assert [reason for reason, _ in bad(bulk)] == ["malformed"] * 3 + ["too_large"]
    assert (found(bulk), len(bulk.actions)) == ({"d": [{"n": 1}]}, 1)


@pytest.mark.parametrize("body", [b"nonsense", b'{"n":1}\n{"n":2}\n', b"[]"])
def test_a_body_without_an_action_is_unreadable(body):
    with pytest.raises(Unreadable) as caught:
        bulk_of(body)
    assert (caught.value.reason, caught.value.chunk.body, caught.value.chunk.tag) == ("malformed", body, "d")


@pytest.mark.parametrize("body", [b"", b"\n \r\n"])
def test_nothing_is_nothing(body):
    bulk = bulk_of(body)
    assert (bulk_answer(bulk), [chunk.count for chunk in bulk.chunks]) == (b'{"took":1,"errors":false,"items":[]}', [0])


def test_limits(monkeypatch):
    monkeypatch.setattr(elastic, "ACTIONS", 3)
    assert len(bulk_of(b'{"index":{}}\n{}\n' * 3).actions) == 3
    for body in (b'{"index":{}}\n{}\n' * 4, b'{"delete":{}}\n' * 4):
        with pytest.raises(PeerError, match="too_large") as caught:
            bulk_of(body)
        assert not isinstance(caught.value, Unreadable)
    with pytest.raises(PeerError, match="too_large"):
        bulk_of(gzip.compress(b'{"index":{}}\n{"a":"' + b"x" * 5000), packing="gzip", data=4000)
    assert bad(bulk_of(b'{"index":{}}\n{"a":"xxxxxxxx"}', record=10)) == [("too_large", b'{"a":"xxxxxxxx"}')]


LINE = st.sampled_from([
    b'{"index":{}}', b'{"create":{"_index":"a"}}', b'{"delete":{}}', b'{"update":{}}', b"{}", b'{"n":1}', b"", b"x", b'{"index":',
])  # fmt: skip


@given(st.lists(LINE, max_size=12), st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans())
def test_every_part_is_answered_or_a_dead_letter(lines, between, tagged):
    try:
        bulk = bulk_of(between.join(lines), tag="t" if tagged else "")
    except Unreadable:
        return
    said = items(bulk)[1]
    assert len(said) == len(bulk.actions)
    taken = [one for one in said if next(iter(one.values()))["status"] == 201]
    assert sum(chunk.count for chunk in bulk.chunks) <= len(taken)
    assert sum(chunk.count + len(chunk.rejected) for chunk in bulk.chunks) >= len(said)
    assert all(type(record) is dict for listed in found(bulk).values() for record in listed)
