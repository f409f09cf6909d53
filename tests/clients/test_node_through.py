"""100,000 distinct records from the real Node.js forward client with acknowledgements, through the whole sidecar."""

from __future__ import annotations

import node_clients
import pytest

COUNT = 100_000
SEEN = '''
from pluginhost import Alert, FirstSeen, analyzer

@analyzer(pinned=True)
def distinct(event, seen: FirstSeen = FirstSeen("1d", limit=1_000_000)):
    """How many different records came."""
    return Alert("low", f"{len(seen)}") if seen.first(event["seq"], event) and len(seen) % 10_000 == 0 else None
'''


@pytest.mark.slow
def test_each_of_100_000_records_is_acknowledged_and_analysed(sidecar):
    node_clients.node_folder()
    one = sidecar()
    (one.analyzers / "distinct.py").write_text(SEEN)
    one.start()
    sent = node_clients.send(one.forward, COUNT, "PackedForward")
    one.settled()
    assert sent == {"sent": COUNT, "acked": COUNT}
    (unit,) = one.ask("analyzers")
    received, analysed = one.status()["counts"]["journal"]["records"], unit["counts"]["seen"]
    distinct = max(int(alert["headline"]) for alert in one.alerts())
    surplus = received - COUNT  # the client's own retries after 500 ms, each under a new id
    print(f"sent {COUNT}, acknowledged {sent['acked']}, analysed {analysed}, of them distinct {distinct}, surplus {surplus}")
    assert distinct == COUNT
    assert analysed == received
