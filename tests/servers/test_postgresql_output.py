"""The PostgreSQL output against the real server: each alert once, whatever happens in between."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from search_peers import NOON, asynchronous, outgoing

from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Retry, Unavailable
from pluginhost.outputs.postgresql import Postgresql
from pluginhost.problem import Problem
from pluginhost.tls import Calling

pytestmark = pytest.mark.xdist_group("postgresql")


class Peer:
    """One table of the server: outputs into it, and what it holds."""

    def __init__(self, server: Any, table: str, **more: Any) -> None:
        self.server, self.table, self.registry = server, table, Registry()
        self.given = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "username": "postgres", "table": table, **more}

    def output(self, **more: Any) -> Postgresql:
        options = Postgresql.Options(**{**self.given, **more})
        return Postgresql(options, Context(name="pg", metrics=self.registry, clock=time.time_ns))

    def rows(self, columns: str = "id") -> list[tuple[Any, ...]]:
        return self.server.sql(f"select {columns} from {self.table} order by id")

    @property
    def counts(self) -> dict[str, int]:
        return self.registry.snapshot()["output.pg"]


@asynchronous
async def test_an_alert_is_a_row_and_a_resend_meets_it(postgresql):
    peer = Peer(postgresql, "once")
    output = peer.output()
    whole = {"message": "SSH brute force", "rule": {"name": "ssh_bruteforce"}, "pluginhost": {"alert": {"fingerprint": "ff4f"}}}
    assert await output.deliver([outgoing("a", **whole), outgoing("b")]) == [DONE, DONE]
    await output.close()
    again = peer.output()
    assert await again.deliver([outgoing("b"), outgoing("c"), outgoing("c")]) == [DONE] * 3
    await again.close()
    assert peer.rows() == [("a",), ("b",), ("c",)]
    assert peer.counts["present"] == 2
    first = peer.rows("time at time zone 'UTC', severity, analyzer, rule, message, fingerprint, document->'event'->>'created'")[0]
    assert (first[0].isoformat(), *first[1:]) == (
        "2026-01-02T03:04:05.123457", "high", "a", "ssh_bruteforce", "SSH brute force", "ff4f", "2026-01-02T03:04:05.123Z",
    )  # fmt: skip


@asynchronous
async def test_ten_thousand_over_a_kill_are_each_there_once(postgresql):
    peer = Peer(postgresql, "crash")
    output = peer.output(timeout=Duration(20))
    waiting = [outgoing(f"r{number}") for number in range(10_000)]
    done = interrupted = round_ = 0
    while waiting:
        batch, waiting = waiting[:500], waiting[500:]
        round_ += 1
        killing = [asyncio.to_thread(postgresql.kill9)] if round_ in (6, 13) else []
        outcomes, *_ = await asyncio.gather(output.deliver(batch), *killing, return_exceptions=True)
        if killing:
            with pytest.raises(Unavailable) as away:  # nobody there: the batch comes again, as it would after a lost answer
                await output.deliver(batch)
            assert not away.value.slow
            waiting = batch + waiting
            interrupted += 1
            await asyncio.to_thread(postgresql.start)
            continue
        assert outcomes == [DONE] * len(batch)
        done += len(batch)
    await output.close()
    assert (done, interrupted) == (10_000, 2)
    assert postgresql.sql("select count(*), count(distinct id) from crash") == [(10_000, 10_000)]


RUBBISH: dict[str, dict[str, Any]] = {
    "nul": {"message": "a\0b", "rule": {"name": "r\0"}, "na\0me": ["\0", {"\0": "\0"}]},
    "big": {"n": 10**30, "f": 1e308},
    "empty": {"": {"": None}},
    "types": {"message": {"a": 1}, "rule": "x", "pluginhost": ["x"]},
    "text": {"message": "\x01\x7f\u2028\U0001f600" * 1000},
    "long": {"message": "x" * 3_000_000},
}


@asynchronous
async def test_odd_documents_are_stored(postgresql):
    peer = Peer(postgresql, "odd")
    output = peer.output(batch_bytes=Size(1 << 20))
    outcomes = await output.deliver([outgoing(name, **fields) for name, fields in RUBBISH.items()])
    await output.close()
    assert dict(zip(RUBBISH, outcomes, strict=True)) == dict.fromkeys(RUBBISH, DONE)
    stored = dict(peer.rows("id, document->>'message'"))
    assert (stored["nul"], len(stored["long"])) == ("a\ufffdb", 3_000_000)
    assert dict(peer.rows("id, rule"))["nul"] == "r\ufffd"


@asynchronous
async def test_a_row_that_is_never_taken_is_dead_and_its_neighbours_are_written(postgresql):
    postgresql.sql("create table strict (id text primary key, time timestamptz, severity text, analyzer text, rule text, "
                   "message text check (message <> 'no'), fingerprint text, document jsonb)")  # fmt: skip
    peer = Peer(postgresql, "strict")
    output = peer.output()
    broken = Outgoing(sequence=1, id="broken", time=NOON, severity="high", analyzer="a", document=b'{"a":')
    refused = outgoing("refused", message="no")
    endless = outgoing("x" * 9000 + "".join(map(chr, range(0x4E00, 0x6E00))))  # too large for an index
    alerts = [outgoing("a"), refused, outgoing("b"), broken, outgoing("c"), endless, outgoing("d")]
    outcomes = await output.deliver(alerts)
    await output.close()
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Dead", "Done", "Dead", "Done", "Dead", "Done"]
    assert peer.rows() == [("a",), ("b",), ("c",), ("d",)]
    assert isinstance(outcomes[1], Dead)
    assert isinstance(outcomes[5], Dead)
    assert (outcomes[1].reason[:5], outcomes[5].reason[:5]) == ("23514", "54000")


@asynchronous
async def test_who_is_not_let_in_is_told_and_goes_on_once_mended(postgresql):
    postgresql.sql("create role sender login password 'right'")
    postgresql.sql("create table guarded (id text primary key, time timestamptz, severity text, analyzer text, rule text, message text, "
                   "fingerprint text, document jsonb)")  # fmt: skip
    postgresql.rules("host all sender 127.0.0.1/32 scram-sha-256")
    postgresql.reload()
    peer = Peer(postgresql, "guarded", username="sender", password=Secret("wrong"))
    output = peer.output()
    with pytest.raises(Unavailable) as refused:
        await output.deliver([outgoing("a")])
    assert (refused.value.slow, "password authentication failed" in refused.value.reason) == (True, True)
    assert "wrong" not in refused.value.reason + repr(output)
    with pytest.raises(Problem, match="password authentication failed") as told:
        await output.check()
    assert told.value.code == "output.postgresql.refused"

    postgresql.sql("alter role sender password 'wrong'")  # mended at the other end
    with pytest.raises(Problem, match="grant insert") as told:
        await output.check()
    assert told.value.code == "output.postgresql.rights"
    with pytest.raises(Unavailable) as refused:
        await output.deliver([outgoing("a")])
    assert (refused.value.slow, refused.value.reason) == (True, "42501 permission denied for table guarded")
    postgresql.sql("grant insert, select (id) on guarded to sender")
    await output.check()
    assert await output.deliver([outgoing("a")]) == [DONE]
    postgresql.sql("alter table guarded rename to elsewhere")
    with pytest.raises(Unavailable) as gone:
        await output.deliver([outgoing("b")])
    assert (gone.value.slow, gone.value.reason[:5]) == (True, "42P01")
    postgresql.sql("alter table elsewhere rename to guarded")
    assert await output.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    await output.close()
    assert peer.rows() == [("a",), ("b",)]


@asynchronous
async def test_a_table_is_made_only_where_that_is_wanted(postgresql):
    postgresql.sql("create schema sidecar")
    unwanted = Peer(postgresql, "sidecar.alerts", create=False).output()
    with pytest.raises(Unavailable) as missing:
        await unwanted.deliver([outgoing("a")])
    assert (missing.value.slow, missing.value.reason[:5]) == (True, "42P01")
    await unwanted.close()
    peer = Peer(postgresql, "sidecar.alerts")
    first, second = peer.output(), peer.output()
    assert await asyncio.gather(first.deliver([outgoing("a")]), second.deliver([outgoing("a")])) == [[DONE], [DONE]]
    await first.close()
    await second.close()
    assert peer.rows() == [("a",)]


@asynchronous
async def test_a_table_that_was_dropped_is_made_again(postgresql):
    peer = Peer(postgresql, "dropped")
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    postgresql.sql("drop table dropped")
    with pytest.raises(Unavailable) as missing:
        await output.deliver([outgoing("b")])
    assert missing.value.reason == '42P01 relation "dropped" does not exist'
    assert await output.deliver([outgoing("b")]) == [DONE]
    await output.close()
    assert peer.rows() == [("b",)]


@asynchronous
async def test_a_server_that_restarts_costs_a_short_wait(postgresql, unused_port):
    peer = Peer(postgresql, "restart")
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    postgresql.stop()
    for _ in range(2):
        with pytest.raises(Unavailable) as away:
            await output.deliver([outgoing("b")])
        assert not away.value.slow
    with pytest.raises(Unavailable):
        await output.check()
    await asyncio.to_thread(postgresql.start)
    assert await output.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    await output.close()
    assert peer.rows() == [("a",), ("b",)]
    nowhere = peer.output(port=unused_port)
    with pytest.raises(Unavailable) as away:
        await nowhere.deliver([outgoing("b")])
    assert not away.value.slow


@asynchronous
async def test_what_is_known_of_a_batch_is_kept_when_the_server_goes_away(postgresql):
    peer = Peer(postgresql, "half", batch_bytes=Size(1))
    output = peer.output()
    await output.deliver([outgoing("z")])
    postgresql.sql("create function stop() returns trigger language plpgsql as "
                   "$$ begin if new.id = 'c' then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$")  # fmt: skip
    postgresql.sql("create trigger stop before insert on half for each row execute function stop()")
    outcomes = await output.deliver([outgoing(name) for name in "abcd"])
    assert outcomes[:2] == [DONE, DONE]
    assert [type(one) for one in outcomes[2:]] == [Retry, Retry]
    assert not outcomes[2].slow
    postgresql.sql("drop trigger stop on half")
    assert await output.deliver([outgoing(name) for name in "cd"]) == [DONE, DONE]
    await output.close()
    assert peer.rows() == [("a",), ("b",), ("c",), ("d",), ("z",)]


@asynchronous
async def test_tls_with_proof_of_who_is_there(postgresql, tmp_path):
    authority, other = Authority(tmp_path / "tls"), Authority(tmp_path / "other")
    data = postgresql.run / "data"
    for kind, file in authority.issue("server", "localhost").items():
        shutil.copy(file, data / f"server.{kind}")
        (data / f"server.{kind}").chmod(0o600)
        shutil.chown(data / f"server.{kind}", data.stat().st_uid, data.stat().st_gid)
    shutil.copy(authority.ca, data / "clients.pem")
    (data / "clients.pem").chmod(0o644)
    postgresql.sql("create role sealed login")
    postgresql.sql("grant all on schema public to sealed")
    postgresql.rules("hostssl all sealed 127.0.0.1/32 cert")
    postgresql.stop()
    postgresql.start(ssl="on", ssl_cert_file="server.cert", ssl_key_file="server.key", ssl_ca_file="clients.pem")
    mine = {name: Path(file) for name, file in authority.issue("sealed").items()}
    peer = Peer(postgresql, "sealed_alerts", username="sealed", host="localhost")
    try:
        good = peer.output(tls=Calling(ca=authority.ca, **mine))
        assert await good.deliver([outgoing("a")]) == [DONE]
        await good.close()
        unknown, bare, plain = Calling(ca=other.ca, **mine), Calling(ca=authority.ca), None
        for tls, reason in ((unknown, "certificate verify failed"), (bare, "certificate"), (plain, "certificate")):
            stranger = peer.output(tls=tls)
            with pytest.raises(Unavailable) as refused:
                await stranger.deliver([outgoing("b")])
            assert (refused.value.slow, reason in refused.value.reason) == (True, True), refused.value.reason
        renamed = peer.output(tls=Calling(ca=authority.ca, **mine), host="127.0.0.1")  # not the name in the certificate
        with pytest.raises(Unavailable, match="does not match host name"):
            await renamed.deliver([outgoing("b")])
        assert peer.rows() == [("a",)]
    finally:
        postgresql.stop()
        postgresql.start()
