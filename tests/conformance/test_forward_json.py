"""A connection whose first byte opens a JSON array or object is a JSON stream."""

from __future__ import annotations

import json

import pytest
from forwarding import every_byte, tell

from pluginhost.wire.forward import Limits

SECOND = 10**9
AT = 1_795_923_297
ACK = [b'{"ack":"c"}']


def check(data, *, records=(), rejected=(), acks=ACK, closed="", times=None, limits=None):
    told, chunks, counts = tell(data, limits=limits)
    assert [raw for _, _, raw, *_ in told.events] == list(records)
    assert [reason for reason, _ in told.rejected] == list(rejected)
    assert (told.acks, told.closed) == (acks, closed)
    assert {chunk.codec for chunk in chunks} <= {"json"}
    if times is not None:
        assert [time for _, time, *_ in told.events] == times
    if len(data) < 10_000:
        assert tell(data, every_byte(data), limits)[0] == told
    return counts


def test_messages_with_and_without_blanks_between():
    one, two = b'["t",1795923297,{"k":1},{"chunk":"c"}]', b' \r\n["t" , 1795923297.5 , {"k": 2} , { "chunk" : "c" } ]\n'
    times = [AT * SECOND, AT * SECOND + 500_000_000, AT * SECOND]
    check(one + two + one, records=[b'{"k":1}', b'{"k": 2}', b'{"k":1}'], acks=ACK * 3, times=times)


def test_messages_without_ids_travel_together():
    data = b'["t",1,{"k":1}]["t",2,{"k":2},{}]["u",3,{"k":3},null]'
    check(data, records=[b'{"k":1}', b'{"k":2}', b'{"k":3}'], acks=[], times=[SECOND, 2 * SECOND, 3 * SECOND])
    assert [chunk.tag for chunk in tell(data)[1]] == ["t", "u"]


def test_forward_frames():
    good, bad = b'[1,{"k":1}],[2.000000001,{"k":2}],[[3,{"m":1}],{"k":3}]', b'"x",[4],[true,{}],[5,"r"],[6,null],[{},{}]'
    data = b'["t",[' + good + b"," + bad + b'],{"chunk":"c","size":9}]'
    told = tell(data)[0]
    check(data, records=[b'{"k":1}', b'{"k":2}', b'{"k":3}'], times=[SECOND, 2 * SECOND + 1, 3 * SECOND],
          rejected=["not_an_entry", "not_an_entry", "not_a_time", "not_a_map", "not_a_time"])  # fmt: skip
    assert [own for *_, own, _ in told.events] == [b"", b"", b'{"m":1}']
    check(b'["t",[],{"chunk":"c"}]')


@pytest.mark.parametrize(
    ("time", "ns", "bad"),
    [
        *((b"0", 0, 0), (b"null", 0, 0), (b"-5", 0, 1), (b"1e400", 0, 1), (b"1795923297123456789", 0, 1)),
        (b"1795923297.123456789", AT * SECOND + 123456789, 0),
    ],
)
def test_times(time, ns, bad):
    assert check(b'["t",' + time + b',{"k":1},{"chunk":"c"}]', records=[b'{"k":1}'], times=[ns])["bad_time"] == bad


def test_what_can_not_be_accepted_is_answered():
    check(b'["t","packed",{"chunk":"c"}]', rejected=["garbage"])
    check(b'["t",true,{},{"chunk":"c"}]', rejected=["not_a_time"])
    check(b'["t",1,[],{"chunk":"c"}]', rejected=["not_a_map"])
    check(b'[5,1,{},{"chunk":"c"}]', rejected=["bad_tag"])
    check(b'["t",1,{"a":"\\ud800"},{"chunk":"c"}]', records=[b'{"a":"\\ud800"}'])
    check(b'["t",1,{"a":"\xff"},{"chunk":"c"}]', records=[b'{"a":"\xff"}'])


def test_options_and_metadata():
    assert check(b'["t",1,{},5]', records=[b"{}"], acks=[])["bad_option"] == 1
    for chunk in (b'"c"', b"5", b'"\\n"', b"[1, 2]"):
        told, chunks, _ = tell(b'["t",1,{},{"chunk": ' + chunk + b"}]")
        assert told.acks == [b'{"ack":' + chunk + b"}"]
        assert chunks[0].chunk_id
    assert tell(b'["t",1,{},{"metadata":{"m":1}}]')[0].events[0][3] == b'{"m":1}'
    assert check(b'["t",1,{},{"fluent_signal":1,"chunk":"c"}]')["signal_1"] == 1


def test_roots_that_are_no_frames():
    assert check(b'{"a":"]"}[]["t"]["t",1]["t",1,{"k":1},{"chunk":"c"}]', records=[b'{"k":1}'])["stray"] == 4
    check(b'{"a":1}' * 8, acks=[], closed="strays")


BROKEN = [b'["t",1,{]', b'["t",1,{"a":}]', b'["t",1,{"a":01}]', b"nul", b"]", b'["t" 1]', b'"text"', b"[1,]"]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_json_ends_the_connection_after_what_came_before(broken):
    check(b'["t",1,{"k":1},{"chunk":"c"}]' + broken + b'["t",1,{"k":1},{"chunk":"c"}]', records=[b'{"k":1}'], closed="not_json")


def test_half_a_frame_waits():
    told = tell(b'["t",1,{"a":"\\')[0]
    assert (told.pending, told.closed, told.events) == (14, "", [])
    assert tell(b'["t",1,{}] \n ')[0].pending == 0


def test_strings_hide_brackets_and_quotes():
    record = json.dumps({"a": '"]}[{\\', "b": "\\\\"}).encode()
    check(b'["t",1,' + record + b',{"chunk":"c"}]', records=[record])


@pytest.mark.parametrize("levels", [65, 200, 1500, 20_000])
def test_depth(levels):
    record = b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)
    check(b'["t",1,' + record + b',{"chunk":"c"}]', rejected=["too_deep"])
    check(b'["t",[[1,' + record + b'],[1,{"k":1}]],{"chunk":"c"}]', records=[b'{"k":1}'], rejected=["too_deep"])


def test_limits():
    frame = b'["t",1,{"k":1},{"chunk":"c"}]'
    check(frame + b'["t",1,{"k":"' + b"x" * 100 + b'"}]' + frame, records=[b'{"k":1}'], closed="frame_too_large", limits=Limits(frame=100))
    check(frame + b'["t",[' + b"1," * 200, records=[b'{"k":1}'], closed="frame_too_large", limits=Limits(frame=100))
    check(frame + b'["t",[[1,{}],[1,{}],1]]', records=[b'{"k":1}'], closed="too_many_entries", limits=Limits(entries=2))
