"""The HTTP door held against its own OpenAPI document, by a client that makes up requests: a real sidecar answers all of them."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
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
    one.config["inputs"][1]["token"] = TOKEN
    (one.analyzers / "marks.py").write_text(ANALYZER)
    one.start()
    yield one
    assert one.stop() == 0
    assert "Traceback" not in one.log()


PATHS = ("/v1/ingest", "/v1/ingest/{tag}", "/v1/analyze")


@pytest.fixture(scope="module")
def document(sidecar):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{sidecar.http}/v1/openapi.json")


def test_the_document_tells_of_these_paths(document):
    labels = {found.ok().label for found in document.get_all_operations()}
    assert labels == {f"{method} {path}" for path in PATHS for method in ("GET", "POST")}


@pytest.mark.parametrize(("path", "method", "mode", "statuses"), [
    *((path, "GET", GenerationMode.POSITIVE, {200}) for path in PATHS),
    ("/v1/ingest", "POST", GenerationMode.POSITIVE, {200}), ("/v1/ingest", "POST", GenerationMode.NEGATIVE, {200, 422}),
    ("/v1/ingest/{tag}", "POST", GenerationMode.POSITIVE, {200}), ("/v1/ingest/{tag}", "POST", GenerationMode.NEGATIVE, {200, 422}),
    ("/v1/analyze", "POST", GenerationMode.POSITIVE, {200, 204}), ("/v1/analyze", "POST", GenerationMode.NEGATIVE, {200, 204, 422}),
])  # fmt: skip
def test_every_answer_is_as_the_document_says(document, path, method, mode, statuses):
    seen = set()

    @settings(max_examples=100, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def hold(case):
        seen.add(case.call_and_validate(headers={"X-Api-Key": TOKEN}, checks=CHECKS).status_code)

    hold()
    assert seen == statuses
