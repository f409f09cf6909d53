"""What every kind of test may use."""

from __future__ import annotations

import os
import sys
from operator import itemgetter

import pytest
from hypothesis import HealthCheck, settings
from sidecars import Sidecar

# Where byte code is forbidden, each of the many processes that tests start compiles all modules anew: a quarter of what its start costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Puts the tests of several processes (xdist) in an order in which they leave no processor idle.

    Those of whole sidecars wait most of the time, so that they are spread evenly among the others, the longest first. A file of unit tests
    stays in one process: what it makes once, with fixtures of its own, is not made once in each.
    """
    if not hasattr(config, "workerinput"):
        return
    waiting, working = {}, {}
    for item in items:
        file = item.path.relative_to(config.rootpath).as_posix()
        if file.startswith("tests/unit/"):
            item.add_marker(pytest.mark.xdist_group(file))
        kind, key = (waiting, item.nodeid) if file.startswith("tests/scenario/") else (working, file)
        kind.setdefault(key, []).append(item)
    sidecars = sorted(waiting.values(), key=lambda many: many[0].get_closest_marker("slow") is None)
    placed = sorted([*_spread(sidecars), *_spread([*working.values()])], key=itemgetter(0))
    items[:] = [item for _, many in placed for item in many]


def _spread(parts):
    """Each part with its place among all, between 0 and 1."""
    return [(number / len(parts), part) for number, part in enumerate(parts)]


def pytest_make_parametrize_id(config, val, argname):
    """Bytes are named by their length: some hold a time, and parallel runs need the same names in every process."""
    return f"{argname}-{len(val)}B" if isinstance(val, bytes) else None
