"""The Node clients, installed once into a cache outside the repository. With `CI` set a missing node is a failure, else a skip."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from needs import missing

SOURCE = Path(__file__).parents[1] / "clients" / "node"
CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
_INSTALL = ("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


def node_folder() -> Path:
    """The folder that holds the scripts and the modules they need."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm")
    folder = CACHE / "node-clients"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (SOURCE / "package.json").read_text()
        done = folder / ".installed"
        if not done.exists() or done.read_text() != wanted:
            shutil.copy(SOURCE / "package.json", folder)
            made = subprocess.run(_INSTALL, cwd=folder, capture_output=True, text=True, timeout=150, check=False)
            if made.returncode:
                missing(f"the Node clients; npm install failed: {made.stderr[-500:]}")
            done.write_text(wanted)
        for script in SOURCE.glob("*.js"):
            if not (folder / script.name).exists() or (folder / script.name).read_text() != script.read_text():
                shutil.copy(script, folder)
    return folder


def send(port: int, count: int, mode: str, *more: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """What `send.js` says it sent and how much of it was acked. `options` are more of the client's own."""
    command = ["node", str(node_folder() / "send.js"), str(port), str(count), mode, *more]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True,
                          env={**os.environ, "FLUENT": json.dumps(options or {})})  # fmt: skip
    said: dict[str, Any] = json.loads(made.stdout)
    return said
