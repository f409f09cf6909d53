"""All that alerts go to fails half of the time, and the sidecar is killed once: nothing is lost, and once is once.

`make load` is the same at a thousand alerts a second for a minute, and prints what came of it.
"""

from __future__ import annotations

import pytest
from delivering import deliver


@pytest.fixture(autouse=True)
def quiet(caplog):
    """The SMTP server complains of itself at every mail."""
    caplog.set_level("CRITICAL", "mail.log")


def test_peers_that_fail_half_of_the_time_get_everything(elasticsearch, postgresql, tmp_path):
    found = deliver(tmp_path, elasticsearch, postgresql, rate=200, seconds=8, kill=True, limit={"most": 20, "per": "4s"})
    assert found.broken() == []
    assert {row.name: row.sent for row in found.rows} == dict.fromkeys(["elasticsearch", "postgresql", "file", "webhook", "email"], 1600)
    met = {name: sum(kinds.values()) for name, kinds in found.kinds.items()}
    assert min(met[name] for name in ("bulk requests", "webhook", "email", "lines cut")) > 0, met  # else nothing was tried
