"""Amazon's CloudTrail: who called what, from where, and whether it was allowed; console logins and the life of accounts among it.

What matters to detections is a table below: service and call → category, types and action. Any other call is judged by its verb
(`Get…` reads, `Create…` creates) and keeps its own name as action; `event.code` is the call's name for all of them.

A session's name is the user where a role was assumed (that is who did it; the role is in `user.roles`). CloudTrail hides the
name of a user that does not exist, as it may be a password: such a login has no user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import address, text

__all__ = ["MAPPINGS"]

_Kind = tuple[list[str], list[str], list[str], str]
"""Category, types, types where it was denied, action ("": the call's own name)."""

_CALLS = {
    "signin sso": {
        "authentication": {
            "start": "ConsoleLogin UserAuthentication CredentialVerification", "start mfa_challenge": "CheckMfa",
            "info": "CredentialChallenge",
        },
    },
    "iam identitystore": {
        "iam": {
            "user,creation user_created": "CreateUser", "user,deletion user_deleted": "DeleteUser",
            "user,change password_changed": "ChangePassword CreateLoginProfile", "user,change password_reset": "UpdateLoginProfile",
            "user,change key_added": "CreateAccessKey UploadSSHPublicKey UploadSigningCertificate CreateServiceSpecificCredential",
            "user,change key_removed": "DeleteAccessKey DeleteSSHPublicKey DeleteSigningCertificate DeleteServiceSpecificCredential",
            "user,change mfa_added": "EnableMFADevice", "user,change mfa_removed": "DeactivateMFADevice",
            "user,change": "UpdateUser UpdateAccessKey DeleteLoginProfile",
            "group,creation group_created": "CreateGroup", "group,deletion group_deleted": "DeleteGroup",
            "group,change group_member_added": "AddUserToGroup CreateGroupMembership",
            "group,change group_member_removed": "RemoveUserFromGroup DeleteGroupMembership",
            "user,change role_granted": "AttachUserPolicy PutUserPolicy AttachRolePolicy PutRolePolicy UpdateAssumeRolePolicy",
            "user,change role_revoked": "DetachUserPolicy DeleteUserPolicy DetachRolePolicy DeleteRolePolicy",
            "group,change role_granted": "AttachGroupPolicy PutGroupPolicy",
            "group,change role_revoked": "DetachGroupPolicy DeleteGroupPolicy",
            "admin,creation": "CreateRole CreatePolicy CreatePolicyVersion", "admin,deletion": "DeleteRole DeletePolicy",
        },
    },
    "cloudtrail": {"configuration": {"change audit_disabled": "StopLogging DeleteTrail DeleteEventDataStore StopEventDataStoreIngestion"}},
    "config": {"configuration": {"change audit_disabled": "StopConfigurationRecorder DeleteConfigurationRecorder DeleteDeliveryChannel"}},
    "guardduty": {"configuration": {"change audit_disabled": "DeleteDetector StopMonitoringMembers DisassociateMembers"}},
    "securityhub": {"configuration": {"change audit_disabled": "DisableSecurityHub"}},
    "wafv2 waf waf-regional": {"configuration": {"change audit_disabled": "DeleteLoggingConfiguration"}},
    "logs": {"configuration": {"change audit_cleared": "DeleteLogGroup DeleteLogStream"}},
    "ec2": {
        "host": {"start host_started": "RunInstances StartInstances", "end host_stopped": "StopInstances TerminateInstances"},
        "configuration": {"change audit_disabled": "DeleteFlowLogs"},
    },
}  # fmt: skip
"""Service → category → types and action → calls."""

_VERBS = {
    "access": "Get List Describe Head Lookup Batch Search Select Query Scan Check Simulate Validate Test View Download",
    "creation": "Create Run Register Import Copy Allocate Upload",
    "deletion": "Delete Terminate Remove Deregister Release Purge",
    "change": """Put Update Modify Set Attach Detach Enable Disable Start Stop Add Associate Disassociate Authorize Revoke Change Reset Tag
     Untag Replace Restore Rotate Schedule Cancel""",
}  # fmt: skip
"""Type → the verbs with which the names of calls begin. What creates, deletes or changes is configuration, all else a use of the API."""

_VERB = re.compile(r"[A-Z][a-z]{1,15}")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_ACCOUNTS = ("IAMUser", "AssumedRole", "FederatedUser")


def _kind(category: str, types: str, action: str) -> _Kind:
    said = types.split(",")
    return frozen([category]), frozen(said), frozen([*said, "denied"]), action


_KNOWN: dict[tuple[str, str], _Kind] = {
    (f"{service}.amazonaws.com", call): _kind(category, types, action)
    for services, categories in _CALLS.items()
    for category, kinds in categories.items()
    for said, calls in kinds.items()
    for types, _, action in (said.partition(" "),)
    for call in calls.split()
    for service in services.split()
}
_BY_VERB: dict[str, _Kind] = {
    verb: _kind("api" if types == "access" else "configuration", types, "") for types, verbs in _VERBS.items() for verb in verbs.split()
}
_ANY = _kind("api", "info", "")


def _told(record: Record) -> _Kind:
    source, call = record.get("eventSource"), record.get("eventName")
    if not isinstance(source, str) or not isinstance(call, str):
        return _ANY
    if (known := _KNOWN.get((source, call))) is not None:
        return known
    verb = _VERB.match(call)
    return _BY_VERB.get(verb[0], _ANY) if verb else _ANY


def _types(record: Record) -> Any:
    kind, code = _told(record), record.get("errorCode")
    return kind[2] if isinstance(code, str) and code.endswith(_DENIED) else kind[1]


def _outcome(record: Record) -> Any:
    """Logins answer under their own name; whatever else failed has an error code."""
    call = record.get("eventName")
    for key in ("responseElements", "serviceEventDetails"):
        answer = record.get(key)
        told = answer.get(call) if isinstance(answer, dict) and isinstance(call, str) else None
        if told in ("Success", "Failure"):
            return "unknown" if call == "CheckMfa" and told == "Success" else told.lower()  # the challenge was sent
    return "success" if record.get("errorCode") is None else "failure"


def _identity(record: Record, name: str) -> Any:
    return text(lookup(record, f"userIdentity.{name}", None))


def _user(record: Record) -> Any:
    kind = _identity(record, "type")
    if kind == "Root":
        return "root"
    name = _identity(record, "userName")
    if name is MISSING and kind in _ACCOUNTS and (arn := _identity(record, "arn")) is not MISSING:
        name = text(arn.rpartition("/")[2])
    if name is MISSING:
        name = text(lookup(record, "additionalEventData.UserName", None))
    return MISSING if name == _HIDDEN else name


def _target(record: Record) -> Any:
    """The account that was touched; a call about keys and passwords that names none is about the caller's own."""
    category, types, *_ = _told(record)
    if category != ["iam"]:
        return MISSING
    for name in ("userName", "roleName"):
        if (found := text(lookup(record, f"requestParameters.{name}", None))) is not MISSING:
            return found
    return _user(record) if types == ["user", "change"] else MISSING


def _mfa(record: Record) -> Any:
    told = lookup(record, "additionalEventData.MFAUsed")
    return told == "Yes" if told in ("Yes", "No") else MISSING


_PATHS: dict[str, tuple[str, ...]] = {
    "event.code": ("eventName",), "event.provider": ("eventSource",), "event.reason": ("errorMessage", "errorCode"),
    "error.code": ("errorCode",), "error.message": ("errorMessage",), "source.address": ("sourceIPAddress",),
    "user_agent.original": ("userAgent",), "user.id": ("userIdentity.principalId", "userIdentity.onBehalfOf.userId"),
    "user.roles": ("userIdentity.sessionContext.sessionIssuer.userName",), "group.name": ("requestParameters.groupName",),
    "cloud.region": ("awsRegion",), "cloud.account.id": ("recipientAccountId", "userIdentity.accountId"),
}  # fmt: skip
_MFA = "aws.cloudtrail.console_login.additional_eventdata.mfa_used"  # as Filebeat calls it
_READ: dict[str, Callable[[Record], Any]] = {
    "event.category": lambda record: _told(record)[0],
    "event.type": _types,
    "event.action": lambda record: _told(record)[3] or text(record.get("eventName")),
    "event.outcome": _outcome,
    "user.name": _user,
    "user.target.name": _target,
    "source.ip": lambda record: address(record.get("sourceIPAddress")),  # a service calls by its name
    _MFA: _mfa,
}
_READS = (
    "eventSource", "eventName", "errorCode", "sourceIPAddress", "responseElements", "serviceEventDetails",
    *tops(("userIdentity.type", "userIdentity.userName", "userIdentity.arn", "additionalEventData.UserName", "additionalEventData.MFAUsed",
           "requestParameters.userName", "requestParameters.roleName")),
)  # fmt: skip

_ALICE = {
    "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333",
    "userName": "alice",
}  # fmt: skip
_ROLE = {
    "type": "AssumedRole", "principalId": "AROAEXAMPLE:bob@example.com", "accountId": "111122223333",
    "arn": "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com",
    "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "Admin"}, "attributes": {"mfaAuthenticated": "false"}},
}  # fmt: skip


def _called(service: str, call: str, who: Any = _ALICE, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08", "userIdentity": who, "eventTime": "2026-11-21T10:00:00Z", "eventSource": f"{service}.amazonaws.com",
        "eventName": call, "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.9", "userAgent": "Mozilla/5.0",
        "requestParameters": None, "responseElements": None, "eventID": "5f1c", "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333", **more,
    }  # fmt: skip


_LOGIN: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.action": "ConsoleLogin", "event.code": "ConsoleLogin",
    "event.outcome": "success", "event.provider": "signin.amazonaws.com", "user.name": "alice", "user.id": "AIDAEXAMPLE",
    "source.ip": "203.0.113.9", "source.address": "203.0.113.9", "user_agent.original": "Mozilla/5.0", "cloud.provider": "aws",
    "cloud.region": "eu-central-1", "cloud.account.id": "111122223333", _MFA: True,
}  # fmt: skip
_NOBODY = {"type": "IAMUser", "principalId": "", "accountId": "111122223333", "userName": _HIDDEN}

_EXAMPLES = (
    Example(
        _called("signin", "ConsoleLogin", responseElements={"ConsoleLogin": "Success"}, additionalEventData={"MFAUsed": "Yes"}),
        _LOGIN, ("event.reason", "error.code", "user.target.name"),
    ),
    Example(
        _called("signin", "ConsoleLogin", _NOBODY, errorMessage="No username found in supplied account",
                responseElements={"ConsoleLogin": "Failure"}, additionalEventData={"MFAUsed": "No"}),
        {"event.outcome": "failure", "event.reason": "No username found in supplied account", _MFA: False}, ("user.name", "error.code"),
    ),
    Example(
        _called("signin", "CheckMfa", {"type": "Root", "userName": "alias"}, responseElements={"CheckMfa": "Success"}),
        {"event.category": ["authentication"], "event.action": "mfa_challenge", "event.outcome": "unknown", "user.name": "root"},
    ),
    Example(
        _called("iam", "CreateUser", _ROLE, requestParameters={"userName": "mallory"}),
        {"event.category": ["iam"], "event.type": ["user", "creation"], "event.action": "user_created", "event.code": "CreateUser",
         "event.outcome": "success", "user.name": "bob@example.com", "user.roles": "Admin", "user.target.name": "mallory"},
    ),
    Example(
        _called("iam", "CreateAccessKey"),
        {"event.action": "key_added", "event.type": ["user", "change"], "user.target.name": "alice"},
    ),
    Example(
        _called("iam", "AddUserToGroup", requestParameters={"userName": "bob", "groupName": "admins"}),
        {"event.action": "group_member_added", "event.type": ["group", "change"], "user.target.name": "bob", "group.name": "admins"},
    ),
    Example(
        _called("cloudtrail", "StopLogging", errorCode="AccessDenied", errorMessage="not authorized"),
        {"event.category": ["configuration"], "event.type": ["change", "denied"], "event.action": "audit_disabled",
         "event.outcome": "failure", "error.code": "AccessDenied", "event.reason": "not authorized"},
    ),
    Example(
        _called("s3", "PutBucketPolicy", {"type": "AWSService"}, sourceIPAddress="config.amazonaws.com"),
        {"event.category": ["configuration"], "event.type": ["change"], "event.action": "PutBucketPolicy", "event.outcome": "success",
         "source.address": "config.amazonaws.com"},
        ("source.ip", "user.name", "user.target.name"),
    ),
    Example(_called("s3", "GetObject"), {"event.category": ["api"], "event.type": ["access"], "event.action": "GetObject"}),
    Example(_called("ec2", "RunInstances"), {"event.category": ["host"], "event.type": ["start"], "event.action": "host_started"}),
    Example(
        {"eventSource": ["x"], "eventName": None, "awsRegion": {}, "userIdentity": "x", "sourceIPAddress": 5, "responseElements": []},
        {"event.category": ["api"], "event.type": ["info"], "event.outcome": "success"},
        ("event.action", "source.ip", "user.name", "cloud.region"),
    ),
)  # fmt: skip

_FIELDS = Mapping(
    "cloudtrail", "Amazon CloudTrail: console logins, accounts, calls",
    Keys(("eventSource", "eventName"), either=("awsRegion", "userIdentity")),
    paths=_PATHS, constants={"cloud.provider": "aws"}, read=_READ, reads=_READS, examples=_EXAMPLES,
)  # fmt: skip
MAPPINGS = (_FIELDS, texted("cloudtrail-text", "the same as JSON text in the message", '"eventSource"', (_FIELDS,)))
