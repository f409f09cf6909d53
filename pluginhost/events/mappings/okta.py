"""Okta's System Log: as its API has it, under `json` as Filebeat decodes it, and as an event hook delivers it, one event a record.

Logins are attempts at a session (`user.session.start`); in Okta's newer engine a wrong password is told as a failed first factor
instead, and counts like one. What else is told on the way to the same session (sign-on policies, factors, single sign-on) is
`info`, `allowed` or `denied`, so that nobody counts a login twice. A push sent is a challenge of unknown outcome.

A hook's delivery of several events is not read: its shipper has to split `data.events`.
"""

from __future__ import annotations

from typing import Any

from ..fields import MISSING, lookup
from ..mapping import Example, Keys, Mapping, Record
from .kinds import OF_A_KIND, Found, Read, choice, deep, given, kind, kinds, moved, one_of, point

__all__ = ["MAPPINGS"]

_EVENTS = kinds({
    "authentication start": "user.session.start | user.authentication.auth_via_radius",
    "authentication,session end": "user.session.end | user.session.clear",
    "session start": "user.session.impersonation.initiate",
    "authentication info": "user.authentication.sso | user.authentication.verify | user.authentication.auth_via_IDP | "
        "user.authentication.auth_via_AD_agent | user.authentication.auth_via_LDAP_agent | user.authentication.auth_via_social | "
        "user.authentication.auth_via_inbound_SAML | user.authentication.auth_via_inbound_delauth | "
        "user.authentication.authenticate | user.mfa.attempt_bypass",
    "authentication info mfa_challenge": "user.authentication.auth_via_mfa | user.authentication.auth_via_richclient",
    "authentication info mfa_challenge unknown": "system.push.send_factor_verify_push | system.sms.send_factor_verify_message | "
        "system.email.send_factor_verify_message | system.voice.send_mfa_challenge_call | system.sms.send_okta_push_verify_message",
    "authentication info mfa_challenge failure": "user.mfa.okta_verify.deny_push | user.mfa.okta_verify.deny_push_upgrade_needed",
    "iam user,creation user_created": "user.lifecycle.create",
    "iam user,deletion user_deleted": "user.lifecycle.delete.initiated | user.lifecycle.delete.completed",
    "iam user,change user_enabled": "user.lifecycle.activate | user.lifecycle.reactivate | user.lifecycle.unsuspend",
    "iam user,change user_disabled": "user.lifecycle.deactivate | user.lifecycle.suspend",
    "iam user,change user_locked": "user.account.lock | user.account.lock.limit",
    "iam user,change user_unlocked": "user.account.unlock | user.account.unlock_by_admin",
    "iam user,change password_changed": "user.account.update_password",
    "iam user,change password_reset": "user.account.reset_password | user.account.expire_password",
    "iam user,change mfa_added": "user.mfa.factor.activate | user.mfa.factor.unsuspend",
    "iam user,change mfa_removed": "user.mfa.factor.deactivate | user.mfa.factor.reset_all | user.mfa.factor.suspend",
    "iam user,change key_added": "system.api_token.create | system.api_token.enable",
    "iam user,change key_removed": "system.api_token.revoke | system.api_token.disable",
    "iam user,change role_granted": "user.account.privilege.grant",
    "iam user,change role_revoked": "user.account.privilege.revoke",
    "iam group,change role_granted": "group.privilege.grant",
    "iam group,change role_revoked": "group.privilege.revoke",
    "iam group,creation group_created": "group.lifecycle.create",
    "iam group,deletion group_deleted": "group.lifecycle.delete",
    "iam group,change group_member_added": "group.user_membership.add",
    "iam group,change group_member_removed": "group.user_membership.remove",
    "iam user,change": "user.account.update_profile | user.mfa.factor.update | application.user_membership.add | "
        "application.user_membership.remove | application.user_membership.update",
    "configuration change": "policy.rule.add | policy.rule.update | policy.rule.delete | policy.rule.activate | policy.rule.deactivate | "
        "zone.create | zone.update | zone.delete | zone.activate | zone.deactivate | security.authenticator.lifecycle.deactivate",
    "intrusion_detection info": "security.threat.detected | user.account.report_suspicious_activity_by_enduser | user.risk.change",
})  # fmt: skip
_LOGINS = frozenset(name for name, found in _EVENTS.items() if "authentication" in found["event.category"])
_OUTCOMES = {
    "SUCCESS": "success", "ALLOW": "success", "FAILURE": "failure", "DENY": "failure", "RATE_LIMIT": "failure", "UNANSWERED": "failure",
    "CHALLENGE": "unknown", "SKIPPED": "unknown", "UNKNOWN": "unknown", "DEFERRED": "unknown", "ABANDONED": "unknown",
    "SCHEDULED": "unknown",
}  # fmt: skip
_ATTEMPT, _TOLD, _CONFIGURED, _ANY = kind("authentication start"), kind("authentication info"), kind("configuration change"), Found()
_DECISIONS = frozenset({"policy.evaluate_sign_on", "application.policy.sign_on.deny_access"})
_DECIDED = {"success": kind("authentication allowed"), "failure": kind("authentication denied")}


def _extract(event: Record) -> Found | None:
    name = event.get("eventType")
    if not isinstance(name, str):
        return None
    if name in _DECISIONS:
        return _DECIDED.get(_outcome(event), _TOLD)
    if name == "user.authentication.auth_via_mfa" and _outcome(event) == "failure":
        factor = lookup(event, "debugContext.debugData.factor")
        return _ATTEMPT if factor == "PASSWORD_AS_FACTOR" else _EVENTS[name]
    return _EVENTS.get(name) or (_CONFIGURED if ".lifecycle." in name else _ANY)


def _outcome(event: Record) -> Any:
    return choice(_OUTCOMES, lookup(event, "outcome.result"))


def _known(value: Any) -> Any:
    return MISSING if value == "unknown" else given(value)


def _target(wanted: str, *parts: str) -> Read:
    def read(event: Record) -> Any:
        target = one_of(event.get("target"), "type", wanted)
        return next((found for part in parts if (found := _known(target.get(part))) is not MISSING), MISSING)

    return read


_ADDRESSED = _target("User", "alternateId")


def _user(event: Record) -> Any:
    """Who did it; a message that Okta itself sends during a login is about the user it is sent to."""
    if lookup(event, "actor.type") == "SystemPrincipal" and event.get("eventType") in _LOGINS:
        return _ADDRESSED(event)
    return _known(lookup(event, "actor.alternateId", None))


_LEVELS = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
_CONTEXT = ("client", "geographicalContext")
_LATITUDE, _LONGITUDE = (deep(*_CONTEXT, "geolocation", part) for part in ("lat", "lon"))


def _risk(event: Record) -> Any:
    """Okta writes its objects of debug data as text: `{reasons=Anomalous Device, level=LOW}`."""
    told = lookup(event, "debugContext.debugData.risk", None)
    level = told.get("level") if isinstance(told, dict) else told.rpartition("level=")[2] if isinstance(told, str) else None
    return choice(_LEVELS, level.strip(" }").partition(",")[0] if isinstance(level, str) else None)


_PATHS: dict[str, tuple[str, ...]] = {
    "event.action": ("eventType",), "event.reason": ("outcome.reason",), "message": ("displayMessage",), "log.level": ("severity",),
    "user.id": ("actor.id",), "user.full_name": ("actor.displayName",), "source.ip": ("client.ipAddress",),
    "source.as.number": ("securityContext.asNumber",), "source.as.organization.name": ("securityContext.asOrg", "securityContext.isp"),
    "device.id": ("device.id",),
}  # fmt: skip
_READ: dict[str, Read] = {
    "event.outcome": _outcome,
    "user.name": _user,
    "user.target.name": _target("User", "alternateId", "displayName"),
    "user.target.roles": _target("ROLE", "displayName"),
    "group.name": _target("UserGroup", "displayName"),
    "service.name": _target("AppInstance", "displayName", "alternateId"),
    "session.id": lambda event: _known(lookup(event, "authenticationContext.externalSessionId", None)),
    "user_agent.original": deep("client", "userAgent", "rawUserAgent"),
    "source.geo.country_name": deep(*_CONTEXT, "country"),
    "source.geo.region_name": deep(*_CONTEXT, "state"),
    "source.geo.city_name": deep(*_CONTEXT, "city"),
    "source.geo.location": lambda event: point(_LATITUDE(event), _LONGITUDE(event)),
    "source.intelligence_category": lambda event: "anonymizer" if lookup(event, "securityContext.isProxy") is True else MISSING,
    "user.risk.static_level": _risk,
}
_CONSTANTS = {"event.provider": "okta", "event.dataset": "okta.system"}
_READS = ("eventType", "outcome", "actor", "target", "client", "securityContext", "authenticationContext", "debugContext")
_NONE: dict[str, Any] = {}


def _decoded(record: Record) -> Record:
    event = record.get("json")
    return event if isinstance(event, dict) else _NONE


def _hooked(record: Record) -> Record:
    data = record.get("data")
    events = data.get("events") if isinstance(data, dict) else None
    return events[0] if isinstance(events, list) and len(events) == 1 and isinstance(events[0], dict) else _NONE


_PLACE = {
    "city": "Vienna", "state": "Vienna", "country": "Austria", "postalCode": "1010", "geolocation": {"lat": 48.2, "lon": 16.37},
}  # fmt: skip
_ALICE = {"id": "00u1", "type": "User", "alternateId": "alice@shop.example", "displayName": "Alice Example"}
_ADMIN = {"id": "00u9", "type": "User", "alternateId": "ops@shop.example", "displayName": "Ops"}
_OKTA = {"id": "00s0", "type": "SystemPrincipal", "alternateId": "system@okta.com", "displayName": "Okta System"}
_LOGIN: dict[str, Any] = {
    "actor": _ALICE, "client": {
        "userAgent": {"rawUserAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0", "os": "Linux", "browser": "FIREFOX"},
        "device": "Computer",
        "ipAddress": "203.0.113.9", "geographicalContext": _PLACE,
    },
    "device": None, "authenticationContext": {"authenticationStep": 0, "externalSessionId": "102Xs"},
    "displayMessage": "User login to Okta", "eventType": "user.session.start",
    "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}, "published": "2026-11-21T10:00:00.123Z",
    "securityContext": {"asNumber": 64500, "asOrg": "example telecom", "isp": "example", "domain": "shop.example", "isProxy": True},
    "severity": "WARN", "debugContext": {"debugData": {"requestUri": "/api/v1/authn", "risk": "{reasons=Anomalous Device, level=HIGH}"}},
    "legacyEventType": "core.user_auth.login_failed", "uuid": "7d0e", "version": "0", "target": None,
}  # fmt: skip
_SEEN: dict[str, Any] = {
    "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure", "event.action": "user.session.start",
    "event.reason": "INVALID_CREDENTIALS", "user.name": "alice@shop.example", "user.id": "00u1", "user.full_name": "Alice Example",
    "source.ip": "203.0.113.9", "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0", "log.level": "WARN",
    "source.geo.country_name": "Austria", "source.geo.city_name": "Vienna", "source.geo.location": {"lat": 48.2, "lon": 16.37},
    "source.as.number": 64500, "source.as.organization.name": "example telecom", "source.intelligence_category": "anonymizer",
    "session.id": "102Xs", "user.risk.static_level": "high", "message": "User login to Okta", "event.dataset": "okta.system",
}  # fmt: skip
_NO_TARGET = ("user.target.name", "group.name")


def _event(name: str, result: str = "SUCCESS", **others: Any) -> dict[str, Any]:
    return {**_LOGIN, "eventType": name, "outcome": {"result": result, "reason": None}, **others}


_BOB = {"type": "User", "id": "00u2", "alternateId": "bob@shop.example", "displayName": "Bob"}
_EXAMPLES = (
    Example(_LOGIN, _SEEN, _NO_TARGET),
    Example(_event("user.session.start"), {"event.outcome": "success", "event.type": ["start"]}, ("event.reason",)),
    Example(
        _event("user.session.start", actor={"id": "unknown", "type": "User", "alternateId": "unknown"}, client={"ipAddress": None}),
        {"event.type": ["start"]}, ("user.name", "source.ip", "source.geo.location"),
    ),
    Example(_event("user.session.end"), {"event.type": ["end"], "event.outcome": "success"}),
    Example(
        _event("policy.evaluate_sign_on", "DENY"),
        {"event.category": ["authentication"], "event.type": ["denied"], "event.outcome": "failure"},
    ),
    Example(_event("policy.evaluate_sign_on", "CHALLENGE"), {"event.type": ["info"], "event.outcome": "unknown"}),
    Example(
        _event("system.push.send_factor_verify_push", actor=_OKTA, target=[_BOB]),
        {"event.action": "mfa_challenge", "event.outcome": "unknown", "event.type": ["info"], "user.name": "bob@shop.example"},
    ),
    Example(_event("user.mfa.okta_verify.deny_push"), {"event.action": "mfa_challenge", "event.outcome": "failure"}),
    Example(
        _event("user.authentication.auth_via_mfa", "FAILURE", debugContext={"debugData": {"factor": "OKTA_VERIFY_PUSH"}}),
        {"event.action": "mfa_challenge", "event.outcome": "failure", "event.type": ["info"]},
    ),
    Example(
        _event("user.authentication.auth_via_mfa", "FAILURE", debugContext={"debugData": {"factor": "PASSWORD_AS_FACTOR"}}),
        {"event.action": "user.authentication.auth_via_mfa", "event.outcome": "failure", "event.type": ["start"]},
    ),
    Example(
        _event("user.account.lock", actor=_OKTA, target=[_BOB]),
        {"event.action": "user_locked", "event.type": ["user", "change"], "user.name": "system@okta.com",
         "user.target.name": "bob@shop.example"},
    ),
    Example(
        _event("group.user_membership.add", actor=_ADMIN, target=[_BOB, {"type": "UserGroup", "displayName": "Admins"}]),
        {"event.category": ["iam"], "event.type": ["group", "change"], "event.action": "group_member_added",
         "user.name": "ops@shop.example", "user.target.name": "bob@shop.example", "group.name": "Admins"},
    ),
    Example(
        _event("user.account.privilege.grant", actor=_ADMIN, target=[_BOB, {"type": "ROLE", "displayName": "Super administrator"}]),
        {"event.action": "role_granted", "user.target.roles": "Super administrator"},
    ),
    Example(
        _event("user.authentication.sso", target=[{"type": "AppInstance", "displayName": "Payroll"}]),
        {"event.type": ["info"], "event.action": "user.authentication.sso", "service.name": "Payroll"},
    ),
    Example(_event("policy.lifecycle.update"), {"event.category": ["configuration"], "event.action": "policy.lifecycle.update"}),
    Example(
        _event("pki.cert.issue", "", actor=[], target=7, client=None, securityContext="-", debugContext=[], authenticationContext=0),
        {"event.action": "pki.cert.issue"}, ("event.category", "event.outcome", "user.name", "source.ip", *_NO_TARGET),
    ),
)  # fmt: skip
_DECODED = (
    Example({"json": _LOGIN, "event": {"dataset": "okta.system", "module": "okta"}, "input": {"type": "httpjson"}}, _SEEN, _NO_TARGET),
    Example({"json": {"a": 1}, "message": "x"}, {}, ("event.action", "user.name")),
    Example({"json": {**_LOGIN, "target": [_BOB]}}, {**_SEEN, "user.target.name": "bob@shop.example"}),
)
_HOOK = {"eventId": "b5a1", "eventType": "com.okta.event_hook", "cloudEventsVersion": "0.1", "source": "https://shop.okta.example/hooks/1"}
_HOOKED = (
    Example({**_HOOK, "data": {"events": [_LOGIN]}}, _SEEN, _NO_TARGET),
    Example({**_HOOK, "data": {"events": [_event("user.session.end")]}}, {"event.type": ["end"], "event.action": "user.session.end"}),
    Example({**_HOOK, "data": {"events": [_LOGIN, _LOGIN]}}, {}, ("event.action", "user.name", "source.ip")),
)

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "okta", "Okta's System Log: logins, factors, accounts, groups, policies", Keys(("eventType", "published"), ("actor", "outcome")),
        paths=_PATHS, constants=_CONSTANTS, extract=_extract, read=_READ, reads=_READS, gives=OF_A_KIND, examples=_EXAMPLES,
    ),
    Mapping(
        "okta-decoded", "Okta's System Log under `json`, as Filebeat decodes it", Keys(("json",)), constants=_CONSTANTS,
        extract=lambda record: _extract(event) if "published" in (event := _decoded(record)) else None,
        read=moved(_decoded, _PATHS, _READ), reads=("json",), gives=OF_A_KIND, examples=_DECODED,
    ),
    Mapping(
        "okta-hook", "Okta's event hook, one event a record", Keys(("cloudEventsVersion", "data")), constants=_CONSTANTS,
        extract=lambda record: _extract(_hooked(record)),
        read=moved(_hooked, _PATHS, _READ), reads=("data",), gives=OF_A_KIND, examples=_HOOKED,
    ),
)  # fmt: skip
