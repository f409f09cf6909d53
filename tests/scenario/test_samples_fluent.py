"""The samples for Fluentd and Fluent Bit against real sidecars that run the shipped pluginhost.yaml, open and with every lock.

Neither program is here. What they send was captured from them; how they connect is read from the very file that a user would give
them. The way back ends in a second sidecar that plays Fluentd, and is configured from what Fluentd's file says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import time

import msgpack
import pytest
import yaml
from shipped import ROOT, SECRETS, TLS, active, certificates, printed, run_shipped
from shipper_configs import fluentd
from sidecars import Sidecar, free_port, until

pytestmark = pytest.mark.xdist_group("samples-fluent")
CONFIG = (ROOT / "fluentd/pluginhost.yaml").read_text()
CAPTURES = {one["name"]: one for one in map(json.loads, (ROOT / "tests/conformance/forward_captures.jsonl").read_text().splitlines())}
OF_FLUENTD, OF_FLUENT_BIT = ("fd119-ack", "fd119-gzip", "fd116"), ("flb-ack", "flb-gzip", "flb-noretain", "flb-tint")
FAILED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"))


def wire(name, tag=None):
    """The bytes of a capture, as captured or under another tag."""
    raw = base64.b64decode(CAPTURES[name]["bytes_b64"])
    if tag is None:
        return raw
    before, after = msgpack.packb(CAPTURES[name]["tag0"]), msgpack.packb(tag)
    assert raw.count(before) == CAPTURES[name]["frames"] == 1
    return raw.replace(before, after)


class Peer:
    """A forward client that goes by a shipper's own settings: certificate, shared key, user."""

    def __init__(self, port, *, context=None, name="", key="", user="", password="", hostname="shipper"):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.socket.settimeout(60)
        self.unpacker = msgpack.Unpacker()
        if key:
            self.introduce(key, user, password, hostname)

    def introduce(self, key, user, password, hostname):
        kind, told = self.read()
        assert kind == "HELO"
        salt, nonce = "0123456789abcdef0123456789abcdef", told["nonce"]
        proof = self.digest(salt, hostname, nonce, key)
        secret = self.digest(told["auth"], user, password) if told["auth"] else ""
        self.socket.sendall(msgpack.packb(["PING", hostname, salt, proof, user, secret]))
        _, self.fine, self.reason, server, proven = self.read()
        assert not self.fine or proven == self.digest(salt, server, nonce, key)
        assert server != hostname

    @staticmethod
    def digest(*parts):
        return hashlib.sha512(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()

    def read(self):
        while True:
            for one in self.unpacker:
                return one
            data = self.socket.recv(65536)
            assert data, "closed"
            self.unpacker.feed(data)

    def send(self, data, acks):
        """Sends, reads so many acks, and closes."""
        self.socket.sendall(data)
        read = [self.read()["ack"] for _ in range(acks)]
        self.close()
        return read

    def close(self):
        with self.socket:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass


def context(tls, out):
    """The TLS of Fluentd's `<match>` or of Fluent Bit's output: the files that it names."""
    here = {key: value.replace(TLS, str(tls)) for key, value in out.items() if isinstance(value, str)}
    made = ssl.create_default_context(cafile=here.get("tls_cert_path") or here["tls.ca_file"])
    made.load_cert_chain(here.get("tls_client_cert_path") or here["tls.crt_file"],
                         here.get("tls_client_private_key_path") or here["tls.key_file"])  # fmt: skip
    return made


def records(one):
    one.settled()
    return one.status()["counts"]["door.forward"]["records"]


def test_everything_that_was_captured_arrives_at_the_open_door(sidecar):
    one = run_shipped(sidecar(), CONFIG, outputs=[])
    for name, capture in CAPTURES.items():
        if "json" in capture["modes"]:  # acks are JSON there
            peer = Peer(one.ports["forward"])
            peer.socket.sendall(wire(name))
            peer.close()
        else:
            assert Peer(one.ports["forward"]).send(wire(name), capture["acks_expected"]) == capture["chunks"], name
    assert sum(capture["events"] for capture in CAPTURES.values()) == 506
    until(lambda: records(one) == 506, what="all records")
    assert one.status()["counts"]["input.forward"]["acks"] == sum(capture["acks_expected"] for capture in CAPTURES.values())


@pytest.fixture(scope="module")
def locked(tls, tmp_path_factory):
    """A sidecar with every lock, whose alerts have nowhere to go."""
    one = Sidecar(tmp_path_factory.mktemp("locked"))
    yield run_shipped(one, active(CONFIG), tls, outputs=[])
    one.kill()


def settings(shipper, folder):
    """(the output that leads to pluginhost, its name for us, our user name) as the locked sample of a shipper says."""
    text = printed(shipper, active(CONFIG), folder)
    if shipper == "fluentd":
        out = next(one for one in fluentd(text, SECRETS).all("label") if one.arg == "@PLUGINHOST").one("match")
        return out.params, out.one("server").params["name"], {
            "key": out.one("security").params["shared_key"], "user": out.one("server").params["username"],
            "password": out.one("server").params["password"], "hostname": out.one("security").params["self_hostname"]}  # fmt: skip
    out = yaml.safe_load(text)["pipeline"]["outputs"][0]
    told = {name: out[name].replace("${PLUGINHOST_SHARED_KEY}", SECRETS["PLUGINHOST_SHARED_KEY"])
            .replace("${PLUGINHOST_PASSWORD}", SECRETS["PLUGINHOST_PASSWORD"]) for name in ("shared_key", "username", "password")}
    return out, out["host"], {"key": told["shared_key"], "user": told["username"], "password": told["password"],
                              "hostname": out["self_hostname"]}  # fmt: skip


@pytest.mark.parametrize(("shipper", "captures"), [("fluentd", OF_FLUENTD), ("fluent-bit", OF_FLUENT_BIT)])
def test_the_locked_sample_opens_the_locked_door(locked, tls, tmp_path, shipper, captures):
    out, name, who = settings(shipper, tmp_path)
    before, handshakes = records(locked), locked.status()["counts"]["input.forward"]["handshakes"]
    for capture in captures:
        peer = Peer(locked.ports["forward"], context=context(tls, out), name=name, **who)
        assert peer.fine, peer.reason
        assert peer.send(wire(capture, "app.web"), 1) == CAPTURES[capture]["chunks"]
    assert records(locked) == before + 20 * len(captures)
    assert locked.status()["counts"]["input.forward"]["handshakes"] == handshakes + len(captures)


def test_without_each_of_its_keys_nobody_comes_in(locked, tls, tmp_path):
    out, name, who = settings("fluentd", tmp_path)
    port, trusted, before = locked.ports["forward"], context(tls, out), records(locked)
    with pytest.raises((AssertionError, OSError)):  # closed, before or in the handshake
        Peer(port, context=ssl.create_default_context(cafile=tls / "ca.crt"), name=name, **who)  # no certificate
    for wrong, reason in (({"key": "guessed"}, "shared_key mismatch"), ({"password": "guessed"}, "username/password mismatch"),
                          ({"user": "somebody"}, "username/password mismatch")):  # fmt: skip
        peer = Peer(port, context=trusted, name=name, **{**who, **wrong})
        assert (peer.fine, peer.reason) == (False, reason)
    plain = socket.create_connection(("127.0.0.1", port), 30)
    with plain:
        plain.sendall(wire("fd119-ack"))
        plain.settimeout(30)
        with pytest.raises((AssertionError, OSError)):
            assert b"ack" in plain.recv(4096)
    assert records(locked) == before
    peer = Peer(port, context=trusted, name=name, **who)
    peer.socket.sendall(wire("fd119-ack", "root.web"))  # a tag that is not this user's
    until(lambda: locked.status()["counts"]["input.forward"]["rejected_forbidden_tag"] >= 1, what="the tag is refused")
    assert records(locked) == before
    assert not [value for value in SECRETS.values() if value in locked.log()]


@pytest.mark.parametrize("lock", ["open", "locked"])
def test_flagged_records_come_back_to_where_fluentd_s_sample_listens(sidecar, tls, tmp_path, lock):
    config = CONFIG if lock == "open" else active(CONFIG)
    source = fluentd(printed("fluentd", config, tmp_path), SECRETS).one("source")
    door = {"type": "forward", "port": free_port()}
    if lock == "locked":
        files, security = source.one("transport").params, source.one("security")
        door |= {
            "tls": {"cert": files["cert_path"], "key": files["private_key_path"], "client_ca": files["ca_path"]},
            "shared_key": security.params["shared_key"], "self_hostname": security.params["self_hostname"],
            "users": [security.one("user").params], "allow_anonymous_source": False, "clients": [security.one("client").params],
        }  # fmt: skip
    two = sidecar("fluentd")
    two.config |= {"inputs": [json.loads(json.dumps(door).replace(TLS, str(tls)))], "loop_tag": "elsewhere"}
    two.forward = door["port"]
    (two.analyzers / "back.py").write_text(
        "from pluginhost import Alert, analyzer\n\n@analyzer(tags='flagged.*')\ndef back(event):\n"
        "    return Alert('low', f\"{event.tag} {event['pluginhost.alert.id']}\")\n")  # fmt: skip
    two.start()
    one = sidecar("one")
    run_shipped(one, config.replace("127.0.0.1:24225", f"127.0.0.1:{two.forward}"), tls, hostname="one")
    one.http = one.ports["http"]
    if lock == "open":
        one.post([{"message": FAILED}] * 12, tag="app.auth")
    else:
        out, name, who = settings("fluentd", tmp_path)
        entries = [[int(time.time()), {"message": FAILED}]] * 12
        frame = msgpack.packb(["app.auth", entries, {"chunk": "x"}])
        assert Peer(one.ports["forward"], context=context(tls, out), name=name, **who).send(frame, 1) == ["x"]
    one.settled()
    (alert,) = one.alerts()
    until(two.alerts, what="the flagged record is back")
    assert [back["headline"] for back in two.alerts()] == [f"flagged.high.ssh_bruteforce {alert['id']}"]


def test_the_certificates_of_the_page_are_followed_and_kept_from_others(tls):
    assert {file.name for file in tls.iterdir()} >= {"ca.crt", "server.crt", "server.key", "agent.crt", "agent.key"}
    assert {file.stat().st_mode & 0o777 for file in tls.glob("*.key")} == {0o600}
    assert (tls / "server.key").read_text().startswith("-----BEGIN PRIVATE KEY-----")  # PKCS#8, as Logstash wants it
    assert not list(tls.glob("*.csr"))
