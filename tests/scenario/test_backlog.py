"""A sidecar that begins with old records: timers fall due by the records' time, not by the clock that was running before they came."""

from __future__ import annotations

import json

from sidecars import until
from silence import SILENT

THEN = 1_700_000_000  # s


def line(user, second):
    return json.dumps({"user": user, "time": THEN + second}) + "\n"


def fired(one):
    one.settled()
    return sorted(alert["document"]["@timestamp"][11:19] for alert in one.alerts())


def test_timers_of_a_backlog_fall_due_by_its_own_time_also_behind_a_restart(sidecar):
    one = sidecar(lateness="0s")
    log = one.folder / "app.log"
    one.config["inputs"].append({"type": "files", "name": "files", "paths": [str(log)], "start": "beginning", "poll": "100ms"})
    (one.analyzers / "silent.py").write_text(SILENT)
    one.start()
    log.write_text(line("early", 0) + line("late", 0) + line("late", 15))
    until(lambda: fired(one) == ["22:13:30"], what="the alert about who fell silent, by the time of the others")
    one.stop()
    with log.open("a") as file:
        file.write(line("early", 20))
    one.start()
    assert fired(one) == ["22:13:30"]  # the clock is far beyond the other's
    with log.open("a") as file:
        file.write(line("early", 29))
    until(lambda: fired(one) == ["22:13:30", "22:13:45"], what="the alert about the other")
