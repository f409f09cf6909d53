"""Sidecars on the configurations that ship for containers: their probes answer, and they write to nothing but their folder and /tmp."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from needs import need_command
from shipped import ROOT, SECRETS, run_shipped
from sidecars import free_port, until

DEPLOY = ROOT / "deploy"
FAILED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"


def get(port, path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def post(one, token):
    body = json.dumps([{"message": FAILED}] * 12).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{one.ports['http']}/v1/ingest/auth.sshd", body,
                                     {"Content-Type": "application/json", "X-Api-Key": token})  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_the_image_s_configuration_and_its_healthcheck(sidecar):
    one = run_shipped(sidecar(), (DEPLOY / "pluginhost.yaml").read_text())
    assert post(one, SECRETS["PLUGINHOST_TOKEN"]) == {"accepted": 12}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        post(one, "guessed")
    one.settled()
    assert [alert["analyzer"] for alert in one.alerts()] == ["ssh_bruteforce"]
    assert json.loads(one.log().splitlines()[0])["level"] == "info"
    (probe,) = re.findall(r"HEALTHCHECK.*\\\n +CMD (\[.*\])", (DEPLOY / "Dockerfile").read_text())
    command = [sys.executable if word == "python" else word.replace("9187", str(one.ports["metrics"])) for word in json.loads(probe)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    assert one.stop() == 0
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_the_pod_s_configuration_and_its_probes(sidecar):
    (text,) = [made["data"]["pluginhost.yaml"] for made in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
               if made["kind"] == "ConfigMap" and made["metadata"]["name"] == "pluginhost"]  # fmt: skip
    one = run_shipped(sidecar(), text, outputs=[{"type": "forward", "servers": [f"127.0.0.1:{free_port()}"]}])
    port = one.ports["metrics"]
    assert get(port, "/healthz")[0] == 200
    assert until(lambda: get(port, "/readyz")[0] == 200)
    assert get(port, "/metrics")[0] == 401
    assert "pluginhost_ready" in get(port, "/metrics", SECRETS["PLUGINHOST_METRICS_TOKEN"])[1]


def test_an_analyzer_in_a_configmap_is_followed(sidecar):
    """A ConfigMap's files are links through one link, `..data`, which is what changes."""
    source = "from pluginhost import Alert, analyzer\n\n@analyzer(tags='t')\ndef {}(event):\n    return Alert('low', '{}')\n"
    one = sidecar()
    folder = one.analyzers

    def publish(number, name):
        (folder / f"..{number}").mkdir()
        (folder / f"..{number}" / "one.py").write_text(source.format(name, name))
        (folder / "..new").symlink_to(f"..{number}")
        (folder / "..new").replace(folder / "..data")

    publish(1, "before")
    (folder / "one.py").symlink_to("..data/one.py")
    one.start()
    one.post([{"a": 1}])
    publish(2, "after")
    until(lambda: [made["name"] for made in one.ask("analyzers")] == ["after"], 60, "the new file runs")
    one.post([{"a": 2}])
    one.settled()
    assert sorted(alert["headline"] for alert in one.alerts()) == ["after", "before"]


def written(trace, folder):
    """Every path that was opened for writing, made, moved or removed, and to some avail."""
    found = set()
    lines = [line for file in trace.parent.glob("trace.*") for line in file.read_text(errors="replace").splitlines()]  # one a thread
    for line in lines:
        call = re.match(r"(\w+)\((.*)\) += (\d+)", line)
        if call is None:
            continue
        name, given, _ = call.groups()
        if name in ("open", "openat", "creat") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", given):
            continue
        found |= {path if path.startswith("/") else str(folder / path) for path in re.findall(r'"([^"]*)"', given)[:2]}
    return found


def test_nothing_is_written_outside_the_folder_and_tmp(sidecar, tmp_path):
    """What a read-only root file system asks for: records, an alert, a reload, a status and a stop, under strace."""
    need_command("strace")
    one = sidecar()
    trace, log = tmp_path / "trace", tmp_path / "one" / "log"
    calls = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,truncate"
    start = one.start
    one.start = lambda *before: start("strace", "-ff", "-qq", "-e", calls, "-e", "signal=none", "-o", str(trace), *before,
                                      "PYTHONDONTWRITEBYTECODE=1")  # fmt: skip
    run_shipped(one, (DEPLOY / "pluginhost.yaml").read_text())
    post(one, SECRETS["PLUGINHOST_TOKEN"])
    (one.analyzers / "late.py").write_text("from pluginhost import analyzer\n\n@analyzer(tags='t')\ndef late(event):\n    return None\n")
    assert one.ask("reload")[0]["problems"] == []
    one.settled()
    assert len(one.alerts()) == 1
    assert one.stop() == 0
    paths = written(trace, one.folder)
    assert any(path.endswith(".journal") for path in paths)  # the trace sees what is written
    allowed = (f"{one.data}/", "/dev/", "/proc/", "/tmp/pluginhost")
    assert [path for path in sorted(paths) if not path.startswith(allowed) and path not in (str(one.data), str(log))] == []
    assert Path(one.data, "alerts.db").exists()
