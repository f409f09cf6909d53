"""@log4js-node/logstash-http, a real client: an action and a document in each request, tried once."""

from __future__ import annotations

import json
import subprocess

import pytest
from node_clients import node_folder
from tally import Tally

COUNT = 150


def log(url, count):
    command = ["node", str(node_folder() / "log4js.js"), url, str(count)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)


@pytest.mark.parametrize("path", ["/_bulk", "/v1/ingest/app"])
def test_every_message_arrives_once(sidecar, path):
    node_folder()
    one = sidecar()
    tally = Tally(one)
    one.start()
    assert log(f"http://127.0.0.1:{one.http}{path}", COUNT) == {"sent": COUNT, "failed": 0}
    assert (tally.seen(), tally.received()) == (set(range(COUNT)), COUNT)


def test_what_is_not_taken_is_told(sidecar):
    node_folder()
    one = sidecar()
    one.config["inputs"][1]["token"] = "s3cret"
    tally = Tally(one)
    one.start()
    assert log(f"http://127.0.0.1:{one.http}/_bulk", 3) == {"sent": 3, "failed": 3}
    assert tally.seen() == set()
