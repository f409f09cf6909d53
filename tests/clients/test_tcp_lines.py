"""Senders of lines over TCP, through the whole sidecar: winston-logstash, python-logstash-async, rsyslog's omfwd, and anybody over TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess

import pytest
from certificates import Authority
from daemons import Daemon, unpacked
from logstash_async.constants import constants
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import TcpTransport
from node_clients import node_folder
from sidecars import free_port, until
from tally import Tally

COUNT = 300
OMFWD = """global(workDirectory="." maxMessageSize="64k")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{input}" tag="app:" ruleset="r")
ruleset(name="r") { action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="{framing}" queue.type="linkedlist"
  action.resumeretrycount="-1" action.resumeinterval="1") }
"""


@pytest.fixture
def one(sidecar):
    """A sidecar that listens for lines, on `port`."""
    made = sidecar()
    made.port = free_port()
    made.config["inputs"].append({"type": "tcp", "port": made.port, "tag": "lines"})
    made.tally = Tally(made)
    return made


def arrived(one, count=COUNT):
    one.tally.wait(range(count))
    assert (one.tally.seen(), one.tally.received()) == (set(range(count)), count)
    assert one.status()["counts"]["input.tcp"]["rejected"] == 0


def test_winston_logstash(one):
    node_folder()
    one.start()
    logger = subprocess.Popen(["node", str(node_folder() / "winston.js"), str(one.port), str(COUNT)])
    try:
        arrived(one)
    finally:
        logger.kill()
        logger.wait()


def test_python_logstash_async_over_tcp(one, monkeypatch):
    for name, value in (("QUEUED_EVENTS_FLUSH_INTERVAL", 0.2), ("QUEUE_CHECK_INTERVAL", 0.1), ("SOCKET_TIMEOUT", 10.0)):
        monkeypatch.setattr(constants, name, value)
    one.start()
    transport = TcpTransport("127.0.0.1", one.port, ssl_enable=False, ssl_verify=False, keyfile=None, certfile=None,
                             ca_certs=None, ssl_verify_flags=None)  # fmt: skip
    handler = AsynchronousLogstashHandler("127.0.0.1", one.port, database_path=None, transport=transport)
    logger = logging.Logger("app")  # noqa: LOG001 - of this test alone
    logger.addHandler(handler)
    for number in range(COUNT):
        logger.warning("seq=%d; a line\nwith a second one ☃", number)
    until(lambda: one.tally.received() == COUNT, 60, "the arrival of all")
    handler.close()
    arrived(one)


@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
def test_rsyslog_forwards(one, tmp_path, framing):
    unpacked("rsyslog")
    daemon = Daemon("rsyslog", tmp_path / "daemon")
    try:
        daemon.write([f"seq={number}; from 203.0.113.9 <with> signs" for number in range(COUNT)])
        one.start()
        daemon.start(OMFWD.replace("{port}", str(one.port)).replace("{framing}", framing))
        arrived(one)
    finally:
        daemon.stop()


def test_over_tls_with_a_certificate(sidecar, tmp_path):
    authority = Authority(tmp_path / "tls")
    one, port = sidecar(), free_port()
    one.config["inputs"].append({"type": "tcp", "port": port, "format": "lines",
                                 "tls": {**authority.issue("server"), "client_ca": str(authority.ca)}})  # fmt: skip
    one.tally = Tally(one)
    one.start()
    context = ssl.create_default_context(cafile=authority.ca)
    mine = authority.issue("sender")
    context.load_cert_chain(mine["cert"], mine["key"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as sender:
        sender.sendall(b"".join(b'{"message":"forged","seq":"seq=%d;"}\n' % number for number in range(COUNT)))
    arrived(one)
    with pytest.raises(OSError, match=r"certificate required|reset|EOF|closed"):
        _answer(ssl.create_default_context(cafile=authority.ca), port)
    until(lambda: one.status()["counts"]["input.tcp"]["tls_failed"] == 1, 30)


def _answer(context, port):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost") as sender:
        sender.sendall(b"seq=0;\n")
        if not sender.recv(1):
            raise ConnectionError("closed")
