"""Google Workspace's activities, as the Reports API has them and under `json` as Filebeat splits and decodes them.

An activity has one event as a rule; of several the first that is known here is read. A challenge during a login is an
`mfa_challenge` if it was a second factor. Google's own suspicion about a login is told beside that login, and is no login.
"""

from __future__ import annotations

from typing import Any

from ..fields import MISSING, lookup, values
from ..mapping import Example, Keys, Mapping, Record
from .kinds import OF_A_KIND, Found, Read, choice, given, kind, kinds, moved

__all__ = ["MAPPINGS"]

_EVENTS = kinds({
    "authentication start - success": "login_success",
    "authentication start - failure": "login_failure",
    "authentication info": "login_challenge | login_verification",
    "authentication,session end": "logout",
    "intrusion_detection info": "suspicious_login | suspicious_login_less_secure_app | suspicious_programmatic_login | "
        "gov_attack_warning | user_signed_out_due_to_suspicious_session_cookie | risky_sensitive_action_allowed | "
        "risky_sensitive_action_blocked",
    "iam user,change user_disabled": "account_disabled_generic | account_disabled_hijacked | account_disabled_password_leak | "
        "account_disabled_spamming | account_disabled_spamming_through_relay | SUSPEND_USER | ARCHIVE_USER",
    "iam user,change user_enabled": "UNSUSPEND_USER | UNDELETE_USER | UNARCHIVE_USER",
    "iam user,creation user_created": "CREATE_USER",
    "iam user,deletion user_deleted": "DELETE_USER",
    "iam user,change user_renamed": "RENAME_USER",
    "iam user,change password_changed": "password_edit",
    "iam user,change password_reset": "CHANGE_PASSWORD | CHANGE_PASSWORD_ON_NEXT_LOGIN",
    "iam user,change mfa_added": "2sv_enroll | titanium_enroll | passkey_enrolled",
    "iam user,change mfa_removed": "2sv_disable | titanium_unenroll | passkey_removed | TURN_OFF_2_STEP_VERIFICATION | "
        "UNENROLL_USER_FROM_STRONG_AUTH | UNENROLL_USER_FROM_TITANIUM",
    "iam user,change role_granted": "GRANT_ADMIN_PRIVILEGE | GRANT_DELEGATED_ADMIN_PRIVILEGES | ASSIGN_ROLE",
    "iam user,change role_revoked": "REVOKE_ADMIN_PRIVILEGE | UNASSIGN_ROLE",
    "iam group,creation group_created": "CREATE_GROUP",
    "iam group,deletion group_deleted": "DELETE_GROUP",
    "iam group,change group_member_added": "ADD_GROUP_MEMBER",
    "iam group,change group_member_removed": "REMOVE_GROUP_MEMBER",
    "iam group,change": "UPDATE_GROUP_MEMBER | CHANGE_GROUP_SETTING",
    "iam user,change key_added": "ADD_APPLICATION_SPECIFIC_PASSWORD | AUTHORIZE_API_CLIENT_ACCESS",
    "iam user,change key_removed": "REVOKE_ASP | REVOKE_3LO_TOKEN | REVOKE_3LO_DEVICE_TOKENS | REMOVE_API_CLIENT_ACCESS",
    "iam user,change": "recovery_email_edit | recovery_phone_edit | recovery_secret_qa_edit | email_forwarding_out_of_domain",
    "configuration change": "CREATE_APPLICATION_SETTING | CHANGE_APPLICATION_SETTING | DELETE_APPLICATION_SETTING | "
        "ENFORCE_STRONG_AUTHENTICATION | ALLOW_STRONG_AUTHENTICATION | CHANGE_TWO_STEP_VERIFICATION_ENROLLMENT_PERIOD_DURATION | "
        "ADD_TRUSTED_DOMAINS | REMOVE_TRUSTED_DOMAINS | TOGGLE_SERVICE_ENABLED | CREATE_ROLE | DELETE_ROLE | UPDATE_ROLE",
})  # fmt: skip
_FACTOR, _ANY = kind("authentication info mfa_challenge"), Found()
_CHALLENGES = {"Challenge Passed.": "success", "Challenge Passed": "success", "Challenge Failed.": "failure", "Challenge Failed": "failure"}
_NONE: dict[str, Any] = {}


def _event(activity: Record) -> dict[str, Any]:
    """The event that is read; Filebeat has made an object of the list."""
    told = [event for event in values(activity.get("events", MISSING)) if isinstance(event, dict)]
    known = (event for event in told if choice(_EVENTS, event.get("name")) is not MISSING)
    return next(known, told[0] if told else _NONE)


def _extract(activity: Record) -> Found | None:
    event = _event(activity)
    name = event.get("name")
    if not isinstance(name, str):
        return None
    if name in ("login_challenge", "login_verification") and _parameter(event, "is_second_factor") is not False:
        return _FACTOR
    return _EVENTS.get(name, _ANY)


def _parameter(event: Record, name: str) -> Any:
    for one in values(event.get("parameters", MISSING)):
        if isinstance(one, dict) and one.get("name") == name:
            return next((one[key] for key in ("value", "boolValue", "intValue", "multiValue") if key in one), MISSING)
    return MISSING


def _told(*names: str) -> Read:
    """The first parameter of `names` that says something."""

    def read(activity: Record) -> Any:
        event = _event(activity)
        return next((found for name in names if (found := given(_parameter(event, name))) is not MISSING), MISSING)

    return read


def _action(activity: Record) -> Any:
    name = given(_event(activity).get("name"))
    return name.lower() if isinstance(name, str) else MISSING


def _outcome(activity: Record) -> Any:
    """Challenges say theirs in a sentence, if at all; an administrator's change is told when it has been made."""
    event = _event(activity)
    found = choice(_EVENTS, event.get("name"))
    if found is MISSING:
        return MISSING
    if event["name"] in ("login_challenge", "login_verification"):
        return _CHALLENGES.get(str(_parameter(event, "login_challenge_status")), "unknown")
    return "success" if "iam" in found["event.category"] or "configuration" in found["event.category"] else MISSING


_AFFECTED, _NEW = _told("affected_email_address"), _told("NEW_VALUE")


def _user(activity: Record) -> Any:
    """Who did it; where nobody did (a suspicion), whom it is about."""
    who = given(lookup(activity, "actor.email", None))
    return _AFFECTED(activity) if who is MISSING else who


def _renamed(activity: Record) -> Any:
    return _NEW(activity) if _event(activity).get("name") == "RENAME_USER" else MISSING


def _system(activity: Record) -> Any:
    for number in values(lookup(activity, "networkInfo.ipAsn")):
        return given(number)
    return MISSING


_PATHS: dict[str, tuple[str, ...]] = {
    "user.id": ("actor.profileId",), "source.ip": ("ipAddress",), "source.geo.country_iso_code": ("networkInfo.regionCode",),
    "organization.id": ("id.customerId",), "service.name": ("id.applicationName",),
}  # fmt: skip
_READ: dict[str, Read] = {
    "event.action": _action,
    "event.outcome": _outcome,
    "event.reason": _told("login_failure_type", "login_challenge_status"),
    "user.name": _user,
    "user.target.name": _told("USER_EMAIL", "affected_email_address"),
    "user.target.roles": _told("ROLE_NAME"),
    "user.changes.name": _renamed,
    "group.name": _told("GROUP_EMAIL"),
    "source.as.number": _system,
}
_CONSTANTS = {"event.provider": "google_workspace", "event.dataset": "google_workspace.activity"}


def _decoded(record: Record) -> Record:
    activity = record.get("json")
    return activity if isinstance(activity, dict) and "actor" in activity and "id" in activity else _NONE


def _login(name: str = "login_failure", **parameters: Any) -> dict[str, Any]:
    made = [{"name": key, "boolValue" if isinstance(value, bool) else "value": value} for key, value in parameters.items()]
    return {
        "kind": "admin#reports#activity", "id": {
            "time": "2026-11-21T10:00:00.000Z", "uniqueQualifier": "-91", "applicationName": "login", "customerId": "C0example",
        },
        "actor": {"callerType": "USER", "email": "alice@shop.example", "profileId": "1001"}, "ownerDomain": "shop.example",
        "ipAddress": "203.0.113.9", "networkInfo": {"ipAsn": [64500], "regionCode": "AT", "subdivisionCode": "AT-9"},
        "events": [{"type": "login", "name": name, "parameters": made}],
    }  # fmt: skip


_FAILED = _login(login_type="google_password", login_failure_type="login_failure_invalid_password")
_SEEN: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.action": "login_failure",
    "event.reason": "login_failure_invalid_password", "user.name": "alice@shop.example", "user.id": "1001", "source.ip": "203.0.113.9",
    "source.as.number": 64500, "source.geo.country_iso_code": "AT", "organization.id": "C0example", "service.name": "login",
}  # fmt: skip
_EXAMPLES = (
    Example(_FAILED, _SEEN, ("user.target.name", "group.name")),
    Example(_login("login_success", is_suspicious=False), {"event.outcome": "success", "event.type": ["start"]}, ("event.reason",)),
    Example(_login("logout"), {"event.type": ["end"], "event.action": "logout"}, ("event.outcome",)),
    Example(
        _login("login_verification", is_second_factor=True, login_challenge_status="Challenge Failed."),
        {"event.action": "mfa_challenge", "event.type": ["info"], "event.outcome": "failure"},
    ),
    Example(_login("login_challenge"), {"event.action": "mfa_challenge", "event.outcome": "unknown"}),
    Example(_login("login_challenge", is_second_factor=False), {"event.action": "login_challenge", "event.type": ["info"]}),
    Example(
        {**_login("suspicious_login", affected_email_address="bob@shop.example"), "actor": {"callerType": "USER"}},
        {"event.category": ["intrusion_detection"], "user.name": "bob@shop.example", "user.target.name": "bob@shop.example"},
        ("event.outcome",),
    ),
    Example(_login("2sv_disable"), {"event.category": ["iam"], "event.action": "mfa_removed", "event.outcome": "success"}),
    Example(
        _login("CREATE_USER", USER_EMAIL="bob@shop.example"),
        {"event.type": ["user", "creation"], "event.action": "user_created", "user.name": "alice@shop.example",
         "user.target.name": "bob@shop.example"},
    ),
    Example(
        _login("ADD_GROUP_MEMBER", USER_EMAIL="bob@shop.example", GROUP_EMAIL="admins@shop.example"),
        {"event.action": "group_member_added", "group.name": "admins@shop.example", "user.target.name": "bob@shop.example"},
    ),
    Example(_login("ASSIGN_ROLE", ROLE_NAME="_SEED_ADMIN_ROLE"), {"event.action": "role_granted", "user.target.roles": "_SEED_ADMIN_ROLE"}),
    Example(_login("RENAME_USER", USER_EMAIL="b@shop.example", NEW_VALUE="c@shop.example"), {"user.changes.name": "c@shop.example"}),
    Example(_login("download"), {"event.action": "download"}, ("event.category", "event.outcome")),
    Example(
        {**_FAILED, "events": [None, {"name": "download"}, {"name": "login_success", "parameters": [None, 7, {"name": []}]}], "actor": "x"},
        {"event.action": "login_success"}, ("user.name", "event.reason"),
    ),
    Example({**_FAILED, "events": "login_failure", "ipAddress": None}, {}, ("event.category", "user.name", "source.ip")),
)  # fmt: skip
_DECODED = (
    Example({"json": {**_FAILED, "events": _FAILED["events"][0]}, "event": {"module": "google_workspace"}}, _SEEN),
    Example({"json": {"events": [{"name": "login_success"}]}}, {}, ("event.category", "event.action")),
    Example({"json": _FAILED}, _SEEN),
)

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "google-workspace", "Google Workspace's activities: logins, administration", Keys(("events", "actor", "id")), paths=_PATHS,
        constants=_CONSTANTS, extract=_extract, read=_READ, reads=("events", "actor", "networkInfo"), gives=OF_A_KIND, examples=_EXAMPLES,
    ),
    Mapping(
        "google-workspace-decoded", "Google Workspace's activities under `json`, as Filebeat decodes them", Keys(("json",)),
        constants=_CONSTANTS, extract=lambda record: _extract(_decoded(record)), read=moved(_decoded, _PATHS, _READ), reads=("json",),
        gives=OF_A_KIND, examples=_DECODED,
    ),
)  # fmt: skip
