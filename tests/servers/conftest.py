"""Real servers as fixtures. Each is started once a session, in its own folder, and ended whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokers import Kafka, Rabbit, Server
from certificates import Authority
from needs import need
from postgresql import PostgresServer
from search import CACHE, SearchServer, fetch_java, free_ports, java_home, unpacked


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Callable[[str], Path]]:
    """Makes a folder for a server. Not tmp_path: that is 0700, and the servers do not run as root."""
    made: list[Path] = []

    def make(name: str) -> Path:
        made.append(Path(tempfile.mkdtemp(prefix=f"ph-{name}-", dir="/var/tmp")))
        made[-1].chmod(0o711)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def _running(server: SearchServer) -> Iterator[SearchServer]:
    try:  # a failed start must not leave a JVM behind
        yield server.start()
    finally:
        server.stop()


def _need_java(kind: str = "es8") -> None:
    if kind == "os3":
        fetch_java()
    need("a JDK 17 or newer" if kind == "es8" else "Java 21 or newer", java_home(kind))
    need("mvn", shutil.which("mvn") or unpacked(kind))


@pytest.fixture(scope="session")
def elasticsearch(run_dir: Callable[[str], Path]) -> Iterator[SearchServer]:
    """Elasticsearch 8 without security. A test that kills it starts it again."""
    _need_java()
    yield from _running(SearchServer(run_dir("es8")))


@pytest.fixture(scope="session")
def elasticsearch9(run_dir: Callable[[str], Path]) -> Iterator[SearchServer]:
    """Elasticsearch 9 without security, where the machine has a whole JDK for it: no package index has one, a runtime will not do."""
    if java_home("es9") is None:
        pytest.skip("runs where a JDK 21 or newer is present")
    _need_java("es9")
    yield from _running(SearchServer(run_dir("es9"), kind="es9"))


@pytest.fixture(scope="session")
def opensearch(run_dir: Callable[[str], Path]) -> Iterator[SearchServer]:
    """OpenSearch 3; its security plugin is not on Maven. A test that kills it starts it again."""
    _need_java("os3")
    yield from _running(SearchServer(run_dir("os3"), kind="os3"))


@pytest.fixture(scope="session")
def postgresql(run_dir: Callable[[str], Path]) -> Iterator[PostgresServer]:
    """PostgreSQL with a database for everybody. A test that kills it starts it again."""
    server = PostgresServer(run_dir("postgresql"))
    try:
        yield server.start()
    finally:
        server.stop()


_OTHERS = [pytest.param(one, marks=pytest.mark.xdist_group(one)) for one in ("elasticsearch9", "opensearch")]


@pytest.fixture(params=["elasticsearch", *_OTHERS])
def cluster(request: pytest.FixtureRequest) -> SearchServer:
    """Each of them."""
    server: SearchServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def elasticsearch_url(elasticsearch: SearchServer) -> str:
    return elasticsearch.url


_GUARDED = """\
xpack.security.enabled: true
xpack.security.http.ssl.enabled: false
xpack.security.transport.ssl.enabled: false
xpack.security.authc.api_key.enabled: true
http.max_content_length: 1mb
thread_pool.write.size: 1
thread_pool.write.queue_size: 1
action.auto_create_index: "logs-*,-logs-forbidden*"
"""


@pytest.fixture(scope="session")
def guarded(run_dir: Callable[[str], Path]) -> Iterator[SearchServer]:
    """Elasticsearch 8 with every limit set low: user admin / pw-for-tests, bodies of 1 MB, a write queue of one."""
    _need_java()
    files = {"users": "admin:$2a$04$abcdefghijklmnopqrstuuo5JMiwqercYwtReMmi9hsdNoYbvyO3C\n", "users_roles": "superuser:admin\n"}
    yield from _running(SearchServer(run_dir("es8-guarded"), _GUARDED, files))


_SECURED = """\
xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: server.key
xpack.security.http.ssl.certificate: server.crt
xpack.security.transport.ssl.enabled: false
xpack.security.authc.api_key.enabled: true
"""


@pytest.fixture(scope="session")
def secured(run_dir: Callable[[str], Path]) -> Iterator[SearchServer]:
    """Elasticsearch 8 as it is in earnest: TLS by an authority of its own (`tls/ca.pem` in its folder), user admin / pw-for-tests."""
    _need_java()
    run = run_dir("es8-secured")
    pair = Authority(run / "tls").issue("server")
    files = {"users": "admin:$2a$04$abcdefghijklmnopqrstuuo5JMiwqercYwtReMmi9hsdNoYbvyO3C\n", "users_roles": "superuser:admin\n",
             "server.crt": Path(pair["cert"]).read_text(), "server.key": Path(pair["key"]).read_text()}  # fmt: skip
    yield from _running(SearchServer(run, _SECURED, files))


def _served(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def kafka(run_dir: Callable[[str], Path]) -> Iterator[Kafka]:
    """Kafka, also with TLS and passwords. A test that kills it starts it again."""
    need("a JDK 17 or newer", java_home())
    need("mvn", shutil.which("mvn") or (CACHE / "kafka" / ".ready").exists())
    run = run_dir("kafka")
    yield from _served(Kafka(run, Authority(run / "tls")))


@pytest.fixture(scope="session")
def rabbit(run_dir: Callable[[str], Path]) -> Iterator[Rabbit]:
    """RabbitMQ, also with TLS. A test that kills it starts it again."""
    run = run_dir("rabbitmq")
    yield from _served(Rabbit(run, Authority(run / "tls")))


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    return free_ports()[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All are marked as what they are; parallel runs keep those of a server in one process, so that it is started once."""
    for item in items:
        if item.path.parent != Path(__file__).parent:
            continue
        item.add_marker(pytest.mark.servers)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("servers"))
