"""Saving analyzers while records flow: a broken one changes nothing, a mended one keeps its state, thousands cost nothing."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from sidecars import Sender, until

RELOADS = int(os.environ.get("RELOADS", "1000"))
"""`make soak` makes 3,000 of them."""

GOOD = '''
from pluginhost import Alert, Event, SlidingCount, analyzer

@analyzer(key="user")
def every(event: Event, seen: SlidingCount = SlidingCount("1d", limit=1000000), step: int = 10000):
    """Every so many records of a user."""
    count = seen.add(event)
    return Alert("low", f"WORD {count}") if count % step == 0 else None
'''
SYNTAX = GOOD.replace("count = seen.add(event)", "count = seen.add(event")
EXAMPLE = GOOD + '\nevery.fires_on([{"user": "a"}])\n'


def test_a_broken_file_under_load_loses_nothing_and_a_mended_one_keeps_its_state(sidecar):
    one = sidecar()
    file = one.analyzers / "every.py"
    file.write_text(GOOD.replace("WORD", "first"))
    one.start()
    sender, stop, sent = Sender(one.forward), threading.Event(), [0]

    def send():
        """10,000 records a second."""
        while not stop.is_set():
            due = time.monotonic() + 0.1
            sender.send([{"user": "a", "seq": sent[0] + n} for n in range(1000)])
            sent[0] += 1000
            time.sleep(max(due - time.monotonic(), 0))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        until(lambda: sent[0] >= 10_000)
        file.write_text(SYNTAX)
        (page,) = until(lambda: one.status()["problems"])
        assert "analyzer.syntax: '(' was never closed" in page
        assert f"{file}:7:" in page
        assert "count = seen.add(event" in page
        assert "^" in page
        assert "still: every as it was before" in page
        at = sent[0]
        until(lambda: sent[0] >= at + 10_000, 60)
        file.write_text(EXAMPLE)
        until(lambda: "analyzer.example" in "".join(one.status()["problems"]))
        at = sent[0]
        until(lambda: sent[0] >= at + 10_000, 60)
        file.write_text(GOOD.replace("WORD", "second"))
        until(lambda: not one.status()["problems"] and one.status()["generation"] == 2)
        at = sent[0]
        until(lambda: sent[0] >= at + 30_000, 60)  # a chunk on its way at the swap is the first version's
    finally:
        stop.set()
        thread.join()
    one.settled()
    words = [alert["headline"].split() for alert in reversed(one.alerts())]
    assert [int(count) for _, count in words] == list(range(10_000, sent[0] + 1, 10_000))
    order = [word for word, _ in words]
    assert order == ["first"] * order.count("first") + ["second"] * order.count("second")
    assert order.count("first") >= 3
    assert order.count("second") >= 2
    assert one.status()["counts"]["journal"]["records"] == sent[0]


def test_a_helper_module_reloads_what_imports_it_and_a_config_map_swap_is_seen(sidecar):
    one = sidecar()
    for version in ("1", "2"):
        (one.folder / version).mkdir()
        (one.folder / version / "_word.py").write_text(f"WORD = 'version {version}'\n")
        imports = "from pluginhost import Alert, analyzer\nfrom _word import WORD\n\n"
        (one.folder / version / "say.py").write_text(imports + "@analyzer\ndef say(event):\n    return Alert('low', WORD)\n")
    one.analyzers.rmdir()
    one.analyzers.symlink_to("1")  # as Kubernetes mounts a config map: the folder's name is a link that is renamed over
    one.start()
    one.post([{"a": 1}])
    (one.analyzers / "_word.py").write_text("WORD = 'helper'\n")
    until(lambda: one.status()["generation"] == 2)
    one.post([{"a": 2}])
    (one.folder / "next").symlink_to("2")
    (one.folder / "next").rename(one.analyzers)
    until(lambda: one.status()["generation"] == 3)
    one.post([{"a": 3}])
    one.settled()
    assert [alert["headline"] for alert in reversed(one.alerts())] == ["version 1", "helper", "version 2"]


def test_files_come_and_go(sidecar):
    one = sidecar().start()
    file = one.analyzers / "say.py"
    assert one.ask("analyzers") == []
    file.write_text("from pluginhost import Alert, analyzer\n\n@analyzer\ndef say(event):\n    return Alert('low', 'here')\n")
    until(lambda: [info["name"] for info in one.ask("analyzers")] == ["say"])
    one.post([{"a": 1}])
    one.settled()
    file.unlink()
    until(lambda: one.ask("analyzers") == [])
    one.post([{"a": 2}])
    one.settled()
    assert len(one.alerts()) == 1


def memory(pid):
    """Resident bytes that are the process's own."""
    with Path(f"/proc/{pid}/smaps_rollup").open() as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_reloads_grow_memory_by_less_than_2_mb_a_thousand(sidecar):
    one = sidecar()
    file = one.analyzers / "every.py"
    file.write_text(GOOD)
    one.start()
    one.post([{"user": "a"}])

    def reload(number):
        file.write_text(GOOD.replace("WORD", f"word {number}"))
        return one.ask("reload")[0]["generation"]

    sizes = []
    for start, end in ((0, 300), (300, 300 + RELOADS // 2), (300 + RELOADS // 2, 300 + RELOADS)):
        for number in range(start, end):
            last = reload(number)
        one.settled()
        sizes.append((memory(one.process.pid), memory(one.status()["workers"][0])))
    assert last >= RELOADS
    # Each process on its own, and its better half: what leaks does so in both, while the interpreter's table of interned strings, to
    # which every new name of a file adds, doubles in one of them, by some 4 MB.
    grown = [min(two - one, three - two) for one, two, three in zip(*sizes, strict=True)]
    assert max(grown) < (RELOADS // 2) * (2 << 20) / 1000, f"host and worker grew by {grown} bytes: {sizes}"


def test_a_swap_to_another_key_under_load_with_two_workers_misses_no_record(sidecar):
    """Each record is judged by the old key or by the new one, never by neither."""
    one = sidecar(workers=2)
    file = one.analyzers / "say.py"
    source = "from pluginhost import Alert, analyzer\n\n@analyzer(key='{}')\ndef say(event):\n    return Alert('low', str(event['seq']))\n"
    file.write_text(source.format("user"))
    one.start()
    sender, stop, sent = Sender(one.forward), threading.Event(), [0]

    def send():
        while not stop.is_set():
            sender.send([{"user": f"u{n % 17}", "ip": f"10.0.0.{n % 23}", "seq": n} for n in range(sent[0], sent[0] + 50)])
            sent[0] += 50

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for generation, key in enumerate(("ip", "user", "ip"), 2):
            until(lambda at=sent[0]: sent[0] > at + 200)
            file.write_text(source.format(key))
            until(lambda wanted=generation: one.status()["generation"] == wanted)
    finally:
        stop.set()
        thread.join()
    one.settled()
    assert sorted(int(alert["headline"]) for alert in one.alerts()) == list(range(sent[0]))
