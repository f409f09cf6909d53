"""What the examples of the host and account analyzers cannot say: whom their alerts name, how bad they are, timers over a restart."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START, rows
from pluginhost.engine.generations import ready
from pluginhost.engine.items import Tick
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import slices
from pluginhost.engine.state import ShardState

FILES = ("accounts", "audit_tampering", "disks", "heartbeats", "ids_signatures", "pipeline_health", "privileges", "proxy_drops",
         "ssh_access")  # fmt: skip
HEAD = "Nov 21 10:00:00 web1"
MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def units():
    """The analyzers by name, as a worker loads them."""
    found = chain.from_iterable(ready(bundle(shipped_analyzers() / f"{name}.py"), {}) for name in FILES)
    return {unit.name: unit for unit in found}


@pytest.fixture
def told(units, play):
    """`told(name, records, …)` → the alerts."""
    return lambda name, records, **given: play(units[name].analyzer, records, **given)


def sudo(command="/usr/bin/id", why=""):
    return f"{HEAD} sudo:    alice : {why}TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND={command}"


def test_who_became_root_where_with_what(told):
    (alert,) = told("sudo_to_root", [sudo()])
    assert alert["message"] == "alice became root on web1: /usr/bin/id"
    assert (alert["user"]["name"], alert["user"]["effective"]["name"], alert["host"]["name"]) == ("alice", "root", "web1")
    assert alert["process"]["command_line"] == "/usr/bin/id"
    assert alert["threat"]["technique"]["id"] == ["T1548.003"]


@pytest.mark.parametrize(("command", "severity"), [("/usr/bin/id", "low"), ("/bin/bash -l", "medium"), ("visudo", "medium"), ("", "low")])
def test_a_shell_as_root_is_worse(told, command, severity):
    assert [one["log"]["level"] for one in told("sudo_to_root", [sudo(command)])] == [severity]


def test_a_long_command_is_cut_in_the_headline_only(told):
    (alert,) = told("sudo_to_root", [sudo("/bin/echo " + "x" * 5000)])
    assert len(alert["message"]) < 300
    assert alert["message"].endswith("…")
    assert "x" * 5000 in alert["pluginhost"]["record"]["message"]


def test_what_sudo_forbids_is_told_at_once_with_the_command(told):
    (alert,) = told("sudo_failures", [sudo("/bin/bash", "user NOT in sudoers ; ")] * 2)
    assert alert["message"] == "alice tried to become root on web1: user NOT in sudoers"
    assert alert["event"]["reason"] == "sudo refused it: user NOT in sudoers; /bin/bash"


ADDED = f"{HEAD} useradd[42]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/0"
DELETED = f"{HEAD} userdel[43]: delete user 'bob'"


@pytest.mark.parametrize(("hours", "severity", "reason"), [
    ("1h", "medium", "the account was created 60 minutes before"), ("23h", "medium", "the account was created 1380 minutes before"),
    ("24h", "low", "a user account was removed"), ("200h", "low", "a user account was removed"),
])  # fmt: skip
def test_an_account_that_lived_for_less_than_a_day(told, hours, severity, reason):
    (alert,) = told("account_removed", [ADDED, DELETED], every=hours)
    assert (alert["log"]["level"], alert["event"]["reason"]) == (severity, reason)
    assert alert["user"]["target"]["name"] == "bob"


def test_an_account_with_the_number_of_root(told):
    levels = [one["log"]["level"] for one in told("account_created", [ADDED, ADDED.replace("UID=1001", "UID=0"), ADDED + " UID=0"])]
    assert levels == ["low", "high", "low"]


def changed(action, account, actor):
    return {"event": {"category": ["iam"], "type": ["user", "change"], "action": action, "outcome": "success"},
            "user": {"name": actor, "target": {"name": account}}}  # fmt: skip


@pytest.mark.parametrize(("action", "account", "actor", "severity"), [
    ("password_changed", "bob", "bob", "low"), ("password_changed", "bob", "BOB", "low"), ("password_changed", "bob", None, "low"),
    ("password_reset", "bob", "alice", "medium"), ("key_added", "bob", "alice", "medium"), ("mfa_removed", "bob", "bob", "medium"),
    ("password_reset", "root", "alice", "high"), ("mfa_added", "vault", "alice", "high"), ("key_added", "root", "root", "medium"),
])  # fmt: skip
def test_how_bad_a_changed_credential_is(told, action, account, actor, severity):
    (alert,) = told("credential_change", [changed(action, account, actor)], lists={"privileged_users": ["vault"]})
    assert alert["log"]["level"] == severity


def test_a_member_of_windows_groups_is_named_by_his_number(told):
    data = {"SubjectUserName": "ops", "TargetUserName": "Domain Admins", "MemberName": "-", "MemberSid": "S-1-5-21-1-1105"}
    record = {"winlog": {"channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing", "event_id": 4728,
                         "computer_name": "dc1", "event_data": data}, "event": {"action": "added-member-to-group"}}  # fmt: skip
    (alert,) = told("group_change", [record])
    assert alert["message"] == "S-1-5-21-1-1105 came into the group Domain Admins on dc1 by ops"


def test_a_refused_stop_of_the_trail_is_no_stop(told):
    call = {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "awsRegion": "eu-central-1",
            "recipientAccountId": "111122223333", "userIdentity": {"type": "IAMUser", "userName": "alice"}}  # fmt: skip
    refused, stopped = told("audit_tampering", [{**call, "errorCode": "AccessDenied"}, call])
    assert refused["log"]["level"] == "medium"
    assert refused["message"] == "refused: auditing was switched off in the account 111122223333 by alice"
    assert (stopped["log"]["level"], stopped["threat"]["technique"]["id"]) == ("high", ["T1562.008"])


def test_the_shutdown_of_another_host_excuses_nothing(told):
    end = "type=DAEMON_END msg=audit(1795255200.123:456): op=terminate auid=0 pid=1 res=success"
    down = "Nov 21 10:00:00 {} systemd-logind[4]: System is rebooting."
    assert told("audit_tampering", [down.format("web1"), {"message": end, "host": "web1"}]) == []
    assert len(told("audit_tampering", [down.format("web2"), {"message": end, "host": "web1"}])) == 1


def test_the_hosts_of_a_lateral_movement_are_counted(told):
    hops = [f"Nov 21 10:00:00 web{n} sshd[42]: Accepted publickey for alice from 192.0.2.{n} port 50000 ssh2" for n in range(1, 5)]
    (alert,) = told("lateral_ssh", hops, every="1m")
    assert alert["message"] == "alice goes by SSH from host to host; now on web4, from 192.0.2.4"
    assert alert["event"]["reason"] == "3 addresses that alice never came from, to 4 hosts within 30 minutes (limit 3)"
    assert alert["pluginhost"]["alert"]["count"] == 3


def test_hits_of_a_signature_are_counted_for_the_next_hour(told):
    eve = {"event_type": "alert", "src_ip": "203.0.113.9", "dest_ip": "192.0.2.1", "proto": "TCP",
           "alert": {"signature": "ET SCAN ssh", "severity": 2, "action": "allowed"}}  # fmt: skip
    first, second = told("ids_signature", [eve] * 7, every="10m")
    assert (first["log"]["level"], first["message"]) == ("low", "ET SCAN ssh: 203.0.113.9 to 192.0.2.1")
    assert second["event"]["reason"].endswith("; 6 in the last hour")


def test_what_a_proxy_was_asked_for(told):
    def denied(url, method="GET"):
        return {"observer": {"type": "proxy"}, "event": {"category": ["web"], "type": ["denied"]}, "source": {"ip": "192.0.2.7"},
                "url": {"original": url}, "http": {"request": {"method": method}}}  # fmt: skip

    tunnels = told("proxy_drop_port", [denied("[2001:db8::1]:8080", "CONNECT"), denied("a.example:22", "CONNECT")])
    assert [one["message"].split("to ")[1].split(",")[0] for one in tunnels] == ["2001:db8::1", "a.example"]
    addresses = told("proxy_drop_ip", [denied("http://user@203.0.113.9:8080/x?y"), denied("http://203.0.113.9.example/")])
    assert [one["message"] for one in addresses] == [
        "192.0.2.7 asked for 203.0.113.9, an address without a name, which the proxy refused"]  # fmt: skip


def test_a_disk_forecast_says_how_long(told):
    records = [{"metricset": {"name": "filesystem"}, "event": {"dataset": "system.filesystem"}, "host": {"name": "db1"},
                "system": {"filesystem": {"mount_point": "/var", "type": "xfs", "used": {"pct": 0.5 + 0.02 * n}}}}
               for n in range(8)]  # fmt: skip
    (alert,) = told("disk_filling", records, every="20m", within="8h")
    assert alert["message"] == "/var on db1 will be full in 7.3 hours"
    assert alert["event"]["reason"] == "it grows by at least 6.0% an hour and 44% are left"


def judged(units, name, state, records, *, start=START, every=10 * MINUTE, arrival=None):
    """What one analyzer finds in records from `start` on, ticks between them, in `state`."""
    row = rows(records, start, every, "t")
    if arrival is not None:
        row.arrival = arrival
    items = [one for part in slices(row) for one in (Tick(part.offset, part.time, part.time), part)]
    found = Pipeline([units[name]], mappings()).run(state, items)
    assert not found.failures
    return [msgspec.json.decode(one.document) for one in found.findings]


def ticked(units, name, state, time):
    found = Pipeline([units[name]], mappings()).run(state, [Tick(99, time, time)])
    return [msgspec.json.decode(one.document) for one in found.findings]


@pytest.mark.parametrize("restart", [False, True])
def test_silence_is_told_once_and_over_a_restart(units, restart):
    state = ShardState()
    lines = [f"Nov 21 10:00:00 web1 app[{n}]: at work" for n in range(9)]
    assert judged(units, "host_silent", state, lines) == []
    last = START + 80 * MINUTE
    if restart:
        kept = [one for changed, _ in state.changes() for one in changed]
        state = ShardState()
        state.restore(kept)
        state.memory(units["host_silent"])  # as a worker does at its start
    assert ticked(units, "host_silent", state, last + 15 * MINUTE) == []
    (alert,) = ticked(units, "host_silent", state, last + 16 * MINUTE)
    assert (alert["message"], alert["host"]["name"]) == ("nothing was heard of web1 for 15m", "web1")
    assert alert["event"]["start"] == "2026-01-01T01:20:00.000Z"
    assert ticked(units, "host_silent", state, last + 600 * MINUTE) == []
    (back,) = judged(units, "host_silent", state, lines[:2], start=last + 700 * MINUTE, every=MINUTE)
    assert (back["message"], back["event"]["kind"], back["event"]["type"]) == ("web1 is heard again", "event", ["end"])
    assert back["pluginhost"]["alert"]["status"] == "resolved"
    assert back["pluginhost"]["alert"]["fingerprint"] == alert["pluginhost"]["alert"]["fingerprint"]


def test_a_return_is_told_only_of_whose_silence_was(units):
    state = ShardState()
    lines = [f"Nov 21 10:00:00 web1 app[{n}]: at work" for n in range(9)]
    assert judged(units, "host_silent", state, lines[:2]) == []  # too little is known
    assert ticked(units, "host_silent", state, START + 600 * MINUTE) == []
    assert judged(units, "host_silent", state, lines, start=START + 700 * MINUTE) == []


def test_old_events_are_told_by_arrival(units):
    state, day = ShardState(), 24 * 60 * MINUTE
    records = [{"host": {"name": "web1"}, "message": "…"}] * 4
    assert judged(units, "wrong_clock", state, records, arrival=START + day - MINUTE) == []
    (alert,) = judged(units, "wrong_clock", state, records, arrival=START + 2 * day)
    assert alert["message"] == "events of web1 come 48.0 hours late"
    assert judged(units, "wrong_clock", state, records, start=START + MINUTE, arrival=START + 2 * day + MINUTE) == []
