r"""What the Linux audit daemon records: its own lines, what the kernel and journald say instead, audisp-json's and Auditbeat's records.

A record is a list of `key=value`; what others may write (names, commands) is quoted, or in hex where it holds a blank, a quote or a
control character, so a value never runs over into the next. The first of two equal keys counts. One action of a person makes several
records; the one that tells it best has an outcome, the others say what they are and nothing that would be counted twice.

Whoever turns auditing off, takes rules away or ends the daemon is `audit_disabled`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ..address import packed
from ..aliases import heads
from ..fields import MISSING, lookup, text
from ..frozen import frozen
from ..mapping import Example, Keys, Line, Mapping, Record
from .syslog import READS, filled, host, split

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]
_Said = dict[str, str]

_HEAD = re.compile(r"(?:node=(\S{1,255}) )?type=([A-Z0-9_]{1,64}) msg=audit\(\d{1,12}(?:\.\d{1,9})?:\d{1,20}\): ?(.*)", re.DOTALL)
_JOURNAL = re.compile(r"([A-Z][A-Z0-9_]{2,63}) ((?:pid|ppid|arch|op|auid|uid|prog-id|argc|dev)=.*)", re.DOTALL)
_PAIR = re.compile(r"(?:^|(?<=[\s'\x1d]))([A-Za-z][A-Za-z0-9_-]{0,63})=(?:\"([^\"]{0,65536})\"|'|([^\s'\x1d]{0,65536}))")
_OP = re.compile(r"\bop=([A-Za-z:_][A-Za-z:_ -]{0,63}?)(?= [a-z]{1,16}=|['\s]*$)")
_HEX = re.compile(r"(?:[0-9A-F]{2}){1,32768}")
_ENCODED = frozenset({"acct", "comm", "exe", "cwd", "cmd", "name", "key", "proctitle", "grp", "new_group", "unit"})
_ARGUMENT = re.compile(r"a\d{1,4}")
_NOBODY = frozenset({"", "?", "(null)", "(none)", "(unknown)", "(unknown user)", "(invalid user)", "unset", "-1", "4294967295"})
_OUTCOMES = {
    **dict.fromkeys(("success", "yes", "1"), "success"), **dict.fromkeys(("failed", "fail", "failure", "no", "0"), "failure"),
}  # fmt: skip
_EXECVE = frozenset({"59", "322", "11", "358", "221", "281", "execve", "execveat"})
_OWN_LOGIN = ("sshd", "sshd-session", "login", "gdm-session-worker", "lightdm", "sddm-helper")
"""Programs that tell a login by USER_LOGIN, beside the USER_AUTH that others have only."""


def _event(category: str, kinds: str, action: str) -> _Found:
    return {"event.category": frozen([category]), "event.type": frozen(kinds.split()), "event.action": action}


_CHANGED_USER, _CHANGED_PASSWORD = _event("iam", "user change", "user_changed"), _event("iam", "user change", "password_changed")
_JOINED, _LEFT = _event("iam", "group change", "group_member_added"), _event("iam", "group change", "group_member_removed")
_DISABLED = _event("configuration", "change", "audit_disabled")
_EXECUTED = _event("process", "start", "executed")
_LOCKED = _event("iam", "user change", "user_locked")

_PLAIN: dict[str, _Found] = {
    "USER_LOGIN": _event("authentication", "start", "user_login"), "USER_LOGOUT": _event("session", "end", "user_logout"),
    "USER_START": _event("session", "start", "session_opened"), "USER_END": _event("session", "end", "session_closed"),
    "ADD_GROUP": _event("iam", "group creation", "group_created"), "DEL_GROUP": _event("iam", "group deletion", "group_deleted"),
    "ACCT_LOCK": _LOCKED, "RESP_ACCT_LOCK": _LOCKED, "ACCT_UNLOCK": _event("iam", "user change", "user_unlocked"),
    "ROLE_ASSIGN": _event("iam", "user change", "role_granted"), "ROLE_REMOVE": _event("iam", "user change", "role_revoked"),
    "DAEMON_START": _event("process", "start", "audit_started"), "DAEMON_CONFIG": _event("configuration", "change", "audit_configured"),
    "DAEMON_END": _DISABLED, "DAEMON_ABORT": _DISABLED,
    "SYSTEM_BOOT": _event("host", "start", "host_started"), "SYSTEM_SHUTDOWN": _event("host", "end", "host_stopped"),
    "SERVICE_START": _event("process", "start", "service_started"), "SERVICE_STOP": _event("process", "end", "service_stopped"),
    "EXECVE": _EXECUTED, "ANOM_ABEND": _event("process", "error", "process_crashed"), "AVC": _event("process", "denied", "avc"),
}  # fmt: skip
"""Types of which every record is of one kind."""


def _authenticated(said: _Said) -> _Found | None:
    return None if _name(said) in _OWN_LOGIN else _event("authentication", "start", "user_auth")


def _commanded(said: _Said) -> _Found:
    allowed = _OUTCOMES.get(said.get("res", "")) != "failure"
    found = _event("process", f"start {'allowed' if allowed else 'denied'}", _name(said) or "sudo")
    return found | ({"process.command_line": said["cmd"]} if "cmd" in said else {})


def _managed(said: _Said) -> _Found | None:
    """Accounts and groups, by what was done; the records about shadow files and home directories repeat others."""
    op = said.get("op", "").replace("-", " ")
    if "shadow" in op or "home dir" in op or "mail" in op:
        return None
    if "group" in op:
        return _JOINED if "add" in op else _LEFT if "delet" in op or "remov" in op else _event("iam", "group change", "group_changed")
    if "unlock" in op:
        return _event("iam", "user change", "user_unlocked")
    if "lock" in op:
        return _LOCKED
    return _CHANGED_PASSWORD if "pass" in op or "chauthtok" in op else _CHANGED_USER


def _added(said: _Said) -> _Found | None:
    return found if (found := _managed(said)) is not _CHANGED_USER else _event("iam", "user creation", "user_created")


def _deleted(said: _Said) -> _Found | None:
    return found if (found := _managed(said)) is not _CHANGED_USER else _event("iam", "user deletion", "user_deleted")


def _configured(said: _Said) -> _Found:
    off = said.get("audit_enabled") == "0" or said.get("op", "").replace(" ", "_") in ("remove_rule", "remove")
    return _DISABLED if off else _event("configuration", "change", "audit_configured")


def _promiscuous(said: _Said) -> _Found:
    entered = said.get("prom", "0") != "0"
    found = _event("configuration", "change", f"promiscuous_mode_{'entered' if entered else 'left'}")
    return found | ({"pluginhost.interface": said["dev"]} if "dev" in said else {})


def _called(said: _Said) -> _Found:
    return _EXECUTED if said.get("syscall", said.get("SYSCALL", "")) in _EXECVE else _event("process", "info", "syscall")


_BY_VALUES: dict[str, Callable[[_Said], _Found | None]] = {
    "USER_AUTH": _authenticated, "USER_CMD": _commanded, "USER_MGMT": _managed, "GRP_MGMT": _managed, "USER_CHAUTHTOK": _managed,
    "ADD_USER": _added, "DEL_USER": _deleted, "CONFIG_CHANGE": _configured, "ANOM_PROMISCUOUS": _promiscuous, "SYSCALL": _called,
}  # fmt: skip
"""Types whose records are of several kinds."""


def _told(kind: str, said: _Said) -> _Found:
    """What a record of type `kind` says."""
    known = _PLAIN.get(kind) or ((read := _BY_VALUES.get(kind)) and read(said)) or {}
    found: _Found = {"pluginhost.audit.type": kind, **known}
    if known and (outcome := _OUTCOMES.get(said.get("res", said.get("success", "")))) is not None:
        found["event.outcome"] = outcome
    category, account = (*known.get("event.category", ()), "")[0], said.get("acct", "")
    actor = said.get("AUID", "")
    if category == "iam":
        group = next((value for key in ("grp", "new_group", "group") if (value := said.get(key, ""))), "")
        if "group" in known["event.type"] and "member" not in known["event.action"]:  # some name it as they name an account
            group, account = group or account, ""
        found |= filled({"user.name": actor, "user.target.name": account, "group.name": group})
    elif category == "process":
        found |= filled({"user.name": actor or account, "user.effective.name": said.get("EUID", "")})
    else:
        found |= filled({"user.name": account or actor})
    return found | _place(said) | _process(kind, said)


def _place(said: _Said) -> _Found:
    """Where it came from, where an address is told."""
    address = said.get("addr", "")
    where = address or said.get("hostname", "")
    found = filled({"source.address": where})
    return found | ({"source.ip": where} if where and packed(where) is not None else {"source.ip": MISSING} if where else {})


def _process(kind: str, said: _Said) -> _Found:
    found = filled({
        "process.name": _name(said), "process.executable": said.get("exe", ""), "user.audit.id": said.get("auid", ""),
        "process.working_directory": said.get("cwd", ""), "pluginhost.audit.key": said.get("key", ""), "user.id": said.get("uid", ""),
        "service.name": said.get("unit", ""),
    })  # fmt: skip
    for field, key in (("process.pid", "pid"), ("process.parent.pid", "ppid")):
        if (digits := said.get(key, "")).isascii() and digits.isdigit() and len(digits) <= 10:
            found[field] = int(digits)
    if kind == "EXECVE" and (arguments := [value for key, value in said.items() if _ARGUMENT.fullmatch(key)]):
        found |= {"process.args": arguments, "process.command_line": " ".join(arguments)}
    return found


def _name(said: _Said) -> str:
    return said.get("comm") or said.get("exe", "").rpartition("/")[2]


# --- the shapes ---


def _values(body: str) -> Iterator[tuple[str, str]]:
    if (op := _OP.search(body)) is not None:
        yield "op", op[1]
    for key, quoted, bare in _PAIR.findall(body):
        encoded = not quoted and (key in _ENCODED or _ARGUMENT.fullmatch(key)) and _HEX.fullmatch(bare)
        value = bytes.fromhex(bare).replace(b"\0", b" ").decode("utf-8", "backslashreplace") if encoded else quoted or bare
        if value not in _NOBODY:
            yield key, value


def _said(body: str) -> _Said:
    made: _Said = {}
    for key, value in _values(body):
        made.setdefault(key, value)
    return made


def _line(record: Record) -> _Found | None:
    program, _, _, body = split(record)
    head = _HEAD.fullmatch(body.strip())
    if head is not None and program in ("", "audispd", "audit", "auditd", "audisp-syslog", "kernel"):
        node, kind, rest = head.groups()
    elif program == "audit" and (journal := _JOURNAL.fullmatch(body.strip())) is not None:
        node, kind, rest = None, *journal.groups()
    else:
        return None
    found = _told(kind, _said(rest))
    found.setdefault("process.name", MISSING)  # not the daemon
    return found | ({"host.name": node} if node else {})


def _beat(record: Record) -> _Found | None:
    """Auditbeat says most in ECS itself; what it leaves out is read from the record that it keeps."""
    kind, data, result = (lookup(record, f"auditd.{name}") for name in ("message_type", "data", "result"))
    if not isinstance(kind, str):
        return None
    said = {key: told for key, value in (data if isinstance(data, dict) else {}).items() if (told := text(value)) and told not in _NOBODY}
    return _told(kind.upper()[:64], {"res": text(result) or "", **said})


_JSON: dict[str, _Found] = {
    "execve": _EXECUTED, "write": _event("file", "change", "written"), "attribute": _event("file", "change", "attribute_changed"),
    "promiscuous": _event("configuration", "change", "promiscuous_mode_entered"), "apparmor": _event("process", "denied", "apparmor"),
}  # fmt: skip
_DETAILS = {
    "user.name": ("originaluser", "user"), "user.effective.name": ("user",), "process.name": ("processname",),
    "process.executable": ("process",), "process.command_line": ("command",), "process.parent.name": ("parentprocess",),
    "process.working_directory": ("cwd",),
    "pluginhost.audit.key": ("auditkey",), "pluginhost.interface": ("dev",), "file.path": ("path",),
}  # fmt: skip


def _json(record: Record) -> _Found | None:
    details = record.get("details")
    if record.get("processname") != "audisp-json" or not isinstance(details, dict):
        return None
    found: _Found = dict(_JSON.get(text(record.get("category")) or "", {}))
    for field, keys in _DETAILS.items():
        found[field] = next((told for key in keys if (told := text(details.get(key)) or "") not in _NOBODY), MISSING)
    return found


_ID = "msg=audit(1795255200.123:456):"
_USER = "pid=42 uid=0 auid=4294967295 ses=4294967295 msg='op="
_LOGIN = f'type=USER_LOGIN {_ID} {_USER}login acct="bob" exe="/usr/sbin/sshd" hostname=203.0.113.9 addr=203.0.113.9 terminal=ssh res='
_FAILED: _Found = {
    "event.category": ["authentication"], "event.type": ["start"], "event.action": "user_login", "event.outcome": "failure",
    "user.name": "bob", "source.ip": "203.0.113.9", "process.name": "sshd", "process.executable": "/usr/sbin/sshd", "process.pid": 42,
}  # fmt: skip
_BY_ROOT = 'exe="/usr/sbin/x" hostname=web1 addr=? terminal=pts/0 res=success\'\x1dUID="root" AUID="alice"'
_BOB: _Found = {"event.category": ["iam"], "event.outcome": "success", "user.target.name": "bob", "user.name": "alice"}
_OFF: _Found = {"event.category": ["configuration"], "event.type": ["change"], "event.action": "audit_disabled"}
_QUIET = ("event.outcome", "event.category")
_CALL = 'arch=c000003e syscall=59 success=yes exit=0 ppid=41 pid=42 auid=1000 uid=0 comm="strace" exe="/usr/bin/strace" key="trace"'

_EXAMPLES = (
    Example(f"{_LOGIN}failed'", _FAILED),
    Example(f"node=web1 {_LOGIN}success'", {**_FAILED, "event.outcome": "success", "host.name": "web1"}),
    Example(f"Nov 21 10:00:00 web1 audispd: {_LOGIN}failed'", {**_FAILED, "host.name": "web1"}),
    Example({"SYSLOG_IDENTIFIER": "audit", "_HOSTNAME": "web1", "MESSAGE": _LOGIN.replace(f"type=USER_LOGIN {_ID}", "USER_LOGIN") + "no"},
            {**_FAILED, "host.name": "web1"}),
    Example(_LOGIN.replace('"bob"', "28696E76616C6964207573657229") + "failed'", {"event.outcome": "failure"}, ("user.name",)),
    Example(_LOGIN.replace('"bob"', "6120272061646472") + "failed'", {**_FAILED, "user.name": "a ' addr"}),
    Example(f'type=USER_AUTH {_ID} {_USER}PAM:auth acct="bob" exe="/usr/sbin/sshd" res=failed\'', {}, _QUIET),
    Example(f'type=USER_AUTH {_ID} {_USER}PAM:authentication acct="root" exe="/usr/bin/su" res=failed\'',
            {"event.category": ["authentication"], "event.outcome": "failure", "user.name": "root", "process.name": "su"}),
    Example(f'type=ADD_USER {_ID} {_USER}add-user acct="bob" {_BY_ROOT}',
            {**_BOB, "event.type": ["user", "creation"], "event.action": "user_created"}),
    Example(f'type=ADD_USER {_ID} {_USER}adding user acct="bob" {_BY_ROOT}', {**_BOB, "event.action": "user_created"}),
    Example(f'type=ADD_USER {_ID} {_USER}adding home directory acct="bob" {_BY_ROOT}', {}, ("event.action",)),
    Example(f'type=DEL_USER {_ID} {_USER}delete-user acct="bob" {_BY_ROOT}', {**_BOB, "event.action": "user_deleted"}),
    Example(f'type=USER_MGMT {_ID} {_USER}add-user-to-group grp="wheel" acct="bob" {_BY_ROOT}',
            {**_BOB, "event.action": "group_member_added", "group.name": "wheel"}),
    Example(f'type=ADD_GROUP {_ID} {_USER}add-group acct="ops" {_BY_ROOT}', {"event.action": "group_created", "group.name": "ops"},
            ("user.target.name",)),
    Example(f'type=USER_CHAUTHTOK {_ID} {_USER}PAM:chauthtok acct="bob" {_BY_ROOT}', {**_BOB, "event.action": "password_changed"}),
    Example(f'type=USER_CMD {_ID} pid=42 auid=1000 msg=\'cwd="/" cmd=636174202F612062 exe="/usr/bin/sudo" res=failed\'\x1dAUID="alice"',
            {"event.category": ["process"], "event.type": ["start", "denied"], "event.action": "sudo", "event.outcome": "failure",
             "process.command_line": "cat /a b", "process.working_directory": "/", "user.name": "alice"}),
    Example(f"type=ANOM_PROMISCUOUS {_ID} dev=eth0 prom=256 old_prom=0 auid=1000 uid=0 gid=0 ses=3",
            {"event.action": "promiscuous_mode_entered", "pluginhost.interface": "eth0"}),
    Example(f"type=SYSCALL {_ID} {_CALL}\x1dAUID=\"alice\" EUID=\"root\"",
            {"event.category": ["process"], "event.type": ["start"], "event.action": "executed", "event.outcome": "success",
             "process.name": "strace", "process.executable": "/usr/bin/strace", "process.pid": 42, "process.parent.pid": 41,
             "user.name": "alice", "user.effective.name": "root", "user.audit.id": "1000", "pluginhost.audit.key": "trace"}),
    Example(f'type=EXECVE {_ID} argc=3 a0="sh" a1="-c" a2=6120622063',
            {"process.args": ["sh", "-c", "a b c"], "process.command_line": "sh -c a b c"}),
    Example(f"type=CONFIG_CHANGE {_ID} op=set audit_enabled=0 old=1 auid=1000 ses=3 res=1", {**_OFF, "event.outcome": "success"}),
    Example(f'type=CONFIG_CHANGE {_ID} auid=1000 ses=3 op=remove_rule key="trace" list=4 res=1', _OFF),
    Example(f'type=CONFIG_CHANGE {_ID} auid=1000 ses=3 op=add_rule key="trace" list=4 res=1', {**_OFF, "event.action": "audit_configured"}),
    Example(f"type=DAEMON_END {_ID} op=terminate auid=0 pid=1 res=success", _OFF),
    Example(f'type=SERVICE_STOP {_ID} {_USER[:-3]}unit=nginx comm="systemd" exe="/lib/systemd/systemd" res=success\'',
            {"event.action": "service_stopped", "service.name": "nginx", "event.outcome": "success"}),
    Example(f"type=CRED_ACQ {_ID} {_USER}PAM:setcred acct=\"bob\" res=success'", {"pluginhost.audit.type": "CRED_ACQ"}, _QUIET),
    Example(f"Nov 21 10:00:00 web1 app[1]: {_LOGIN}failed'", {"process.name": "app"}, ("event.outcome", "user.name")),
)  # fmt: skip
_BEAT_EXAMPLES = (
    Example(
        {"auditd": {"message_type": "user_login", "result": "fail", "data": {"op": "login", "acct": "bob", "terminal": "ssh"}},
         "event": {"module": "auditd", "action": "logged-in"}, "source": {"ip": "203.0.113.9"}},
        {"event.category": ["authentication"], "event.action": "logged-in", "event.outcome": "failure", "user.name": "bob"},
    ),
    Example({"auditd": {"message_type": "config_change", "result": "success", "data": {"op": "set", "audit_enabled": "0"}}}, _OFF),
    Example({"auditd": {"summary": {}}}, {}, ("event.action",)),
)  # fmt: skip
_JSON_EXAMPLES = (
    Example(
        {"category": "execve", "processname": "audisp-json", "hostname": "web1", "summary": "Execve: strace -p 1",
         "details": {"originaluser": "alice", "user": "root", "processname": "strace", "command": "strace -p 1", "parentprocess": "bash",
                     "cwd": "/", "auditkey": "trace"}},
        {"event.category": ["process"], "event.action": "executed", "user.name": "alice", "user.effective.name": "root",
         "process.name": "strace", "process.command_line": "strace -p 1", "process.parent.name": "bash", "host.name": "web1"},
    ),
    Example({"category": "promiscuous", "processname": "audisp-json", "details": {"dev": "eth0"}},
            {"event.action": "promiscuous_mode_entered", "pluginhost.interface": "eth0"}, ("process.name", "user.name")),
)  # fmt: skip

_GIVES = frozenset({
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "user.target.name", "user.effective.name", "user.id",
    "user.audit.id", "group.name", "source.address", "source.ip", "process.name", "process.executable", "process.pid", "process.parent.pid",
    "process.args", "process.command_line", "process.working_directory", "service.name", "host.name", "pluginhost.interface",
    "pluginhost.audit.type", "pluginhost.audit.key",
})  # fmt: skip

MAPPINGS = (
    Mapping(
        "audit-line", "the Linux audit daemon: logins, accounts, commands, its own settings",
        Line(holds=("msg=audit(", " auid=", " argc=")), extract=_line, read={"host.name": host},
        reads=(*READS, *heads("host.name")), gives=_GIVES, examples=_EXAMPLES,
    ),
    Mapping(
        "audit-json", "audisp-json's records", Keys(("processname", "details", "category")), extract=_json,
        reads=("processname", "details", "category"), gives=frozenset({"event.category", "event.type", "event.action", *_DETAILS}),
        examples=_JSON_EXAMPLES,
    ),
    Mapping(
        "auditbeat", "Auditbeat's auditd module: what it leaves out of ECS", Keys(("auditd",)), extract=_beat,
        reads=("auditd", "auditd.message_type", "auditd.data", "auditd.result"), gives=_GIVES, examples=_BEAT_EXAMPLES,
    ),
)  # fmt: skip
