"""Room that is let go when the disk is full, and taken again when there is room for it."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from pluginhost.host import ballast
from pluginhost.host.ballast import Ballast
from pluginhost.metrics import Counts

SIZE = 1 << 20
FULL, OTHER = OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "bad")


@pytest.fixture
def disk(monkeypatch):
    """`free` bytes are left, whatever the real disk says."""
    made = SimpleNamespace(free=1 << 40)
    monkeypatch.setattr(ballast.os, "statvfs", lambda _: SimpleNamespace(f_bavail=made.free, f_frsize=1))
    return made


def made(tmp_path, size=SIZE):
    counts = Counts(*ballast.COUNTS)
    return Ballast(tmp_path / "ballast", size, counts), tmp_path / "ballast", counts


def test_it_takes_its_room_really(tmp_path):
    one, path, _ = made(tmp_path)
    assert (one.held, one.closed(), path.stat().st_size, path.stat().st_mode & 0o777) == (True, "", SIZE, 0o600)
    assert path.stat().st_blocks * 512 >= SIZE


def test_a_full_disk_takes_it_and_it_comes_back_once_there_is_room_for_it_twice(tmp_path, disk):
    one, path, counts = made(tmp_path)
    one.hit(OTHER)
    assert one.held
    disk.free = 0
    one.hit(FULL)
    one.hit(FULL)
    assert (one.held, one.closed(), path.exists()) == (False, "disk full", False)
    disk.free = 2 * SIZE - 1
    assert not one.restore()
    disk.free = 2 * SIZE
    assert one.restore()
    assert (one.closed(), path.stat().st_size, counts) == ("", SIZE, {"released": 1, "restored": 1})


def test_an_error_of_another_name_on_a_disk_without_room_counts_as_full(tmp_path, disk):
    one, _, _ = made(tmp_path)
    disk.free = 1000
    one.hit(OTHER)
    assert not one.held


def test_a_start_without_room_takes_nothing_in_until_there_is_some(tmp_path, monkeypatch):
    def full(*_):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        one, path, _ = made(tmp_path)
        assert (one.closed(), path.exists()) == ("disk full", False)
        assert not one.restore()
    assert one.restore()


def test_no_ballast_is_never_missed(tmp_path):
    (tmp_path / "ballast").write_bytes(b"of an earlier start")
    one, path, _ = made(tmp_path, 0)
    one.hit(FULL)
    assert (one.held, one.closed(), path.exists()) == (True, "", False)
