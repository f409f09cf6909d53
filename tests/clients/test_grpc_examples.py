"""The examples that users start from, each against a real sidecar: what they sent, what was acknowledged, what was analysed."""

from __future__ import annotations

import os
import subprocess

import pytest
from certificates import Authority
from grpc_examples import COMMANDS
from sidecars import Sidecar, free_port, until

COUNT = 250
ANALYZERS = """
from pluginhost import Alert, analyzer

@analyzer(tags="example.*")
def each(event):
    return Alert("low", f"{event.tag} {event['seq']}")

@analyzer(tags="app.login", where="user.name:alice")
def no_alice(event):
    return Alert("critical", f"alice from {event['source.ip']}", action="deny")
"""


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    authority = Authority(folder / "tls")
    made = Sidecar(folder)
    made.grpc, made.tls, made.ca = free_port(), free_port(), authority.ca
    common = {"type": "grpc", "token": "s3cret", "verdict_timeout": "60s"}
    made.config["inputs"] += [{**common, "name": "plain", "port": made.grpc}, {**common, "name": "tls", "port": made.tls,
                                                                               "tls": authority.issue("server")}]  # fmt: skip
    (made.analyzers / "all.py").write_text(ANALYZERS)
    made.start()
    yield made
    made.stop()


def environment(more, **own):
    return {**os.environ, **more, "PLUGINHOST_TOKEN": "s3cret", **own}


def told(output):
    """(records acknowledged, the other lines)."""
    lines = output.splitlines()
    acks = [line.split() for line in lines if line.startswith("ack")]
    assert [int(ack[1]) for ack in acks] == list(range(len(acks)))
    assert all(ack[3:] == ["0"] for ack in acks)
    return sum(int(ack[2]) for ack in acks), [line for line in lines if not line.startswith("ack")]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("language", COMMANDS)
def test_sent_is_acknowledged_is_analysed(language, tls, sidecar, tmp_path):
    command, more = COMMANDS[language](tmp_path)
    own = {"PLUGINHOST_CA": str(sidecar.ca)} if tls else {}
    address = f"localhost:{sidecar.tls if tls else sidecar.grpc}"
    before = len(seen(sidecar, language))
    ran = run([*command, address, str(COUNT)], environment(more, **own))
    assert ran.returncode == 0, ran.stderr
    acknowledged, verdict = told(ran.stdout)
    assert acknowledged == COUNT
    assert verdict == ["verdict ACTION_DENY", "because no_alice alice from 203.0.113.9"]
    sidecar.settled()
    found = seen(sidecar, language)
    assert set(found) == {f"example.{language} {n}" for n in range(COUNT)}
    assert len(found) == before + COUNT


def run(command, env):
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def seen(sidecar, language):
    messages = [one["document"]["message"] for one in sidecar.alerts(analyzer="each")]
    return [one for one in messages if one.startswith(f"example.{language} ")]


@pytest.mark.parametrize("language", COMMANDS)
def test_a_sidecar_that_comes_late_gets_everything(language, tmp_path):
    command, more = COMMANDS[language](tmp_path)
    made = Sidecar(tmp_path)
    port = free_port()
    made.config["inputs"].append({"type": "grpc", "port": port, "verdict_timeout": "60s"})
    (made.analyzers / "all.py").write_text(ANALYZERS)
    client = subprocess.Popen([*command, f"127.0.0.1:{port}", str(COUNT)], env={**os.environ, **more}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        made.start()
        out, err = client.communicate(timeout=120)
        assert client.returncode == 0, err
        assert told(out)[0] == COUNT
        made.settled()
        assert sorted(seen(made, language)) == sorted(f"example.{language} {n}" for n in range(COUNT))
    finally:
        client.kill()
        client.wait()
        made.stop()


def test_a_wrong_token_ends_them(sidecar, tmp_path):
    for language, make in COMMANDS.items():
        command, more = make(tmp_path)
        ran = run([*command, f"localhost:{sidecar.grpc}", "10"], environment(more, PLUGINHOST_TOKEN="wrong"))
        assert (language, ran.returncode != 0, ran.stdout) == (language, True, "")
        assert "token missing or wrong" in ran.stderr
    until(lambda: "turned away" in sidecar.log(), what="the warning")
