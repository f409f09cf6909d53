"""Windows event logs, the Security log above all: as Winlogbeat has them, and flat as nxlog, Fluent Bit and Fluentd send them.

An event is known by its log and its number; the same number in an application's log means nothing here. Its data have names
(`TargetUserName`), or stand in order where a shipper sends only the inserts of the message. Of a logon the address counts that
Windows names: none (`-`), and none either for a loopback, which would make one source of the consoles of all hosts. Accounts of
computers end with `$` and are told as they are. Winlogbeat writes `event.action` and `event.outcome` itself, and the record's own
field comes first: rules that must hold for it too ask `event.type` or `event.code`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..address import packed
from ..fields import MISSING, text, values
from ..mapping import Example, Keys, Mapping, Record
from .kinds import OF_A_KIND, Found, Read, choice, given, number
from .windows_tables import ABOUT_TARGET, ACCOUNTS, AT, GROUPS, INSERTS, JUDGED, KERBEROS, LOGON_TYPES, LOGS, PROVIDERS, STATUSES

__all__ = ["MAPPINGS"]

_ANY = Found()
_REMOVED = ("%%8448", "%%8450")  # what the audit policy says where it stops telling of successes or failures
_FAILED, _SUCCEEDED = 1 << 52, 1 << 53  # of an audit's keywords


class _Shape:
    """Where one kind of shipper keeps an event's log, its number and its data."""

    def __init__(self, log: Callable[[Record], Any], code: Callable[[Record], Any], data: Callable[[Record, str], Any],
                 words: Callable[[Record], Any]) -> None:  # fmt: skip
        self.log, self.code, self._data, self.words = log, code, data, words

    def known(self, record: Record) -> str:
        """The event's number as text if its log is one of those read here, else ""."""
        return (text(self.code(record)) or "") if self.log(record) in LOGS else ""

    def one(self, record: Record, *names: str) -> Any:
        """The first of the named data that says something, or `MISSING`."""
        for name in names:
            if (found := given(self._data(record, name))) is not MISSING:
                return found
        return MISSING

    def extract(self, record: Record) -> Found:
        """What is always so for events of this number in this log."""
        code = self.known(record)
        if code == "4719" and any(mark in str(self.one(record, "AuditPolicyChanges")) for mark in _REMOVED):
            code = "removed"
        elif code == "7036":
            code = str(self.one(record, "param2")).lower()
        return LOGS.get(self.log(record), _ANY).get(code, _ANY)

    def outcome(self, record: Record) -> Any:
        """By the status where there is one, else by what the log says of the audit."""
        code = self.known(record)
        if not code:
            return MISSING
        if code in JUDGED and (status := number(self.one(record, "Status"))) is not None:
            return "failure" if status else "success"
        said = _audited(self.words(record))
        return "unknown" if said is MISSING and code in JUDGED else said

    def reason(self, record: Record) -> Any:
        """Why it failed: a word for what is known, else the number."""
        code = self.known(record)
        if code not in JUDGED and code != "4625":
            return MISSING
        kerberos = code in ("4768", "4769", "4771")
        for name in ("SubStatus", "Status"):
            told = self.one(record, name)
            if (status := number(told)) is not None and status:
                return (KERBEROS if kerberos else STATUSES).get(status & 0xFFFFFFFF, told)
        return MISSING

    def user(self, targets: tuple[str, ...], *subjects: str) -> Read:
        """Of who logs on, or of who acts."""
        return lambda record: self.one(record, *(targets if self.known(record) in ABOUT_TARGET else subjects))

    def target(self, record: Record) -> Any:
        """The account that was touched."""
        code = self.known(record)
        if code in GROUPS:
            return self.one(record, "MemberName")
        return self.one(record, "OldTargetUserName", "TargetUserName") if code in ACCOUNTS else MISSING

    def target_id(self, record: Record) -> Any:
        """Its SID."""
        code = self.known(record)
        return self.one(record, "MemberSid") if code in GROUPS else self.one(record, "TargetSid") if code in ACCOUNTS else MISSING

    def source(self, record: Record) -> Any:
        """The address of a logon that came over a network."""
        told = self.one(record, "IpAddress", "ClientAddress")
        found = packed(told) if isinstance(told, str) else None
        return MISSING if found is None or found[:1] == b"\x7f" or found == bytes(15) + b"\x01" else told

    def reads(self) -> dict[str, Read]:
        """The functions by ECS name."""
        one = self.one

        def of(*names: str) -> Read:
            return lambda record: one(record, *names)

        def when(codes: frozenset[str], *names: str) -> Read:
            return lambda record: one(record, *names) if self.known(record) in codes else MISSING

        return {
            "event.outcome": self.outcome,
            "event.reason": self.reason,
            "event.code": lambda record: text(self.code(record)) or MISSING,
            "user.name": self.user(("TargetUserName", "AccountName"), "SubjectUserName"),
            "user.domain": self.user(("TargetDomainName", "AccountDomain"), "SubjectDomainName"),
            "user.id": self.user(("TargetUserSid", "TargetSid"), "SubjectUserSid"),
            "user.target.name": self.target,
            "user.target.id": self.target_id,
            "user.effective.name": when(frozenset({"4648"}), "TargetUserName"),
            "user.changes.name": when(frozenset({"4781"}), "NewTargetUserName"),
            "group.name": when(GROUPS, "TargetUserName"),
            "source.ip": self.source,
            "source.port": lambda record: number(one(record, "IpPort")) or MISSING,
            "source.domain": lambda record: _machine(one(record, "WorkstationName", "Workstation", "ClientName")),
            "winlog.logon.type": lambda record: choice(LOGON_TYPES, number(one(record, "LogonType"))),
            "service.name": lambda record: one(record, "param1" if self.known(record) == "7036" else "ServiceName"),
            "file.path": of("ServiceFileName", "ImagePath"),
            "process.executable": of("NewProcessName", "ProcessName"),
            "process.name": lambda record: _base(one(record, "NewProcessName", "ProcessName")),
            "process.command_line": of("CommandLine"),
            "process.parent.executable": of("ParentProcessName"),
            "process.pid": lambda record: number(one(record, "NewProcessId", "ProcessId")) or MISSING,
        }


def _audited(words: Any) -> Any:
    """Success or failure by the audit's keywords, in words or as bits."""
    for word in values(words):
        if isinstance(word, str) and "audit" in (low := word[:32].lower()):
            return "failure" if "failure" in low else "success" if "success" in low else MISSING
        bits = number(word)
        if bits is not None and bits & (_FAILED | _SUCCEEDED):
            return "failure" if bits & _FAILED else "success"
    return MISSING


def _machine(name: Any) -> Any:
    return given(name.lstrip("\\")) if isinstance(name, str) else MISSING


def _base(path: Any) -> Any:
    return given(path.rpartition("\\")[2]) if isinstance(path, str) else MISSING


def _log(channel: Any, provider: Any) -> str:
    """`security`, `system`, another log in lower case, or "" where nobody says."""
    return channel.lower() if isinstance(channel, str) and channel else PROVIDERS.get(provider, "") if isinstance(provider, str) else ""


# --- Winlogbeat ---


def _winlog(record: Record) -> dict[str, Any]:
    found = record.get("winlog")
    return found if isinstance(found, dict) else {}


def _beat_log(record: Record) -> str:
    winlog = _winlog(record)
    return _log(winlog.get("channel"), winlog.get("provider_name"))


def _beat_data(record: Record, name: str) -> Any:
    winlog = _winlog(record)
    for data in (winlog.get("event_data"), winlog.get("user_data")):
        if isinstance(data, dict) and name in data:
            return data[name]
    return None


_BEAT = _Shape(
    _beat_log, lambda record: _winlog(record).get("event_id"), _beat_data, lambda record: _winlog(record).get("keywords", MISSING),
)  # fmt: skip

# --- nxlog, Fluent Bit's winlog and winevtlog, Fluentd's windows_eventlog2: `EventID` beside the log's or the program's name ---


def _flat_log(record: Record) -> str:
    return _log(record.get("Channel"), record.get("SourceName") or record.get("ProviderName"))


def _flat_data(record: Record, name: str) -> Any:
    """By name at the top or in `EventData`; else by its place among the inserts."""
    if name in record:
        return record[name]
    data = record.get("EventData", record.get("StringInserts"))
    if isinstance(data, dict):
        return data.get(name)
    place = AT.get((text(record.get("EventID")) or "", name))
    return data[place] if isinstance(data, list) and place is not None and place < len(data) else None


_FLAT = _Shape(
    _flat_log, lambda record: record.get("EventID"), _flat_data, lambda record: [record.get("EventType"), record.get("Keywords")],
)  # fmt: skip
_FLAT_READS = (
    "EventID", "Channel", "SourceName", "ProviderName", "EventData", "StringInserts", "EventType", "Keywords",
    *sorted({name for order in INSERTS.values() for name in order}),
)  # fmt: skip

_DATA = {
    "SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0", "TargetUserSid": "S-1-0-0",
    "TargetUserName": "alice", "TargetDomainName": "SHOP", "Status": "0xc000006d", "FailureReason": "%%2313", "SubStatus": "0xc000006a",
    "LogonType": "3", "LogonProcessName": "NtLmSsp ", "AuthenticationPackageName": "NTLM", "WorkstationName": "DESK7",
    "TransmittedServices": "-", "LmPackageName": "-", "KeyLength": "0", "ProcessId": "0x0", "ProcessName": "-", "IpAddress": "203.0.113.9",
    "IpPort": "50000",
}  # fmt: skip
_BY = {"SubjectUserSid": "S-1-5-21-1-500", "SubjectUserName": "ops", "SubjectDomainName": "SHOP", "SubjectLogonId": "0x3e7"}
_ON = {"TargetUserName": "bob", "TargetDomainName": "SHOP", "TargetSid": "S-1-5-21-1-1105", **_BY}
_REFUSED: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.action": "windows_logon",
    "event.reason": "wrong password", "event.code": "4625", "user.name": "alice", "user.domain": "SHOP", "source.ip": "203.0.113.9",
    "source.port": 50000, "source.domain": "DESK7", "host.name": "dc1.shop.example", "winlog.logon.type": "Network",
}  # fmt: skip
_NO_TARGET = ("user.target.name", "group.name", "user.effective.name")


def _beat(code: int, data: dict[str, Any], channel: str = "Security", **winlog: Any) -> dict[str, Any]:
    provider = {"Security": "Microsoft-Windows-Security-Auditing", "System": "Service Control Manager"}.get(channel, "Other")
    return {
        "@timestamp": "2026-11-21T10:00:00.000Z", "message": "…", "agent": {"type": "winlogbeat"}, "log": {"level": "information"},
        "winlog": {
            "channel": channel, "provider_name": provider, "event_id": code, "computer_name": "dc1.shop.example",
            "event_data": data, **winlog,
        },
    }  # fmt: skip


def _inserts(code: int, *values: Any, **others: Any) -> dict[str, Any]:
    return {
        "ProviderName": "Microsoft-Windows-Security-Auditing", "EventID": code, "Channel": "Security", "Computer": "dc1.shop.example",
        "Keywords": "0x8010000000000000", "TimeCreated": "2026-11-21 10:00:00 +0000", "Message": "…",
        "StringInserts": list(values), **others,
    }  # fmt: skip


_BEATS = (
    Example(_beat(4625, _DATA, keywords=["Audit Failure"]), _REFUSED, (*_NO_TARGET, "process.executable")),
    Example(
        _beat(4624, {**_DATA, "IpAddress": "-", "IpPort": "0", "LogonType": 5, "TargetUserName": "DESK7$", "WorkstationName": "-"}),
        {"event.outcome": "success", "event.action": "windows_logon", "user.name": "DESK7$", "winlog.logon.type": "Service"},
        ("source.ip", "source.port", "source.domain", "event.reason"),
    ),
    Example(_beat(4624, {**_DATA, "IpAddress": "::1", "LogonType": "2"}), {"winlog.logon.type": "Interactive"}, ("source.ip",)),
    Example(
        _beat(4624, {**_DATA, "IpAddress": "127.0.0.1", "LogonType": "10"}), {"winlog.logon.type": "RemoteInteractive"}, ("source.ip",),
    ),
    Example(
        _beat(4634, {"TargetUserName": "alice"}),
        {"event.category": ["authentication", "session"], "event.type": ["end"], "user.name": "alice"},
    ),
    Example(
        _beat(4648, {**_BY, "TargetUserName": "Administrator", "IpAddress": "203.0.113.9"}),
        {"event.outcome": "unknown", "event.action": "windows_explicit_logon", "user.name": "ops", "user.effective.name": "Administrator"},
    ),
    Example(
        _beat(4778, {"AccountName": "alice", "AccountDomain": "SHOP", "ClientName": "DESK7", "ClientAddress": "203.0.113.9"}),
        {"event.category": ["session"], "event.type": ["start"], "event.action": "session_reconnected", "user.name": "alice",
         "source.ip": "203.0.113.9", "source.domain": "DESK7"},
    ),
    Example(_beat(4672, _BY), {"event.type": ["admin", "allowed"], "event.action": "privileges_assigned", "user.name": "ops"}),
    Example(
        _beat(4720, _ON, keywords=["Audit Success"]),
        {"event.category": ["iam"], "event.type": ["user", "creation"], "event.action": "user_created", "event.outcome": "success",
         "user.name": "ops", "user.target.name": "bob", "user.target.id": "S-1-5-21-1-1105"}, ("group.name", "source.ip"),
    ),
    Example(_beat(4740, {**_ON, "TargetDomainName": "DESK7"}), {"event.action": "user_locked", "user.target.name": "bob"}),
    Example(_beat(4724, _ON, keywords=["Audit Failure"]), {"event.action": "password_reset", "event.outcome": "failure"}),
    Example(
        _beat(4732, {**_ON, "TargetUserName": "Administrators", "MemberName": "-", "MemberSid": "S-1-5-21-1-1105"}),
        {"event.type": ["group", "change"], "event.action": "group_member_added", "group.name": "Administrators", "user.name": "ops",
         "user.target.id": "S-1-5-21-1-1105"}, ("user.target.name",),
    ),
    Example(
        _beat(4781, {**_BY, "OldTargetUserName": "bob", "NewTargetUserName": "bert"}),
        {"event.action": "user_renamed", "user.target.name": "bob", "user.changes.name": "bert"},
    ),
    Example(
        _beat(4768, {"TargetUserName": "alice", "Status": "0x6", "IpAddress": "::ffff:203.0.113.9", "ServiceName": "krbtgt"}),
        {"event.action": "kerberos_logon", "event.outcome": "failure", "event.reason": "unknown user", "source.ip": "203.0.113.9"},
    ),
    Example(_beat(4771, {"TargetUserName": "alice", "Status": "0x18"}), {"event.outcome": "failure", "event.reason": "wrong password"}),
    Example(
        _beat(4776, {"TargetUserName": "alice", "Workstation": "\\\\DESK7", "Status": "0x0"}),
        {"event.action": "ntlm_logon", "event.outcome": "success", "source.domain": "DESK7"}, ("event.reason", "source.ip"),
    ),
    Example(
        _beat(4688, {**_BY, "NewProcessId": "0x1f4", "NewProcessName": "C:\\Windows\\System32\\cmd.exe", "CommandLine": "cmd /c whoami",
                     "ParentProcessName": "C:\\Windows\\explorer.exe", "ProcessId": "0x10"}),
        {"event.category": ["process"], "event.type": ["start"], "process.name": "cmd.exe", "process.pid": 500, "user.name": "ops",
         "process.command_line": "cmd /c whoami", "process.parent.executable": "C:\\Windows\\explorer.exe"}, ("event.outcome",),
    ),
    Example(
        _beat(7045, {"ServiceName": "Updater", "ImagePath": "C:\\Temp\\u.exe", "AccountName": "LocalSystem"}, "System"),
        {"event.category": ["configuration"], "event.action": "service_installed", "service.name": "Updater",
         "file.path": "C:\\Temp\\u.exe"},
    ),
    Example(
        _beat(7036, {"param1": "Windows Defender", "param2": "stopped"}, "System"),
        {"event.action": "service_stopped", "event.type": ["end"], "service.name": "Windows Defender"},
    ),
    Example(
        _beat(1102, {}, user_data={"SubjectUserName": "ops"}, provider_name="Microsoft-Windows-Eventlog"),
        {"event.category": ["configuration"], "event.type": ["change"], "event.action": "audit_cleared", "user.name": "ops"},
    ),
    Example(  # Winlogbeat's own words for what happened
        {**_beat(4720, {**_BY, **_ON}), "event": {"code": "4720", "action": "User Account Management", "kind": "event"}},
        {"event.action": "user_created", "event.category": ["iam"]},
    ),
    Example(_beat(4719, {**_BY, "AuditPolicyChanges": "%%8448, %%8450"}), {"event.action": "audit_disabled", "user.name": "ops"}),
    Example(_beat(4719, {**_BY, "AuditPolicyChanges": "%%8449"}), {"event.action": "audit_policy_changed"}),
    Example(_beat(4625, _DATA, "Application"), {"event.code": "4625"}, ("event.category", "event.outcome", "event.reason")),
    Example(
        _beat(4799, {**_BY, "TargetUserName": "Administrators"}),
        {"event.action": "group_members_listed", "group.name": "Administrators"},
    ),
    Example(_beat(4625, {"TargetUserName": None, "IpAddress": [], "SubStatus": {}, "Status": "0xzz", "LogonType": "x"}),
            {"event.outcome": "failure"}, ("user.name", "source.ip", "event.reason", "winlog.logon.type")),
)  # fmt: skip
_FLATS = (
    Example({"EventID": 4625, "Channel": "Security", "Hostname": "dc1.shop.example", "EventType": "AUDIT_FAILURE", **_DATA}, _REFUSED),
    Example(_inserts(4625, *_DATA.values()), {**_REFUSED, "host.name": "dc1.shop.example"}, _NO_TARGET),
    Example(
        {"EventID": "4625", "SourceName": "Microsoft-Windows-Security-Auditing", "ComputerName": "dc1.shop.example",
         "EventData": [*_DATA.values()]},
        _REFUSED,
    ),
    Example(
        {"EventID": 4720, "Channel": "Security", "EventData": _ON, "Computer": "dc1"},
        {"event.action": "user_created", "host.name": "dc1"},
    ),
    Example(
        _inserts(4724, *(_ON[name] for name in INSERTS["4724"])),
        {"event.action": "password_reset", "event.outcome": "failure", "user.name": "ops", "user.target.name": "bob"},
    ),
    Example(_inserts(4776, "NTLM", "alice", "DESK7", "0xC0000234"), {"event.outcome": "failure", "event.reason": "account locked"}),
    Example(_inserts(4625, "S-1-0-0"), {"event.outcome": "failure", "event.code": "4625"}, ("user.name", "source.ip", "event.reason")),
    Example(_inserts(4625, *_DATA.values(), Channel="Application"), {"event.code": "4625"}, ("event.category", "event.outcome")),
    Example(_inserts(4625, Keywords=None, StringInserts="x", EventID=[4625]), {}, ("event.category", "event.code", "user.name")),
)  # fmt: skip

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "windows", "Windows event logs as Winlogbeat has them: logons, accounts, groups, services, audit", Keys(("winlog",)),
        paths={"host.name": ("winlog.computer_name",), "event.provider": ("winlog.provider_name",)}, extract=_BEAT.extract,
        read=_BEAT.reads(), reads=("winlog",), gives=OF_A_KIND, over=OF_A_KIND, examples=_BEATS,
    ),
    Mapping(
        "windows-flat", "Windows event logs of nxlog, Fluent Bit and Fluentd",
        Keys(("EventID",), ("Channel", "SourceName", "ProviderName")),
        paths={"host.name": ("Computer", "ComputerName", "Hostname"), "event.provider": ("ProviderName", "SourceName")},
        extract=_FLAT.extract, read=_FLAT.reads(), reads=_FLAT_READS, gives=OF_A_KIND, examples=_FLATS,
    ),
)  # fmt: skip
