"""Mappings of Linux hosts, syslog, CEF and GELF: what others may write into a line, and what must not be counted twice."""

import msgspec
import pytest

from pluginhost.engine.parts import mappings
from pluginhost.events.event import Event
from pluginhost.events.slice import Slice

ALL = mappings()
HEAD = "Nov 21 10:00:00 web1"
NAMES = ["a b", "x ; USER=bob", "root)", "a on pts/1", "x by root", "' added", "ü\u2028", "x" * 255, "a user=root", "rhost=192.0.2.1"]


def read(record, tag=""):
    record = {"message": record} if isinstance(record, str) else record
    return Event(Slice(0, 0, 1, 1, tag, "json", msgspec.json.encode(record)), ALL)


# --- sudo and su ---


@pytest.mark.parametrize("command", ["/bin/ls", "/bin/sh -c 'a ; USER=bob ; COMMAND=x'", "a : TTY=x ; PWD=/ ; USER=b ; COMMAND=y", "x\ny"])
def test_a_command_cannot_hide_that_it_ran_as_root(command) -> None:
    seen = read(f"{HEAD} sudo: alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND={command}")
    assert (seen["user.name"], seen["event.outcome"], seen["process.command_line"]) == ("alice", "success", command)
    assert "root" in seen.values("user.effective.name")


def test_nor_can_a_directory() -> None:
    seen = read(f"{HEAD} sudo: alice : TTY=pts/0 ; PWD=/tmp/x ; USER=bob ; COMMAND=/bin/ls ; USER=root ; COMMAND=/bin/sh")
    assert (seen["user.name"], seen["user.effective.name"]) == ("alice", ["bob", "root"])
    assert "process.working_directory" not in seen


def test_the_rest_of_a_long_command_is_no_command_of_its_own() -> None:
    assert "event.outcome" not in read(f"{HEAD} sudo: alice : (command continued) -x ; y")


@pytest.mark.parametrize("name", [name for name in NAMES if ")" not in name])
def test_su_names_who_asked(name) -> None:
    for line in (f"(to root) {name} on pts/0", f"FAILED SU (to root) {name} on pts/0", f"Successful su for root by {name}"):
        seen = read(f"{HEAD} su[42]: {line}")
        assert (seen["user.name"], seen["user.effective.name"], seen["event.action"]) == (name, "root", "su")


# --- PAM and accounts ---


@pytest.mark.parametrize("name", NAMES)
def test_pam_names_the_user_to_the_end_of_the_line(name) -> None:
    line = f"pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=tty1 ruser= rhost=203.0.113.9  user={name}"
    seen = read(f"{HEAD} login[42]: {line}")
    assert (seen["user.name"], seen["source.ip"], seen["event.outcome"]) == (name, "203.0.113.9", "failure")


def test_a_login_by_sshd_is_counted_once() -> None:
    lines = [
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=bob",
        "pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9 user=bob",
        "Failed password for bob from 203.0.113.9 port 5 ssh2",
    ]
    assert [read(f"{HEAD} sshd[42]: {line}").get("event.outcome") for line in lines] == [None, None, "failure"]


def test_what_useradd_says_several_times_is_counted_once() -> None:
    lines = ["group added to /etc/group: name=bob, GID=1001", "group added to /etc/gshadow: name=bob", "new group: name=bob, GID=1001",
             "add 'bob' to group 'sudo'", "add 'bob' to shadow group 'sudo'"]  # fmt: skip
    assert [read(f"{HEAD} useradd[42]: {line}").get("event.action") for line in lines] == [
        None, None, "group_created", "group_member_added", None,
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["delete user 'bob'", "new user: name=bob, UID=0", "Started x.", "device eth0 entered promiscuous mode"])
def test_another_program_that_says_so_is_not_believed(line) -> None:
    for record in ({"message": f"{HEAD} web[1]: {line}"}, *({"ident": "web", "message": told} for told in (line, f"{HEAD} sudo: {line}"))):
        assert (read(record).get("event.action"), read(record)["process.name"]) == (None, "web")


# --- the audit daemon ---

AUDIT = "type={} msg=audit(1795255200.123:456): pid=1 uid=0 auid=1000 msg='op={} acct={} exe=\"/usr/sbin/{}\" addr=203.0.113.9 res=failed'"


@pytest.mark.parametrize("name", ["bob", "a b", "x acct=root", '"root"', "a' addr=192.0.2.1 res=success", "ü"])
def test_a_name_in_hex_is_one_name(name) -> None:
    seen = read(AUDIT.format("USER_LOGIN", "login", name.encode().hex().upper(), "sshd"))
    assert (seen["user.name"], seen["source.ip"], seen["event.outcome"]) == (name, "203.0.113.9", "failure")


def test_of_one_login_one_record_has_an_outcome() -> None:
    outcomes = [read(AUDIT.format(kind, "x", '"bob"', program)).get("event.outcome") for kind, program in (
        ("USER_AUTH", "sshd"), ("USER_ACCT", "sshd"), ("CRED_ACQ", "sshd"), ("USER_LOGIN", "sshd"), ("USER_AUTH", "su"))]  # fmt: skip
    assert outcomes == [None, None, None, "failure", "failure"]


# --- CEF, syslog, GELF ---


def test_keys_that_an_attacker_adds_name_nobody() -> None:
    seen = read("CEF:0|E|P|1|7|User login|5|suser=eve src=203.0.113.9 msg=x suser=root src=192.0.2.1 outcome=failure")
    assert ("user.name" in seen, "source.ip" in seen, seen["event.outcome"]) == (False, False, "failure")
    escaped = read(r"CEF:0|E|P|1|7|User login|5|suser=eve src=203.0.113.9 msg=x suser\=root src\=192.0.2.1 outcome=failure")
    assert (escaped["user.name"], escaped["source.ip"]) == ("eve", "203.0.113.9")
    assert escaped["cef.extensions"]["msg"] == "x suser=root src=192.0.2.1"


def test_custom_fields_go_by_their_labels() -> None:
    seen = read("CEF:0|E|P|1|7|x|5|cs1Label=Policy cs1=strict cs2=plain cn1=5")
    assert seen["cef.extensions"] == {"Policy": "strict", "cs2": "plain", "cn1": "5"}


@pytest.mark.parametrize(("line", "name"), [
    (f"{HEAD} sshd[42]: Failed password for root from 203.0.113.9 port 5 ssh2", "sshd"), (f"{HEAD} CEF:0|E|P|1|7|x|5|", "cef"),
    (f"{HEAD} cron[42]: x", "syslog-line"), (f"{HEAD} sudo: pam_unix(sudo:session): session closed for user root", "pam"),
    (f"{HEAD} sudo: something else", "syslog-line"),
])  # fmt: skip
def test_any_syslog_line_is_the_last_resort(line, name) -> None:
    assert read(line).mapping == name


def test_a_line_in_gelf_is_read_as_the_line_it_is() -> None:
    gelf = {"version": "1.1", "host": "web1", "short_message": "x", "_source_ip": "203.0.113.9"}
    assert (read(gelf).mapping, read(gelf)["source.ip"]) == ("gelf", "203.0.113.9")
    seen = read({**gelf, "short_message": "Accepted password for bob from 192.0.2.7 port 5 ssh2"})
    assert (seen.mapping, seen["source.ip"], seen["host.name"]) == ("sshd", "192.0.2.7", "web1")
