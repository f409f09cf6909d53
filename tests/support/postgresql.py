"""A real PostgreSQL for the tests: the machine's, or Debian's packages unpacked into a cache. Nothing is installed, no service starts.

Loopback only, its own data folder and a free port. Holds no assertions.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from needs import missing, need_command
from search import CACHE, NOBODY, end_group, free_ports

__all__ = ["PostgresServer", "postgres_home"]


def postgres_home() -> Path:
    """The newest server's folder, with `bin` in it."""
    kept = CACHE / "postgresql"
    return _newest(Path("/")) or _newest(kept) or _fetched(kept)


def _newest(root: Path) -> Path | None:
    found = [binary.parents[1] for binary in root.glob("usr/lib/postgresql/*/bin/initdb")]
    return max(found, key=lambda home: int(home.name), default=None)


def _fetched(kept: Path) -> Path:
    need_command("apt-get")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home := _newest(kept)):
            with tempfile.TemporaryDirectory() as folder:
                _download(Path(folder))
                new = Path(folder, "root")
                for package in Path(folder).glob("*.deb"):
                    subprocess.run(["dpkg-deb", "-x", package, new], check=True)
                if _newest(new) is None:
                    missing("PostgreSQL (make system)")
                subprocess.run(["chmod", "-R", "a+rX", new], check=True)
                shutil.move(new, kept)
            home = _newest(kept)
    assert home
    return home


def _download(folder: Path) -> None:
    """The server's package and those it needs and the machine does not have."""
    (folder / "partial").mkdir()
    options = ["-o", f"Dir::Cache::archives={folder}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]
    got = subprocess.run(["apt-get", "-q", "-y", "-d", "--no-install-recommends", *options, "install", "postgresql"],
                         stdin=subprocess.DEVNULL, capture_output=True, check=False)  # fmt: skip
    if got.returncode:
        missing(f"PostgreSQL (make system): {got.stderr.decode().strip()[-200:]}")


class PostgresServer:
    """One server; its superuser is postgres. `start()` again is a restart on the same data and port. `run` must be open to others."""

    def __init__(self, run: Path) -> None:
        self.run, self.home = run, postgres_home()
        (self.port,) = free_ports()
        self.proc: subprocess.Popen[bytes] | None = None
        root = self.home.parents[3]
        self._env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(run)}
        if root != Path("/"):
            libraries = [str(folder) for part in ("usr/lib", "lib") for folder in root.glob(f"{part}/*-linux-gnu")]
            self._env["LD_LIBRARY_PATH"] = ":".join(libraries)
        self._who: dict[str, Any] = {}
        if os.getuid() == 0:  # it refuses to run as root
            self._who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            shutil.chown(run, NOBODY, NOBODY)
        self._call("initdb", "-D", f"{run}/data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "-L", self._shared(root))

    def _shared(self, root: Path) -> str:
        return str(root / "usr/share/postgresql" / self.home.name)

    def _call(self, name: str, *arguments: str) -> None:
        command = [self.home / "bin" / name, *arguments]
        made = subprocess.run(command, env=self._env, cwd=self.run, capture_output=True, check=False, **self._who)
        assert made.returncode == 0, made.stderr.decode()

    def rules(self, *lines: str) -> None:
        """Writes who is let in, first rule first; the superuser always is. Holds from the next start or `reload`."""
        text = "\n".join(["host all postgres 127.0.0.1/32 trust", *lines, ""])
        (self.run / "data" / "pg_hba.conf").write_text(text)

    def start(self, timeout: float = 60.0, **settings: str) -> PostgresServer:
        """The server once it answers."""
        given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.run), "max_connections": "30", **settings}
        flags = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with (self.run / "stdout.log").open("ab") as log:
                command = [self.home / "bin" / "postgres", "-D", f"{self.run}/data", "-p", str(self.port), *flags]
                self.proc = subprocess.Popen(command, cwd=self.run, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             start_new_session=True, **self._who)  # fmt: skip
            while time.monotonic() < end and self.proc.poll() is None:
                if self._answers():
                    return self
                time.sleep(0.05)
            time.sleep(0.2)  # what a killed server left behind still holds its memory: try again
        self.kill9()
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.run / 'stdout.log').read_text(errors='replace')[-3000:]}")

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the superuser is answered."""
        with self.connect() as connection:
            made = connection.execute(statement, values)
            return made.fetchall() if made.description else []

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of the superuser's."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True, connect_timeout=5)

    def reload(self) -> None:
        """Makes the server read its rules again."""
        self.sql("select pg_reload_conf()")

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.Error:
            return False
        return True

    def kill9(self) -> None:
        """The server and all its children at once, as a lost machine would be seen."""
        if self.proc:
            end_group(self.proc)

    def stop(self) -> None:
        """An orderly end that waits for no client."""
        if self.proc and self.proc.poll() is None:
            os.kill(self.proc.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.proc.wait(30)
            self.kill9()
