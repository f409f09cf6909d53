"""What every kind of test may use."""

from __future__ import annotations

import pytest
from sidecars import Sidecar


@pytest.fixture
def sidecar(tmp_path):
    """Makes sidecars; all are ended afterwards."""
    made = []

    def make(folder="one", **config):
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        made.append(Sidecar(path, **config))
        return made[-1]

    yield make
    for one in made:
        one.kill()
