"""What tests of the input `files` begin with."""

from __future__ import annotations

import pytest
from file_journal import Journal


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "state" / "f")


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "app.log"
