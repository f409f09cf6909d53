"""syslog-ng, a real daemon: `http()` in each of its forms, and `elasticsearch-http()`, through the whole sidecar."""

from __future__ import annotations

import pytest
from daemons import Daemon, unpacked
from sidecars import Sidecar
from tally import Tally

COUNT = 400
CONFIG = """@version: 3.35
@include "{share}/syslog-ng/include/scl/elasticsearch/elastic-http.conf"
options { stats-freq(0); time-reopen(1); keep-hostname(yes); };
source s { file("{input}" follow-freq(0.1) flags(no-parse) persist-name("in")); };
destination d { %s };
log { source(s); destination(d); };
"""
INGEST = 'http(url("http://127.0.0.1:{port}/v1/ingest/app") method("POST") timeout(10) persist-name("d") '
JSON = 'body("$(format-json --scope rfc5424 --key ISODATE)")'
FORMS = {
    "one by one": INGEST + f'{JSON} headers("Content-Type: application/json"));',
    "an array": INGEST + f'{JSON} batch-lines(50) batch-timeout(200) delimiter(",") body-prefix("[") body-suffix("]") '
    'headers("Content-Type: application/json"));',
    "lines": INGEST + f"{JSON} batch-lines(50) batch-timeout(200) workers(4));",
    "text": INGEST + 'body("${MESSAGE}") batch-lines(50) batch-timeout(200) headers("Content-Type: text/plain"));',
    "elasticsearch-http": 'elasticsearch-http(url("http://127.0.0.1:{port}/_bulk") index("app") type("") batch_lines(50) '
    'batch-timeout(200) workers(2) persist-name("d"));',
    "splunk": 'http(url("http://127.0.0.1:{port}/services/collector/event") batch-lines(50) batch-timeout(200) persist-name("d") '
    'headers("Authorization: Splunk s3cret") body(\'$(format-json time=double(${S_UNIXTIME}) event=${MESSAGE} sourcetype=app)\'));',
}


@pytest.fixture
def daemon(tmp_path):
    unpacked("syslog-ng")
    made = Daemon("syslog-ng", tmp_path / "daemon")
    yield made
    made.stop()


@pytest.fixture
def one(sidecar):
    made = sidecar()
    made.tally = Tally(made)
    return made


def lines(start, stop):
    return [f"seq={n}; root logged in" for n in range(start, stop)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One sidecar for all forms."""
    made = Sidecar(tmp_path_factory.mktemp("sidecar"))
    made.tally = Tally(made)
    yield made.start()
    made.kill()


@pytest.mark.xdist_group("syslog-ng")
@pytest.mark.parametrize("form", FORMS)
def test_every_line_arrives_once(shared, daemon, form):
    before, first = shared.tally.received(), list(FORMS).index(form) * COUNT
    daemon.write(lines(first, first + COUNT))
    daemon.start(CONFIG % FORMS[form].replace("{port}", str(shared.http)))
    shared.tally.wait(range(first, first + COUNT))
    assert shared.tally.received() - before == COUNT, daemon.said()


@pytest.mark.parametrize("form", ["an array", "elasticsearch-http"])
def test_a_sidecar_that_is_killed_in_the_middle_loses_nothing(one, daemon, form):
    daemon.write(lines(0, 2 * COUNT))
    daemon.start(CONFIG % FORMS[form].replace("{port}", str(one.start().http)))
    one.tally.wait(range(50))
    one.kill()
    daemon.write(lines(2 * COUNT, 3 * COUNT))  # nobody is there
    one.start()
    one.tally.wait(range(3 * COUNT))
    assert one.tally.seen() == set(range(3 * COUNT)), daemon.said()
