"""The samples of Logstash and of the other shippers against real sidecars that run the shipped pluginhost.yaml, open and with every lock.

syslog-ng, rsyslog and OpenTelemetry's exporters are real. Of the others what they would send is made by hand, header by header as was
measured of them, with addresses, headers and credentials from the very file that a user would give them.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import yaml
from daemons import Daemon, unpacked
from pytest_httpserver import HTTPServer
from shipped import ROOT, SECRETS, TLS, active, certificates, printed, run_shipped
from shipper_configs import logstash, plugins
from sidecars import Sidecar, until
from tally import Tally
from werkzeug import Response

pytestmark = pytest.mark.xdist_group("samples-http")  # a sidecar for all that is open, one for all that is locked
LOGSTASH = (ROOT / "logstash/pluginhost.yaml").read_text()
OTHERS = (ROOT / "shippers/pluginhost.yaml").read_text()
FAILED = "Failed password for root from 203.0.113.7 port 22 ssh2"
TOKEN = SECRETS["PLUGINHOST_TOKEN"]
LOCKS = ["open", "locked"]
STARTED = datetime.now(UTC) - timedelta(minutes=2)  # records of long ago would be told of, too


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=LOCKS, scope="module")
def lock(request):
    return request.param


@pytest.fixture(scope="module")
def logstashs(lock, tls, tmp_path_factory):
    """The sidecar that Logstash sends to. Verdicts are waited for, however slow the machine is."""
    one = Sidecar(tmp_path_factory.mktemp("logstash"))
    (one.analyzers / "bad.py").write_text(
        "from pluginhost import Alert, analyzer\n\n@analyzer(tags='logstash.auth', where='bad:true')\n"
        "def bad(event):\n    return Alert('high', 'bad', action='deny', risk=88)\n")  # fmt: skip
    yield run_shipped(one, config(LOGSTASH, lock).replace("verdict_timeout: 1s", "verdict_timeout: 2m"), tls, outputs=[])
    one.kill()


@pytest.fixture(scope="module")
def others(lock, tls, tmp_path_factory):
    """The sidecar that all other shippers send to."""
    one = Sidecar(tmp_path_factory.mktemp("others"))
    one.tally = Tally(one)
    yield run_shipped(one, config(OTHERS, lock), tls, outputs=[])
    one.kill()


def config(text, lock):
    return text if lock == "open" else active(text).replace("http://127.0.0.1:8089/", "https://localhost:8089/")


class Client:
    """Keeps one connection to where a URL says; requests have the headers that are given, in their order, and no other."""

    def __init__(self, url, port, tls):
        self.at = urlsplit(url)
        host = self.at.hostname
        if self.at.scheme == "https":
            context = ssl.create_default_context(cafile=tls / "ca.crt")
            context.load_cert_chain(tls / "agent.crt", tls / "agent.key")
            self.connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
        else:
            self.connection = http.client.HTTPConnection(host, port, timeout=60)

    def ask(self, method, path, body=b"", **headers):
        """(status, headers, body) of the answer."""
        self.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name.replace("_", "-"), value)
        if body or method == "POST":
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


def basic(user, password):
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def counted(one, name="http"):
    one.settled()
    return one.status()["counts"][f"door.{name}"]["records"]


def event(number, **more):
    """An event of the last minutes as Logstash sends it; its keys stand in no order."""
    when = f"{STARTED + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}.476875019Z"
    return {"@version": "1", "event": {"original": f"{FAILED} {number}"}, "host": "vm", "message": FAILED, "@timestamp": when, **more}


class TestLogstash:
    @pytest.fixture
    def files(self, lock, tmp_path):
        """The plugins of each printed file."""
        parts = re.split(r"^# ===== (\S+) =====\n", printed("logstash", config(LOGSTASH, lock), tmp_path), flags=re.MULTILINE)
        made = {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name.endswith(".conf")}
        return {name: plugins(logstash(text, SECRETS)) for name, text in made.items()}

    def one(self, files, file, name):
        return next(plugin.options for plugin in files[f"pluginhost-{file}.conf"] if plugin.name == name)

    def test_ship(self, logstashs, files, lock, tls):
        one, before = logstashs, counted(logstashs)
        out = self.one(files, "ship", "http")
        client = Client(out["url"], one.ports["http"], tls)
        head = {"Connection": "Keep-Alive", **out["headers"], "Content-Type": "application/json", "Content-Encoding": "gzip"}
        tail = {"Host": client.at.netloc, "User-Agent": "Manticore 0.9.2", "Accept-Encoding": "gzip,deflate"}
        for start in range(0, 60, 20):
            batch = gzip.compress(json.dumps([event(number) for number in range(start, start + 20)]).encode())
            status, _, body = client.ask("POST", client.at.path, batch, **head, **tail)
            assert (status, json.loads(body)) == (200, {"accepted": 20})
        assert counted(one) == before + 60
        (alert,) = [alert for alert in one.alerts() if alert["document"]["pluginhost"]["source"]["tag"] == "logstash.main"]
        assert (alert["analyzer"], alert["document"]["source"]["ip"]) == ("ssh_bruteforce", "203.0.113.7")

    def test_enrich(self, logstashs, files, lock, tls):
        one = logstashs
        ask = self.one(files, "enrich", "http")
        client = Client(ask["url"], one.ports["http"], tls)
        head = {**ask["headers"], "Host": client.at.netloc, "User-Agent": "Manticore 0.9.2"}
        assert client.ask("POST", client.at.path, json.dumps(event(1)).encode(), **head)[::2] == (204, b"")
        status, headers, body = client.ask("POST", client.at.path, json.dumps(event(2, bad=True)).encode(), **head)
        assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/json")
        verdict = json.loads(body)
        assert (verdict["flagged"], verdict["action"], verdict["risk_score"]) == (True, "deny", 88)

    def test_bulk(self, logstashs, lock, tls):
        text = (ROOT / "logstash/pluginhost-bulk.conf").read_text()
        (out,) = [plugin.options for plugin in plugins(logstash(text, SECRETS)) if plugin.name == "elasticsearch"]
        one, before = logstashs, counted(logstashs)
        client = Client(out["hosts"][0] if lock == "open" else "https://localhost:8088", one.ports["http"], tls)
        known = basic("logstash", TOKEN) if lock == "locked" else {}
        for method, path in (("HEAD", "/"), ("GET", "/"), ("GET", "/_license"), ("GET", "/")):
            status, headers, _ = client.ask(method, path, Host=client.at.netloc, **known)
            assert (status, headers["X-Elastic-Product"]) == (200, "Elasticsearch")
        action = json.dumps({out["action"]: {"_id": None, "_index": out["index"], "routing": None}})
        body = "".join(f"{action}\n{json.dumps(event(number, seen='in bulk'))}\n" for number in range(30)).encode()
        head = {"Content-Type": "application/json", "Content-Encoding": "gzip", "X-Elastic-Event-Count": "30",
                "X-Elastic-Uncompressed-Request-Length": str(len(body)), "x-elastic-product-origin": "logstash-output-elasticsearch"}
        status, headers, answer = client.ask("POST", "/_bulk?filter_path=errors,items.*.error,items.*.status", gzip.compress(body),
                                             Host=client.at.netloc, **head, **known)  # fmt: skip
        told = json.loads(answer)
        assert (status, told["errors"], [item["create"]["status"] for item in told["items"]]) == (200, False, [201] * 30)
        assert counted(one) == before + 30
        assert one.ask("dead_letters") == []

    def test_flagged_events_come_back_over_http(self, sidecar, files, lock, tls):
        come = self.one(files, "flagged-http", "http")
        context = None
        if lock == "locked":
            (authority,) = come["ssl_certificate_authorities"]
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.replace(TLS, str(tls)))
            context.load_cert_chain(come["ssl_certificate"].replace(TLS, str(tls)), come["ssl_key"].replace(TLS, str(tls)))
            context.verify_mode = ssl.CERT_REQUIRED if come["ssl_client_authentication"] == "required" else ssl.CERT_NONE
        got = []

        def take(request):
            if (request.authorization and request.authorization.password) != come.get("password"):
                return Response("no", 401)
            got.extend(request.get_json())
            return Response("ok", come["response_code"])

        with HTTPServer(host="localhost", ssl_context=context) as server:
            server.expect_request("/").respond_with_handler(take)
            text = re.sub(r"(https?://\S+):8089/", rf"\1:{server.port}/", config(LOGSTASH, lock))
            one = run_shipped(sidecar(), text, tls)
            client = Client("https://localhost" if lock == "locked" else "http://127.0.0.1", one.ports["http"], tls)
            body = json.dumps([event(number) for number in range(12)]).encode()
            known = {"Host": "x", "Content-Type": "application/json", "X-Api-Key": TOKEN}
            assert client.ask("POST", "/v1/ingest/logstash.main", body, **known)[0] == 200
            until(lambda: got, what="the alert comes back")
            one.settled()
        (alert,) = one.alerts()
        (document,) = got
        assert (document["event"]["id"], document["event"]["kind"], document["event"]["module"]) == (alert["id"], "alert", "pluginhost")


class TestOthers:
    @pytest.fixture
    def text(self, others, lock, tmp_path, tls):
        """What is printed for a shipper, with the real ports and certificates."""

        def make(shipper):
            made = printed(shipper, config(OTHERS, lock), tmp_path).replace(TLS, str(tls))
            return made.replace("8088", str(others.ports["http"])).replace("24226", str(others.ports["grpc"]))

        return make

    def lines(self, first):
        """Fifty numbered lines; each test has numbers of its own."""
        return [f"seq={number}; root logged in" for number in range(first, first + 50)]

    def tags(self, one, first):
        """The tags of the records with these numbers, of which each is there once."""
        one.settled()
        found = {int(alert["headline"]): alert["document"]["pluginhost"]["source"]["tag"] for alert in one.alerts()
                 if alert["headline"].isdecimal()}  # the others tell that what was captured is old
        mine = [tag for number, tag in found.items() if first <= number < first + 50]
        assert len(mine) == 50
        assert one.ask("dead_letters") == []  # nothing of what came could not be read
        return set(mine)

    def test_vector(self, others, text, tls):
        sink = yaml.safe_load(text("vector"))["sinks"]["pluginhost"]
        client = Client(sink["uri"], others.ports["http"], tls)
        known = {"Authorization": f"Bearer {TOKEN}"} if "auth" in sink else {}
        assert client.ask("HEAD", client.at.path, Host=client.at.netloc, **known)[0] == 200  # its health check wants just that
        body = gzip.compress(json.dumps([{"message": line, "timestamp": "2026-11-21T20:31:37Z"} for line in self.lines(0)]).encode())
        status, _, _ = client.ask("POST", client.at.path, body, content_type="application/json", content_encoding="gzip",
                                  user_agent="Vector/0.50.0", Host=client.at.netloc, **known)  # fmt: skip
        assert (status, self.tags(others, 0)) == (200, {"app.web"})

    def test_filebeat(self, others, text, tls):
        out = yaml.safe_load(text("filebeat"))["output.elasticsearch"]
        client = Client(out["hosts"][0], others.ports["http"], tls)
        head = {"Host": client.at.netloc, "User-Agent": "Elastic-filebeat/8.17.0", **out["headers"]}
        head |= basic(out["username"], TOKEN) if "password" in out else {}
        status, _, answer = client.ask("GET", "/", **head)
        assert (status, json.loads(answer)["version"]["number"].partition(".")[0]) == (200, "8")
        assert json.loads(client.ask("GET", "/_license", **head)[2])["license"]["status"] == "active"
        when = "2026-11-21T20:31:37.000Z"
        body = "".join(f'{{"create":{{"_index":"filebeat-8.17.0"}}}}\n{json.dumps({"@timestamp": when, "message": line})}\n'
                       for line in self.lines(100)).encode()  # fmt: skip
        status, _, answer = client.ask("POST", "/_bulk", gzip.compress(body), Content_Type="application/json; charset=UTF-8",
                                       Content_Encoding="gzip", **head)  # fmt: skip
        assert (status, json.loads(answer)["errors"], len(json.loads(answer)["items"])) == (200, False, 50)
        assert self.tags(others, 100) == ({"app.web"})

    def test_docker(self, others, text, tls):
        options = yaml.safe_load(text("docker"))["services"]["web"]["logging"]["options"]
        client = Client(options["splunk-url"], others.ports["http"], tls)
        body = "".join(json.dumps({"event": line, "time": "1795923297.123000", "host": "node1", "sourcetype": options["splunk-sourcetype"]})
                       for line in self.lines(200)).encode()  # fmt: skip
        head = {"User-Agent": "Go-http-client/1.1", "Authorization": f"Splunk {TOKEN}", "Content-Encoding": "gzip"}
        status, _, answer = client.ask("POST", "/services/collector/event/1.0", gzip.compress(body), Host=client.at.netloc, **head)
        assert (status, json.loads(answer)) == (200, {"text": "Success", "code": 0})
        assert self.tags(others, 200) == ({"docker.web"})

    @pytest.mark.parametrize("way", ["otlphttp", "otlp"])
    def test_otel_exporters(self, others, text, tls, way, lock, monkeypatch):
        first = {"otlphttp": 300, "otlp": 400}[way]
        import opentelemetry.exporter.otlp.proto.grpc._log_exporter as over_grpc
        import opentelemetry.exporter.otlp.proto.http._log_exporter as over_http
        from grpc import ssl_channel_credentials
        from opentelemetry._logs import LogRecord, SeverityNumber
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.resources import Resource

        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)  # `requests` would believe them rather than the exporter
        made = yaml.safe_load(text("otel-collector"))
        out = made["exporters"][f"{way}/pluginhost"]
        headers = {name.lower(): TOKEN for name in out.get("headers", ())}
        if way == "otlphttp":
            exporter = over_http.OTLPLogExporter(endpoint=f"{out['endpoint']}/v1/logs", headers=headers, timeout=60,
                                                 certificate_file=out["tls"]["ca_file"] if lock == "locked" else None)  # fmt: skip
        else:
            secure = {"credentials": ssl_channel_credentials((tls / "ca.crt").read_bytes())} if lock == "locked" else {"insecure": True}
            exporter = over_grpc.OTLPLogExporter(endpoint=out["endpoint"], headers=headers, timeout=60, **secure)
        provider = LoggerProvider(Resource(made["receivers"]["filelog"]["resource"]), shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=50))
        for line in self.lines(first):
            provider.get_logger("app").emit(LogRecord(timestamp=1_795_923_297_000_000_000, body=line, severity_number=SeverityNumber.INFO))
        assert provider.force_flush(60_000)
        provider.shutdown()
        assert self.tags(others, first) == {"app.web"}

    @pytest.mark.parametrize("name", ["syslog-ng", "rsyslog"])
    def test_daemons(self, others, text, name, tmp_path, monkeypatch, lock):
        """The daemon itself, on the file as it is printed: only what it reads, and where it keeps things, is the test's own."""
        unpacked(name)
        first = {"syslog-ng": 500, "rsyslog": 600}[name]
        monkeypatch.setenv("PLUGINHOST_TOKEN", TOKEN)
        daemon = Daemon(name, tmp_path / "daemon")
        made = text(name).replace("/var/log/auth.log", "{input}").replace("reliable(yes)", f'reliable(yes) dir("{tmp_path}")')
        if name == "rsyslog":
            made = f'global(workDirectory="{tmp_path}")\n{made}'
        daemon.write([f"Nov 21 10:00:00 web1 app[42]: {line}" for line in self.lines(first)])
        try:
            daemon.start(made)
            others.tally.wait(range(first, first + 50))
            assert self.tags(others, first) == {"syslog.auth"}, daemon.said()
        finally:
            daemon.stop()
        assert not re.search(r"(?i)\b(error|deprecat)", daemon.said())

    @pytest.mark.parametrize("lock", ["locked"], indirect=True)
    def test_who_does_not_know_the_token_is_turned_away(self, others, tls):
        client, before = Client("https://localhost", others.ports["http"], tls), counted(others)
        for path in ("/v1/ingest/app.web", "/_bulk", "/v1/logs"):
            assert client.ask("POST", path, b"[]", Host="x", Content_Type="application/json", X_Api_Key="guessed")[0] == 401
        assert client.ask("POST", "/services/collector", b"{}", Host="x", Authorization="Splunk guessed")[0] == 403
        status, _, _ = client.ask("POST", "/v1/ingest/root.web", b'[{"a":1}]', Host="x", Content_Type="application/json", X_Api_Key=TOKEN)
        assert status == 403  # the key is for other tags
        assert counted(others) == before
