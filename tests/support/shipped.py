"""A shipped pluginhost.yaml as it stands, for a real sidecar: only its ports, its folders and its addresses are the test's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from needs import need_command
from sidecars import Sidecar, free_port

__all__ = ["ROOT", "SECRETS", "TLS", "active", "certificates", "printed", "run_shipped", "variables"]

ROOT = Path(__file__).parents[2]
TLS = "/etc/pluginhost/tls"
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)\}")

SECRETS = {
    "PLUGINHOST_TOKEN": "t0ken", "PLUGINHOST_SHARED_KEY": "sh4red", "PLUGINHOST_PASSWORD": "p4ss", "PLUGINHOST_METRICS_TOKEN": "m3trics",
    "PLUGINHOST_ES_PASSWORD": "e5",
}  # fmt: skip
"""Every variable that a shipped pluginhost.yaml may ask for."""


def variables(text: str) -> set[str]:
    """The variables without a default that a configuration asks the environment for."""
    return set(_VARIABLE.findall("\n".join(line.partition("#")[0] for line in text.splitlines())))


def active(text: str) -> str:
    """The configuration with its commented options in force: `# key: value` becomes `key: value`; prose and commented parts stay."""
    return re.sub(r"^( *)# (?=[a-z_]+: )", r"\1", text, flags=re.MULTILINE)


def run_shipped(one: Sidecar, text: str, tls: Path | None = None, **changes: Any) -> Sidecar:
    """`one`, started on the configuration `text`. `ports` are those of its inputs by name; `tls` stands for the folder of certificates."""
    config = yaml.safe_load(text.replace(TLS, str(tls)) if tls else text)
    ports = {}
    for part in config["inputs"]:
        part.pop("bind", None)
        part["port"] = ports[part.get("name", part["type"])] = free_port()
    if "metrics" in config:
        config["metrics"] = {**config["metrics"], "bind": "127.0.0.1", "port": free_port()}
        ports["metrics"] = config["metrics"]["port"]
    config |= {"data": "data", "analyzers": ["shipped", "analyzers"], **changes}
    one.config, one.ports, one.forward = config, ports, next(iter(ports.values()))
    return one.start("env", *(f"{name}={value}" for name, value in SECRETS.items()))


def printed(shipper: str, config: str, folder: Path) -> str:
    """What `pluginhost conf` prints for a shipper beside the configuration `config`."""
    file = folder / "conf.yaml"
    file.write_text(config)
    made = subprocess.run([sys.executable, "-m", "pluginhost", "conf", shipper, "-c", str(file)], env={**os.environ, **SECRETS},
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    return made.stdout


def certificates(folder: Path) -> Path:
    """A folder with the files that the commands in fluentd/README.md make."""
    need_command("openssl")
    folder.mkdir(exist_ok=True)
    (text,) = re.findall(r"```console\n(\$ openssl.*?)```", (ROOT / "fluentd/README.md").read_text(), re.DOTALL)
    commands = "\n".join(line.removeprefix("$ ").removeprefix("  ") for line in text.splitlines())
    made = subprocess.run(["bash", "-ceu", commands], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    return folder
