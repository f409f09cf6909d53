"""A real Elasticsearch for the tests, from the zip its makers publish on Maven Central.

Loopback only, one node, its own data folder and free ports. Holds no client code and no assertions.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["CACHE", "SearchServer", "distribution", "free_ports", "java_home"]

HERE = Path(__file__).resolve().parent
NOBODY = 65534
CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
PROFILE, HOME, LEAST_JAVA = "es8", "elasticsearch-8.19.21", 17


def java_home() -> str | None:
    """The oldest full JDK on the machine that is new enough, or None."""
    homes = [os.environ.get("JAVA_HOME"), *map(str, sorted(Path("/usr/lib/jvm").glob("*/")))]
    fit = []
    for home in filter(None, homes):
        if Path(home, "bin", "javac").exists():
            asked = [f"{home}/bin/java", "-XshowSettings:properties", "-version"]
            shown = subprocess.run(asked, capture_output=True, text=True, check=True)
            version = int(shown.stderr.split("java.specification.version = ")[1].split()[0].split(".")[-1])
            if version >= LEAST_JAVA:
                fit.append((version, home))
    return min(fit)[1] if fit else None


def distribution() -> Path:
    """The unpacked server: once, in a cache that a non-root account can read, safe under parallel test runs."""
    out = CACHE / PROFILE
    if (out / ".ready").exists():
        return out / HOME
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{PROFILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / ".ready").exists():
            _unpack(out)
    return out / HOME


def _unpack(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    # Without markersDirectory the marker lies in target/, and a deleted folder is silently not unpacked again.
    subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "-P", PROFILE, "dependency:unpack-dependencies",
                    f"-DoutputDirectory={out}", f"-DmarkersDirectory={out}/.markers"], check=True, stdin=subprocess.DEVNULL)  # fmt: skip
    _add_root_plugin(out / HOME)
    CACHE.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", out], check=True)
    (out / ".ready").touch()


def _add_root_plugin(dist: Path) -> None:
    """`GET /`, which this distribution leaves out and the official client asks for."""
    jdk, plugin = java_home(), dist / "plugins" / "pluginhost-test-root"
    plugin.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run([f"{jdk}/bin/javac", "--release", "17", "-nowarn", "-proc:none", "-cp", f"{dist}/lib/*",
                        "-d", classes, HERE / "RootPlugin.java"], check=True)  # fmt: skip
        subprocess.run([f"{jdk}/bin/jar", "cf", plugin / "root.jar", "-C", classes, "."], check=True)
    (plugin / "plugin-descriptor.properties").write_text(
        f"name=pluginhost-test-root\ndescription=GET / (tests only)\nversion=1\nelasticsearch.version={dist.name.split('-')[1]}\n"
        "java.version=17\nclassname=pluginhost.testenv.RootPlugin\n"
    )


def free_ports(count: int = 1) -> list[int]:
    """Distinct ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


class SearchServer:
    """One node. `run` must be reachable for a non-root account: not pytest's tmp_path, which is 0700.

    `extra` is added to the server's yml, `files` are laid into its config folder. `start()` again is a restart on
    the same data and the same port.
    """

    def __init__(self, run: Path, extra: str = "", files: dict[str, str] | None = None) -> None:
        self.run, self.extra, self.files = run, extra, files or {}
        self.dist = distribution()
        self.port, self.transport_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
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
        if "xpack.security.enabled" not in self.extra:
            yml.append("xpack.security.enabled: false")
        (conf / "elasticsearch.yml").write_text("\n".join([*yml, self.extra, ""]))
        (conf / "jvm.options").write_text(
            f"-Xms512m\n-Xmx512m\n-XX:+UseSerialGC\n-XX:TieredStopAtLevel=1\n-XX:+ExitOnOutOfMemoryError\n-Djava.io.tmpdir={tmp}\n"
        )
        for name, text in self.files.items():
            (conf / name).write_text(text)
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.run), "LANG": "C.UTF-8", "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
                "ES_JAVA_HOME": java_home() or "", "ES_PATH_CONF": str(conf), "ES_TMPDIR": str(tmp)}  # fmt: skip

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
            self.proc = subprocess.Popen([self.dist / "bin" / "elasticsearch", "-p", pidfile], env=env, cwd=self.run,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **who)  # fmt: skip
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.proc.poll() is None:
            if self._answers():
                self.pid = int(pidfile.read_text())  # read now: the server removes it early on its way out
                return self
            time.sleep(0.1)
        tail = (self.run / "stdout.log").read_text(errors="replace")[-3000:]
        self.kill9()
        raise RuntimeError(f"Elasticsearch did not start:\n{tail}")

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=2s", timeout=4).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True

    def kill9(self) -> None:
        """The server and its launcher at once, as a lost machine would be seen."""
        if self.proc:
            if self.proc.poll() is None:
                os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait(10)
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
