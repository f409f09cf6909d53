"""The exporters of the OpenTelemetry SDK, which is what applications send with: both doors, packed and not, over TLS, with a token.

What an exporter calls a success is what it was acknowledged. Its queue is made larger than the records, or it drops some by itself.
"""

from __future__ import annotations

import threading
import time

import grpc
import pytest
import requests
from certificates import Authority
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogRecordMessage
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from sidecars import Sidecar, free_port, until

COUNT = 600
TIMEOUT = 60  # seconds that an exporter tries
EACH = """
from pluginhost import Alert, analyzer

@analyzer(tags="shop.*")
def each(event):
    return Alert("low", f"{event.tag} {event['n']}")
"""


class Tally:
    """An exporter that counts what the one within was acknowledged."""

    def __init__(self, inner):
        self._inner, self.acknowledged, self.failed = inner, 0, 0

    def export(self, batch):
        result = self._inner.export(batch)
        if result.name == "SUCCESS":
            self.acknowledged += len(batch)
        else:
            self.failed += len(batch)
        return result

    def shutdown(self):
        self._inner.shutdown()

    def force_flush(self, timeout_millis=30_000):
        return True


class Application:
    """Emits numbered records under the service `name`."""

    def __init__(self, exporter, name, batch=100):
        self.tally, self.sent = Tally(exporter), 0
        self._provider = LoggerProvider(resource=Resource({"service.name": name}), shutdown_on_exit=False)
        self._provider.add_log_record_processor(
            BatchLogRecordProcessor(self.tally, schedule_delay_millis=100, max_export_batch_size=batch, max_queue_size=100_000)
        )
        self._logger = self._provider.get_logger("shop.checkout")

    def emit(self, count):
        for _ in range(count):
            self._logger.emit(LogRecord(
                timestamp=time.time_ns(), severity_number=SeverityNumber.WARN, severity_text="WARN", body=f"order {self.sent}",
                attributes={"n": self.sent, "http.request.method": "POST", "items": ["a", "b"], "paid": True},
            ))  # fmt: skip
            self.sent += 1

    def close(self):
        self._provider.shutdown()
        return self.sent, self.tally.acknowledged, self.tally.failed


def exporter(door, ports, *, packed=False, ca=None, token="s3cret"):
    """The exporter for a door, `grpc` or `http`."""
    headers = {"authorization": f"Bearer {token}"}
    if door == "grpc":
        packing = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
        credentials = grpc.ssl_channel_credentials(ca.read_bytes()) if ca else None
        return GrpcExporter(f"localhost:{ports['grpc']}", ca is None, credentials, headers, TIMEOUT, packing)
    session = requests.Session()
    session.trust_env = False  # else a bundle of authorities that the environment names is used in place of ours
    return HttpExporter(f"{'https' if ca else 'http'}://localhost:{ports['http']}/v1/logs", str(ca) if ca else None, headers=headers,
                        timeout=TIMEOUT, session=session, compression=Compression.Gzip if packed else None)  # fmt: skip


def sidecar(folder, tls=None):
    """A sidecar with both doors, and their ports."""
    made = Sidecar(folder)
    ports = {"http": free_port(), "grpc": free_port()}
    common = {"token": "s3cret"} | ({"tls": tls} if tls else {})
    made.config["inputs"] += [{"type": name, "name": f"otlp-{name}", "port": port, **common} for name, port in ports.items()]
    (made.analyzers / "each.py").write_text(EACH)
    return made, ports


def analysed(made, name):
    """The numbers that came through under the service `name`."""
    made.settled()
    found = [one["document"]["message"].split() for one in made.alerts(analyzer="each")]
    return sorted(int(number) for tag, number in found if tag == name)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    made, ports = sidecar(tmp_path_factory.mktemp("plain"))
    made.start()
    yield made, ports, None
    made.stop()


@pytest.fixture(scope="module")
def running_tls(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    made, ports = sidecar(tmp_path_factory.mktemp("tls"), authority.issue("server"))
    made.start()
    yield made, ports, authority.ca
    made.stop()


@pytest.mark.parametrize("packed", [False, True], ids=["as-is", "gzip"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("door", ["grpc", "http"])
def test_sent_is_acknowledged_is_analysed(door, tls, packed, request):
    made, ports, ca = request.getfixturevalue("running_tls" if tls else "running")
    name = f"shop.{door}.{'gzip' if packed else 'plain'}"
    application = Application(exporter(door, ports, packed=packed, ca=ca), name)
    application.emit(COUNT)
    assert application.close() == (COUNT, COUNT, 0)
    assert analysed(made, name) == list(range(COUNT))


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_what_becomes_of_a_record(door, running):
    made, ports, _ = running
    application = Application(exporter(door, ports), f"shop.{door}.one")
    application.emit(1)
    application.close()
    made.settled()
    (alert,) = [one["document"] for one in made.alerts(analyzer="each") if one["document"]["message"] == f"shop.{door}.one 0"]
    record = alert["pluginhost"]["record"]
    assert {name: record[name] for name in record if not name.startswith("telemetry.sdk.")} == {
        "service.name": f"shop.{door}.one", "log.logger": "shop.checkout", "log.level": "warn", "severity_text": "WARN", "n": 0,
        "http.request.method": "POST", "items": ["a", "b"], "paid": True, "message": "order 0",
    }  # fmt: skip
    assert alert["pluginhost"]["source"]["tag"] == f"shop.{door}.one"


def test_a_sidecar_that_comes_late_gets_everything(tmp_path):
    made, ports = sidecar(tmp_path)
    applications = [Application(exporter(door, ports), f"shop.{door}") for door in ports]
    for one in applications:
        one.emit(COUNT)
    time.sleep(0.5)  # the first tries are in vain
    try:
        made.start()
        assert [one.close() for one in applications] == [(COUNT, COUNT, 0)] * 2
        assert [analysed(made, f"shop.{door}") for door in ports] == [list(range(COUNT))] * 2
    finally:
        made.stop()


def test_a_kill_in_the_middle_costs_nothing(tmp_path):
    made, ports = sidecar(tmp_path)
    made.start()
    applications = [Application(exporter(door, ports), f"shop.{door}", batch=10) for door in ports]
    stopping = threading.Event()

    def emit():
        while not stopping.wait(0.01):
            for one in applications:
                one.emit(1)

    emitting = threading.Thread(target=emit)
    emitting.start()
    try:
        until(lambda: min(one.tally.acknowledged for one in applications) > 50, 60, "acknowledgements")
        made.kill()
        made.start()
        stopping.set()
        emitting.join()
        for one, door in zip(applications, ports, strict=True):
            sent, acknowledged, failed = one.close()
            assert (acknowledged, failed) == (sent, 0)
            assert analysed(made, f"shop.{door}") == list(range(sent))
    finally:
        stopping.set()
        emitting.join()
        made.stop()


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_a_wrong_token_is_a_failure_to_the_application(door, running):
    made, ports, _ = running
    application = Application(exporter(door, ports, token="wrong"), f"shop.{door}.stranger")
    application.emit(3)
    assert application.close() == (3, 0, 3)
    assert analysed(made, f"shop.{door}.stranger") == []


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_a_request_that_comes_again_after_a_kill_is_taken_once(door, tmp_path):
    made, ports = sidecar(tmp_path)
    logs = [LogRecordMessage(time_unix_nano=time.time_ns(), attributes=[text("fluent.tag", f"shop.{n % 2}"), text("n", str(n))])
            for n in range(10)]  # fmt: skip
    request = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=logs)])]).SerializeToString()

    def send():
        if door == "http":
            headers = {"authorization": "Bearer s3cret", "content-type": "application/x-protobuf"}
            return requests.post(f"http://127.0.0.1:{ports['http']}/v1/logs", request, headers=headers, timeout=60).status_code
        with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
            call = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
            return call(request, metadata=(("authorization", "Bearer s3cret"),), timeout=60)

    try:
        made.start()
        first = send()
        made.kill()
        made.start()
        assert send() == first == (200 if door == "http" else b"")
        assert made.status()["counts"]["duplicates"]["duplicates"] == 2  # a chunk for each tag
        assert analysed(made, "shop.0") == [0, 2, 4, 6, 8]
        assert analysed(made, "shop.1") == [1, 3, 5, 7, 9]
    finally:
        made.stop()


def text(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value))
