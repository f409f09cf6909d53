"""What the PostgreSQL output makes of alerts, options and errors, as far as no server is needed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import msgspec
import pytest

from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.outputs.opensearch import OpenSearch
from pluginhost.outputs.parts import Refused
from pluginhost.outputs.port import Context, Outgoing, Unavailable
from pluginhost.outputs.postgresql import Postgresql
from pluginhost.outputs.rows import Row, create, insert, meaning, quoted
from pluginhost.problem import Problem
from pluginhost.tls import Calling


def context():
    return Context(name="x", metrics=Registry(), clock=time.time_ns)


def settings(**options):
    return Postgresql(Postgresql.Options(**options), context())._settings


def test_a_row_holds_what_is_asked_for_and_the_whole_document():
    document = {"message": "m", "rule": {"name": "r\0"}, "pluginhost": {"alert": {"fingerprint": 7}}, "event": {"id": "a"}}
    alert = Outgoing(1, "a", 1_767_323_045_123_456_789, "high", "one", json.dumps(document).encode())
    *columns, stored = Row.of(alert, "me", 10**18).values
    assert columns == ["a", "2026-01-02T03:04:05.123456789Z", "high", "one", "r\ufffd", "m", None]
    assert json.loads(stored) == {**document, "rule": {"name": "r\ufffd"}, "event": {"id": "a", "ingested": "2001-09-09T01:46:40.000Z"}}
    with pytest.raises(msgspec.DecodeError):
        Row.of(Outgoing(1, "a", 1, "high", "one", b"{"), "me", 1)


@pytest.mark.parametrize(
    ("sqlstate", "meant"),
    [
        ("22P05", "never"), ("23514", "never"), ("54000", "never"), ("P0001", "never"),
        ("57P01", "soon"), ("53300", "soon"), ("40P01", "soon"), ("25006", "soon"), (None, "soon"),
        ("42P01", "slow"), ("42501", "slow"), ("53100", "slow"), ("XX000", "slow"), ("0A000", "slow"),
    ],
)  # fmt: skip
def test_what_an_error_means(sqlstate, meant):
    made = meaning(sqlstate, "why")
    assert meant == ("never" if isinstance(made, Refused) else "slow" if made.slow else "soon")
    assert isinstance(made, Refused | Unavailable)


def test_a_table_stands_quoted_in_every_statement():
    assert quoted("siem.Alerts") == '"siem"."Alerts"'
    assert create('"t"').startswith('create table if not exists "t" (id text primary key, time timestamptz not null, ')
    assert insert('"t"').startswith('insert into "t" (id, time, ')
    for name in ('a"; drop table x; --', "a.b.c", "", "a b", "1a", "a." + "x" * 64):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"table": name}, Postgresql.Options)


def test_tls_is_insisted_on_where_it_is_set_up():
    assert "sslmode" not in settings()
    made = settings(tls=Calling(ca=Path("ca.pem"), cert=Path("c.pem"), key=Path("k.pem"), min_version="1.3"), password=Secret("s"))
    assert {name: made[name] for name in made if name.startswith("ssl")} == {
        "sslmode": "verify-full", "sslrootcert": "ca.pem", "sslcert": "c.pem", "sslkey": "k.pem", "ssl_min_protocol_version": "TLSv1.3",
    }  # fmt: skip
    assert settings(tls=Calling())["sslrootcert"]
    assert settings(tls=Calling(verify=False))["sslmode"] == "require"
    with pytest.raises(Problem, match="server_name") as told:
        settings(tls=Calling(server_name="x"))
    assert told.value.code == "output.postgresql.options"


@pytest.mark.parametrize(
    ("package", "kind", "extra"), [("psycopg", Postgresql, "postgresql"), ("opensearchpy", OpenSearch, "opensearch")]
)
def test_a_client_that_is_not_installed_is_told(monkeypatch, package, kind, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Problem) as told:
        kind(kind.Options(), context())
    assert (told.value.code, told.value.todo) == (f"output.{extra}.missing", f"pip install 'pluginhost[{extra}]'")
