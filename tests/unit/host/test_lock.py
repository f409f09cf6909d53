import os

import pytest

from pluginhost.host.lock import locked
from pluginhost.problem import Problem


def test_a_folder_has_one_host_at_a_time(tmp_path):
    data = tmp_path / "a" / "data"
    held = locked(data)
    assert (data / "lock").read_text() == f"{os.getpid()}\n"
    assert data.stat().st_mode & 0o777 == 0o700
    with pytest.raises(Problem, match="another pluginhost runs"):
        locked(data)
    assert (data / "lock").read_text() == f"{os.getpid()}\n"
    held.close()
    locked(data).close()


def test_what_is_no_folder_is_said(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(Problem, match="cannot be used") as told:
        locked(tmp_path / "data")
    assert told.value.code == "host.data"
