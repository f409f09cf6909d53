"""What is known of Windows events: what their numbers mean, the words behind status codes, and the order of their data.

Tables only, from Microsoft's descriptions of the Security and System logs; how a record is read with them is `windows.py`'s.
"""

from __future__ import annotations

from .kinds import kinds

__all__ = ["ABOUT_TARGET", "ACCOUNTS", "AT", "GROUPS", "INSERTS", "JUDGED", "KERBEROS", "LOGON_TYPES", "LOGS", "PROVIDERS", "STATUSES"]

SECURITY = kinds({
    "authentication start windows_logon success": "4624",
    "authentication start windows_logon failure": "4625",
    "authentication,session end windows_logoff success": "4634 | 4647",
    "authentication start windows_explicit_logon unknown": "4648",
    "authentication start kerberos_logon": "4768 | 4771",
    "authentication info kerberos_service_ticket": "4769",
    "authentication start ntlm_logon": "4776",
    "session start session_reconnected": "4778",
    "session end session_disconnected": "4779",
    "iam admin,allowed privileges_assigned success": "4672",
    "iam user,creation user_created": "4720",
    "iam user,deletion user_deleted": "4726",
    "iam user,change user_enabled": "4722",
    "iam user,change user_disabled": "4725",
    "iam user,change user_locked": "4740",
    "iam user,change user_unlocked": "4767",
    "iam user,change user_renamed": "4781",
    "iam user,change user_changed": "4738",
    "iam user,change password_changed": "4723",
    "iam user,change password_reset": "4724",
    "iam user,info user_groups_listed": "4798",
    "iam group,creation group_created": "4727 | 4731 | 4754",
    "iam group,deletion group_deleted": "4730 | 4734 | 4758",
    "iam group,change group_member_added": "4728 | 4732 | 4756",
    "iam group,change group_member_removed": "4729 | 4733 | 4757",
    "iam group,info group_members_listed": "4799",
    "process start process_started": "4688",
    "process end process_ended": "4689",
    "configuration change service_installed": "4697",
    "configuration change scheduled_task_created": "4698",
    "configuration change audit_cleared": "1102",
    "configuration change audit_policy_changed": "4719",
    "configuration change audit_disabled": "removed",
    "host start host_started": "4608",
    "host end host_stopped": "4609",
    "process end service_stopped": "1100",
})  # fmt: skip
SYSTEM = kinds({
    "configuration change service_installed": "7045",
    "configuration change audit_cleared": "104",
    "host start host_started": "6005",
    "host end host_stopped": "6006 | 1074",
    "process start service_started": "running",
    "process end service_stopped": "stopped",
})  # fmt: skip
LOGS = {"security": SECURITY, "system": SYSTEM}
"""Log, in lower case → the kind by number; a number that means two things stands under a word of ours for each."""
PROVIDERS = {
    "Microsoft-Windows-Security-Auditing": "security", "Microsoft-Windows-Eventlog": "security", "Service Control Manager": "system",
}  # fmt: skip

ABOUT_TARGET = frozenset({"4624", "4625", "4634", "4647", "4768", "4769", "4771", "4776", "4778", "4779"})
"""Events that name whose logon or session it is as their target or account; in the others the subject acts."""
GROUPS = frozenset(name for name, found in SECURITY.items() if "group" in found["event.type"])
ACCOUNTS = frozenset(name for name, found in SECURITY.items() if "user" in found["event.type"])
JUDGED = frozenset({"4768", "4769", "4771", "4776"})
"""Events that are told whether it went well or not; their status says which."""

LOGON_TYPES = {
    2: "Interactive", 3: "Network", 4: "Batch", 5: "Service", 7: "Unlock", 8: "NetworkCleartext", 9: "NewCredentials",
    10: "RemoteInteractive", 11: "CachedInteractive", 12: "CachedRemoteInteractive", 13: "CachedUnlock",
}  # fmt: skip
STATUSES = {
    0xC0000064: "unknown user", 0xC000006A: "wrong password", 0xC000006D: "wrong user name or password", 0xC000006E: "account restriction",
    0xC000006F: "outside the allowed hours", 0xC0000070: "workstation not allowed", 0xC0000071: "password expired",
    0xC0000072: "account disabled", 0xC00000DC: "server in the wrong state", 0xC0000133: "clocks too far apart",
    0xC000015B: "logon type not granted", 0xC000018C: "trust relationship failed", 0xC0000192: "logon service not started",
    0xC0000193: "account expired", 0xC0000224: "password must be changed", 0xC0000234: "account locked", 0xC000005E: "no logon server",
    0xC0000413: "authentication firewall",
}  # fmt: skip
KERBEROS = {
    0x6: "unknown user", 0x7: "unknown service", 0x9: "no key", 0xC: "workstation or hours not allowed", 0x12: "account disabled or locked",
    0x17: "password expired", 0x18: "wrong password", 0x19: "preauthentication wanted", 0x25: "clocks too far apart",
}  # fmt: skip
"""The numbers behind Kerberos' refusals; `STATUSES` has those of Windows itself."""

_SUBJECT = "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId"
_ACCOUNT = f"TargetUserName TargetDomainName TargetSid {_SUBJECT}"
_MEMBER = f"MemberName MemberSid {_ACCOUNT}"
INSERTS: dict[str, tuple[str, ...]] = {
    number: tuple(order.split()) for order, numbers in {
        f"{_SUBJECT} TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonType LogonProcessName AuthenticationPackageName "
        "WorkstationName LogonGuid TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress IpPort": "4624",
        f"{_SUBJECT} TargetUserSid TargetUserName TargetDomainName Status FailureReason SubStatus LogonType LogonProcessName "
        "AuthenticationPackageName WorkstationName TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress "
        "IpPort": "4625",
        "TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonType": "4634 4647",
        f"{_SUBJECT} LogonGuid TargetUserName TargetDomainName TargetLogonGuid TargetServerName TargetInfo ProcessId ProcessName IpAddress "
        "IpPort": "4648",
        "TargetUserName TargetDomainName TargetSid ServiceName ServiceSid TicketOptions Status TicketEncryptionType PreAuthType IpAddress "
        "IpPort": "4768",
        "TargetUserName TargetDomainName ServiceName ServiceSid TicketOptions TicketEncryptionType IpAddress IpPort Status": "4769",
        "TargetUserName TargetSid ServiceName TicketOptions Status PreAuthType IpAddress IpPort": "4771",
        "PackageName TargetUserName Workstation Status": "4776",
        "AccountName AccountDomain LogonID SessionName ClientName ClientAddress": "4778 4779",
        f"{_SUBJECT} PrivilegeList": "4672 1102",
        _ACCOUNT: "4720 4722 4723 4724 4725 4726 4727 4730 4731 4734 4740 4754 4758 4767 4798 4799",
        f"Dummy {_ACCOUNT}": "4738",
        f"OldTargetUserName NewTargetUserName TargetDomainName TargetSid {_SUBJECT}": "4781",
        _MEMBER: "4728 4729 4732 4733 4756 4757",
        f"{_SUBJECT} NewProcessId NewProcessName TokenElevationType ProcessId CommandLine TargetUserSid TargetUserName TargetDomainName "
        "TargetLogonId ParentProcessName": "4688",
        f"{_SUBJECT} Status ProcessId ProcessName": "4689",
        f"{_SUBJECT} ServiceName ServiceFileName ServiceType ServiceStartType ServiceAccount": "4697",
        f"{_SUBJECT} TaskName TaskContent": "4698",
        f"{_SUBJECT} CategoryId SubcategoryId SubcategoryGuid AuditPolicyChanges": "4719",
        "ServiceName ImagePath ServiceType StartType AccountName": "7045",
        "param1 param2": "7036",
        "SubjectUserName SubjectDomainName Channel": "104",
    }.items() for number in numbers.split()
}  # fmt: skip
AT = {(number, name): place for number, order in INSERTS.items() for place, name in enumerate(order)}
"""(number, name) → the value's place among the inserts."""
