"""Log files and journald's lines through a whole sidecar: over kill -9 and rotations, to the alert."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

from sidecars import until

EVERY_LINE = '''
from pluginhost import Alert, Event, analyzer

@analyzer(tags="files.*")
def every_line(event: Event) -> Alert:
    """Each line is an alert of its own."""
    return Alert("low", event["message"])

every_line.fires_on(["x"], tag="files.app")
'''
SHIPPED = Path(__file__).parents[2] / "analyzers"


def with_files(sidecar, *paths, **options):
    one = sidecar()
    given = {"type": "files", "name": "files", "paths": [str(one.folder / path) for path in paths], "start": "beginning", "poll": "100ms"}
    one.config["inputs"].append({**given, **options})
    return one


def test_over_kills_and_rotations_each_line_gives_one_alert(sidecar):
    one = with_files(sidecar, "logs/app.log*")
    (one.analyzers / "every_line.py").write_text(EVERY_LINE)
    log = one.folder / "logs" / "app.log"
    log.parent.mkdir()
    enough, written = threading.Event(), []

    def write():
        while not enough.wait(0.01):
            with log.open("a") as file:
                for _ in range(10):
                    written.append(f"line {len(written)}")
                    file.write(f"{written[-1]}\n")
            if len(written) % 500 == 0:
                log.rename(log.with_name(f"app.log.{len(written)}"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            one.start()
            before = len(one.alerts())
            until(lambda before=before: len(one.alerts()) > before + 100, 60, "alerts")
            one.kill()
    finally:
        enough.set()
        writer.join()
    one.start()
    until(lambda: one.settled() or len(one.alerts()) >= len(written), 60, f"{len(written)} alerts")
    assert sorted(alert["document"]["message"] for alert in one.alerts()) == sorted(written)


def test_failed_logins_in_the_journal_of_systemd_raise_an_alert(sidecar):
    one = with_files(sidecar, "journal.pipe", format="json", tag="journald")
    shutil.copy(SHIPPED / "ssh_bruteforce.py", one.analyzers)
    pipe = one.folder / "journal.pipe"
    os.mkfifo(pipe)
    one.start()
    line = {"_HOSTNAME": "web1", "SYSLOG_IDENTIFIER": "sshd", "_PID": "42", "PRIORITY": "6", "_TRANSPORT": "syslog",
            "MESSAGE": "Failed password for root from 203.0.113.9 port 50000 ssh2"}  # fmt: skip
    with pipe.open("w") as journal:
        for number in range(12):
            journal.write(json.dumps({**line, "__REALTIME_TIMESTAMP": str(1_700_000_000_000_000 + number * 1_000_000)}) + "\n")
    (alert,) = until(lambda: one.settled() or one.alerts(), what="the alert")
    document = alert["document"]
    assert (document["@timestamp"], document["source"]["ip"], document["host"]["name"]) == (
        "2023-11-14T22:13:29.000Z", "203.0.113.9", "web1",
    )  # fmt: skip
