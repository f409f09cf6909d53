"""What the programs of a Linux host log of people: who became whom, accounts, passwords, sessions, and what the system does.

A sentence is of a program, which the header or a field names; one without any is read too where no other program says the like.
Names and commands are other people's to write, so each sentence is matched whole, from its beginning to its end, by one expression
in which every part is bounded or ends at the line's end. Where sudo's line can be read in two ways, as by a directory called
`/tmp ; USER=bob`, all readings of the user are given and no directory. What is not known here is any syslog line's to read.

Of sentences that programs say twice (`group added to /etc/gshadow` beside `new group`) one is read, so that nobody counts double;
of PAM's about sshd none, since sshd tells the same itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..address import packed
from ..aliases import heads
from ..fields import MISSING, lookup, text
from ..frozen import frozen
from ..mapping import Example, Keys, Line, Mapping, Record
from .syslog import READS, filled, host, split

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]
_Extract = Callable[[Record], _Found | None]
_Sentence = tuple[re.Pattern[str], _Found]

_NAMES = {
    "user": "user.name", "target": "user.target.name", "to": "user.effective.name", "group": "group.name", "reason": "event.reason",
    "service": "service.name", "interface": "pluginhost.interface", "new": "user.changes.name",
}  # fmt: skip
"""Groups of an expression → what they are called."""


def _event(category: str, kinds: str, action: str, outcome: str = "") -> _Found:
    """What holds for every record that a sentence fits. Lists are frozen here, once, so that an event need not copy them per record."""
    made = {"event.category": frozen([category]), "event.type": frozen(kinds.split()), "event.action": action}
    return made | {"event.outcome": outcome} if outcome else made


def _sentences(told: Iterable[tuple[str, _Found]]) -> tuple[_Sentence, ...]:
    return tuple((re.compile(pattern, re.DOTALL), constants) for pattern, constants in told)


def _reader(programs: str, sentences: Iterable[_Sentence], *, bare: bool = True) -> _Extract:
    """The extractor for `sentences` of `programs`; `bare` are also read that no program signed."""
    known, sentences = {*programs.split(), *([""] if bare else [])}, tuple(sentences)

    def extract(record: Record) -> _Found | None:
        program, pid, _, body = split(record)
        if program not in known:
            return None
        body = _trimmed(body)
        for pattern, constants in sentences:
            if (found := pattern.fullmatch(body)) is not None:
                named = {_NAMES[name]: value for name, value in found.groupdict().items() if value}
                return _signed({**constants, **named}, program, pid)
        return None

    return extract


def _trimmed(body: str) -> str:
    """`body` without what the header and the end of the line leave; a name may end with any other blank."""
    return body.lstrip(" ").rstrip("\r\n")


def _signed(found: _Found, program: str, pid: Any) -> _Found:
    if program:
        found["process.name"] = program
    if pid is not MISSING:
        found["process.pid"] = pid
    return found


# --- sudo ---

_SUDO = re.compile(r"([^:\s][^:]{0,255}) : (?:([^;=]{1,128}) ; )?(?:[A-Z]{1,16}=[^;]{0,255} ; ){0,4}?PWD=(.*)", re.DOTALL)
_BECOMES = re.compile(r" ; USER=([^;]{1,255}) ; ")
_COMMAND = " ; COMMAND="
_SUDONE, _SUDENIED = _event("process", "start allowed", "sudo", "success"), _event("process", "start denied", "sudo", "failure")


def _sudo(record: Record) -> _Found | None:
    program, pid, _, body = split(record)
    said = _SUDO.fullmatch(_trimmed(body)) if program in ("", "sudo") else None
    if said is None or (readings := list(_BECOMES.finditer(said[3]))) == []:
        return None
    user, reason, rest = said.groups()
    found = {**(_SUDENIED if reason else _SUDONE), "user.name": user}
    if reason:
        found["event.reason"] = reason
    _, asked, command = rest[readings[0].end() - 3 :].partition(_COMMAND)
    if asked:
        found["process.command_line"] = command
    names = list(dict.fromkeys(one[1] for one in readings))
    found["user.effective.name"] = names[0] if len(names) == 1 else names
    if len(readings) == 1:
        found["process.working_directory"] = rest[: readings[0].start()]
    return _signed(found, program, pid)


# --- su: util-linux, shadow, older ones ---

_SU, _NO_SU = _event("process", "start allowed", "su", "success"), _event("process", "start denied", "su", "failure")
_SU_SAID = _sentences((
    (r"\(to (?P<to>[^()]{1,255})\) (?P<user>.{1,255}) on \S{1,64}", _SU),
    (r"FAILED SU \(to (?P<to>[^()]{1,255})\) (?P<user>.{1,255}) on \S{1,64}", _NO_SU),
    (r"Successful su for (?P<to>\S{1,255}) by (?P<user>.{1,255})", _SU),
    (r"(?:FAILED|pam_authenticate: .{1,64} FAILED) su for (?P<to>\S{1,255}) by (?P<user>.{1,255})", _NO_SU),
    (r"\+ \S{1,64} (?P<user>[^:]{1,255}):(?P<to>[^:]{1,255})", _SU),
    (r"- \S{1,64} (?P<user>[^:]{1,255}):(?P<to>[^:]{1,255})", _NO_SU),
    (r"BAD SU (?P<user>\S{1,255}) to (?P<to>\S{1,255}) on \S{1,64}", _NO_SU),
    (r"(?P<user>\S{1,255}) to (?P<to>\S{1,255}) on \S{1,64}", _SU),
    (r"'su (?P<to>[^']{1,255})' succeeded for (?P<user>.{1,255}) on \S{1,64}", _SU),
    (r"'su (?P<to>[^']{1,255})' failed for (?P<user>.{1,255}) on \S{1,64}", _NO_SU),
))  # fmt: skip

# --- accounts, groups and passwords: the shadow suite ---

_PROGRAMS = """useradd adduser userdel deluser usermod groupadd addgroup groupdel delgroup groupmod gpasswd passwd chpasswd newusers chage
 chfn chsh vipw"""
_USER, _GROUP = "'(?P<target>[^']{1,255})'", "'(?P<group>[^']{1,255})'"


def _account(kinds: str, action: str, outcome: str = "success") -> _Found:
    return _event("iam", kinds, action, outcome)


_CREATED, _LOCKED = _account("user creation", "user_created"), _account("user change", "user_locked")
_CHANGED, _PASSWORD = _account("user change", "user_changed"), _account("user change", "password_changed")
_JOINED, _LEFT = _account("group change", "group_member_added"), _account("group change", "group_member_removed")
_ACCOUNTS = _sentences((
    (r"new user: name=(?P<target>[^,]{1,255}), UID=.{0,4096}", _CREATED),
    (rf"failed adding user {_USER}.{{0,1024}}", _account("user creation", "user_created", "failure")),
    (rf"delete user {_USER}", _account("user deletion", "user_deleted")),
    (r"new group: name=(?P<group>[^,]{1,255})(?:, .{0,255})?", _account("group creation", "group_created")),
    (rf"group {_GROUP} removed", _account("group deletion", "group_deleted")),
    (rf"removed group {_GROUP} owned by '[^']{{1,255}}'", _account("group deletion", "group_deleted")),
    (r"group changed in /etc/group \(group (?P<group>[^/,]{1,255})/.{0,512}", _account("group change", "group_changed")),
    (rf"add {_USER} to group {_GROUP}", _JOINED),
    (rf"delete {_USER} from group {_GROUP}", _LEFT),
    (r"user (?P<target>\S{1,255}) added by (?P<user>\S{1,255}) to group (?P<group>\S{1,255})", _JOINED),
    (r"user (?P<target>\S{1,255}) removed by (?P<user>\S{1,255}) from group (?P<group>\S{1,255})", _LEFT),
    (r"members of group (?P<group>\S{1,255}) set by (?P<user>\S{1,255}) to .*", _account("group change", "group_changed")),
    (rf"lock user {_USER} password", _LOCKED),
    (rf"unlock user {_USER} password", _account("user change", "user_unlocked")),
    (rf"change user {_USER} password", _PASSWORD),
    (rf"change user name {_USER} to '(?P<new>[^']{{1,255}})'", _account("user change", "user_renamed")),
    (rf"change(?:d)? user {_USER} .{{1,4096}}", _CHANGED),
    (r"changed password expiry for (?P<target>\S{1,255})", _CHANGED),
    (r"password for '(?P<target>[^']{1,255})' changed by '(?P<user>(?P=target))'", _PASSWORD),
    (rf"password for {_USER} changed by '(?P<user>[^']{{1,255}})'", _account("user change", "password_reset")),
    (r"password changed for (?P<target>.{1,255})", _PASSWORD),
))  # fmt: skip
_ACCOUNT_TEXTS = (
    "new user: name=", "failed adding user '", "delete user '", "new group: name=", "' removed", "removed group '",
    "group changed in /etc/group", "' to group '",
    "' from group '", " added by ", " removed by ", "members of group ", "lock user '", "change user ", "changed user '",
    "changed password expiry", "password for '", "password changed for ",
)  # fmt: skip

# --- PAM, in whatever program ---

_PAM = re.compile(r"pam_\w{1,32}\(([^:()]{1,64}):(auth|session|account|chauthtok|setcred)\): (.*)", re.DOTALL)
_AUTHENTICATED = re.compile(
    r"authentication (failure|success); logname=\S{0,255} uid=\d{0,10} euid=\d{0,10} tty=\S{0,255} ruser=\S{0,255} rhost=(\S{0,255})"
    r"(?: {1,2}user=(.*))?",
    re.DOTALL,
)
_SESSION = re.compile(r"session (opened|closed) for user (\S{1,255}?)(?:\(uid=\d{1,10}\))?(?: by (\S{0,255}?)\(uid=\d{1,10}\))?")
_SESSIONS = {"opened": _event("session", "start", "session_opened"), "closed": _event("session", "end", "session_closed")}
_PAM_ACCOUNTS = _sentences((
    (r"password changed for (?P<target>.{1,255})", _PASSWORD),
    (r"Consecutive login failures for user (?P<target>.{1,255}) account (?:temporarily|permanently) locked", _LOCKED),
    (r"user (?P<target>\S{1,255}) \(\d{1,10}\) tally \d{1,10}, deny \d{1,10}", _LOCKED),
))  # fmt: skip
_BECOMING = frozenset({"sudo", "sudo-i", "su", "su-l", "runuser", "runuser-l", "polkit-1", "pkexec"})


def _pam(record: Record) -> _Found | None:
    program, pid, _, body = split(record)
    said = _PAM.fullmatch(_trimmed(body))
    if said is None or said[1] == "sshd":
        return None
    service, what = said[1], said[3]
    found = _session(service, what) if what.startswith("session ") else _authenticated(what)
    for pattern, constants in _PAM_ACCOUNTS if found is None else ():
        if (told := pattern.fullmatch(what)) is not None:
            found = {**constants, "user.target.name": told["target"]}
    return found and _signed(found, program or service, pid)


def _session(service: str, what: str) -> _Found | None:
    """Of a session by which somebody becomes another, the user is who asked."""
    said = _SESSION.fullmatch(what)
    if said is None:
        return None
    verb, user, actor = said.groups()
    became = {"user.name": actor, "user.effective.name": user} if service in _BECOMING and actor else {"user.name": user}
    return {**_SESSIONS[verb], **became}


def _authenticated(what: str) -> _Found | None:
    said = _AUTHENTICATED.fullmatch(what)
    if said is None:
        return None
    outcome, address, user = said.groups()
    found = _event("authentication", "start", "pam_authentication", outcome)
    if user:
        found["user.name"] = user
    if address:
        found["source.address"] = address
        found["source.ip"] = address if packed(address) is not None else MISSING
    return found


# --- logind, systemd, kernel, shutdown ---

_UP, _DOWN = _event("host", "start", "host_started"), _event("host", "end", "host_stopped")
_SYSTEM = _sentences((
    (r"New session \S{1,32} of user (?P<user>\S{1,255}?)\.(?: .{0,255})?", _event("session", "start", "session_opened")),
    (r"Removed session \S{1,32}\.", _event("session", "end", "session_closed")),
    (r"System is (?:powering down|rebooting|halting)\b.{0,255}", _DOWN),
    (r"The system (?:will|is going to|is going down).{0,255}", _DOWN),
    (r"Startup finished in .{1,255}", _UP),
    (r"Shutting down\.", _DOWN),
    (r"shutting down for system .{1,64}", _DOWN),
    (r"(?:\[ *\d{1,12}\.\d{1,9}\] )?Linux version .{1,1024}", _UP),
    (r"(?:\[ *\d{1,12}\.\d{1,9}\] )?reboot: (?:Restarting system|Power down|System halted)", _DOWN),
    (r"Started (?!Session \S{1,32} of )(?P<service>.{1,255}?)(?:\.service - .{1,255}|\.)",
     _event("process", "start", "service_started", "success")),
    (r"Failed to start (?P<service>.{1,255}?)(?:\.service - .{1,255}|\.)", _event("process", "start", "service_started", "failure")),
    (r"Stopped (?P<service>.{1,255}?)(?:\.service - .{1,255}|\.)", _event("process", "end", "service_stopped", "success")),
))  # fmt: skip
_SYSTEM_TEXTS = (
    "New session ", "Removed session ", "System is ", "The system ", "Startup finished", "hutting down", "Linux version ", "reboot: ",
    "Started ", "Failed to start ", "Stopped ",
)  # fmt: skip
_PROMISCUOUS = _sentences((
    (r"(?:\[ *\d{1,12}\.\d{1,9}\] )?(?:\S{1,64} \S{1,64} )?(?:device )?(?P<interface>[^\s:]{1,64}):? entered promiscuous mode",
     _event("configuration", "change", "promiscuous_mode_entered")),
    (r"(?:\[ *\d{1,12}\.\d{1,9}\] )?(?:\S{1,64} \S{1,64} )?(?:device )?(?P<interface>[^\s:]{1,64}):? left promiscuous mode",
     _event("configuration", "change", "promiscuous_mode_left")),
))  # fmt: skip

# --- Filebeat's system module, where its pipeline took the line apart ---


def _filebeat(record: Record) -> _Found | None:
    auth = lookup(record, "system.auth")
    if not isinstance(auth, dict):
        return None
    sudo, user, group, ssh = (one if isinstance(one := auth.get(name), dict) else None for name in ("sudo", "useradd", "groupadd", "ssh"))
    if sudo is not None:
        reason = text(sudo.get("error"))
        told = {"event.reason": reason, "user.effective.name": text(sudo.get("user")), "process.command_line": text(sudo.get("command")),
                "process.working_directory": text(sudo.get("pwd"))}  # fmt: skip
        return {**(_SUDENIED if reason else _SUDONE), **filled(told)}
    if user is not None:
        return {**_CREATED, **filled({"user.target.name": text(user.get("name"))})}
    if group is not None:
        return {**_account("group creation", "group_created"), **filled({"group.name": text(group.get("name"))})}
    outcome = {"Accepted": "success", "Failed": "failure"}.get(text(ssh.get("event")) or "") if ssh is not None else None
    return _event("authentication", "start", "ssh_login", outcome) if outcome else None


# --- examples ---

_HEAD = "Nov 21 10:00:00 web1"
_ASKED = "TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt update"
_TO_ROOT: _Found = {"user.name": "alice", "user.effective.name": "root"}
_SUDO_ROOT: _Found = {
    "event.category": ["process"], "event.type": ["start", "allowed"], "event.action": "sudo", "event.outcome": "success", **_TO_ROOT,
    "process.command_line": "/usr/bin/apt update", "process.working_directory": "/home/alice",
}  # fmt: skip
_DENIED: _Found = {**_SUDO_ROOT, "event.type": ["start", "denied"], "event.outcome": "failure"}
_FROM: _Found = {"process.name": "sudo", "host.name": "web1"}
_SU_ROOT: _Found = {"event.category": ["process"], "event.action": "su", **_TO_ROOT}
_NO_SUCCESS = {**_SU_ROOT, "event.type": ["start", "denied"], "event.outcome": "failure"}
_BOB: _Found = {"event.category": ["iam"], "user.target.name": "bob", "event.outcome": "success"}
_WHO = "logname= uid=0 euid=0 tty=tty1 ruser= rhost="

_SUDO_EXAMPLES = (
    Example(f"{_HEAD} sudo:    alice : {_ASKED}", {**_SUDO_ROOT, **_FROM}),
    Example({"SYSLOG_IDENTIFIER": "sudo", "MESSAGE": f"  alice : {_ASKED}", "_PID": "42", "_HOSTNAME": "web1"}, {**_SUDO_ROOT, **_FROM}),
    Example({"ident": "sudo", "host": "web1", "message": f"alice : {_ASKED}"}, {**_SUDO_ROOT, **_FROM}, tag="auth"),
    Example({"message": f"{_HEAD} sudo[7]: alice : {_ASKED}", "event": {"dataset": "system.auth"}}, {**_SUDO_ROOT, "process.pid": 7}),
    Example(f"<85>1 2026-11-21T10:00:00Z web1 sudo 42 - -    alice : {_ASKED}", {**_SUDO_ROOT, **_FROM}),
    Example(f"{_HEAD} sudo: alice : 1 incorrect password attempt ; {_ASKED}", {**_DENIED, "event.reason": "1 incorrect password attempt"}),
    Example(f"{_HEAD} sudo: alice : user NOT in sudoers ; {_ASKED}", {**_DENIED, "event.reason": "user NOT in sudoers"}),
    Example(f"{_HEAD} sudo: alice : command not allowed ; {_ASKED}", {**_DENIED, "event.reason": "command not allowed"}),
    Example(
        f"{_HEAD} sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; GROUP=adm ; ENV=A=b ; COMMAND=/bin/sh -c echo ; USER=x",
        {**_TO_ROOT, "process.command_line": "/bin/sh -c echo ; USER=x"},
    ),
    Example(
        f"{_HEAD} sudo: alice : TTY=pts/0 ; PWD=/tmp/x ; USER=bob ; COMMAND=ls ; USER=root ; COMMAND=/bin/sh",
        {"user.effective.name": ["bob", "root"], "process.command_line": "ls ; USER=root ; COMMAND=/bin/sh"},
        ("process.working_directory",),
    ),
    Example(f"{_HEAD} app[1]: sudo: alice : {_ASKED}", {"process.name": "app"}, ("event.outcome", "user.effective.name")),
)
_SU_EXAMPLES = (
    Example(f"{_HEAD} su[42]: (to root) alice on pts/0", {**_SU_ROOT, "event.type": ["start", "allowed"], "event.outcome": "success"}),
    Example(f"{_HEAD} su: FAILED SU (to root) alice on pts/0", _NO_SUCCESS),
    Example(f"{_HEAD} su[42]: Successful su for root by alice", {**_SU_ROOT, "event.outcome": "success", "process.pid": 42}),
    Example({"ident": "su", "message": "FAILED su for root by alice"}, _NO_SUCCESS),
    Example(f"{_HEAD} su[42]: + /dev/pts/0 alice:root", {**_SU_ROOT, "event.outcome": "success"}),
    Example(f"{_HEAD} su[42]: - /dev/pts/0 alice:root", _NO_SUCCESS),
    Example(f"{_HEAD} su: BAD SU alice to root on /dev/pts/0", _NO_SUCCESS),
    Example("<38>1 2026-11-21T10:00:00Z web1 su 42 - - 'su root' failed for alice on /dev/pts/0", _NO_SUCCESS),
    Example(f"{_HEAD} app[1]: (to root) alice on pts/0", {"process.name": "app"}, ("event.outcome",)),
)
_ACCOUNT_EXAMPLES = (
    Example(
        f"{_HEAD} useradd[42]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/0",
        {**_BOB, "event.type": ["user", "creation"], "event.action": "user_created", "process.name": "useradd", "host.name": "web1"},
    ),
    Example(
        {"ident": "userdel", "message": "delete user 'bob'"},
        {**_BOB, "event.type": ["user", "deletion"], "event.action": "user_deleted"},
    ),
    Example(f"{_HEAD} useradd: failed adding user 'bob', data lost", {**_BOB, "event.action": "user_created", "event.outcome": "failure"}),
    Example(f"{_HEAD} groupadd[42]: new group: name=ops, GID=1002", {"event.action": "group_created", "group.name": "ops"}),
    Example(f"{_HEAD} groupdel[42]: group 'ops' removed", {"event.action": "group_deleted", "group.name": "ops"}),
    Example(f"{_HEAD} userdel[42]: removed group 'bob' owned by 'bob'", {"event.action": "group_deleted", "group.name": "bob"}),
    Example(f"{_HEAD} usermod[42]: add 'bob' to group 'sudo'", {**_BOB, "event.action": "group_member_added", "group.name": "sudo"}),
    Example(f"{_HEAD} usermod[42]: add 'bob' to shadow group 'sudo'", {"process.name": "usermod"}, ("event.action",)),
    Example(f"{_HEAD} usermod[42]: delete 'bob' from group 'sudo'", {**_BOB, "event.action": "group_member_removed", "group.name": "sudo"}),
    Example(
        f"{_HEAD} gpasswd[42]: user bob added by root to group sudo",
        {**_BOB, "event.type": ["group", "change"], "event.action": "group_member_added", "user.name": "root", "group.name": "sudo"},
    ),
    Example(f"{_HEAD} gpasswd[42]: user bob removed by root from group sudo", {**_BOB, "event.action": "group_member_removed"}),
    Example(f"{_HEAD} usermod[42]: lock user 'bob' password", {**_BOB, "event.action": "user_locked"}),
    Example(f"{_HEAD} usermod[42]: unlock user 'bob' password", {**_BOB, "event.action": "user_unlocked"}),
    Example(f"{_HEAD} usermod[42]: change user name 'bob' to 'rob'", {**_BOB, "event.action": "user_renamed", "user.changes.name": "rob"}),
    Example(f"{_HEAD} usermod[42]: change user 'bob' UID from '1001' to '0'", {**_BOB, "event.action": "user_changed"}),
    Example(f"{_HEAD} chage[42]: changed password expiry for bob", {**_BOB, "event.action": "user_changed"}),
    Example(f"{_HEAD} passwd[42]: password for 'bob' changed by 'bob'", {**_BOB, "event.action": "password_changed", "user.name": "bob"}),
    Example(f"{_HEAD} passwd[42]: password for 'bob' changed by 'root'", {**_BOB, "event.action": "password_reset", "user.name": "root"}),
    Example(f"{_HEAD} app[42]: delete user 'bob'", {"process.name": "app"}, ("event.action",)),
)
_PAM_EXAMPLES = (
    Example(
        f"{_HEAD} login[42]: pam_unix(login:auth): authentication failure; {_WHO}203.0.113.9  user=a from b user=c",
        {"event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "source.ip": "203.0.113.9",
         "user.name": "a from b user=c", "process.name": "login", "process.pid": 42},
    ),
    Example({"ident": "gdm-password]", "message": f"pam_sss(gdm-password:auth): authentication success; {_WHO} user=bob"},
            {"event.outcome": "success", "user.name": "bob"}, ("source.ip", "source.address")),
    Example(f"{_HEAD} vsftpd[42]: pam_unix(vsftpd:auth): authentication failure; {_WHO}host.example",
            {"event.outcome": "failure", "source.address": "host.example"}, ("source.ip", "user.name")),
    Example(f"{_HEAD} vsftpd[42]: pam_unix(vsftpd:auth): check pass; user unknown", {"process.name": "vsftpd"}, ("event.outcome",)),
    Example(f"{_HEAD} sshd[42]: pam_unix(sshd:auth): authentication failure; {_WHO}203.0.113.9  user=bob", {"process.name": "sshd"},
            ("event.outcome", "user.name")),
    Example(f"{_HEAD} sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)",
            {"event.category": ["session"], "event.type": ["start"], "event.action": "session_opened", **_TO_ROOT}),
    Example(f"{_HEAD} CRON[42]: pam_unix(cron:session): session closed for user root",
            {"event.type": ["end"], "event.action": "session_closed", "user.name": "root"}, ("user.effective.name",)),
    Example(f"{_HEAD} passwd[42]: pam_unix(passwd:chauthtok): password changed for bob", {**_BOB, "event.action": "password_changed"}),
    Example(f"{_HEAD} login[42]: pam_faillock(login:auth): Consecutive login failures for user bob account temporarily locked",
            {**_BOB, "event.action": "user_locked"}),
)  # fmt: skip
_SYSTEM_EXAMPLES = (
    Example(f"{_HEAD} systemd-logind[42]: New session 5 of user alice.",
            {"event.category": ["session"], "event.type": ["start"], "event.action": "session_opened", "user.name": "alice"}),
    Example(f"{_HEAD} systemd-logind[42]: Removed session 5.", {"event.type": ["end"], "event.action": "session_closed"}, ("user.name",)),
    Example(f"{_HEAD} systemd[1]: Started nginx.service - A web server.",
            {"event.category": ["process"], "event.type": ["start"], "event.action": "service_started", "service.name": "nginx"}),
    Example({"SYSLOG_IDENTIFIER": "systemd", "MESSAGE": "Stopped Security Auditing Service."},
            {"event.type": ["end"], "event.action": "service_stopped", "service.name": "Security Auditing Service"}),
    Example(f"{_HEAD} systemd[1]: Failed to start nginx.service - A web server.", {"event.outcome": "failure", "service.name": "nginx"}),
    Example(f"{_HEAD} systemd[1]: Startup finished in 1.5s (kernel) + 3s (userspace) = 4.5s.", {"event.action": "host_started"}),
    Example(f"{_HEAD} kernel: [    0.000000] Linux version 6.1.0 (gcc)", {"event.category": ["host"], "event.action": "host_started"}),
    Example(f"{_HEAD} systemd-logind[42]: System is rebooting.", {"event.type": ["end"], "event.action": "host_stopped"}),
    Example("Started a game.", {}, ("event.action", "service.name")),
)  # fmt: skip
_PROMISCUOUS_EXAMPLES = (
    Example(f"{_HEAD} kernel: [12345.678901] device eth0 entered promiscuous mode",
            {"event.category": ["configuration"], "event.type": ["change"], "event.action": "promiscuous_mode_entered",
             "pluginhost.interface": "eth0", "host.name": "web1"}),
    Example({"SYSLOG_IDENTIFIER": "kernel", "MESSAGE": "eth0: left promiscuous mode"},
            {"event.action": "promiscuous_mode_left", "pluginhost.interface": "eth0"}),
    Example(f"{_HEAD} app[1]: device eth0 entered promiscuous mode", {"process.name": "app"}, ("event.action",)),
)  # fmt: skip
_FILEBEAT_EXAMPLES = (
    Example(
        {"system": {"auth": {"sudo": {"tty": "pts/0", "pwd": "/home/alice", "user": "root", "command": "/usr/bin/apt update"}}},
         "user": {"name": "alice"}, "process": {"name": "sudo"}},
        {**_SUDO_ROOT, "process.name": "sudo"},
    ),
    Example({"system": {"auth": {"sudo": {"error": "user NOT in sudoers", "user": "root"}}}, "user": {"name": "alice"}},
            {"event.outcome": "failure", "event.reason": "user NOT in sudoers", **_TO_ROOT}),
    Example({"system": {"auth": {"useradd": {"name": "bob", "uid": "1001"}}}}, {**_BOB, "event.action": "user_created"}),
    Example({"system": {"auth": {"groupadd": {"name": "ops", "gid": "1002"}}}}, {"event.action": "group_created", "group.name": "ops"}),
    Example({"system": {"auth": {"ssh": {"event": "Failed", "method": "password"}}}, "source": {"ip": "203.0.113.9"}},
            {"event.action": "ssh_login", "event.outcome": "failure", "source.ip": "203.0.113.9"}),
    Example({"system": {"cpu": {"cores": 2}}}, {}, ("event.action",)),
)  # fmt: skip

_SHARED = frozenset({"event.category", "event.type", "event.action", "event.outcome", "process.name", "process.pid", *_NAMES.values()})
_GIVES = _SHARED | {"process.command_line", "process.working_directory", "source.address", "source.ip"}


def _lines(name: str, description: str, texts: tuple[str, ...], extract: _Extract, examples: tuple[Example, ...]) -> Mapping:
    return Mapping(name, description, Line(holds=texts), extract=extract, read={"host.name": host}, reads=(*READS, *heads("host.name")),
                   gives=_GIVES, examples=examples)  # fmt: skip


MAPPINGS = (
    _lines("sudo", "sudo: commands allowed and denied", (_COMMAND,), _sudo, _SUDO_EXAMPLES),
    _lines("su", "su: who became whom, and who could not", (
        "(to ", "u for ", "+ /dev/", "- /dev/", "+ pts/", "- pts/", " on /dev/", "'su "), _reader("su", _SU_SAID), _SU_EXAMPLES),
    _lines("pam", "PAM's modules in any program: failures, sessions, passwords", ("pam_",), _pam, _PAM_EXAMPLES),
    _lines("linux-accounts", "useradd, usermod, gpasswd, passwd and their like: accounts, groups, passwords", _ACCOUNT_TEXTS,
           _reader(_PROGRAMS, _ACCOUNTS), _ACCOUNT_EXAMPLES),
    _lines("linux-system", "systemd, logind, kernel: sessions, services, start and shutdown", _SYSTEM_TEXTS,
           _reader("systemd systemd-logind systemd-shutdown elogind kernel shutdown", _SYSTEM, bare=False), _SYSTEM_EXAMPLES),
    _lines("linux-promiscuous", "the kernel: interfaces that began or ceased to listen to all traffic", (" promiscuous mode",),
           _reader("kernel", _PROMISCUOUS), _PROMISCUOUS_EXAMPLES),
    Mapping("filebeat-auth", "Filebeat's system module, taken apart by its pipeline", Keys(("system",)), extract=_filebeat,
            reads=("system", "system.auth"), gives=_SHARED | {"process.command_line", "process.working_directory"},
            examples=_FILEBEAT_EXAMPLES),
)  # fmt: skip
