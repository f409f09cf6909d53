"""What every kind of test may use."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from sidecars import Sidecar

# Machines are shared: how long an example takes, or is thought up, says nothing. In CI hypothesis' own profile lies under this one.
settings.register_profile("shared", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


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


def pytest_make_parametrize_id(config, val, argname):
    """Bytes are named by their length: some hold a time, and parallel runs need the same names in every process."""
    return f"{argname}-{len(val)}B" if isinstance(val, bytes) else None
