"""Real brokers for the tests: Kafka from Maven Central, RabbitMQ from Debian's packages, which are unpacked into a cache and not installed.

Loopback only, one node each, in a folder of its own. `start()` again is a restart on the same data and port, `kill9()` a lost machine.
Holds no client code and no assertions. What a sidecar took of them is read from its journal (`taken`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from certificates import Authority
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from needs import missing, need_command
from search import CACHE, HERE, free_ports, java_home

from pluginhost.store.journal import Journal
from pluginhost.store.row import Kind
from pluginhost.wire.chunk import Columns
from pluginhost.wire.records import decode

__all__ = ["KAFKA_USER", "Kafka", "Rabbit", "Server", "taken"]

KAFKA_USER = {"username": "sidecar", "password": "pw-for-tests"}
_DEBIAN = ("rabbitmq-server", *(f"erlang-{name}" for name in (
    "base", "asn1", "crypto", "public-key", "mnesia", "runtime-tools", "ssl", "eldap", "inets", "os-mon", "parsetools", "syntax-tools",
    "tools", "xmerl",
)))  # fmt: skip


class Server:
    """A child process in a session of its own that listens on the loopback port `port`."""

    def __init__(self, run: Path, port: int, command: list[str], env: dict[str, str]) -> None:
        self.run, self.port, self.command, self.env = run, port, command, env
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, timeout: float = 120.0) -> Server:
        """The server once it answers."""
        with (self.run / "stdout.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.run, env=self.env, start_new_session=True, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)  # fmt: skip
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            if self._listens() and self._ready():
                return self
            time.sleep(0.05)
        tail = (self.run / "stdout.log").read_text(errors="replace")[-3000:]
        self.kill9()
        raise RuntimeError(f"{self.command[0]} did not start:\n{tail}")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _ready(self) -> bool:
        return True

    def _end(self, sign: int, timeout: float) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, sign)
            self.process.wait(timeout)

    def kill9(self) -> None:
        self._end(signal.SIGKILL, 10)

    def stop(self) -> None:
        try:
            self._end(signal.SIGTERM, 30)
        except subprocess.TimeoutExpired:
            self.kill9()


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder in the cache that `make` fills: once, safe under parallel test runs."""
    out = CACHE / name
    if not (out / ".ready").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (out / ".ready").exists():
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                make(out)
                (out / ".ready").touch()
    return out


class Kafka(Server):
    """Broker and controller in one (KRaft), with a second listener at `tls_port` for users who know the password (SASL_SSL)."""

    def __init__(self, run: Path, authority: Authority) -> None:
        home, lib = java_home(), _once("kafka", _fetch_kafka)
        java = [f"{home}/bin/java", "-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{lib}/*"]  # fmt: skip
        port, controller, self.tls_port = free_ports(3)
        properties, pair = run / "server.properties", authority.issue("broker")
        (run / "keystore.pem").write_text(_pkcs8(Path(pair["key"])) + Path(pair["cert"]).read_text())
        properties.write_text(_PROPERTIES.format(port=port, controller=controller, tls=self.tls_port, run=run, **KAFKA_USER))
        env = {"PATH": "/usr/bin:/bin", "HOME": str(run), "LANG": "C.UTF-8"}
        super().__init__(run, port, [*java, "kafka.Kafka", str(properties)], env)
        form = [*java, "kafka.tools.StorageTool", "format", "-t", "cGx1Z2luaG9zdC10ZXN0cw", "-c", str(properties), "--add-scram",
                "SCRAM-SHA-512=[name={username},password={password}]".format(**KAFKA_USER)]  # fmt: skip
        subprocess.run(form, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=env)


def _fetch_kafka(out: Path) -> None:
    subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "-P", "kafka", "dependency:copy-dependencies", f"-DoutputDirectory={out}"],
                   check=True, stdin=subprocess.DEVNULL)  # fmt: skip


_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{username}="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={run}/keystore.pem
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={run}/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=true
"""


def _pkcs8(key: Path) -> str:
    """The key as Java wants it."""
    made = load_pem_private_key(key.read_bytes(), None)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Rabbit(Server):
    """A node without plugins and without an account of its own, also with TLS at `tls_port`.

    Its port mapper is our child as well, or it would stay for ever.
    """

    def __init__(self, run: Path, authority: Authority) -> None:
        root = _once("rabbitmq", _fetch_rabbit)
        port, dist, mapper, self.tls_port = free_ports(4)
        secured = f'{{ssl_listeners,[{{"127.0.0.1",{self.tls_port}}}]}},{{ssl_options,[{_options(authority)}]}},'
        (run / "advanced.config").write_text(
            f'[{{rabbit,[{{tcp_listeners,[{{"127.0.0.1",{port}}}]}},{secured}{{loopback_users,[]}},'
            "{log,[{console,[{enabled,true},{level,warning}]},{file,[{file,false}]}]}]},"
            "{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}].\n"
        )
        (run / "rabbitmq.conf").touch()
        (run / "enabled_plugins").write_text("[].\n")
        self._pidfile, self._erlang = run / "server.pid", root / "usr/lib/erlang/bin"
        self._mapper: subprocess.Popen[bytes] | None = None
        env = {"HOME": str(run), "LANG": "C.UTF-8", "PATH": f"{self._erlang}:/usr/sbin:/usr/bin:/sbin:/bin",
               "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(mapper),
               "RABBITMQ_NODENAME": f"ph{port}@localhost", "RABBITMQ_DIST_PORT": str(dist),
               "RABBITMQ_MNESIA_BASE": f"{run}/mnesia", "RABBITMQ_LOG_BASE": f"{run}/log", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
               "RABBITMQ_ADVANCED_CONFIG_FILE": f"{run}/advanced.config", "RABBITMQ_CONFIG_FILE": f"{run}/rabbitmq.conf",
               "RABBITMQ_ENABLED_PLUGINS_FILE": f"{run}/enabled_plugins", "RABBITMQ_PID_FILE": str(self._pidfile),
               "RABBITMQ_GENERATED_CONFIG_DIR": f"{run}/gen"}  # fmt: skip
        (server,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")
        super().__init__(run, port, [str(server)], env)

    def start(self, timeout: float = 120.0) -> Server:
        """The server once it answers."""
        self._pidfile.unlink(missing_ok=True)
        if self._mapper is None:
            self._mapper = subprocess.Popen([self._erlang / "epmd"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return super().start(timeout)

    def _ready(self) -> bool:
        return self._pidfile.exists() and bool(self._pidfile.read_text().strip())

    def stop(self) -> None:
        super().stop()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(10)
            self._mapper = None


def _options(authority: Authority) -> str:
    pair = authority.issue("broker")
    return f'{{cacertfile,"{authority.ca}"}},{{certfile,"{pair["cert"]}"}},{{keyfile,"{pair["key"]}"}},{{verify,verify_none}}'


def _fetch_rabbit(out: Path) -> None:
    """Debian's server and the parts of Erlang it needs. What starts Erlang has its place written in, and is told the other one."""
    need_command("apt-get")
    got = subprocess.run(["apt-get", "-q", "download", *_DEBIAN], cwd=out, capture_output=True, check=False)
    packages = list(out.glob("*.deb"))
    if len(packages) < len(_DEBIAN):
        missing(f"RabbitMQ (make system): {got.stderr.decode().strip()[-200:]}")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, out], check=True)
        package.unlink()
    starter = out / "usr/lib/erlang/bin/erl"
    starter.write_text(starter.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={out}/usr/lib/erlang"))


def taken(sidecar, field: str = "n") -> list[object]:
    """`field` of every record in the journal of a sidecar that does not run, in order."""
    journal = Journal(sidecar.data / "journal", clock=lambda: 0)
    try:
        found = []
        for row in journal.read(journal.start):
            if row.kind == Kind.RECORDS:
                columns = Columns.unpack(row.columns)
                found += [decode(row.codec, row.body[start:end])[field] for start, end in zip(columns.starts, columns.ends, strict=True)]
        return found
    finally:
        journal.close()
