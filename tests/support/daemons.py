"""syslog-ng and rsyslog as Debian packs them, unpacked into a cache: nothing is installed, for the two exclude each other.

A daemon tails a file that the test writes. With `CI` set a machine without apt or without the packages is a failure, else a skip.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from needs import missing, need_command
from search import CACHE

PACKAGES = {"syslog-ng": ("syslog-ng-core", "syslog-ng-mod-http", "syslog-ng-scl"), "rsyslog": ("rsyslog", "rsyslog-elasticsearch")}


def unpacked(name: str) -> Path:
    """The folder that stands for `/` of the daemon: unpacked once, with the libraries that this machine lacks."""
    for command in ("apt-get", "dpkg"):
        need_command(command)
    folder = CACHE / f"daemon-{name}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"daemon-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            _unpack(folder, PACKAGES[name])
    return folder


def _unpack(folder: Path, packages: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    debs = folder / "debs"
    (debs / "partial").mkdir(parents=True)
    if not _download(debs, packages):
        subprocess.run(("apt-get", "-q", "update"), capture_output=True, timeout=120, check=False)
        if not _download(debs, packages):
            missing(f"the packages {', '.join(packages)}")
    for deb in debs.glob("*.deb"):
        subprocess.run(("dpkg", "-x", deb, folder), check=True, timeout=60)
    (folder / ".ready").touch()


def _download(debs: Path, packages: tuple[str, ...]) -> bool:
    """Fetches the packages, and what they need that is not installed; installs nothing."""
    command = ("apt-get", "-q", "-y", "--download-only", "--reinstall", "--no-install-recommends", "-o", "Debug::NoLocking=1",
               "-o", f"Dir::Cache::archives={debs}", "install", *packages)  # fmt: skip
    made = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=180, check=False)
    return made.returncode == 0 and all(any(debs.glob(f"{package}_*.deb")) for package in packages)


class Daemon:
    """One of the two on a folder of its own. `lines` are what it ships: text appended to the file it tails."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.root = name, folder, unpacked(name)
        self.input, self.process = folder / "in.log", None
        folder.mkdir(exist_ok=True)
        self.input.touch()

    def write(self, lines: list[str]) -> None:
        """Appends lines."""
        with self.input.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def start(self, config: str) -> Daemon:
        """Runs with `config`; `{input}` in it is the file, `{share}` where its own configuration lies."""
        (self.folder / "conf").write_text(config.replace("{input}", str(self.input)).replace("{share}", str(self.root / "usr/share")))
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(self._command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, self._libraries()))})  # fmt: skip
        return self

    def stop(self) -> None:
        """Ends it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def said(self) -> str:
        """What it printed."""
        return (self.folder / "out").read_text(errors="replace")

    def _command(self) -> list[str]:
        binary = str(next(self.root.glob(f"usr/sbin/{'syslog-ng' if self.name == 'syslog-ng' else 'rsyslogd'}")))
        here = self.folder
        if self.name == "rsyslog":
            modules = next(self.root.glob("usr/lib/*/rsyslog"))
            return [binary, "-n", "-f", f"{here}/conf", "-i", f"{here}/pid", "-M", str(modules)]
        modules = next(path for path in self.root.glob("usr/lib/**/libhttp.so")).parent
        return [binary, "-F", "--no-caps", "--stderr", "-f", f"{here}/conf", "-R", f"{here}/persist", "-p", f"{here}/pid", "-c",
                f"{here}/ctl", f"--module-path={modules}"]  # fmt: skip

    def _libraries(self) -> list[Path]:
        return sorted({library.parent for pattern in ("lib/**/*.so*", "usr/lib/**/lib*.so*") for library in self.root.glob(pattern)})
