"""`pluginhost generate`: what is written where, and how wrong wishes are answered. Sending to real sidecars is in the scenario tests."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner
from forward_receiver import Receiver

from pluginhost.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*given):
        return CliRunner().invoke(main, ["generate", *map(str, given)])

    return call


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_with_its_labels_and_the_same_again_by_the_seed(run, tmp_path):
    for name in ("a", "b"):
        done = run("web", "-n", 3000, "--start", "2026-01-05T08:00:00Z", "--to", f"{name}.ndjson.gz", "--labels", f"{name}.labels")
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr.startswith("3,000 records in ")
    a, b = ((tmp_path / f"{name}.ndjson.gz").read_bytes() for name in ("a", "b"))
    assert a == b
    records = lines(gzip.decompress(a).decode())
    assert len(records) == 3000
    assert records[0].keys() == {"tag", "@timestamp", "message"}
    assert records[0]["@timestamp"].startswith("2026-01-05T08:00:0")
    *labels, last = lines((tmp_path / "a.labels").read_text())
    assert last == {"records": 3000}
    times = {record["@timestamp"] for record in records}
    assert labels
    assert all(one["time"] in times and one["kind"] and one["incident"] for one in labels)


@pytest.mark.parametrize("kind", [("logins", "--users", 40), ("waf",), ("waf", "--shape", "diurnal"), ("hosts", "--hosts", 3), ("web",),
                                  ("logins", "--shape", "buffalogs")])  # fmt: skip
def test_so_many_records_end_about_now(run, kind):
    records = lines(run(*kind, "-n", 300, "--to", "-").stdout)
    assert len(records) == 300
    assert records[0]["@timestamp"] < records[-1]["@timestamp"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 60))


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_there_are_as_many_at_any_time_of_day(run, hour):
    for number in (20, 400):
        made = run("waf", "--shape", "diurnal", "-n", number, "--start", f"2026-01-05T{hour:02}:30:00Z", "--to", "-").stdout
        assert len(lines(made)) == number


def test_days_users_rate_and_force_are_obeyed(run):
    assert 60 <= len(lines(run("waf", "--days", 0.05, "--rate", 1, "--force", "none", "--to", "-").stdout)) < 90
    names = {one["user"]["name"] for one in lines(run("logins", "--users", 7, "--days", 9, "--to", "-").stdout)}
    assert 4 <= len(names) <= 7
    (nested, *_) = lines(run("waf", "-n", 2, "--nested", "--to", "-").stdout)
    assert json.loads(json.loads(nested["message"]))["formatVersion"] == 1


@pytest.mark.parametrize(("given", "told"), [
    (("web", "--to", "amqp://x"), "Error: expected forward://HOST:PORT, http(s)://HOST:PORT, "),
    (("web", "--to", "forward://"), "Error: expected forward://HOST:PORT"),
    (("web", "--to", "-", "--start", "soon"), "expected a time such as 2026-01-31 or 2026-01-31T10:00:00Z, got soon"),
    (("waf", "--to", "-", "--force", "verb"), "'verb' is not one of"),
    (("web",), "Missing option '--to'"),
])  # fmt: skip
def test_wrong_wishes(run, given, told):
    done = run(*given)
    assert done.exit_code == 2
    assert told in done.stderr


def test_nobody_listens(run):
    done = run("web", "-n", 5, "--to", "forward://127.0.0.1:1")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, "Error: after 0 records: [Errno 111] Connection refused")


def test_forward_keeps_times_tags_and_order(run):
    with Receiver() as door:
        done = run("hosts", "-n", 900, "--start", "2026-01-05", "--to", f"forward://127.0.0.1:{door.port}")
        assert done.exit_code == 0, done.stderr
        events = list(door.events)
    wrote = lines(run("hosts", "-n", 900, "--start", "2026-01-05", "--to", "-").stdout)
    assert [time for _, time, _ in events] == sorted(time for _, time, _ in events)
    assert [{"tag": tag, **record} for tag, _, record in events] == [{k: v for k, v in one.items() if k != "@timestamp"} for one in wrote]


class Cluster(BaseHTTPRequestHandler):
    """Takes bulk requests, but asks to wait first."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]
    answers: list[tuple[int, dict]]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, {"errors": False})
        if status == 200:
            self.server.bodies.append((self.path, self.headers.get("Authorization"), body))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster():
    with HTTPServer(("127.0.0.1", 0), Cluster) as server:
        server.bodies, server.answers = [], []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_cluster_gets_documents_in_indices_by_day_and_is_waited_for(run, cluster):
    cluster.answers = [(429, {}), (503, {})]
    to = f"elasticsearch+http://user:pass%20word@127.0.0.1:{cluster.server_port}"
    done = run("logins", "--shape", "buffalogs", "-n", 4, "--start", "2026-01-05T23:59:59Z", "--to", to)
    assert done.exit_code == 0, done.stderr
    ((path, secret, body),) = cluster.bodies
    assert (path, secret) == ("/_bulk", "Basic dXNlcjpwYXNzIHdvcmQ=")
    actions, documents = lines(body)[::2], lines(body)[1::2]
    days = ["cloud-test_data-2026-01-05", "fw-proxy-test_data-2026-01-05", "weblog-test_data-2026-01-05", "cloud-test_data-2026-01-06"]
    assert [one["create"]["_index"] for one in actions] == days
    assert [one["@timestamp"] for one in documents] == ["2026-01-05T23:59:59.000Z"] * 3 + ["2026-01-06T00:00:00.000Z"]
    assert "tag" not in documents[0]


def test_an_index_may_be_named_and_a_refused_document_is_told(run, cluster):
    refused = {"errors": True, "items": [{"create": {"error": {"type": "x", "reason": "no\nsuch field"}}}]}
    cluster.answers = [(200, refused)]
    done = run("waf", "-n", 1, "--to", f"elasticsearch+http://127.0.0.1:{cluster.server_port}/mine")
    assert (done.exit_code, done.stderr) == (1, "Error: after 0 records: a document was refused: no\\x0asuch field\n")
    assert lines(cluster.bodies[0][2])[0] == {"create": {"_index": "mine"}}


def test_a_receiver_that_refuses_is_told(run, cluster):
    cluster.answers = [(401, {"error": "who?"})]
    done = run("waf", "-n", 1, "--to", f"http://127.0.0.1:{cluster.server_port}")
    assert (done.exit_code, done.stderr) == (1, 'Error: after 0 records: answered 401: {"error": "who?"}\n')


def test_alerts_are_scored_against_labels(run, tmp_path):
    labels = [{"time": "2026-01-05T10:00:00.5Z", "tag": "t", "kind": "new_country", "entity": "alice", "incident": 1}, {"records": 500}]
    alert = {"@timestamp": "2026-01-05T10:00:00.500Z", "rule": {"id": "new_country"}, "user": {"name": "alice"}}
    (tmp_path / "labels").write_text("\n".join(map(json.dumps, labels)))
    (tmp_path / "alerts").write_text("\n".join(map(json.dumps, [alert, {**alert, "@timestamp": "2026-01-06T00:00:00.000Z"}])))
    told = run("score", "--labels", "labels", "--alerts", "alerts").stdout.splitlines()
    assert told[1].split() == ["new_country", "1", "1", "1.000", "2", "0.500", "2.00", "-"]
    (tmp_path / "alerts").write_text("nonsense")
    assert run("score", "--labels", "labels", "--alerts", "alerts").exit_code == 1
