"""IBM's Go forward client against the real sidecar: its acks are understood, and what it sends again over a restart counts once."""

from __future__ import annotations

import subprocess

from go_client import go_client
from sidecars import until

EVERY_TENTH = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def every_tenth(event, seen: SlidingCount = SlidingCount("30d")):
    """Every tenth record of a user, by our count and by its own."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count} {event['seq']}") if count % 10 == 0 else None
'''


def test_the_go_client_resends_under_its_id_over_kills_of_the_host(sidecar):
    one = sidecar()
    (one.analyzers / "every_tenth.py").write_text(EVERY_TENTH)
    one.start()
    command = [go_client(), str(one.forward), "go", "2", "5"]
    said = one.folder / "acked"
    with said.open("wb") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as client:
        for at in (20, 60):
            until(lambda at=at: said.read_bytes().count(b"\n") >= at, 60)
            one.kill()
            one.start()
        until(lambda: said.read_bytes().count(b"\n") >= 100, 60)
        client.stdin.close()
        assert client.wait(30) == 0
    acked = int(said.read_text().split()[-1]) * 5
    one.settled()
    wanted = [f"gou{user} {number} {number}" for user in range(2) for number in range(10, acked + 1, 10)]
    assert sorted(alert["headline"] for alert in one.alerts()) == sorted(wanted)
