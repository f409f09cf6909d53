"""What the connection makes of odd and bad input: the rule is that every good entry comes through and every frame is answered."""

from __future__ import annotations

import gzip
import math
import struct
import tracemalloc
import zlib

import msgpack
import pytest
import zstandard
from forwarding import event_time, every_byte, pack, tell

from pluginhost.wire import compression
from pluginhost.wire.forward import Limits

SECOND = 10**9
AT = 1_795_923_297
OPTION = {"chunk": "c"}
ACK = [pack({"ack": "c"})]
GOOD = pack([AT, {"k": 1}])
ONE = [{"k": 1}]
Ext = msgpack.ExtType


def message(time, record=None, *, tag="t", option=OPTION):
    return pack([tag, time, {"k": 1} if record is None else record, option])


def forward(*entries, option=OPTION, tag="t"):
    return pack([tag, list(entries), option])


def packed(body, option=None, *, tag="t"):
    return pack([tag, body, {**OPTION, **(option or {})}])


def check(data, *, records=(), rejected=(), acks=ACK, closed="", times=None, limits=None):
    """The same whole and byte by byte."""
    told, _, counts = tell(data, limits=limits)
    assert told.records() == list(records)
    assert [reason for reason, _ in told.rejected] == list(rejected)
    assert told.acks == acks
    assert told.closed == closed
    if times is not None:
        assert [time for _, time, *_ in told.events] == times
    if len(data) < 100_000:
        assert tell(data, every_byte(data), limits)[0] == told
    return counts


# -- roots


def test_nil_is_a_heartbeat():
    assert check(b"\xc0" + message(AT) + b"\xc0\xc0", records=ONE)["stray"] == 0


@pytest.mark.parametrize("root", [5, "text", {"a": 1}, [], ["tag"], ["tag", 1], b"bytes", True])
def test_a_value_that_is_no_frame_is_borne_seven_times(root):
    assert check(pack(*[root] * 7) + message(AT), records=ONE)["stray"] == 7
    check(message(AT) + pack(*[root] * 8) + message(AT), records=ONE, closed="strays")


@pytest.mark.parametrize(
    ("hello", "reason"),
    [(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "tls")],
)
def test_other_protocols_are_closed_soon(hello, reason):
    assert check(hello, acks=[], closed=reason)["stray"] == 8


def test_what_came_before_a_byte_that_is_never_valid_is_answered():
    check(message(AT) + b"\xc1" + message(AT), records=ONE, closed="not_msgpack")
    check(b"\xc1", acks=[], closed="not_msgpack")


# -- tags


@pytest.mark.parametrize("tag", [5, None, [1], {"a": 1}])
def test_a_tag_that_is_no_text(tag):
    check(message(AT, tag=tag), rejected=["bad_tag"])
    check(forward([AT, {}], tag=tag), rejected=["bad_tag"])


@pytest.mark.parametrize(("tag", "text"), [(b"bin", "bin"), ("", ""), (b"\xff", "\\xff"), ("é", "é")])
def test_tags_of_any_bytes(tag, text):
    assert [event[0] for event in tell(message(AT, tag=tag) + forward([AT, {}], tag=tag))[0].events] == [text, text]
    raw = b"\x94\xa1\xff" + pack(AT, {"k": 1}, OPTION)
    assert tell(raw)[0].events[0][0] == "\\xff"


# -- records


@pytest.mark.parametrize("record", ["text", [1], 5, b"bytes", True])
def test_a_record_that_is_no_map(record):
    check(message(AT, record), rejected=["not_a_map"])
    check(forward([AT, record], [AT, {"k": 1}]), records=ONE, rejected=["not_a_map"])


def test_a_nil_record_is_dropped_silently():
    check(pack(["t", AT, None, OPTION]))
    check(forward([AT, None], [AT, {"k": 1}]), records=ONE)


def test_text_in_the_second_place_is_packed_entries():
    check(pack(["t", "2024", {"k": 1}, OPTION]), rejected=["not_an_entry"], acks=[])
    check(pack(["t", "2024", OPTION]), rejected=["not_an_entry"])


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (b"\x81\x01\x02", {1: 2}),
        (b"\x81\xc0\x02", {None: 2}),
        (b"\x82\xa1a\x01\xa1a\x02", {"a": 2}),
        (b"\x81\xa1a\xa1\xff", {"a": "\\xff"}),
        (b"\x81\xa1a\xc4\x01\xff", {"a": b"\xff"}),
        (b"\x81\xa1a\xd4\x05\x01", {"a": Ext(5, b"\x01")}),
        (pack({"a": math.inf, "b": 2**64 - 1}), {"a": math.inf, "b": 2**64 - 1}),
        (b"\xdf\0\0\0\x01\xa1a\x01", {"a": 1}),
    ],
)
def test_records_of_any_kind_come_through(raw, record):
    check(b"\x94\xa1t\x01" + raw + pack(OPTION), records=[record])
    check(b"\x93\xa1t\x92" + b"\x92\x01" + raw + GOOD + pack(OPTION), records=[record, *ONE])


# -- times


@pytest.mark.parametrize(
    ("time", "ns"),
    [
        (AT, AT * SECOND),
        (0, 0),
        (None, 0),
        (event_time(AT, 123_456_789), AT * SECOND + 123_456_789),
        (event_time(0), 0),
        (event_time(AT, 4 * SECOND), (AT + 4) * SECOND),
        (event_time(4294967293), 4294967293 * SECOND),
        (1795923297.5, AT * SECOND + 500_000_000),
        (1795923297.123456, 1795923297123456001),
        (msgpack.Timestamp(AT, 7), AT * SECOND + 7),
        (msgpack.Timestamp(2**33, 7), 2**33 * SECOND + 7),
        ([event_time(AT), {}], AT * SECOND),
        ([AT, {"a": 1}], AT * SECOND),
    ],
)
def test_times(time, ns):
    assert check(message(time), records=ONE, times=[ns])["bad_time"] == 0
    check(forward([time, {"k": 1}], [AT, {"k": 2}]), records=[{"k": 1}, {"k": 2}], times=[ns, AT * SECOND])


@pytest.mark.parametrize("head", [b"\xd2", b"\xce"])
def test_wide_headers_of_times(head):
    check(b"\x94\xa1t" + head + struct.pack(">i", AT) + pack({"k": 1}, OPTION), records=ONE, times=[AT * SECOND])
    check(b"\x94\xa1t\xc7\x08\x00" + struct.pack(">II", AT, 5) + pack({"k": 1}, OPTION), records=ONE, times=[AT * SECOND + 5])


UNLIKELY = [-5, AT * SECOND, 9223372037, 2**64 - 1, math.nan, math.inf, -1.5, msgpack.Timestamp(-1), msgpack.Timestamp(2**60)]


@pytest.mark.parametrize("time", UNLIKELY)
def test_an_unlikely_time_is_the_arrival_time(time):
    assert check(message(time), records=ONE, times=[0])["bad_time"] == 1
    two, times = [{"k": 1}, {"k": 2}], [0, AT * SECOND]
    assert check(forward([time, two[0]], [AT, two[1]]), records=two, times=times)["bad_time"] == 1
    assert check(pack(["t", time, two[0]], ["t", AT, two[1]]), records=two, times=times, acks=[])["bad_time"] == 1


@pytest.mark.parametrize("time", [True, {"a": 1}, Ext(5, bytes(8)), Ext(0, bytes(4)), [AT], ["a", {}], [[AT, {}], {}]])
def test_a_time_of_no_known_type_costs_its_entry_only(time):
    check(forward([time, {"k": 2}], [AT, {"k": 1}]), records=ONE, rejected=["not_a_time"])
    if not isinstance(time, list):
        check(message(time), rejected=["not_a_time"])
    check(forward(["text", {"k": 2}], [AT, {"k": 1}], [b"bin", {}]), records=ONE, rejected=["not_a_time", "not_a_time"])


# -- metadata and groups


def test_metadata_is_kept_where_it_says_something():
    told = tell(forward([[event_time(AT), {"a": 1}], {"k": 1}], [[AT, {}], {"k": 2}], [[AT, None], {"k": 3}]))[0]
    assert [own for *_, own, _ in told.events] == [pack({"a": 1}), b"", b""]
    options = [message(AT, option={"metadata": {"b": 2}, "chunk": "c"}), message(AT, option={"metadata": {}})]
    told = tell(message([AT, {"a": 1}]) + b"".join(options))[0]
    assert [own for *_, own, _ in told.events] == [pack({"a": 1}), pack({"b": 2}), b""]


def test_one_entry_with_metadata_among_many_without():
    at = event_time(AT)
    told = tell(forward([[at, {}], {"k": 1}], [[at, {"a": 1}], {"k": 2}], [[at, {}], {"k": 3}]))[0]
    assert [own for *_, own, _ in told.events] == [b"", pack({"a": 1}), b""]


def test_a_group_lasts_to_its_end_or_to_the_end_of_the_frame():
    start, end = [[event_time(0xFFFFFFFF), {"g": 1}], {"resource": {}}], [[event_time(0xFFFFFFFE), {}], {}]
    event = [[event_time(AT), {}], {"k": 1}]
    told = tell(forward(event, start, event, event, end, event, start, event) + forward(event))[0]
    assert [group != b"" for *_, group in told.events] == [False, True, True, False, True, False]
    assert told.events[1][4] == pack(start)
    assert all(record == {"k": 1} for record in told.records())


def test_markers_are_never_events():
    for seconds in (0xFFFFFFFF, 0xFFFFFFFE):
        check(message(event_time(seconds)))
        check(forward([event_time(seconds), {}]))
        check(forward([[event_time(seconds), {}], {}], option={"chunk": "c", "size": 1}))


# -- options


@pytest.mark.parametrize("option", [[1], "text", 5, True])
def test_an_option_that_is_no_map_loses_the_ack_only(option):
    assert check(message(AT, option=option), records=ONE, acks=[])["bad_option"] == 1
    assert check(forward([AT, {"k": 1}], option=option), records=ONE, acks=[])["bad_option"] == 1


IDS = [b"\x05", b"\xc4\x01\xff", b"\xa0", b"\xa1\xff", b"\xd9\x01c", b"\xd2\0\0\0\x05", b"\x92\x01\xa1x", b"\x80", b"\xc2", b"\xa3id\n"]


@pytest.mark.parametrize("chunk", IDS)
def test_ids_come_back_byte_for_byte(chunk):
    option = b"\x81\xa5chunk" + chunk
    told, chunks, _ = tell(b"\x94\xa1t\x01" + pack({"k": 1}) + option + b"\x93\xa1t\x91" + GOOD + option)
    assert told.acks == [b"\x81\xa3ack" + chunk] * 2
    assert [one.chunk_id for one in chunks] == [chunk] * 2


@pytest.mark.parametrize("key", [b"\x05", b"\xc0", b"\xa1\xff", b"\xc4\x01k", b"\x81\x01\x02", b"\x91\x91\x01", b"\xa9something"])
def test_unknown_and_odd_option_keys_do_not_matter(key):
    check(b"\x94\xa1t\x01" + pack({"k": 1}) + b"\x83" + key + b"\x01\xa5chunk\xa1c" + key + b"\x02", records=ONE)


@pytest.mark.parametrize("option", [None, {}, {"chunk": None}, {"size": 1}])
def test_without_an_id_there_is_no_answer(option):
    check(message(AT, option=option), records=ONE, acks=[])
    check(forward([AT, {"k": 1}], option=option), records=ONE, acks=[])


def test_frames_of_five_elements_and_of_three():
    check(pack(["t", AT, {"k": 1}, OPTION, 5]), records=ONE)
    check(pack(["t", AT, {"k": 1}]), records=ONE, acks=[])
    check(pack(["t", [[AT, {"k": 1}]]]), records=ONE, acks=[])


@pytest.mark.parametrize("size", ["text", -1, 0, 1, 3, 1240, 2**40, None, True, 1.5])
def test_size_is_a_hint_that_may_lie(size):
    check(packed(GOOD + pack([AT, {"k": 2}]), {"size": size}), records=[{"k": 1}, {"k": 2}])
    check(forward([AT, {"k": 1}], option={**OPTION, "size": size}), records=ONE)


# -- entries


def test_empty_frames_are_answered():
    check(forward())
    check(packed(b""))
    check(packed("", {"compressed": "gzip"}))


def test_one_bad_entry_never_harms_its_neighbours():
    entries = [[AT, {"k": 1}], ["text", {}], [AT, "text"], [AT], [AT, {"k": 2}]]
    reasons = ["not_a_time", "not_a_map", "not_an_entry"]
    check(forward(*entries), records=[{"k": 1}, {"k": 2}], rejected=reasons)
    check(packed(pack(*entries), {"size": 5}), records=[{"k": 1}, {"k": 2}], rejected=reasons)


def test_headers_need_not_be_minimal():
    entry = b"\xdd\0\0\0\x02\xdc\0\x02\xc7\x08\0" + struct.pack(">II", AT, 1) + b"\xdf\0\0\0\0" + b"\xde\0\x01\xa1k\x01"
    for body in (entry, entry * 3):
        check(packed(body), records=ONE * (len(body) // len(entry)))
    check(b"\xdd\0\0\0\x03\xdb\0\0\0\x01t" + b"\xdc\0\x01" + entry + b"\xdf\0\0\0\x01\xd9\x05chunk\xa1c", records=ONE)


def test_entries_may_have_more_elements():
    check(packed(pack([AT, {"k": 1}, "more"], [AT, {"k": 2}])), records=[{"k": 1}, {"k": 2}])


@pytest.mark.parametrize("head", [b"\xc4", b"\xd9"])
def test_packed_entries_in_bytes_and_in_strings(head):
    check(b"\x93\xa1t" + head + bytes((len(GOOD),)) + GOOD + pack(OPTION), records=ONE)


def test_a_last_entry_that_is_cut_off_is_counted():
    check(packed(GOOD + pack([AT, {"k": 2}])[:-1]), records=ONE, rejected=["cut_off"])


def test_garbage_in_place_of_entries():
    check(packed(b"\x01\x02hello"), rejected=["not_an_entry"])
    check(packed(GOOD + b"\xc1" + GOOD), records=ONE, rejected=["garbage"])
    told = tell(packed(b"\x01\x02" + GOOD + b"\x03\x04"))[0]
    assert told.rejected == [("not_an_entry", b"\x01\x02"), ("not_an_entry", b"\x03\x04")]
    assert told.records() == ONE


# -- compression


def test_gzip_in_every_form():
    body = GOOD * 50
    middle = len(GOOD) * 20 + 3
    members = gzip.compress(body[:middle]) + gzip.compress(body[middle:-5]) + gzip.compress(body[-5:])
    for packing in ({"compressed": "gzip"}, {}, {"compressed": "text"}, {"compressed": "lz4"}):
        check(packed(members, packing), records=ONE * 50)
    check(b"\x93\xa1t\xdb" + struct.pack(">I", len(members)) + members + pack(OPTION), records=ONE * 50)


@pytest.mark.parametrize("name", ["text", "lz4", "", "none", 5, None])
def test_unpacked_entries_whatever_they_are_called(name):
    check(packed(GOOD, {"compressed": name}), records=ONE)


def test_junk_behind_gzip_is_counted():
    assert check(packed(gzip.compress(GOOD) + b"junk", {"compressed": "gzip"}), records=ONE)["junk"] == 1


def test_gzip_that_is_cut_off_gives_its_whole_entries():
    body = b"".join(pack([AT, {"k": number}]) for number in range(500))
    told, chunks, _ = tell(packed(gzip.compress(body)[:-40], {"compressed": "gzip"}))
    assert told.acks == ACK
    assert told.records() == [{"k": number} for number in range(len(told.events))]
    assert 250 < len(told.events) < 500
    assert [reason for reason, _ in told.rejected] == ["cut_off"]
    assert chunks[0].packing == "gzip"
    check(packed(gzip.compress(body)[:-8], {"compressed": "gzip"}), records=[{"k": number} for number in range(500)], rejected=["cut_off"])


def test_a_damaged_member_is_not_believed():
    second = bytearray(gzip.compress(GOOD))
    second[-6] ^= 1
    check(packed(gzip.compress(GOOD) + second, {"compressed": "gzip"}), records=ONE, rejected=["damaged"])
    check(packed(bytes(second), {"compressed": "gzip"}), rejected=["damaged"])


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_marked_as_packed_but_is_not(name):
    told, chunks, _ = tell(packed(GOOD, {"compressed": name}))
    assert told.acks == ACK
    assert told.rejected == [("not_packed", GOOD)]
    assert chunks[0].packing == ""


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_bomb_stops_at_the_limit_with_memory_flat(name):
    packer = zlib.compressobj(9, wbits=31) if name == "gzip" else zstandard.ZstdCompressor(level=3).compressobj()
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(400)) + packer.flush()
    data = packed(bomb, {"compressed": name}) + message(AT)
    tracemalloc.start()
    try:
        told, chunks, _ = tell(data, limits=Limits(data=8 << 20))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert told.acks == ACK * 2
    assert [reason for reason, _ in told.rejected] == ["too_large"]
    assert told.records() == ONE
    assert len(chunks[0].body) <= 64 << 10


def test_zstd_and_without_its_package(monkeypatch):
    body = zstandard.compress(GOOD) + zstandard.compress(GOOD)
    check(packed(body, {"compressed": "zstd"}), records=ONE * 2)
    check(packed(body), records=ONE * 2)
    monkeypatch.setattr(compression, "zstandard", None)
    check(packed(body, {"compressed": "zstd"}), rejected=["zstd_missing"])


# -- depth and limits


def nested(levels):
    return b"\x81\xa1a" * (levels - 1) + b"\x80"


def test_depth_is_counted_exactly():
    check(b"\x94\xa1t\x01" + nested(64) + pack(OPTION), records=[msgpack.unpackb(nested(64))])
    check(b"\x94\xa1t\x01" + nested(65) + pack(OPTION), rejected=["too_deep"])
    check(packed(GOOD + b"\x92\x01" + nested(65) + GOOD), records=ONE * 2, rejected=["too_deep"])
    check(packed(GOOD * 9, {"size": 9}), records=ONE * 9, limits=Limits(depth=1))


@pytest.mark.parametrize("levels", [200, 950, 1000])
def test_what_nests_too_deeply_is_dropped_alone(levels):
    check(b"\x94\xa1t\x01" + nested(levels) + pack(OPTION), rejected=["too_deep"])
    check(b"\x94\xa1t\x01" + b"\x91" * levels + b"\xc0" + pack(OPTION), rejected=["not_a_map"])
    check(b"\x93\xa1t\x93" + GOOD + b"\x92\x01" + nested(levels) + GOOD + pack(OPTION), records=ONE * 2, rejected=["too_deep"])


@pytest.mark.parametrize("levels", [1500, 100_000])
def test_what_msgpack_itself_will_not_follow(levels):
    check(message(AT) + b"\x94\xa1t\x01" + nested(levels) + pack(OPTION), records=ONE, closed="too_deep")
    check(packed(GOOD + b"\x92\x01" + nested(levels) + GOOD), records=ONE, rejected=["too_deep"])


def test_non_ascii_text_does_not_count_as_nesting():
    record = {"k": "неверный пароль " * 50, "j": "日本語" * 100}
    check(forward([AT, record], [AT, {"k": 1}]), records=[record, {"k": 1}])


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\x93\xa7hugearr\xdd\xff\xff\xff\xff", "too_many_entries"),
        (b"\x93\xa1t\xdd\x00\x07\xa1\x21", "too_many_entries"),
        (b"\x93\xa1t\xc6\xff\xff\xff\xff", "frame_too_large"),
        (b"\x93\xa1t\xdb\xff\xff\xff\xff", "frame_too_large"),
        (b"\x93\xa1t\xdf\xff\xff\xff\xff", "frame_too_large"),
        (b"\x93\xdb\xff\xff\xff\xff", "frame_too_large"),
        (b"\xdd\xff\xff\xff\xff", "frame_too_large"),
        (b"\xdf\xff\xff\xff\xff", "frame_too_large"),
        (b"\xc6\xff\xff\xff\xff", "frame_too_large"),
    ],
)
def test_a_header_that_promises_too_much_is_refused_at_once(head, reason):
    tracemalloc.start()
    try:
        check(message(AT) + head, records=ONE, closed=reason)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_limits_hold_for_what_is_complete_too():
    small = Limits(frame=100, entries=3)
    check(forward(*[[AT, {}]] * 3), records=[{}] * 3, limits=small)
    check(message(AT) + forward(*[[AT, {}]] * 4), records=ONE, closed="too_many_entries", limits=small)
    check(message(AT) + packed(pack([AT, {}]) * 4), records=ONE, closed="too_many_entries", limits=small)
    check(message(AT) + packed(pack([AT, {}]) * 4, {"size": 2}), records=ONE, closed="too_many_entries", limits=small)
    check(message(AT) + message(AT, {"k": "x" * 100}) + message(AT), records=ONE, closed="frame_too_large", limits=small)
    check(message(AT) + message(AT, dict.fromkeys(range(100), 1))[:120], records=ONE, closed="frame_too_large", limits=small)


# -- order, signals


def test_two_hundred_frames_in_one_write_are_answered_in_order():
    data = b"".join(message(AT, {"n": number}, option={"chunk": f"id{number}"}) for number in range(200))
    check(data, records=[{"n": number} for number in range(200)], acks=[pack({"ack": f"id{number}"}) for number in range(200)])


def test_order_holds_between_messages_with_and_without_ids():
    options = [{} if number % 3 else {"chunk": number} for number in range(30)]
    told = tell(b"".join(message(AT, {"n": number}, tag="ab"[number // 5 % 2], option=option) for number, option in enumerate(options)))[0]
    assert [record["n"] for record in told.records()] == list(range(30))
    assert [tag for tag, *_ in told.events] == ["ab"[number // 5 % 2] for number in range(30)]
    assert told.acks == [pack({"ack": number}) for number in range(0, 30, 3)]


@pytest.mark.parametrize(("signal", "counter"), [(1, "signal_1"), (2, "signal_2"), (3, "signal_3"), (4, "signal_4"), (9, "signal_other")])
def test_signals_are_counted_and_answered_but_no_logs(signal, counter):
    for body in (b"garbage", GOOD, [[event_time(AT), []]], [[AT, {"k": 1}]]):
        assert check(pack(["t", body, {**OPTION, "fluent_signal": signal}]))[counter] == 1
    check(pack(["t", AT, {"k": 1}, {**OPTION, "fluent_signal": signal}]))


@pytest.mark.parametrize("signal", [0, None, -1, "metrics"])
def test_what_is_no_signal_is_a_log(signal):
    check(forward([AT, {"k": 1}], option={**OPTION, "fluent_signal": signal}), records=ONE)


# -- half a frame


@pytest.mark.parametrize("size", [1, 5, 12])
def test_half_a_frame_gives_nothing(size):
    told = tell(message(AT)[:size])[0]
    assert (told.events, told.acks, told.closed, told.pending) == ([], [], "", size)
