"""The HTTP door held against its own OpenAPI document, by a client that makes up requests: a real sidecar answers all of them."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from sidecars import Sidecar

TOKEN = "sesame"
ANALYZER = """\
from pluginhost import Alert, analyzer


@analyzer()
def marks(event):
    if len(event.raw) % 3 == 0:
        return Alert("high", "a third of all", action="deny")
"""
CHECKS = [not_a_server_error, content_type_conformance, ignored_auth, missing_required_header, response_headers_conformance,
          response_schema_conformance, status_code_conformance, unsupported_method]  # fmt: skip
# Not among them: `negative_data_rejection`. A body that is good in part is taken in part.


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    one = Sidecar(tmp_path_factory.mktemp("openapi"))
    one.config["inputs"] = [{"type": "http", "port": one.http, "token": TOKEN}]
    (one.analyzers / "marks.py").write_text(ANALYZER)
    one.start()
    yield one
    assert one.stop() == 0
    assert "Traceback" not in one.log()


@pytest.fixture
def document(sidecar):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{sidecar.http}/v1/openapi.json")


schema = schemathesis.pytest.from_fixture("document")
STATUSES: dict[str, set[int]] = {}


@schema.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
          suppress_health_check=list(HealthCheck))  # fmt: skip
def test_every_answer_is_as_the_document_says(case):
    answer = case.call_and_validate(headers={"X-Api-Key": TOKEN}, checks=CHECKS)
    STATUSES.setdefault(f"{case.method} {case.operation.path}", set()).add(answer.status_code)


def test_the_requests_were_of_all_kinds():
    assert set(STATUSES) == {f"{method} {path}" for path in ("/v1/ingest", "/v1/ingest/{tag}", "/v1/analyze") for method in ("GET", "POST")}
    assert {200, 422} <= STATUSES["POST /v1/ingest"]
    assert {200, 204} <= STATUSES["POST /v1/analyze"]
