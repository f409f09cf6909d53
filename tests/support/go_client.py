"""Go programs that hold real forward clients, built once into a cache outside the repository, by the module proxy."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from needs import need, need_command

__all__ = ["go_client"]

CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
FOLDERS = {"go": "go-client", "golog": "go-logger"}


def go_client(name: str = "go") -> Path:
    """The program of `NAME/main.go`: `go` holds IBM's client, `golog` Fluentd's own logger."""
    need_command("go")
    source, folder = Path(__file__).parent / name, CACHE / FOLDERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = b"".join(path.read_bytes() for path in sorted(source.iterdir()))
    built, done = folder / "forward", folder / ".built"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists() or not done.exists() or done.read_bytes() != wanted:
            for path in source.iterdir():
                shutil.copy(path, folder)
            made = subprocess.run(["go", "build", "-o", built, "."], cwd=folder, capture_output=True, text=True, timeout=170, check=False)
            need(f"the Go client; go build failed: {made.stderr[-500:]}", made.returncode == 0)
            done.write_bytes(wanted)
    return built
