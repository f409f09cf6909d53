"""Prometheus' own `promtool`: the machine's, or the one in Debian's package, which is unpacked into a cache and not installed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from needs import missing, need_command
from search import CACHE

__all__ = ["promtool"]


def promtool(*arguments, text=""):
    """Runs it; (status, what it says)."""
    ended = subprocess.run([_found(), *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def _found():
    if there := shutil.which("promtool"):
        return there
    kept = CACHE / "promtool"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "promtool.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                _fetch(kept)
    return str(kept)


def _fetch(to):
    need_command("apt-get")
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=folder, capture_output=True, check=False)
        package = next(Path(folder).glob("prometheus_*.deb"), None)
        if package is None:
            missing(f"promtool (make system): {got.stderr.decode().strip()[-200:]}")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        shutil.move(Path(folder, "usr/bin/promtool"), to.with_suffix(".new"))
    to.with_suffix(".new").rename(to)
