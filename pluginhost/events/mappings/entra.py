"""Microsoft Entra: sign-ins and directory audits, as Graph has them and as Azure Monitor wraps them into `properties`.

What interrupts a sign-in without refusing it (a second factor is wanted, a consent, a stay-signed-in question) is no failure: its
outcome is unknown and its reason says what it was, so that nobody who fetches a phone looks like a guesser. A second factor that
was wanted or refused is an `mfa_challenge`. Sign-ins without a person at the screen have actions of their own. The names of
operations are Microsoft's; one that is not known here is still told as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import first
from ..fields import MISSING, lookup, text, values
from ..mapping import Example, Keys, Mapping, Record
from .kinds import Found, Read, choice, deep, given, kind, kinds, moved, number, one_of, point

__all__ = ["MAPPINGS"]

_REASONS = {
    50034: "unknown user", 50053: "account locked", 50055: "password expired", 50056: "no password", 50057: "account disabled",
    50126: "wrong password", 50105: "not assigned to the application", 50144: "password expired", 53000: "device not compliant",
    53001: "device not joined", 53002: "application not approved", 53003: "blocked by conditional access",
    53004: "factors must be registered", 50074: "second factor wanted", 50076: "second factor wanted",
    50079: "second factor must be registered", 50072: "second factor must be registered", 50158: "external challenge",
    500121: "second factor failed", 50140: "asked to stay signed in", 50097: "device must authenticate", 50058: "no session",
    50125: "password reset or registration", 50129: "device must be joined", 50133: "session revoked", 65001: "consent wanted",
    65004: "consent declined", 16000: "account to be chosen", 50199: "confirmation wanted", 50203: "registration wanted",
    51006: "windows authentication wanted", 70043: "session expired", 70044: "session expired", 700082: "token expired",
    81010: "single sign-on failed",
}  # fmt: skip
_CHALLENGED = frozenset({50074, 50076, 50158})
_REFUSED = 500121
_INTERRUPTED = _CHALLENGED | {
    16000, 50055, 50058, 50072, 50079, 50097, 50125, 50129, 50133, 50140, 50144, 50199, 50203, 51006, 65001, 70043, 70044, 700082, 81010,
}  # fmt: skip

_SIGN_INS = {
    "SignInLogs": "sign_in", "NonInteractiveUserSignInLogs": "non_interactive_sign_in", "ADFSSignInLogs": "sign_in",
    "ServicePrincipalSignInLogs": "service_principal_sign_in", "ManagedIdentitySignInLogs": "managed_identity_sign_in",
}  # fmt: skip
_ACTIONS = {action: kind(f"authentication start {action}") for action in (*_SIGN_INS.values(), "mfa_challenge")}
_DENIED = {action: kind(f"authentication start,denied {action}") for action in _ACTIONS}

_OPERATIONS = kinds({
    "iam user,creation user_created": "Add user | Invite external user",
    "iam user,deletion user_deleted": "Delete user | Hard Delete user",
    "iam user,change user_enabled": "Enable account | Restore user",
    "iam user,change user_disabled": "Disable account",
    "iam user,change user_unlocked": "Unlock user account (self-service)",
    "iam user,change password_changed": "Change user password | Change password (self-service)",
    "iam user,change password_reset": "Reset user password | Reset password (by admin) | Reset password (self-service) | "
        "Set force change user password",
    "iam user,change mfa_added": "User registered security info | User registered all required security info | "
        "Admin registered security info | Enable Strong Authentication",
    "iam user,change mfa_removed": "User deleted security info | Admin deleted security info | Disable Strong Authentication",
    "iam user,change role_granted": "Add member to role | Add eligible member to role | Add member to role completed (PIM activation) | "
        "Add app role assignment grant to user | Add app role assignment to service principal",
    "iam user,change role_revoked": "Remove member from role | Remove eligible member from role | "
        "Remove app role assignment from service principal",
    "iam group,creation group_created": "Add group",
    "iam group,deletion group_deleted": "Delete group | Hard Delete group",
    "iam group,change group_member_added": "Add member to group | Add owner to group",
    "iam group,change group_member_removed": "Remove member from group | Remove owner from group",
    "iam group,change": "Update group",
    "iam user,change key_added": "Add service principal credentials | Add passwordless phone sign-in credential | "
        "Add FIDO2 security key | Add Windows Hello for Business credential",
    "iam user,change key_removed": "Remove service principal credentials | Delete FIDO2 security key | "
        "Delete Windows Hello for Business credential",
    "iam user,change": "Update user | Add registered owner to device | Consent to application",
    "configuration change": "Add conditional access policy | Update conditional access policy | Delete conditional access policy | "
        "Add policy | Update policy | Delete policy | Add application | Update application | Delete application | "
        "Add service principal | Set domain authentication | Set federation settings on domain | Set Company Information",
})  # fmt: skip
_RESULTS = {"success": "success", "failure": "failure", "clientError": "failure", "timeout": "failure"}
_ANY = Found()

# --- sign-ins ---


def _code(sign_in: Record) -> int | None:
    return number(lookup(sign_in, "status.errorCode", None))


def _signed_in(sign_in: Record, code: int | None, action: str) -> Found:
    if code == _REFUSED or code in _CHALLENGED:
        action = "mfa_challenge"
    return (_DENIED if sign_in.get("conditionalAccessStatus") == "failure" else _ACTIONS)[action]


def _graph_sign_in(sign_in: Record) -> Found:
    action = "non_interactive_sign_in" if sign_in.get("isInteractive") is False else "sign_in"
    return _signed_in(sign_in, _code(sign_in), action)


def _outcome(code: int | None) -> str:
    return "success" if code == 0 else "unknown" if code is None or code in _INTERRUPTED else "failure"


def _reason(sign_in: Record, code: int | None) -> Any:
    """Our word for what is known here, else Microsoft's sentence; a second factor says more in its details."""
    if code == 0:
        return MISSING
    if code == _REFUSED and (details := given(lookup(sign_in, "status.additionalDetails", None))) is not MISSING:
        return details
    return _REASONS.get(code or -1) or given(lookup(sign_in, "status.failureReason", None))


_LATITUDE, _LONGITUDE = (deep("location", "geoCoordinates", part) for part in ("latitude", "longitude"))


def _browser(part: int) -> Read:
    """`Chrome 120.0.0`, told only where no user agent is: from one, more can be read."""

    def read(sign_in: Record) -> Any:
        told = lookup(sign_in, "deviceDetail.browser", None)
        if not isinstance(told, str) or sign_in.get("userAgent"):
            return MISSING
        name, _, version = told.rpartition(" ")
        return given((name, version)[part] if name else ("", told)[1 - part])

    return read


def _anonymous(sign_in: Record) -> Any:
    risks = (*values(sign_in.get("riskEventTypes_v2", MISSING)), *values(sign_in.get("riskEventTypes", MISSING)))
    return "anonymizer" if "anonymizedIPAddress" in risks else MISSING


def _risk(sign_in: Record) -> Any:
    told = sign_in.get("riskLevelDuringSignIn")
    return told if told in ("low", "medium", "high") else MISSING


_SIGN_IN_PATHS: dict[str, tuple[str, ...]] = {
    "user.name": ("userPrincipalName", "servicePrincipalName"), "user.id": ("userId", "servicePrincipalId"),
    "user.full_name": ("userDisplayName",), "source.ip": ("ipAddress",), "source.as.number": ("autonomousSystemNumber",),
    "source.geo.country_iso_code": ("location.countryOrRegion",), "source.geo.region_name": ("location.state",),
    "source.geo.city_name": ("location.city",), "user_agent.original": ("userAgent",), "service.name": ("appDisplayName",),
    "session.id": ("sessionId",),
}  # fmt: skip
_SIGN_IN_READ: dict[str, Read] = {
    "event.outcome": lambda sign_in: _outcome(_code(sign_in)),
    "event.reason": lambda sign_in: _reason(sign_in, _code(sign_in)),
    "event.code": lambda sign_in: text(lookup(sign_in, "status.errorCode", None)) or MISSING,
    "source.geo.location": lambda sign_in: point(_LATITUDE(sign_in), _LONGITUDE(sign_in)),
    "source.intelligence_category": _anonymous,
    "user.risk.static_level": _risk,
    "user_agent.name": _browser(0),
    "user_agent.version": _browser(1),
    "device.id": lambda sign_in: given(lookup(sign_in, "deviceDetail.deviceId", None)),
}
_SIGN_IN_READS = (
    "status", "location", "deviceDetail", "userAgent", "isInteractive", "conditionalAccessStatus", "riskEventTypes", "riskEventTypes_v2",
    "riskLevelDuringSignIn",
)  # fmt: skip

# --- directory audits ---


def _operation(audit: Record) -> Found:
    name = audit.get("activityDisplayName")
    return _OPERATIONS.get(name, _ANY) if isinstance(name, str) else _ANY


def _action(audit: Record) -> Any:
    """An operation that is not known here, in lower case with underscores."""
    name = audit.get("activityDisplayName")
    return "_".join(name[:128].lower().split()) if isinstance(name, str) and name else MISSING


def _of(wanted: tuple[str, ...], *parts: str) -> Read:
    def read(audit: Record) -> Any:
        target = one_of(audit.get("targetResources"), "type", *wanted)
        return next((found for part in parts if (found := given(target.get(part))) is not MISSING), MISSING)

    return read


def _modified(name: str, wanted: str) -> Read:
    """What a group or a role is called: the target itself says it seldom, its changed properties do, as quoted text."""
    own = _of((wanted,), "displayName")

    def read(audit: Record) -> Any:
        for target in values(audit.get("targetResources", MISSING)):
            changed = one_of(target.get("modifiedProperties") if isinstance(target, dict) else None, "displayName", name)
            for told in (changed.get("newValue"), changed.get("oldValue")):
                if isinstance(told, str) and told.strip('"'):
                    return told.strip('"')
        return own(audit)

    return read


_AUDIT_PATHS: dict[str, tuple[str, ...]] = {
    "user.name": ("initiatedBy.user.userPrincipalName", "initiatedBy.app.displayName", "initiatedBy.app.servicePrincipalName"),
    "user.id": ("initiatedBy.user.id", "initiatedBy.app.servicePrincipalId"), "source.ip": ("initiatedBy.user.ipAddress",),
    "message": ("activityDisplayName",), "service.name": ("loggedByService",),
}  # fmt: skip
_AUDIT_READ: dict[str, Read] = {
    "event.action": _action,
    "event.outcome": lambda audit: choice(_RESULTS, audit.get("result")),
    "event.reason": lambda audit: given(audit.get("resultReason")),
    "user.target.name": _of(("User", "ServicePrincipal", "Application"), "userPrincipalName", "displayName"),
    "user.target.id": _of(("User", "ServicePrincipal", "Application"), "id"),
    "user.target.roles": _modified("Role.DisplayName", "Role"),
    "group.name": _modified("Group.DisplayName", "Group"),
}
_AUDIT_READS = ("activityDisplayName", "targetResources", "initiatedBy", "result", "resultReason")

# --- Azure Monitor ---

_NONE: dict[str, Any] = {}


def _properties(record: Record) -> Record:
    inner = record.get("properties")
    return inner if isinstance(inner, dict) else _NONE


def _monitored(record: Record) -> Found | None:
    """Sign-ins by the category's name; `resultType` has their code where the properties do not."""
    action = choice(_SIGN_INS, record.get("category"))
    return None if action is MISSING else _signed_in(_properties(record), _result(record), action)


def _result(record: Record) -> int | None:
    code = _code(_properties(record))
    return number(record.get("resultType")) if code is None else code


def _either(field: str, *paths: str) -> Read:
    return lambda record: first(record, field, paths)


def _wrapped_reason(record: Record) -> Any:
    code = _result(record)
    told = _reason(_properties(record), code)
    return given(record.get("resultDescription")) if told is MISSING and code else told


_MONITOR_READ: dict[str, Read] = {
    "event.outcome": lambda record: _outcome(_result(record)),
    "event.reason": _wrapped_reason,
    "event.code": lambda record: text(_result(record)) or MISSING,
    "source.ip": _either("source.ip", "properties.ipAddress", "callerIpAddress"),
    "source.geo.country_iso_code": _either("source.geo.country_iso_code", "properties.location.countryOrRegion", "location"),
}
_AUDITED_READ: dict[str, Read] = {
    "source.ip": _either("source.ip", "properties.initiatedBy.user.ipAddress", "callerIpAddress"),
}


def _audited(record: Record) -> Found | None:
    return _operation(_properties(record)) if record.get("category") == "AuditLogs" else None


_KINDS = frozenset({"event.category", "event.type", "event.action"})
_ENTRA = {"event.provider": "entra", "event.dataset": "azure.signinlogs"}
_AUDITS = {"event.provider": "entra", "event.dataset": "azure.auditlogs"}

_SIGN_IN: dict[str, Any] = {
    "id": "66ea", "createdDateTime": "2026-11-21T10:00:00Z", "userDisplayName": "Alice Example", "userPrincipalName": "alice@shop.example",
    "userId": "a11c", "appId": "c44b", "appDisplayName": "Office 365", "ipAddress": "2001:db8::9", "clientAppUsed": "Browser",
    "conditionalAccessStatus": "notApplied", "isInteractive": True, "riskDetail": "none", "riskLevelDuringSignIn": "medium",
    "riskState": "none", "riskEventTypes_v2": ["anonymizedIPAddress"], "correlationId": "5d29", "autonomousSystemNumber": 64500,
    "status": {"errorCode": 50126, "failureReason": "Error validating credentials.", "additionalDetails": None},
    "deviceDetail": {"deviceId": "", "displayName": None, "operatingSystem": "Windows10", "browser": "Chrome 120.0.0", "isManaged": False},
    "location": {"city": "Vienna", "state": "Wien", "countryOrRegion": "AT", "geoCoordinates": {"latitude": 48.2, "longitude": 16.37}},
}  # fmt: skip
_SEEN: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.action": "sign_in",
    "event.code": "50126", "event.reason": "wrong password", "user.name": "alice@shop.example", "user.id": "a11c",
    "user.full_name": "Alice Example", "source.ip": "2001:db8::9", "source.as.number": 64500, "source.geo.country_iso_code": "AT",
    "source.geo.city_name": "Vienna", "source.geo.location": {"lat": 48.2, "lon": 16.37}, "source.intelligence_category": "anonymizer",
    "service.name": "Office 365", "user.risk.static_level": "medium", "user_agent.name": "Chrome", "user_agent.version": "120.0.0",
}  # fmt: skip
_ADMIN = {"user": {"id": "ad01", "userPrincipalName": "ops@shop.example", "ipAddress": "203.0.113.9"}, "app": None}
_BOB: dict[str, Any] = {"id": "b0b0", "type": "User", "displayName": None, "userPrincipalName": "bob@shop.example"}
_AUDIT: dict[str, Any] = {
    "id": "Directory_9", "category": "UserManagement", "result": "success", "resultReason": "", "activityDisplayName": "Add user",
    "activityDateTime": "2026-11-21T10:00:00Z", "loggedByService": "Core Directory", "operationType": "Add", "initiatedBy": _ADMIN,
    "targetResources": [_BOB],
}  # fmt: skip
_ADDED: dict[str, Any] = {
    "event.category": ["iam"], "event.type": ["user", "creation"], "event.action": "user_created", "event.outcome": "success",
    "user.name": "ops@shop.example", "user.target.name": "bob@shop.example", "source.ip": "203.0.113.9",
}  # fmt: skip


def _with(code: int, details: str | None = None, **others: Any) -> dict[str, Any]:
    return {**_SIGN_IN, "status": {"errorCode": code, "failureReason": "Other.", "additionalDetails": details}, **others}


def _wrapped(properties: Any, category: str = "SignInLogs", **others: Any) -> dict[str, Any]:
    return {
        "time": "2026-11-21T10:00:00Z", "resourceId": "/tenants/1/providers/Microsoft.aadiam", "operationName": "Sign-in activity",
        "category": category, "tenantId": "1", "resultType": "50126", "resultDescription": "Invalid username or password.",
        "callerIpAddress": "203.0.113.9", "correlationId": "5d29", "identity": "Alice Example", "Level": 4, "location": "AT",
        "properties": properties, **others,
    }  # fmt: skip


def _role(name: str) -> dict[str, Any]:
    return {**_BOB, "modifiedProperties": [{"displayName": "Role.DisplayName", "oldValue": None, "newValue": f'"{name}"'}]}


_SIGN_IN_EXAMPLES = (
    Example(_SIGN_IN, _SEEN, ("device.id",)),
    Example(_with(0), {"event.outcome": "success", "event.type": ["start"], "event.code": "0"}, ("event.reason",)),
    Example(_with(50053), {"event.outcome": "failure", "event.reason": "account locked"}),
    Example(_with(50076), {"event.outcome": "unknown", "event.reason": "second factor wanted", "event.action": "mfa_challenge"}),
    Example(_with(50140), {"event.outcome": "unknown", "event.reason": "asked to stay signed in", "event.action": "sign_in"}),
    Example(
        _with(500121, "MFA denied; user declined the authentication"),
        {"event.outcome": "failure", "event.action": "mfa_challenge", "event.reason": "MFA denied; user declined the authentication"},
    ),
    Example(
        _with(53003, conditionalAccessStatus="failure"),
        {"event.outcome": "failure", "event.type": ["start", "denied"], "event.reason": "blocked by conditional access"},
    ),
    Example(
        _with(90072, isInteractive=False),
        {"event.action": "non_interactive_sign_in", "event.outcome": "failure", "event.reason": "Other."},
    ),
    Example(
        _with(0, userAgent="Mozilla/5.0 Firefox/120.0", location={"geoCoordinates": {"latitude": 0, "longitude": 0.0}}),
        {"user_agent.original": "Mozilla/5.0 Firefox/120.0", "source.geo.location": {"lat": 0, "lon": 0.0}}, ("source.geo.city_name",),
    ),
    Example(
        {**_SIGN_IN, "status": None, "location": [], "deviceDetail": "x", "riskEventTypes_v2": 7, "userPrincipalName": None},
        {"event.outcome": "unknown", "event.type": ["start"]}, ("event.code", "event.reason", "user.name", "source.geo.location"),
    ),
)  # fmt: skip
_MONITOR_EXAMPLES = (
    Example(_wrapped(_SIGN_IN), _SEEN),
    Example(
        _wrapped({"userPrincipalName": "alice@shop.example"}, "NonInteractiveUserSignInLogs"),
        {"event.action": "non_interactive_sign_in", "event.outcome": "failure", "event.reason": "wrong password",
         "source.ip": "203.0.113.9", "source.geo.country_iso_code": "AT", "event.code": "50126", "user.name": "alice@shop.example"},
    ),
    Example(
        _wrapped({"servicePrincipalName": "backup", "servicePrincipalId": "5e"}, "ServicePrincipalSignInLogs", resultType="0"),
        {"event.action": "service_principal_sign_in", "event.outcome": "success", "user.name": "backup"}, ("event.reason",),
    ),
    Example(_wrapped({}, resultType="7000218"), {"event.outcome": "failure", "event.reason": "Invalid username or password."}),
    Example(_wrapped(None, resultType=None), {"event.outcome": "unknown"}, ("user.name", "event.reason", "event.code")),
    Example(_wrapped(_SIGN_IN, "Administrative"), {}, ("event.category", "user.name")),
)  # fmt: skip
_AUDIT_EXAMPLES = (
    Example(_AUDIT, _ADDED, ("event.reason", "group.name", "user.target.roles")),
    Example(
        {**_AUDIT, "activityDisplayName": "Add member to role", "targetResources": [_role("Global Administrator")]},
        {"event.action": "role_granted", "event.type": ["user", "change"], "user.target.name": "bob@shop.example",
         "user.target.roles": "Global Administrator"},
    ),
    Example(
        {**_AUDIT, "activityDisplayName": "Add member to group", "targetResources": [
            {**_BOB, "modifiedProperties": [{"displayName": "Group.DisplayName", "newValue": '"Payroll"'}]}, {"type": "Group", "id": "9"}]},
        {"event.action": "group_member_added", "event.type": ["group", "change"], "group.name": "Payroll",
         "user.target.name": "bob@shop.example"},
    ),
    Example(
        {**_AUDIT, "activityDisplayName": "Delete group", "targetResources": [{"type": "Group", "displayName": "Payroll"}]},
        {"event.action": "group_deleted", "group.name": "Payroll"}, ("user.target.name",),
    ),
    Example(
        {**_AUDIT, "activityDisplayName": "Reset password (by admin)", "result": "failure", "resultReason": "Policy violation"},
        {"event.action": "password_reset", "event.outcome": "failure", "event.reason": "Policy violation"},
    ),
    Example(
        {**_AUDIT, "activityDisplayName": "Update conditional access policy", "initiatedBy": {"app": {"displayName": "Policy Service"}}},
        {"event.category": ["configuration"], "event.action": "update_conditional_access_policy", "user.name": "Policy Service"},
        ("source.ip",),
    ),
    Example(
        {**_AUDIT, "activityDisplayName": 7, "targetResources": [None, 3], "initiatedBy": "x", "result": []},
        {}, ("event.category", "event.action", "event.outcome", "user.name", "user.target.name"),
    ),
)  # fmt: skip
_AUDITED_EXAMPLES = (
    Example(_wrapped(_AUDIT, "AuditLogs", operationName="Add user", resultType=""), _ADDED),
    Example(
        _wrapped({**_AUDIT, "initiatedBy": {}}, "AuditLogs"), {"event.action": "user_created", "source.ip": "203.0.113.9"}, ("user.name",),
    ),
    Example(_wrapped(None, "AuditLogs"), {"source.ip": "203.0.113.9"}, ("event.category", "event.action")),
)

_Extract = Callable[[Record], Found | None]


def _monitor(name: str, description: str, extract: _Extract, read: dict[str, Read], constants: Found,
             examples: tuple[Example, ...]) -> Mapping:  # fmt: skip
    return Mapping(
        name, description, Keys(("properties", "category", "operationName")), constants=constants, extract=extract, read=read, gives=_KINDS,
        reads=("properties", "category", "resultType", "resultDescription", "callerIpAddress", "location"), examples=examples,
    )  # fmt: skip


MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "entra-sign-in", "Microsoft Entra's sign-ins, as Graph has them", Keys(("userPrincipalName", "createdDateTime", "status")),
        paths=_SIGN_IN_PATHS, constants=_ENTRA, extract=_graph_sign_in, read=_SIGN_IN_READ, reads=_SIGN_IN_READS, gives=_KINDS,
        examples=_SIGN_IN_EXAMPLES,
    ),
    _monitor(
        "entra-sign-in-monitor", "Microsoft Entra's sign-ins, as Azure Monitor sends them", _monitored,
        {**moved(_properties, _SIGN_IN_PATHS, _SIGN_IN_READ), **_MONITOR_READ}, _ENTRA, _MONITOR_EXAMPLES,
    ),
    Mapping(
        "entra-audit", "Microsoft Entra's directory audits, as Graph has them", Keys(("activityDisplayName", "targetResources")),
        paths=_AUDIT_PATHS, constants=_AUDITS, extract=_operation, read=_AUDIT_READ, reads=_AUDIT_READS, gives=_KINDS,
        examples=_AUDIT_EXAMPLES,
    ),
    _monitor(
        "entra-audit-monitor", "Microsoft Entra's directory audits, as Azure Monitor sends them", _audited,
        {**moved(_properties, _AUDIT_PATHS, _AUDIT_READ), **_AUDITED_READ}, _AUDITS, _AUDITED_EXAMPLES,
    ),
)  # fmt: skip
