"""What each service is sent, as data: `cases/<service>.yaml` holds options, a notification, and the requests that a server records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from notifying import alert, delivered, notification
from recording import recording

from pluginhost.outputs.port import DONE

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
CASES = [(file.stem, case) for file in FILES for case in yaml.safe_load(file.read_text())]


def filled(value, server):
    """`value` with `{server}` in its texts."""
    if isinstance(value, dict):
        return {name: filled(one, server) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, server) for one in value]
    return value.replace("{server}", server) if isinstance(value, str) else value


@pytest.mark.parametrize(("service", "case"), CASES, ids=[f"{service}: {case['name']}" for service, case in CASES])
def test_what_is_sent(service, case):
    told = case["told"]
    alerts = [alert(told["level"])] if "level" in told else []
    with recording() as server:
        assert delivered(service, filled(case["options"], server.url), [notification(told["kind"], *alerts)]) == [[DONE]]
    assert [(one.method, one.path, json.loads(one.body)) for one in server.received] == [
        (wanted.get("method", "POST"), wanted["path"], wanted["body"]) for wanted in case["requests"]
    ]
    for one, wanted in zip(server.received, case["requests"], strict=True):
        headers = {"content-type": "application/json"} | wanted.get("headers", {})
        assert {name: one.headers.get(name) for name in headers} == headers
        assert one.headers["user-agent"].startswith("pluginhost/")
