"""deploy/compose.yaml against a real Elasticsearch: its job `accounts` makes users that can do what they must, and no more."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import yaml
from kibana_server import kibana_server
from needs import need_command
from shipped import ROOT, SECRETS, run_shipped
from sidecars import until

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
FAILED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
STREAM = "logs-pluginhost.alerts-default"
PASSWORDS = {"ELASTIC_PASSWORD": "pw-for-tests", "KIBANA_PASSWORD": "k1bana-pw", "PLUGINHOST_ES_PASSWORD": "pluginh0st-pw"}


def ask(server, user, method, path, body=None):
    """(status, answer) as that user."""
    head = {"Content-Type": "application/json", "Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode() if body else None, head, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")


@pytest.fixture(scope="module")
def accounts(guarded):
    """The job has run. The administrator has another name here; twice, for a job may be started again."""
    need_command("curl")
    (script,) = COMPOSE["services"]["accounts"]["command"]
    for _ in range(2):
        made = subprocess.run([*COMPOSE["services"]["accounts"]["entrypoint"], script.replace("$$", "$").replace('"elastic:', '"admin:')],
                              env={"PATH": "/usr/bin:/bin", "ES_URL": guarded.url, **PASSWORDS}, capture_output=True, text=True,
                              timeout=120, check=False)  # fmt: skip
        assert made.returncode == 0, made.stderr
    return guarded


def test_the_health_check_knows_a_server_that_is_up(guarded):
    command = COMPOSE["services"]["elasticsearch"]["healthcheck"]["test"][1].replace("$$", "$")
    command = command.replace("http://127.0.0.1:9200", guarded.url).replace("elastic:", "admin:")
    for password, status in (("pw-for-tests", 0), ("guessed", 22)):
        environment = {"PATH": "/usr/bin:/bin", "ELASTIC_PASSWORD": password}
        assert subprocess.run(["sh", "-c", command], env=environment, capture_output=True, timeout=60, check=False).returncode == status


def test_kibana_gets_in(accounts):
    status, who = ask(accounts, f"kibana_system:{PASSWORDS['KIBANA_PASSWORD']}", "GET", "/_security/_authenticate")
    assert (status, who["roles"]) == (200, ["kibana_system"])


def test_alerts_of_the_sidecar_arrive_and_its_user_can_do_nothing_else(accounts, sidecar, monkeypatch):
    monkeypatch.setitem(SECRETS, "PLUGINHOST_ES_PASSWORD", PASSWORDS["PLUGINHOST_ES_PASSWORD"])
    text = COMPOSE["configs"]["pluginhost.yaml"]["content"].replace("$$", "$").replace("http://elasticsearch:9200", accounts.url)
    one = run_shipped(sidecar(), text)
    body = json.dumps([{"message": FAILED}] * 12).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{one.ports['http']}/v1/ingest/auth.sshd", body,
                                     {"Content-Type": "application/json", "X-Api-Key": SECRETS["PLUGINHOST_TOKEN"]})  # fmt: skip
    urllib.request.urlopen(request, timeout=30).close()
    until(lambda: one.status()["counts"]["output.elasticsearch"]["delivered"] == 1, 90, "the alert is in Elasticsearch")
    (alert,) = one.alerts()
    own = f"pluginhost:{PASSWORDS['PLUGINHOST_ES_PASSWORD']}"
    ask(accounts, "admin:pw-for-tests", "POST", f"/{STREAM}/_refresh")
    _, found = ask(accounts, own, "POST", f"/{STREAM}/_search", {"query": {"ids": {"values": [alert["id"]]}}})
    (hit,) = found["hits"]["hits"]
    assert hit["_source"]["event"]["id"] == alert["id"]
    for method, path, given in (
        ("PUT", "/logs-other-default", None), ("DELETE", f"/{hit['_index']}/_doc/{hit['_id']}", None),
        ("POST", "/logs-other-default/_doc", {"@timestamp": "2026-11-21T10:00:00Z"}), ("GET", "/_security/user", None),
        ("GET", "/logs-other-default/_search", None),
    ):  # fmt: skip
        assert ask(accounts, own, method, path, given)[0] == 403, path


def test_the_job_brings_the_dashboards_into_kibana(tmp_path):
    job = COMPOSE["services"]["dashboards"]
    secret = "${ELASTIC_PASSWORD:?is not set}"
    environment = {name: value.replace(secret, PASSWORDS["ELASTIC_PASSWORD"]) for name, value in job["environment"].items()}
    with kibana_server(user=f"elastic:{PASSWORDS['ELASTIC_PASSWORD']}", version="8.19.21") as kibana:
        text = COMPOSE["configs"]["pluginhost.yaml"]["content"].replace("$$", "$").replace("http://kibana:5601", kibana.url)
        (tmp_path / "pluginhost.yaml").write_text(text)
        command = [one.replace("/etc/pluginhost", str(tmp_path)) for one in job["command"]]
        for found in ("done", "nothing to do"):  # it may be started again
            made = subprocess.run([sys.executable, "-m", "pluginhost", *command], env=os.environ | environment, capture_output=True,
                                  text=True, timeout=60, check=False)  # fmt: skip
            assert (made.returncode, made.stdout.splitlines()[-1]) == (0, found), made.stderr
        assert kibana.of("dashboard") == sorted(f"pluginhost-{key}" for key in ("overview", "logins", "web", "summary", "health"))
