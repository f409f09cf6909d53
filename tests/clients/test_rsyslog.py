"""rsyslog, a real daemon: `omelasticsearch` in its bulk mode, through the whole sidecar."""

from __future__ import annotations

import asyncio

import pytest
from daemons import Daemon, unpacked
from http_families import Host
from sidecars import until
from tally import Tally

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.problem import Busy

COUNT = 400
CONFIG = """global(workDirectory="." maxMessageSize="64k")
module(load="imfile" mode="polling" pollingInterval="1")
module(load="omelasticsearch")
template(name="bid" type="string" string="%uuid%")
template(name="doc" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf") property(outname="message" name="msg" format="jsonf") }
input(type="imfile" file="{input}" tag="app:" ruleset="r")
ruleset(name="r") { action(type="omelasticsearch" server="http://127.0.0.1" serverport="{port}" searchIndex="logs-x" searchType=""
  bulkmode="on" template="doc" writeoperation="create" bulkid="bid" dynbulkid="on" queue.type="linkedlist" queue.dequeuebatchsize="50"
  action.resumeretrycount="-1" action.resumeinterval="1" healthchecktimeout="5000" errorfile="errors") }
"""


@pytest.fixture
def daemon(tmp_path):
    unpacked("rsyslog")
    made = Daemon("rsyslog", tmp_path / "daemon")
    yield made
    made.stop()


@pytest.fixture
def one(sidecar):
    made = sidecar()
    made.tally = Tally(made)
    return made


def lines(start, stop):
    return [f'seq={n}; a "quoted" path /var/log' for n in range(start, stop)]


def start(daemon, port):
    daemon.start(CONFIG.replace("{port}", str(port)))


def test_every_line_arrives_once(one, daemon):
    daemon.write(lines(0, COUNT))
    start(daemon, one.start().http)
    one.tally.wait(range(COUNT))
    assert (one.tally.seen(), one.tally.received()) == (set(range(COUNT)), COUNT), daemon.said()


def test_a_sidecar_that_is_killed_in_the_middle_loses_nothing(one, daemon):
    daemon.write(lines(0, 2 * COUNT))
    start(daemon, one.start().http)
    one.tally.wait(range(50))
    one.kill()
    daemon.write(lines(2 * COUNT, 3 * COUNT))  # nobody is there
    one.start()
    one.tally.wait(range(3 * COUNT))
    assert one.tally.seen() == set(range(3 * COUNT)), daemon.said()


def test_nothing_is_lost_while_the_journal_is_full(daemon):
    """It drops a batch that is answered 503; a connection that ends without an answer makes it send again."""

    async def main():
        host = Host()
        host.busy = [Busy("full", 1)] * 3
        door = Http(HttpOptions(port=0), Context("http", host.accept, Registry()))
        await door.start()
        try:
            daemon.write(lines(0, 120))
            start(daemon, door.address.rpartition(":")[2])
            await asyncio.to_thread(until, lambda: len(numbers(host)) >= 120, 60)
        finally:
            await door.drain(1)
        return host

    host = asyncio.run(main())
    assert host.busy == []
    assert numbers(host) == set(range(120)), daemon.said()
    assert not (daemon.folder / "errors").exists()


def numbers(host):
    return {int(record["message"].partition("=")[2].partition(";")[0]) for record in host.records.get("logs-x", ())}
