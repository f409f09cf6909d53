"""Which of the numbered records that a shipper sent came through the whole sidecar: each says `seq=N` in its message."""

from __future__ import annotations

from sidecars import until

SEEN = '''
import re
from pluginhost import Alert, FirstSeen, analyzer

@analyzer(pinned=True)
def numbered(event, seen: FirstSeen = FirstSeen("1d", limit=1_000_000)):
    """Every number that came, once."""
    found = re.search(r"seq=([0-9]+);", str(event["message"] or event["MESSAGE"]))
    return Alert("low", found[1]) if found and seen.first(found[1], event) else None
'''


class Tally:
    """The numbers that a sidecar's analyzer has seen."""

    def __init__(self, sidecar):
        self.sidecar = sidecar
        (sidecar.analyzers / "numbered.py").write_text(SEEN)

    def seen(self):
        """The numbers, after all that is durable was analysed."""
        self.sidecar.settled()
        return {int(alert["headline"]) for alert in self.sidecar.alerts() if alert["headline"].isdecimal()}

    def received(self):
        """How many records were taken since the last start."""
        return self.sidecar.status()["counts"]["journal"]["records"]

    def wait(self, numbers, seconds=90.0):
        """Waits until all these were seen: the sender says nothing of its own progress."""
        wanted = set(numbers)
        until(lambda: wanted <= self.seen(), seconds, f"the arrival of {numbers}")
