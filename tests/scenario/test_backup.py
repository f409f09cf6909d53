"""A sidecar is copied under load and goes on elsewhere; a copy that is killed harms nobody."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tarfile
import threading
from itertools import count

from fluent.sender import FluentSender
from sidecars import Sender, until

EACH = '''
from pluginhost import Alert, Event, SlidingCount, analyzer

@analyzer(key="user")
def each(event: Event, seen: SlidingCount = SlidingCount("1d")):
    """Every record of a user, by its number."""
    return Alert("low", f"{event['user']} {seen.add(event)}")
'''
USERS = "abcd"


def command(one, *given):
    return subprocess.Popen([sys.executable, "-m", "pluginhost", *given], cwd=one.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True)  # fmt: skip


def done(process):
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    return told


def ids(one):
    """The id of each alert by its headline."""
    return {alert["headline"]: alert["id"] for alert in one.alerts()}


@contextlib.contextmanager
def load(one):
    """A loop of a sender that waits for acknowledgements; beside it fluent's own client, which does not, for a user of its own."""
    sender, stopping = Sender(one.forward), threading.Event()

    def send():
        for number in count():
            sender.send([{"user": user, "number": number, "pad": "x" * 500} for user in USERS])
            if stopping.wait(0.002):
                return

    def other():
        with contextlib.closing(FluentSender("t", port=one.forward)) as fluent:
            for number in count():
                fluent.emit(None, {"user": "fluent", "number": number})
                if stopping.wait(0.01):
                    return

    threads = [threading.Thread(target=work, daemon=True) for work in (send, other)]
    for thread in threads:
        thread.start()
    try:
        yield sender
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)


def test_a_copy_made_under_load_goes_on_elsewhere_and_a_killed_one_harms_nothing(sidecar, tmp_path):
    files = {"type": "files", "paths": [str(tmp_path / "watched.log")]}
    one = sidecar(workers=2, journal={"segment_bytes": "64k"})
    one.config["inputs"].append(files)
    (one.analyzers / "each.py").write_text(EACH)
    (tmp_path / "watched.log").write_text("a line\n")
    one.start()
    with load(one) as sender:
        until(lambda: sender.acked > 100)
        large = one.data / "inputs" / "large"  # takes long enough to be killed in
        with large.open("wb") as file:
            file.truncate(1 << 30)
        killed = command(one, "backup", "b.tar")
        until(lambda: (one.folder / "b.tar.new").exists() and (one.folder / "b.tar.new").stat().st_size > 1 << 20)
        killed.kill()
        killed.wait()
        assert not (one.folder / "b.tar").exists()
        large.unlink()
        before = sender.acked
        assert " files, " in done(command(one, "backup", "b.tar"))
        assert not (one.folder / "b.tar.new").exists()
        after = sender.acked
        until(lambda: sender.acked > after + 100)
    one.settled()
    original = ids(one)
    assert one.stop() == 0

    with tarfile.open(one.folder / "b.tar") as tar:
        names = tar.getnames()
    assert {"alerts.db", "shard-0.db", "shard-1.db"} <= set(names)
    other = sidecar("other", workers=2)
    other.config["inputs"].append(files)
    (other.analyzers / "each.py").write_text(EACH)
    (other.folder / "pluginhost.yaml").write_text(json.dumps(other.config))
    assert "files of " in done(command(other, "restore", "../one/b.tar"))
    other.start()
    other.settled()
    restored = ids(other)
    counted = {user: max(int(headline.split()[1]) for headline in restored if headline.startswith(f"{user} "))
               for user in (*USERS, "fluent")}  # fmt: skip
    assert all(before <= counted[user] * len(USERS) for user in USERS)  # nothing that was acknowledged before is missing
    assert sorted(restored) == sorted(f"{user} {number + 1}" for user, most in counted.items() for number in range(most))
    assert restored.items() <= original.items()
    Sender(other.forward).send([{"user": user} for user in USERS])
    other.settled()
    assert set(ids(other)) - set(restored) == {f"{user} {counted[user] + 1}" for user in USERS}
