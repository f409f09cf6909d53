"""Files of every form give the records that stand in them, whatever blocks they are read in; what cannot be read is told."""

from __future__ import annotations

import gzip
import json

import msgpack
import msgspec
import pytest
import zstandard

from pluginhost.problem import Problem
from pluginhost.replay.sources import formats
from pluginhost.replay.sources.files import Files, tag_of
from pluginhost.wire.records import decode

RECORDS = [{"n": n, "text": "ü\u2028 [}{\" \\ " * (n % 3), "in": {"list": [1, {"a": None}]}} for n in range(50)]
LINES = ["Nov 21 10:00:00 web1 sshd[42]: Failed", '{"n": 1}', "", "{broken", "a\x00b\tc"]


def read(path, **more):
    source = Files([path], **more)
    chunks = [chunk for stream in source.streams() for chunk in stream.chunks]
    found = [decode(chunk.codec, chunk.data[start:end])
             for chunk in chunks for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)]  # fmt: skip
    return found, chunks, source


@pytest.fixture(params=[7, 64, 1 << 20])
def small_blocks(request, monkeypatch):
    monkeypatch.setattr(formats, "_BLOCK", request.param)


BODIES = {
    "a.ndjson": "\n".join(map(json.dumps, RECORDS)).encode(),
    "a.json": json.dumps(RECORDS, indent=1, ensure_ascii=False).encode(),
    "b.json": "\n".join(json.dumps(one, indent=2) for one in RECORDS).encode(),
    "a.msgpack": b"".join(map(msgpack.packb, RECORDS)),
    "chunk.b5f": b"".join(msgpack.packb([1_700_000_000 + n, one]) for n, one in enumerate(RECORDS)),
    "frames": msgpack.packb(["app", [[1_700_000_000, one] for one in RECORDS], {"size": 50}]),
}


class TestForms:
    @pytest.mark.parametrize("name", BODIES)
    @pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
    def test_every_form_packed_or_not(self, tmp_path, name, packed, small_blocks):
        pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[packed]
        path = tmp_path / f"{name}{packed}"
        path.write_bytes(pack(BODIES[name]))
        found, chunks, source = read(path)
        assert found == RECORDS
        assert source.troubles == []
        assert {chunk.tag for chunk in chunks} == {"app" if name == "frames" else name}
        done, total = source.progress()
        assert done == total == path.stat().st_size

    def test_entries_have_their_times(self, tmp_path):
        (tmp_path / "c").write_bytes(BODIES["chunk.b5f"])
        _, chunks, _ = read(tmp_path / "c")
        assert [time for chunk in chunks for time in chunk.columns.times] == [(1_700_000_000 + n) * 10**9 for n in range(50)]

    def test_lines_are_messages_or_objects(self, tmp_path, small_blocks):
        (tmp_path / "a.log").write_text("\n".join(LINES))
        found, _, _ = read(tmp_path / "a.log")
        assert found == [{"message": LINES[0]}, {"n": 1}, {"message": "{broken"}, {"message": "a\x00b\tc"}]

    @pytest.mark.parametrize("sign", [",", ";", "\t"])
    def test_a_table_gives_objects_without_empty_cells(self, tmp_path, sign, small_blocks):
        rows = [["\ufeffuser.name", "source.ip", "note"], ["alice", "192.0.2.1", ""], ["bob", "", '"two\nlines"'], ["", "", ""],
                ["eve", "x", "y", "z"]]  # fmt: skip
        (tmp_path / "a.csv").write_text("\n".join(sign.join(row) for row in rows))
        found, _, _ = read(tmp_path / "a.csv")
        assert found == [{"user.name": "alice", "source.ip": "192.0.2.1"}, {"user.name": "bob", "note": "two\nlines"},
                         {"user.name": "eve", "source.ip": "x", "note": "y"}]  # fmt: skip

    def test_rotated_files_are_one_log(self):
        assert {tag_of(name) for name in ("auth.log", "auth.log.1", "auth.log.2.gz", "auth.log-20261121.zst")} == {"auth.log"}
        assert tag_of("a.2026.log") == "a.2026.log"


class TestDamage:
    def test_what_stands_before_the_damage_is_read_and_told(self, tmp_path):
        (tmp_path / "a.gz").write_bytes(gzip.compress("\n".join(f"line {n} {n * 7919 % 1000}" for n in range(5000)).encode())[:-2000])
        found, _, source = read(tmp_path / "a.gz")
        assert 0 < len(found) < 5000
        assert "cut short" in source.troubles[0]

    @pytest.mark.parametrize(("name", "body"), [
        ("a.json", b'[{"a": 1}, {"b": '), ("a", b"\x81\xa1a\x01\x81\xa1"), ("a.json", b'{\n"a": 1}\n{"b": tru'),
    ])  # fmt: skip
    def test_a_broken_end_costs_only_itself(self, tmp_path, name, body):
        (tmp_path / name).write_bytes(body)
        found, chunks, _ = read(tmp_path / name)
        assert found == [{"a": 1}]
        assert sum(len(chunk.rejected) for chunk in chunks) == 1

    def test_a_line_too_long_is_passed_over(self, tmp_path, monkeypatch):
        monkeypatch.setattr(formats, "LIMITS", msgspec.structs.replace(formats.LIMITS, record=100))
        monkeypatch.setattr(formats, "_BLOCK", 64)
        (tmp_path / "a.log").write_bytes(b"one\n" + b"x" * 1000 + b"\ntwo\n" + b"y" * 500)
        found, chunks, _ = read(tmp_path / "a.log")
        assert found == [{"message": "one"}, {"message": "two"}]
        assert [one.reason for chunk in chunks for one in chunk.rejected] == ["too_large", "too_large"]

    @pytest.mark.parametrize("body", [
        b"", b"\n\n", b"[]", b"{}x", b"\xff\xfe\x00", b"[" * 5000, b'{"a":' * 5000, b"\x91" * 5000, b"\xdd\xff\xff\xff\xff",
    ])  # fmt: skip
    def test_nonsense_raises_nothing(self, tmp_path, body):
        for name in ("a.json", "a.csv", "a.log", "a.msgpack"):
            for form in ("auto", "json", "csv", "lines", "msgpack", "forward"):
                (tmp_path / name).write_bytes(body)
                read(tmp_path / name, form=form)

    def test_what_is_not_there_is_told(self, tmp_path):
        with pytest.raises(Problem, match="no file in the folder"):
            Files([tmp_path])
        with pytest.raises(Problem, match="cannot be read"):
            Files([tmp_path / "gone"]).streams()
