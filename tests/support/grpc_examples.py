"""The examples of `examples/grpc`, made ready as their README says, in a cache outside the repository; each as the command that runs it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from needs import need, need_command

__all__ = ["COMMANDS"]

ROOT = Path(__file__).parents[2]
SOURCE, PROTOS = ROOT / "examples" / "grpc", ROOT / "protos"
CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
_GENERATORS = ("google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6", "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1")
_NPM = ("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
Command = tuple[list[str], dict[str, str]]


def python(folder: Path) -> Command:
    """The client, its modules generated in `folder`."""
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", PROTOS / "pluginhost/v1", f"--python_out={folder}",
               f"--grpc_python_out={folder}", "ingest.proto"]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    shutil.copy(SOURCE / "python/client.py", folder)
    return [sys.executable, str(folder / "client.py")], {}


def go(_: Path) -> Command:
    """The client, built once."""
    need_command("go")
    sources = [*sorted((SOURCE / "go").iterdir()), PROTOS / "pluginhost/v1/ingest.proto"]

    def build(folder: Path) -> None:
        for one in (SOURCE / "go").iterdir():
            shutil.copy(one, folder)
        for one in _GENERATORS:
            _run("the Go example; go install", ["go", "install", one], folder, GOBIN=str(folder / "bin"))
        plugins = [f"--plugin={name}={folder}/bin/{name}" for name in ("protoc-gen-go", "protoc-gen-go-grpc")]
        protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTOS), *plugins]
        _run("the Go example; protoc", [*protoc, "--go_out=.", "--go-grpc_out=.", "pluginhost/v1/ingest.proto"], folder)
        _run("the Go example; go build", ["go", "build", "-o", "client", "."], folder)

    return [str(_cached("grpc-go", sources, build) / "client")], {}


def node(_: Path) -> Command:
    """The client, its modules installed once."""
    need_command("node")
    need_command("npm")

    def install(folder: Path) -> None:
        shutil.copy(SOURCE / "node/package.json", folder)
        _run("the Node example; npm install", list(_NPM), folder)

    folder = _cached("grpc-node", [SOURCE / "node/package.json"], install)
    return ["node", str(SOURCE / "node/client.js")], {"NODE_PATH": str(folder / "node_modules")}


COMMANDS: dict[str, Callable[[Path], Command]] = {"python": python, "go": go, "node": node}


def _cached(name: str, sources: list[Path], make: Callable[[Path], None]) -> Path:
    """A folder in which `make` was run with `sources` as they are now."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    wanted, done = b"\0".join(path.read_bytes() for path in sources), folder / ".made"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_bytes() != wanted:
            make(folder)
            done.write_bytes(wanted)
    return folder


def _run(what: str, command: list[str], folder: Path, **environment: str) -> None:
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=170, check=False, env={**os.environ, **environment})
    need(f"{what} failed: {made.stderr[-500:]}", made.returncode == 0)
