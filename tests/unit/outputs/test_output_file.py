from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest

from pluginhost.metrics import Registry
from pluginhost.options import Size
from pluginhost.outputs.file import File
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Unavailable
from pluginhost.problem import Problem


def outgoing(name, document=None):
    document = document or {"event": {"id": name}, "pluginhost": {"record": {"n": name}}}
    return Outgoing(sequence=1, id=name, time=0, severity="low", analyzer="a", document=json.dumps(document, indent=1).encode())


def output(path, **more):
    return File(File.Options(path=path, **more), Context(name="f", metrics=Registry(), clock=lambda: 10**18, hostname="me"))


def deliver(file, *alerts):
    async def go():
        return await file.deliver(alerts)

    return asyncio.run(go())


def lines(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_each_alert_is_a_line_and_the_file_is_the_owners(tmp_path):
    path = tmp_path / "alerts.ndjson"
    assert deliver(output(path), outgoing("a"), outgoing("b")) == [DONE, DONE]
    now = "2001-09-09T01:46:40.000Z"
    assert lines(path) == [{"event": {"id": name, "ingested": now}, "pluginhost": {"record": {"n": name}}} for name in "ab"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_records_are_enriched(tmp_path):
    path = tmp_path / "f"
    deliver(output(path, what="record"), outgoing("a"))
    assert lines(path) == [{"n": "a", "pluginhost": {"host": "me", "hop": 1, "alert": {"id": "a"}}}]


def test_scores_stand_in_a_file_beside(tmp_path):
    path = tmp_path / "alerts.ndjson"
    context = Context("f.scores", Registry(), lambda: 10**18, "me", "team", "scores")
    document = {"event": {"id": "a", "kind": "metric"}, "observer": {"vendor": "pluginhost"}}
    assert deliver(File(File.Options(path=path, what="record"), context), outgoing("a", document)) == [DONE]
    assert not path.exists()
    assert lines(tmp_path / "alerts.scores.ndjson") == [{
        "event": {"id": "a", "kind": "metric", "ingested": "2001-09-09T01:46:40.000Z"}, "observer": {"vendor": "pluginhost", "name": "me"},
        "data_stream": {"type": "metrics", "dataset": "pluginhost.scores", "namespace": "team"}}]  # fmt: skip


def test_a_broken_document_is_dead_and_alone(tmp_path):
    broken = Outgoing(sequence=1, id="x", time=0, severity="low", analyzer="a", document=b"{")
    outcomes = deliver(output(tmp_path / "f"), outgoing("a"), broken, outgoing("b"))
    assert [type(outcome) for outcome in outcomes] == [type(DONE), Dead, type(DONE)]
    assert [line["event"]["id"] for line in lines(tmp_path / "f")] == ["a", "b"]


def test_done_means_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    deliver(output(tmp_path / "f"), outgoing("a"))
    assert synced == [str(tmp_path), str(tmp_path / "f")]


def test_rotation_keeps_so_many(tmp_path):
    path = tmp_path / "f"
    file = output(path, rotate_bytes=Size(150), keep=2)
    for name in "abcde":
        deliver(file, outgoing(name, {"event": {"id": name, "pad": "x" * 60}}))
    names = {one.name: [line["event"]["id"] for line in lines(one)] for one in tmp_path.iterdir()}
    assert names == {"f": ["e"], "f.1": ["d"], "f.2": ["c"]}


def test_a_file_moved_away_is_begun_anew(tmp_path):
    path = tmp_path / "f"
    file = output(path)
    deliver(file, outgoing("a"))
    path.rename(tmp_path / "moved")
    deliver(file, outgoing("b"))
    assert [[line["event"]["id"] for line in lines(tmp_path / name)] for name in ("moved", "f")] == [["a"], ["b"]]


def test_half_a_line_left_by_a_crash_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b'{"whole":1}\n{"half')
    deliver(output(path), outgoing("a"))
    assert path.read_bytes().startswith(b'{"whole":1}\n{"half\n{"event":{"id":"a"')


def test_a_full_disk_takes_the_torn_line_back_and_is_unavailable(tmp_path, monkeypatch):
    path = tmp_path / "f"
    file = output(path)
    deliver(file, outgoing("a"))
    before, write = path.read_bytes(), os.write

    def full(descriptor, data):
        if path.stat().st_size > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Unavailable, match="No space left"):
            deliver(file, outgoing("b"))
    assert path.read_bytes() == before
    assert deliver(file, outgoing("b")) == [DONE]
    assert [line["event"]["id"] for line in lines(path)] == ["a", "b"]


def test_a_folder_that_is_not_there_is_told_at_check(tmp_path):
    with pytest.raises(Problem, match="cannot write"):
        asyncio.run(output(tmp_path / "no" / "f").check())
    asyncio.run(output(tmp_path / "f").check())
    assert (tmp_path / "f").read_bytes() == b""
