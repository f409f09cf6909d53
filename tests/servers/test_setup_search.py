"""`pluginhost setup` on the real servers: shown, done, done already, refused by part, and undone."""

from __future__ import annotations

import json
import re
import urllib.error

import pytest
from click.testing import CliRunner
from search_peers import Peer, asynchronous, call, outgoing

from pluginhost.cli import main
from pluginhost.outputs.port import DONE
from pluginhost.review.shipped import monitor

ADMIN = "admin:pw-for-tests"


@pytest.fixture
def ran(cluster, tmp_path):
    """Runs it for a namespace; (exit code, what is said of each thing, the last line)."""

    def run(namespace, *args, answer=None, **options):
        file = tmp_path / "pluginhost.yaml"
        output = {"type": cluster.product, "hosts": [cluster.url], **options}
        file.write_text(json.dumps({"namespace": namespace, "outputs": [output]}))
        result = CliRunner().invoke(main, ["setup", cluster.product, "--config", str(file), *args], input=answer)
        assert result.exit_code in (0, 1), result.output
        told = re.findall(r"^  (\w+) +(.*)$", result.stdout, re.MULTILINE)
        return result.exit_code, told, result.stdout.strip().splitlines()[-1]

    return run


def there(cluster, pattern):
    found = call(cluster.url, "GET", f"/_resolve/index/{pattern}")
    return sorted(one["name"] for kind in ("indices", "data_streams") for one in found[kind])


@asynchronous
async def delivered(output):
    assert await output.deliver([outgoing("a")]) == [DONE]
    await output.close()


def test_it_is_shown_then_done_then_there_is_nothing_to_do(cluster, ran):
    index, stream = "index pluginhost-alert-state-setup", "data stream logs-pluginhost.alerts-setup"
    code, shown, last = ran("setup", "--dry-run")
    assert code == 0
    assert re.fullmatch(r"[1-4] to do", last)
    assert ("create", f"{index}: empty") in shown
    assert (("create", f"{stream}: empty") in shown) is (cluster.product == "opensearch")
    assert there(cluster, "*pluginhost*-setup") == []  # only shown

    assert ran("setup", answer="n\n")[0] == 1
    assert there(cluster, "*pluginhost*-setup") == []
    code, done, last = ran("setup", answer="y\n")
    assert (code, last, ("done", f"{index}: empty") in done) == (0, "done", True)
    code, again, last = ran("setup", "--yes")
    assert (code, last, {state for state, _ in again}) == (0, "nothing to do", {"ok"})
    assert ("ok", f"{index}: fields of version 4") in again


def test_it_takes_away_what_is_ours_and_documents_only_when_that_is_said_twice(cluster, ran):
    if cluster.kind.plugin == "RootPlugin9":
        pytest.skip("this server cannot delete a stream")
    ran("undone", "--yes")
    delivered(Peer(cluster.url, "undone", cluster.product).output())
    both = ["logs-pluginhost.alerts-undone", "pluginhost-alert-state-undone"]
    code, told, _ = ran("undone", "--undo", "--yes")
    assert code == 0
    assert {state for state, what in told if "undone" in what.partition(":")[0]} == {"leave"}
    assert there(cluster, "*pluginhost*-undone") == both
    assert ran("undone", "--undo", "--data", answer="y\nn\n")[0] == 1
    assert there(cluster, "*pluginhost*-undone") == both
    code, told, last = ran("undone", "--undo", "--data", answer="y\ny\n")
    assert (code, last, there(cluster, "*pluginhost*-undone")) == (0, "done", [])
    ran("undone", "--yes")  # other tests' streams use the templates, where these were left


def test_what_the_server_lacks_is_told_and_the_rest_is_done(cluster, ran):
    code, told, last = ran("lacking", "--yes", retention="90d")
    lacks = cluster.product == "opensearch"  # elsewhere the template says it, and there is no stream yet
    assert (code, last) == (int(lacks), "done")
    assert any(state == "cannot" and "no index state management" in what for state, what in told) is lacks
    assert there(cluster, "pluginhost-alert-state-lacking") == ["pluginhost-alert-state-lacking"]
    ran("lacking", "--yes", retention="91d")


# --- with rights


def setup(secured, tmp_path, *args, env, **options):
    output = {"type": "elasticsearch", "hosts": [secured.url], "ca_certs": str(secured.run / "tls" / "ca.pem"), **options}
    (tmp_path / "pluginhost.yaml").write_text(json.dumps({"namespace": "rights", "outputs": [output]}))
    return CliRunner().invoke(main, ["setup", "elasticsearch", "--config", str(tmp_path / "pluginhost.yaml"), *args], env=env)


def key(secured, name, role):
    made = call(secured.url, "POST", "/_security/api_key", {"name": name, "role_descriptors": {"role": role}}, user=ADMIN)
    return made["encoded"]


def test_each_thing_that_may_not_be_done_is_told_and_nobody_sees_a_secret(secured, tmp_path):
    some = {"cluster": ["monitor"], "indices": [{"names": ["pluginhost-alert-state-*"], "privileges": ["manage"]}]}
    secret = key(secured, "some", some)
    result = setup(secured, tmp_path, "--yes", "--api-key-from-env", "SETUP_KEY", env={"SETUP_KEY": secret}, api_key="other")
    told = re.findall(r"^  (failed|done) +(index(?: template)? [a-z.-]+)(.*)$", result.stdout, re.MULTILINE)
    assert result.exit_code == 1
    assert [(state, what) for state, what, _ in told] == [
        ("failed", "index template logs-pluginhost.alerts"), ("failed", "index template pluginhost-alert-state"),
        ("done", "index pluginhost-alert-state-rights"),
    ]  # fmt: skip
    assert "granted by the cluster privileges [manage_index_templates" in told[0][2]
    assert result.stdout.strip().endswith("2 failed")
    assert secret not in result.output

    wrong = setup(secured, tmp_path, "--yes", "--username", "admin", env={"PLUGINHOST_SETUP_PASSWORD": "pw-that-is-wrong"})
    assert (wrong.exit_code, "setup.refused" in wrong.stderr, "pw-that-is-wrong" in wrong.output) == (2, True, False)
    whole = setup(secured, tmp_path, "--yes", "--username", "admin", env={"PLUGINHOST_SETUP_PASSWORD": "pw-for-tests"})
    assert (whole.exit_code, whole.stdout.strip().endswith("done")) == (0, True)


def test_the_role_that_is_printed_writes_and_does_nothing_else(secured, tmp_path):
    role = json.loads(setup(secured, tmp_path, "--print-role", env={}).stdout)
    assert setup(secured, tmp_path, "--yes", "--username", "admin", env={"PLUGINHOST_SETUP_PASSWORD": "pw-for-tests"}).exit_code == 0
    secret = key(secured, "least", role)

    def may(method, path, body=None):
        try:
            call(secured.url, method, path, body, key=secret)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    document = {"@timestamp": "2026-01-02T03:04:05.123Z"}
    stream, index = "/logs-pluginhost.alerts-rights", "/pluginhost-alert-state-rights"
    assert may("PUT", f"{stream}/_create/a", document) == 200
    assert may("PUT", f"{index}/_doc/a?version=1&version_type=external", document) == 200
    refused = [
        ("POST", f"{stream}/_search"), ("POST", f"{index}/_search"), ("DELETE", index), ("DELETE", f"{index}/_doc/a"),
        ("PUT", "/_index_template/x", {"index_patterns": ["x"]}), ("GET", "/_security/user"),
        ("PUT", f"{stream}/_mapping", {"properties": {}}),
        ("PUT", "/logs-pluginhost.alerts-other/_create/a", document), ("PUT", "/elsewhere/_doc/a", document),
    ]  # fmt: skip
    assert [(one[:2], code) for one in refused if (code := may(*one)) != 403] == []


def test_the_monitor_looks_at_each_minute_once_and_a_server_without_alerting_says_so(cluster, ran):
    if cluster.product != "opensearch":
        pytest.skip("alerting is OpenSearch's")
    code, done, last = ran("monitored", "--monitor", "--yes")
    assert (code, last, ("cannot", "monitor pluginhost alerts: this server has no alerting") in done) == (1, "done", True)

    def alert(name, ingested, **event):
        document = {"@timestamp": ingested, "event": {"kind": "alert", "module": "pluginhost", "ingested": ingested, **event}}
        call(cluster.url, "PUT", f"/logs-pluginhost.alerts-monitored/_create/{name}?refresh=true", document)

    alert("before", "2026-01-02T03:03:00.000Z")
    alert("first", "2026-01-02T03:03:00.001Z")
    alert("last", "2026-01-02T03:04:00.000Z")
    alert("after", "2026-01-02T03:04:00.001Z")
    alert("other", "2026-01-02T03:03:30.000Z", kind="event")
    query = json.dumps(monitor()["inputs"][0]["search"]["query"]).replace("{{period_end}}", "1767323100000")  # 03:05:00
    found = call(cluster.url, "POST", "/logs-pluginhost.alerts-monitored/_search", json.loads(query))
    assert {hit["_id"] for hit in found["hits"]["hits"]} == {"first", "last"}
    code, done, _ = ran("monitored", "--undo", "--monitor", "--data", "--yes")
    assert (code, ("ok", "monitor pluginhost alerts: this server has no alerting") in done) == (0, True)
