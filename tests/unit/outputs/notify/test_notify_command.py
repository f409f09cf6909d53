"""With real programs."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from notifying import alert, delivered, made, notification

from pluginhost.outputs.notify.processes import _Tail
from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem


def sh(text, **more):
    return {"command": ["/bin/sh", "-c", text, "sh"], "allow": True, **more}


def ran(options, *told):
    """What came of it, whether or not anything went through."""
    try:
        return [one for (one,) in delivered("command", options, *([one] for one in told or [notification()]))]
    except Unavailable as error:
        return [Retry(error.reason, error.after, error.slow)]


def gone(pid):
    """Whether the process has ended; who is not reaped yet has."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_it_gets_the_notification_and_the_chief_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ES_API_KEY", "s3cr3t")
    script = f'cat > {tmp_path}/in; env > {tmp_path}/env; pwd > {tmp_path}/pwd; echo "$@" > {tmp_path}/args'
    options = sh(script, title="{user.name}", environment={"WHO": "soc", "PLUGINHOST_KIND": "x"}, folder=str(tmp_path))
    options["command"] += ["{user.name}", "two words"]
    told = notification("escalated", alert(user={"name": "$(touch /tmp/x)\n`id`\x00"}))
    assert ran(options, told) == [DONE]
    seen = json.loads((tmp_path / "in").read_text())
    assert (seen["id"], seen["kind"], seen["alerts"][0]["rule"]["name"]) == ("note-1", "escalated", "SSH brute force")
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert {name: env.get(f"PLUGINHOST_{name}") for name in ("TITLE", "KIND", "SEVERITY", "COUNT", "ID", "GROUP", "LINK")} == {
        "TITLE": "$(touch /tmp/x)\\x0a`id`\\x00", "KIND": "escalated", "SEVERITY": "high", "COUNT": "1", "ID": "note-1",
        "GROUP": "c1d9" * 16, "LINK": "https://kibana.example/app/discover#/a",
    }  # fmt: skip
    assert (env["WHO"], "ES_API_KEY" in env, env["PATH"]) == ("soc", False, os.environ["PATH"])
    assert (tmp_path / "pwd").read_text().strip() == str(tmp_path)
    assert (tmp_path / "args").read_text() == "{user.name} two words\n"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("exit 0", DONE), ("cat > /dev/null", DONE), ("exit 75", Retry("the command ended with exit status 75")),
        ("echo one; echo two >&2; echo; echo three; echo four; exit 3", Dead("the command ended with exit status 3 | two | three | four")),
        ("kill -TERM $$", Dead("the command ended with signal 15")),
        ("echo key is $KEY; exit 1", Dead("the command ended with exit status 1 | key is …")),
        (r"printf 'a\033[31mb\n'; exit 1", Dead("the command ended with exit status 1 | a\\x1b[31mb")),
    ],
)  # fmt: skip
def test_its_exit_status_is_the_answer(script, outcome):
    assert ran(sh(script, environment={"KEY": "s3cr3t"})) == [outcome]


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo working; sleep 60"
    (outcome,) = ran(sh(script, timeout="300ms"))
    assert isinstance(outcome, Retry)
    assert outcome.reason == "the command did not end within 300ms and was ended"
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_child_that_keeps_the_output_open_keeps_nobody_waiting(tmp_path):
    # It ends only once its child has left the group: until then the child is ended with it.
    python = (f"import os, time\nif os.fork() == 0:\n os.setsid()\n open('{tmp_path}/at', 'w').write(str(os.getpid()))\n"
              f" os.rename('{tmp_path}/at', '{tmp_path}/pid')\n time.sleep(60)\n"
              f"while not os.path.exists('{tmp_path}/pid'):\n time.sleep(.01)")
    began = time.monotonic()
    assert ran({"command": [sys.executable, "-c", python], "allow": True}) == [DONE]
    assert ran(sh(f"sleep 60 & echo $! > {tmp_path}/left")) == [DONE]
    assert time.monotonic() - began < 30
    assert gone(int((tmp_path / "left").read_text()))
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_megabytes_of_output_are_read_and_forgotten():
    (outcome,) = ran(sh("yes 'a long line of output' | head -c 5000000; echo; echo the end; exit 9"))
    assert isinstance(outcome, Dead)
    assert outcome.reason.endswith("| the end")
    assert len(outcome.reason) < 1000


def test_of_what_is_printed_only_the_end_is_kept():
    tail = _Tail()
    for part in (b"a" * 10_000, b"b" * 4000, b"c" * 50):
        tail.data_received(part)
    assert tail.taken() == b"a" * 46 + b"b" * 4000 + b"c" * 50
    assert tail.taken() == b""


def test_megabytes_that_nobody_reads_are_no_matter():
    big = notification("alert", alert(message="x" * 10_000_000))
    assert ran(sh("exit 0"), big) == [DONE]


def test_a_program_that_is_not_there_waits_for_somebody(tmp_path):
    options = {"command": [str(tmp_path / "none")], "allow": True}
    (outcome,) = ran(options)
    assert (outcome.slow, "cannot be run" in outcome.reason) == (True, True)
    with pytest.raises(Problem, match="no program `none`"):
        delivered("command", options, check=True)
    delivered("command", {"command": ["sh"], "allow": True}, check=True)
    (tmp_path / "none").write_text("#!/bin/sh\n")
    with pytest.raises(Problem, match="no program `none`"):
        delivered("command", options, check=True)


def test_one_failure_does_not_double_its_neighbour(tmp_path):
    script = f"grep -q bad - && exit 75; echo x >> {tmp_path}/good"
    ((bad, good),) = delivered("command", sh(script), [notification(id="bad"), notification(id="n2")])
    assert isinstance(bad, Retry)
    assert good == DONE
    assert (tmp_path / "good").read_text() == "x\n"


def test_it_is_off_unless_it_is_allowed():
    with pytest.raises(Problem, match="may not be run"):
        made("command", {"command": ["true"]})
    with pytest.raises(Problem, match=r"\$.command"):
        made("command", {"command": "rm -rf /", "allow": True})
    with pytest.raises(Problem, match=r"1 to any number"):
        made("command", {"command": [], "allow": True})
    assert made("command", {"command": ["/usr/bin/notify", "s3cr3t"], "allow": True}).address == "notify"
