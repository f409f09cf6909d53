"""Events posted as clients of Splunk's collector do, each in its own thread, through the whole sidecar."""

from __future__ import annotations

import gzip
import json
import threading
import time

import requests
from sidecars import until
from tally import Tally

COUNT, BATCH, THREADS = 600, 20, 3


def post_all(one, numbers, acknowledged):
    """Posts the numbers in batches, each until it is answered 200, as such clients do."""
    with requests.Session() as session:
        for start in range(numbers.start, numbers.stop, BATCH):
            events = [{"time": 1767323045 + n / 1000, "host": "h", "event": {"message": f"seq={n};"}} for n in range(start, start + BATCH)]
            body = gzip.compress("\n".join(map(json.dumps, events)).encode())
            while not posted(session, one, body):
                time.sleep(0.1)
            acknowledged.append(BATCH)


def posted(session, one, body):
    headers = {"Authorization": "Splunk s3cret", "Content-Encoding": "gzip"}
    try:
        answer = session.post(f"http://127.0.0.1:{one.http}/services/collector/event", body, headers=headers, timeout=30)
    except requests.RequestException:
        return False
    return answer.status_code == 200 and answer.json() == {"text": "Success", "code": 0}


def test_a_sidecar_that_is_killed_in_the_middle_loses_nothing(sidecar):
    one = sidecar()
    one.config["inputs"][1]["token"] = "s3cret"
    tally, acknowledged, share = Tally(one), [], COUNT // THREADS
    one.start()
    ranges = [range(n * share, (n + 1) * share) for n in range(THREADS)]
    senders = [threading.Thread(target=post_all, args=(one, numbers, acknowledged), daemon=True) for numbers in ranges]
    for sender in senders:
        sender.start()
    until(lambda: len(acknowledged) >= 5, 60, "the first answers")
    one.kill()
    one.start()
    for sender in senders:
        sender.join(120)
    assert sum(acknowledged) == COUNT
    assert tally.seen() == set(range(COUNT))
