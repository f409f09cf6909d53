"""Log lines are the attacker's to write: what they bring stays text, wherever it is shown, sent or named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
from forward_receiver import Receiver
from sidecars import Sender, until

from pluginhost.wire import records

REPEATS = """\
from pluginhost import Alert, analyzer


@analyzer(key="user.name")
def repeats(event):
    return Alert("high", f"login of {event['user.name']}", reason=f"said: {event['text']}", fields={"user.full_name": event["text"]})


@analyzer(where="tag_of:*")
def raises(event):
    raise ValueError(event["tag_of"])
"""
HOSTILE = [
    "\x1b[2J\x1b[1;1H\x1b[31mred", "\x1b]0;title\x07", "\x1b]52;c;cHduZWQ=\x07", "a\r\n2026-11-22 info     forged line",
    "\x00\x07\x08\x7f\x9b31m",
    "\u202eevil\u2066\u202d", "\u2028\u2029", "<script>alert(1)</script>", "{{7*7}} ${HOME} %s %n {0.__class__}",
    "'; drop table alerts; --",
    '"}\n{"index":{"_index":"x"}}\n{"a":"', "../../etc/passwd", "\\x1b[31m", "\U0001f600 ünïcode", "a" * 5000,
]  # fmt: skip
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def told(sidecar):
    """A sidecar that has raised an alert about each hostile text, with what it sent on as `received`."""
    with Receiver() as receiver:
        one = sidecar(outputs=[{"type": "file", "path": "alerts.ndjson", "what": "record"},
                               {"type": "forward", "servers": [f"127.0.0.1:{receiver.port}"]}])  # fmt: skip
        (one.analyzers / "repeats.py").write_text(REPEATS)
        one.start()
        sender = Sender(one.forward, tag="web\x1b[31m\r\nforged")
        sender.send([{"user": {"name": text}, "text": text, "tag_of": text} for text in HOSTILE])
        sender.close()
        one.settled()
        one.received = receiver
        yield one


def command(one, *words):
    run = subprocess.run([sys.executable, "-m", "pluginhost", *words], cwd=one.folder, capture_output=True, text=True, timeout=60,
                         check=True)  # fmt: skip
    return run.stdout + run.stderr


def test_nothing_that_is_printed_moves_a_cursor_or_begins_a_line(told):
    assert len(told.alerts()) == len(HOSTILE)
    shown = [command(told, "alerts", "list", "-n", "100"), command(told, "status"), command(told, "list"), command(told, "dead-letters")]
    shown += [command(told, "alerts", "show", alert["id"]) for alert in told.alerts()]
    told.says("analyzer raises raised")
    for text in [*shown, told.log()]:
        assert CONTROL.findall(text) == []
        assert not re.search(r"^.{0,12}(forged|drop table)", text, re.MULTILINE)
    assert len(shown[0].splitlines()) == len(HOSTILE)


def test_what_is_sent_on_is_the_text_itself_and_nothing_more(told):
    file = told.folder / "alerts.ndjson"
    until(lambda: file.exists() and file.read_bytes().count(b"\n") == len(HOSTILE))
    lines = file.read_bytes().splitlines()
    assert [json.loads(line)["text"] for line in lines] == HOSTILE
    told.received.wait(len(HOSTILE))
    assert {tag for tag, _, _ in told.received.events} == {"flagged.high.repeats"}
    assert [record["text"] for _, _, record in told.received.events] == [text.replace("\x00", "") and text for text in HOSTILE]


def test_keys_that_collide_cost_no_more_than_others():
    """Integers hash to themselves, so a sender could choose sixty thousand for one bucket; as text their hash is nobody's to choose."""
    keys = b"".join(b"\xcf" + (number << 40).to_bytes(8, "big") + b"\x01" for number in range(60_000))
    began = time.process_time()
    record = records.decode("msgpack", b"\xdf" + (60_000).to_bytes(4, "big") + keys)
    assert list(record) == [str(number << 40) for number in range(60_000)]
    assert time.process_time() - began < 30
