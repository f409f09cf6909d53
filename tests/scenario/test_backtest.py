"""A backtest of a host's journal finds what the host found, byte for byte; a detection that is killed in the middle loses nothing and
tells nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from determinism import FILES, kinds
from recording import recording
from sidecars import Sidecar, until

from pluginhost.store.alerts import AlertStore
from pluginhost.wire.times import iso

SECOND = 1_000_000_000


def pluginhost(folder, *args, **more):
    return subprocess.run([sys.executable, "-m", "pluginhost", *map(str, args)], cwd=folder, capture_output=True, text=True, timeout=120,
                          check=False, **more)  # fmt: skip


def documents(lines):
    """By id, each document without what differs from run to run, and without the mark of a backtest."""
    made = {}
    for one in lines:
        for name in ("created", "ingested", "url"):
            one["event"].pop(name, None)
        one["pluginhost"]["alert"].pop("dashboard", None)
        one.pop("observer")
        one["pluginhost"].pop("backtest", None)
        assert one["event"]["id"] not in made
        made[one["event"]["id"]] = one
    return made


@pytest.fixture
def lived(tmp_path):
    """A sidecar with analyzers that derive, publish, wait and fail, and some thousand records that it has judged."""
    one = Sidecar(tmp_path, risk={}, kibana={"url": "https://kibana.example"})
    for name, text in FILES[0].items():
        (one.analyzers / f"{name}.py").write_text(text)
    one.start()
    try:
        now = time.time()
        for turn in range(5):
            for tag in ("app.login", "auth.sshd", "app.flat", "web.access", "other"):
                many = [record for other, record in kinds(f"t{turn % 3}-") if other == tag] * 2
                one.post([{**record, "time": now + 6 * turn + place / 200} for place, record in enumerate(many)], tag)
            one.settled()
            for later in (3, 4):  # a record moves time on, so that a tick follows: from the next one on a table's rows are seen
                end = one.status()["journal"]["end"]
                one.post([{"time": now + 6 * turn + later}], "other")
                until(lambda end=end: one.status()["journal"]["end"] >= end + 2, what="a tick")
        one.post([{"time": now + 60}], "other")
        one.settled()
        until(lambda: one.alerts(analyzer="silence") and one.alerts(analyzer="beat"))
        one.settled()
        yield one
    finally:
        one.kill()


OF_THE_PROCESSES = ("pluginhost.quarantine", "pluginhost.pressure")  # no record made them, so no replay does


class TestBacktest:
    def test_of_a_journal_finds_what_was_found_live_byte_for_byte(self, lived):
        running = pluginhost(lived.folder, "backtest", "--data", "data", "--to", "running.ndjson", "-q")
        assert running.returncode == 0, running.stderr
        assert lived.stop() == 0
        done = pluginhost(lived.folder, "backtest", "--data", "data", "--to", "found.ndjson", "-q")
        assert done.returncode == 0, done.stderr
        archive = AlertStore.readonly(lived.data / "alerts.db")
        kept = [json.loads(one.document) for one in archive.since(0, 100_000) if one.analyzer not in OF_THE_PROCESSES]
        assert all(one["event"]["url"].startswith("https://kibana.example/app/discover#/?_g=") for one in kept)
        assert b"kibana.example" not in (lived.folder / "found.ndjson").read_bytes()
        live = documents(kept)
        found = documents(map(json.loads, (lived.folder / "found.ndjson").read_text().splitlines()))
        early = documents(map(json.loads, (lived.folder / "running.ndjson").read_text().splitlines()))
        assert len(found) > 500
        assert {one["pluginhost"]["analyzer"] for one in found.values()} >= {"often", "pair", "moved", "listed", "silence", "beat", "total"}
        assert found == live
        assert {name: live[name] for name in early} == early
        assert len(early) > 500


# --- detection over what looks like a cluster: pages in order of time, by slices


class Cluster:
    """Answers what a detection asks of Elasticsearch, over records held here: pages after `slow` seconds, and no more than `most`."""

    def __init__(self, records):
        self.records, self.slow, self.pages, self.most = records, 0.0, 0, 1 << 30
        self.refuses = "-"  # the beginning of the paths at which it does
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                refused = self.path.startswith(outer.refuses)
                refusal = {"error": {"type": "parsing_exception", "reason": "no such thing"}, "status": 400}
                answer = json.dumps(refusal if refused else outer.answer(self.path.partition("?")[0], body)).encode()
                self.send_response(400 if refused else 200)
                for name, value in {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json",
                                    "Content-Length": str(len(answer))}.items():  # fmt: skip
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_DELETE = do_GET = do_POST  # noqa: N815 - the library's names

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path, body):
        if path.startswith("/logs/_pit"):
            return {"id": "p"}
        if path == "/logs/_count":
            return {"count": len(self._fitting(body["query"]))}
        if path != "/_search":
            return {}
        time.sleep(self.slow)
        while self.pages >= self.most:
            time.sleep(0.05)
        self.pages += 1
        slice_ = body.get("slice", {"id": 0, "max": 1})
        hits = [one for one in self._fitting(body["query"]) if one["_source"]["n"] // 10 % slice_["max"] == slice_["id"]]
        after = body.get("search_after", ["", -1])
        hits = [one for one in hits if one["sort"] > after][: body["size"]]
        return {"pit_id": "p", "timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": hits}}

    def _fitting(self, query):
        bounds = query["bool"]["filter"][0].get("range", {"@timestamp": {}})["@timestamp"]
        return [{"_index": "logs", "_id": str(record["n"]), "_source": record, "sort": [record["@timestamp"], record["n"]]}
                for record in self.records if bounds.get("gte", "") <= record["@timestamp"] < bounds.get("lt", "~")]  # fmt: skip

    def close(self):
        self._server.shutdown()
        self._server.server_close()


COUNTS = '''from pluginhost import Alert, SlidingCount, analyzer


@analyzer(key="user.name")
def seventh(event, seen: SlidingCount = SlidingCount("7d", limit=100000)):
    """Every seventh record of a user."""
    count = seen.add(event)
    return Alert("low", f"{event['user.name']} {count}") if count % 7 == 0 else None
'''


@pytest.fixture
def place(tmp_path):
    (tmp_path / "analyzers").mkdir()
    (tmp_path / "analyzers" / "seventh.py").write_text(COUNTS)
    output = {"type": "file", "path": "out.ndjson"}
    (tmp_path / "pluginhost.yaml").write_text(json.dumps({"data": "data", "analyzers": ["analyzers"], "outputs": [output]}))
    return tmp_path


def records(count, start):
    """A record every ten seconds, of ten users."""
    return [{"@timestamp": iso(start + n * 10 * SECOND, 9), "user": {"name": f"u{n % 10}"}, "n": n} for n in range(count)]


def told(folder):
    """The headlines that went out, but for those of a user's risk."""
    found = [json.loads(line) for line in (folder / "out.ndjson").read_text().splitlines()]
    return sorted(one["message"] for one in found if one["rule"]["id"] == "seventh")


def expected(count):
    """The headlines of the first so many records."""
    return sorted(f"u{user} {seen}" for user in range(10) for seen in range(7, (count + 9 - user) // 10 + 1, 7))


class TestDetect:
    def test_a_run_goes_on_where_the_last_one_ended(self, place):
        start = time.time_ns() // SECOND * SECOND - 7200 * SECOND
        cluster = Cluster(records(400, start))
        asked = ("detect", "--task", "t", "--index", "logs", "--url", cluster.url, "--begin", "3h", "--lag")
        first = pluginhost(place, *asked, "90m")
        assert first.returncode == 0, first.stderr
        assert 0 < len(told(place)) < len(expected(400))
        second = pluginhost(place, *asked, "1s")
        assert told(place) == expected(400)
        again = pluginhost(place, *asked, "1s")
        cluster.close()
        assert told(place) == expected(400)
        assert "400 records" not in second.stderr
        assert (again.returncode, "t: " in again.stderr) == (0, True)
        listed = pluginhost(place, "detect", "--list").stdout.splitlines()
        assert sum(int(line.split(" records")[0].rsplit(maxsplit=1)[1].replace(",", "")) for line in listed) == 400
        assert all(line.rstrip().endswith("done") for line in listed)
        kept = [json.loads(line) for line in pluginhost(place, "alerts", "list", "--task", "t", "--json", "-n", "1000").stdout.splitlines()]
        assert sorted(one["message"] for one in kept if one["rule"]["id"] == "seventh") == expected(400)
        assert {one["pluginhost"]["task"] for one in kept} == {"t"}
        assert pluginhost(place, "alerts", "list").stderr.startswith("alerts of their own have: 1 task (--task t)\n")

    def test_people_are_told_of_what_a_run_finds_and_once_of_what_it_has_gathered(self, place):
        cluster = Cluster(records(400, time.time_ns() // SECOND * SECOND - 7200 * SECOND))
        with recording() as desk:
            outputs = [{"type": "webhook", "url": desk.url, "analyzers": ["sev*"], "limit": {"most": 0}},
                       {"type": "webhook", "name": "digest", "url": f"{desk.url}/digest", "aggregate": {"every": "1s"}},
                       {"type": "webhook", "name": "later", "url": f"{desk.url}/later", "aggregate": {"every": "1h"}}]  # fmt: skip
            config = json.loads((place / "pluginhost.yaml").read_text()) | {"outputs": outputs, "risk": {"entities": 0}}
            (place / "pluginhost.yaml").write_text(json.dumps(config))
            for _ in range(2):
                run = pluginhost(place, "detect", "--task", "t", "--index", "logs", "--url", cluster.url, "--begin", "3h", "--lag", "1s")
                assert (run.returncode, "wait" in run.stderr) == (0, False), run.stderr
        cluster.close()
        sent = [(one.path, json.loads(one.body)) for one in desk.received]
        assert sorted(told["alerts"][0]["message"] for path, told in sent if path == "/") == expected(400)
        assert {(path, told["kind"], told["count"]) for path, told in sent if path != "/"} == {("/digest", "digest", len(expected(400)))}

    def test_it_stays_and_runs_every_so_often_also_after_a_run_that_failed(self, place):
        start = time.time_ns() // SECOND * SECOND - 120 * SECOND
        made = [{"@timestamp": iso(start + n * SECOND, 9), "user": {"name": f"u{n % 10}"}, "n": n} for n in range(200)]
        cluster = Cluster(made)
        asked = ["detect", "--task", "t", "--index", "logs", "--url", cluster.url, "--begin", "1h", "--lag", "1s", "--every", "1s"]
        with (place / "err").open("wb") as err:
            child = subprocess.Popen([sys.executable, "-m", "pluginhost", *asked], cwd=place, stdout=subprocess.DEVNULL, stderr=err)
        try:
            until(lambda: (place / "err").read_text().count(" records, ") >= 1, 30)
            cluster.refuses = "/"
            until(lambda: "replay.search: the cluster refuses: 400" in (place / "err").read_text(), 30)
            cluster.refuses = "-"
            before = (place / "err").read_text().count(" records, ")
            until(lambda: (place / "err").read_text().count(" records, ") > before, 30)
            child.send_signal(signal.SIGINT)
            assert child.wait(20) == 0
        finally:
            child.kill()
            cluster.close()
        assert "Traceback" not in (place / "err").read_text()
        runs = [line for line in pluginhost(place, "detect", "--list").stdout.splitlines() if line.rstrip().endswith("done")]
        assert len(runs) >= 2
        judged = sum(int(line.split(" records")[0].rsplit(maxsplit=1)[1]) for line in runs)
        assert 110 <= judged < 200
        assert told(place) == expected(judged)

    def test_by_hand_the_state_of_the_task_is_left_alone(self, place):
        start = time.time_ns() // SECOND * SECOND - 7200 * SECOND
        cluster = Cluster(records(400, start))
        asked = ("detect", "--task", "t", "--index", "logs", "--url", cluster.url)
        done = pluginhost(place, *asked, "--start", iso(start), "--end", iso(start + 1500 * SECOND))
        assert done.returncode == 0, done.stderr
        assert told(place) == expected(150)
        assert pluginhost(place, *asked, "--begin", "3h", "--lag", "1s").returncode == 0
        cluster.close()
        assert told(place) == expected(400)  # those that were known are not told again
        assert "by hand" in pluginhost(place, "detect", "--list", "--task", "t").stdout.splitlines()[1]

    @pytest.mark.parametrize("command", [("backtest", "--from", "elasticsearch"), ("detect", "--task", "t")])
    def test_a_cluster_that_refuses_is_told_without_a_traceback(self, place, command):
        cluster = Cluster(records(30, time.time_ns() - 600 * SECOND))
        cluster.refuses = "/logs/_pit"  # when the judges are at work already
        done = pluginhost(place, *command, "--index", "logs", "--url", cluster.url)
        cluster.close()
        assert done.returncode == 2
        assert done.stderr.startswith("replay.search: the cluster refuses: 400 parsing_exception: no such thing\n")
        assert "Traceback" not in done.stderr

    def test_killed_in_the_middle_it_loses_nothing_and_tells_nothing_twice(self, place):
        start = time.time_ns() // SECOND * SECOND - 72_000 * SECOND
        cluster = Cluster(records(7000, start))
        cluster.slow, cluster.most = 2.0, 6  # state is saved on the way, and the end is not reached
        asked = ["detect", "--task", "t", "--index", "logs", "--url", cluster.url, "--begin", "21h", "--lag", "1s"]
        command = [sys.executable, "-m", "pluginhost", *asked]
        child = subprocess.Popen(command, cwd=place, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            listed = ["detect", "--list", "--task", "t"]
            until(lambda: "records" in (told := pluginhost(place, *listed).stdout) and " 0 records" not in told, 60)
            held = pluginhost(place, *asked)
            assert (held.returncode, "task.running" in held.stderr) == (2, True)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        cluster.slow, cluster.most = 0.0, 1 << 30
        done = pluginhost(place, *asked)
        cluster.close()
        assert done.returncode == 0, done.stderr
        assert told(place) == expected(7000)
        lines = pluginhost(place, *listed).stdout.splitlines()
        assert "killed" in lines[1]
        before, after = (int(line.split(" records")[0].rsplit(maxsplit=1)[1].replace(",", "")) for line in (lines[1], lines[0]))
        assert 0 < before < 7000
        assert before + after == 7000  # what was judged by the state that was saved is not judged again
