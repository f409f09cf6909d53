"""Fluency, the forward client for Java, from Maven Central, once into a cache outside the repository; our few lines are compiled there."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from needs import missing, need, need_command

__all__ = ["java_command", "trust_store"]

SOURCE = Path(__file__).parent / "java"
CACHE = Path(os.environ.get("PLUGINHOST_SERVERS", "/var/tmp/pluginhost-servers"))
PASSWORD = "changeit"


def java_command() -> list[str]:
    """The beginning of a command that runs `Send`; properties of the JVM may go behind its first word."""
    for name in ("java", "javac", "mvn"):
        need_command(name)
    folder = CACHE / "java-client"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))
    done = folder / ".built"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_bytes() != wanted:
            _build(folder)
            done.write_bytes(wanted)
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{folder}/jars/*:{folder}/classes", "Send"]


def _build(folder: Path) -> None:
    shutil.rmtree(folder / "jars", ignore_errors=True)
    for command in (
        ["mvn", "-q", "-B", "-f", SOURCE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars"],
        ["javac", "--release", "11", "-nowarn", "-proc:none", "-cp", f"{folder}/jars/*", "-d", folder / "classes", SOURCE / "Send.java"],
    ):
        made = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False, stdin=subprocess.DEVNULL)
        need(f"the Java client; {command[0]} failed: {(made.stdout + made.stderr)[-500:]}", made.returncode == 0)


def trust_store(folder: Path, ca: Path) -> list[str]:
    """Properties that make the JVM trust `ca` alone."""
    keytool = shutil.which("keytool")
    if not keytool:
        missing("keytool")
    store = folder / "trust.p12"
    store.unlink(missing_ok=True)
    subprocess.run([keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", ca, "-keystore", store, "-storepass", PASSWORD],
                   check=True, capture_output=True, stdin=subprocess.DEVNULL)  # fmt: skip
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={PASSWORD}"]
