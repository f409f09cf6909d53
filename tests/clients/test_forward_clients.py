"""Real forward clients in four languages against one real sidecar, door by door: everything that was sent is analysed, and once."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter

import pytest
from certificates import Authority
from fluent import sender
from go_client import go_client
from java_client import java_command, trust_store
from node_clients import node_folder, send
from sidecars import Sidecar, free_port, until

pytestmark = pytest.mark.xdist_group("forward_clients")  # they share one sidecar

COUNT = 200
KEY, USER, PASSWORD = "a key ☃", "agent1", "pw"
EVERY = '''
from pluginhost import Alert, analyzer

@analyzer(key="id")
def every(event):
    """Every record."""
    return Alert("low", event["id"])
'''


class Doors:
    """A sidecar with a door for each kind of sender: `plain`, `keyed`, `tls`, and `mutual`, which wants a certificate, a key and a user."""

    def __init__(self, folder):
        self.folder, self.authority = folder, Authority(folder / "ca")
        server, self.agent = self.authority.issue("server"), self.authority.issue("agent", "agent.example")
        self.ports = {name: free_port() for name in ("keyed", "tls", "mutual")}
        mutual = {**server, "client_ca": str(self.authority.ca)}
        users = [{"username": USER, "password": PASSWORD}]
        self.sidecar = Sidecar(folder)
        self.ports["plain"] = self.sidecar.forward
        self.sidecar.config["inputs"] = [
            {"type": "forward", "name": "plain", "port": self.ports["plain"], "path": self.path("plain")},
            {"type": "forward", "name": "keyed", "port": self.ports["keyed"], "path": self.path("keyed"), "shared_key": KEY},
            {"type": "forward", "name": "tls", "port": self.ports["tls"], "tls": server},
            {"type": "forward", "name": "mutual", "port": self.ports["mutual"], "tls": mutual, "shared_key": KEY, "users": users},
        ]
        (self.sidecar.analyzers / "every.py").write_text(EVERY)
        self.sidecar.start()

    def path(self, name):
        return f"{self.folder}/{name}.sock"

    def counts(self, name):
        return self.sidecar.status()["counts"][f"input.{name}"]

    def check(self, name, tag, said, acked):
        """All records of `tag` came in at the door `name`, and each was analysed once; with acks the client knows."""
        until(lambda: self.analysed(tag) >= COUNT, 60, f"{COUNT} of {tag}")
        self.sidecar.settled()
        found = Counter(alert["headline"] for alert in self.sidecar.alerts() if alert["headline"].startswith(f"{tag}-"))
        assert found == Counter(f"{tag}-{n}" for n in range(COUNT))
        assert said == {"sent": COUNT, "acked": COUNT}
        assert (self.counts(name)["closed"], self.counts(name)["stray"]) == (0, 0)
        assert self.counts(name)["acks"] > 0 or not acked
        print(f"\n{tag}: sent {said['sent']}, acknowledged {said['acked'] if acked else 'none asked'}, analysed {sum(found.values())}")

    def analysed(self, tag):
        self.sidecar.settled()
        return sum(alert["headline"].startswith(f"{tag}-") for alert in self.sidecar.alerts())


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    made = Doors(tmp_path_factory.mktemp("doors"))
    yield made
    made.sidecar.kill()


# -- Python: no acks, no TLS, no handshake


@pytest.mark.parametrize("precise", [False, True], ids=["seconds", "nanoseconds"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_python(doors, unix, precise):
    tag = f"python.{'unix' if unix else 'tcp'}.{'ns' if precise else 's'}"
    where = {"host": f"unix://{doors.path('plain')}"} if unix else {"host": "127.0.0.1", "port": doors.ports["plain"]}
    logger = sender.FluentSender("python", nanosecond_precision=precise, **where)
    done = sum(logger.emit(tag.partition(".")[2], {"id": f"{tag}-{n}", "text": "snow ☃"}) for n in range(COUNT))
    logger.close()
    doors.check("plain", tag, {"sent": COUNT, "acked": done}, acked=False)


# -- Go


GO = {
    "tcp": {},
    "acks": {"request_ack": True},
    "precise": {"request_ack": True, "sub_second_precision": True},
    "json": {"marshal_as_json": True},
    "json acks": {"marshal_as_json": True, "request_ack": True},
    "async": {"async": True},
    "unix": {"fluent_network": "unix", "request_ack": True},
    "tls": {"fluent_network": "tls", "request_ack": True, "tls_insecure_skip_verify": True},
    "tls no acks": {"fluent_network": "tls", "tls_insecure_skip_verify": True},
}


@pytest.mark.parametrize("option", GO)
def test_go(doors, option):
    tag, config = f"go.{option.replace(' ', '_')}", GO[option]
    name = "tls" if "tls" in option else "plain"
    config = {"fluent_port": doors.ports[name], "fluent_host": "127.0.0.1", "fluent_socket_path": doors.path("plain"), **config}
    command = [go_client("golog"), str(COUNT), tag, json.dumps(config)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    doors.check(name, tag, json.loads(made.stdout), acked="request_ack" in config)


# -- Node: every record with an ack


SECURITY = {"clientHostname": "node.example", "sharedKey": KEY}


@pytest.mark.parametrize("mode", ["Message", "Forward", "PackedForward", "CompressedPackedForward"])
def test_node_in_each_mode(doors, mode):
    node_folder()
    tag = f"node.{mode.lower()}"
    doors.check("plain", tag, send(doors.ports["plain"], COUNT, mode, tag), acked=True)


@pytest.mark.parametrize("option", ["key", "key unix", "unix", "tls", "mutual"])
def test_node(doors, option):
    node_folder()
    ca = {"ca": str(doors.authority.ca), "servername": "localhost"}
    options = {
        "key": {"security": SECURITY},
        "key unix": {"security": SECURITY, "socket": {"path": doors.path("keyed")}},
        "unix": {"socket": {"path": doors.path("plain")}},
        "tls": {"socket": {"tls": ca}},
        "mutual": {"socket": {"tls": {**ca, **doors.agent}}, "security": {**SECURITY, "username": USER, "password": PASSWORD}},
    }[option]
    name = {"key": "keyed", "key unix": "keyed", "unix": "plain"}.get(option, option)
    tag = f"node.{option.replace(' ', '_')}"
    doors.check(name, tag, send(doors.ports[name], COUNT, "PackedForward", tag, options=options), acked=True)


def test_node_with_a_wrong_key_gets_nothing_in(doors):
    node_folder()
    before = doors.counts("keyed")
    security = {"security": {**SECURITY, "sharedKey": "wrong"}, "socket": {"disableReconnect": False}, "ack": {"ackTimeout": 1000}}
    command = ["node", str(node_folder() / "send.js"), str(doors.ports["keyed"]), "1", "Message", "node.wrong"]
    environment = {**os.environ, "FLUENT": json.dumps(security)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as node:
        try:
            until(lambda: doors.counts("keyed")["unauthorized"] > before["unauthorized"], 60)
        finally:
            node.kill()
    after = doors.counts("keyed")
    assert (after["handshakes"], after["records"]) == (before["handshakes"], before["records"])
    doors.sidecar.says("is turned away: shared_key mismatch; it says it is node.example")


# -- Java: all at once, for a JVM takes its time


JAVA = {  # door, acks, TLS, time
    "acks": ("plain", "ack", "tcp", "eventtime"),
    "none": ("plain", "plain", "tcp", "eventtime"),
    "seconds": ("plain", "ack", "tcp", "seconds"),
    "tls_acks": ("tls", "ack", "tls", "eventtime"),
    "tls": ("tls", "plain", "tls", "eventtime"),
}


def test_java(doors):
    java, *command = java_command()
    jobs = [",".join((str(doors.ports[name]), f"java.{option}", *more)) for option, (name, *more) in JAVA.items()]
    command = [java, *trust_store(doors.folder, doors.authority.ca), *command, str(COUNT), *jobs]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = {one.pop("tag"): one for one in map(json.loads, made.stdout.splitlines())}
    for option, (name, ack, *_) in JAVA.items():
        doors.check(name, f"java.{option}", said[f"java.{option}"], acked=ack == "ack")
