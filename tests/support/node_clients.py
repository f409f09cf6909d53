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
    """The folder that holds `send.js` and the modules it needs."""
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
        if not (folder / "send.js").exists() or (folder / "send.js").read_text() != (SOURCE / "send.js").read_text():
            shutil.copy(SOURCE / "send.js", folder)
    return folder


def send(port: int, count: int, mode: str, *more: str) -> dict[str, Any]:
    """What `send.js` says it sent and how much of it was acked."""
    command = ["node", str(node_folder() / "send.js"), str(port), str(count), mode, *more]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said: dict[str, Any] = json.loads(made.stdout)
    return said
