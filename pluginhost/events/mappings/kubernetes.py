"""Kubernetes' audit log: who asked the API server for what, and whether he may.

A request can be told at several stages; only the last one counts, the others are `info`. Of `sourceIPs` only the last is
the connection's own, the others are what the client or a proxy claims (`network.forwarded_ip` is the first of them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import address, number, outcome, path, query, text

__all__ = ["MAPPINGS"]

_Kind = tuple[list[str], list[str], list[str], list[str], str]
"""Category; types; types where it was allowed, and where denied; action ("": the verb)."""


def _kind(category: str, types: str, action: str = "") -> _Kind:
    said = types.split(",")
    return frozen([category]), frozen(said), frozen([*said, "allowed"]), frozen([*said, "denied"]), action


_VERBS = {
    verb: _kind("api", types)
    for types, verbs in {
        "access": "get list watch head", "creation": "create post", "change": "update patch put", "deletion": "delete deletecollection",
    }.items()
    for verb in verbs.split()
}  # fmt: skip
_KNOWN = {
    (resource, verb): kind
    for resources, verb, kind in (
        ("pods/exec pods/attach", "create get", _kind("process", "start", "container_exec")),
        ("rolebindings clusterrolebindings", "create", _kind("iam", "user,change", "role_granted")),
        ("rolebindings clusterrolebindings", "delete deletecollection", _kind("iam", "user,change", "role_revoked")),
        ("roles clusterroles", "create", _kind("iam", "admin,creation")),
        ("roles clusterroles", "update patch", _kind("iam", "admin,change")),
        ("roles clusterroles", "delete deletecollection", _kind("iam", "admin,deletion")),
        ("serviceaccounts", "create", _kind("iam", "user,creation", "user_created")),
        ("serviceaccounts", "delete deletecollection", _kind("iam", "user,deletion", "user_deleted")),
        ("serviceaccounts/token certificatesigningrequests/approval", "create update patch", _kind("iam", "user,change", "key_added")),
    )
    for resource in resources.split()
    for verb in verb.split()
}
_ANY = _kind("api", "info")
_EARLIER = ("RequestReceived", "ResponseStarted")
_INFO = frozen(["info"])
_DECISION, _REASON = "annotations.authorization.k8s.io/decision", "annotations.authorization.k8s.io/reason"
_DECISIONS = {"allow": 2, "forbid": 3}


def _said(record: Record, path: str) -> Any:
    """The text at `path`."""
    return text(lookup(record, path, None))


def _told(record: Record) -> _Kind:
    verb, resource, sub = (_said(record, path) or "" for path in ("verb", "objectRef.resource", "objectRef.subresource"))
    return _KNOWN.get((f"{resource}/{sub}" if sub else resource, verb)) or _VERBS.get(verb, _ANY)


def _code(record: Record) -> Any:
    return number(lookup(record, "responseStatus.code"))


def _types(record: Record) -> Any:
    if record.get("stage") in _EARLIER:
        return _INFO
    kind, decision = _told(record), _said(record, _DECISION)
    return kind[_DECISIONS.get(decision or "", 3 if _code(record) in (401, 403) else 1)]


def _addresses(record: Record) -> list[Any]:
    found = record.get("sourceIPs")
    return found if isinstance(found, list) else [found]


def _peer(record: Record) -> Any:
    return address(next(reversed(_addresses(record)), None))


def _claimed(record: Record) -> Any:
    found = _addresses(record)
    return address(found[0]) if len(found) > 1 else MISSING


def _target(record: Record) -> Any:
    """The service account that was touched."""
    return _said(record, "objectRef.name") if _said(record, "objectRef.resource") == "serviceaccounts" else MISSING


_PATHS: dict[str, tuple[str, ...]] = {
    "user.name": ("user.username",), "user.id": ("user.uid",), "user.effective.name": ("impersonatedUser.username",),
    "user_agent.original": ("userAgent",), "event.provider": ("objectRef.apiGroup",), "orchestrator.namespace": ("objectRef.namespace",),
    "orchestrator.resource.type": ("objectRef.resource",), "orchestrator.resource.name": ("objectRef.name",),
    "error.message": ("responseStatus.message",), "url.original": ("requestURI",),
}  # fmt: skip
_READ: dict[str, Callable[[Record], Any]] = {
    "event.category": lambda record: _told(record)[0],
    "event.type": _types,
    "event.action": lambda record: _told(record)[4] or _said(record, "verb"),
    "event.reason": lambda record: _said(record, _REASON) or _said(record, "responseStatus.reason"),
    "event.outcome": lambda record: MISSING if record.get("stage") in _EARLIER else outcome(_code(record)),
    "user.target.name": _target,
    "source.ip": _peer,
    "source.address": _peer,
    "network.forwarded_ip": _claimed,
    "http.response.status_code": _code,
    "url.path": lambda record: path(record.get("requestURI")),
    "url.query": lambda record: query(record.get("requestURI")),
    "log.level": lambda record: MISSING,  # `level` says how much is told of the request
}
_READS = (
    "stage", "sourceIPs", "requestURI",
    *tops(("verb", "objectRef.resource", "objectRef.subresource", "objectRef.name", "responseStatus.code",
           "responseStatus.reason", _DECISION, _REASON)),
)  # fmt: skip

_LISTED: dict[str, Any] = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "5f1c", "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/secrets?limit=500", "verb": "list",
    "user": {"username": "alice@example.com", "uid": "u1", "groups": ["system:authenticated"]}, "sourceIPs": ["203.0.113.9"],
    "userAgent": "kubectl/v1.31.0", "objectRef": {"resource": "secrets", "namespace": "shop", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "status": "Failure", "message": "secrets is forbidden", "reason": "Forbidden", "code": 403},
    "requestReceivedTimestamp": "2026-11-21T10:00:00.000000Z", "stageTimestamp": "2026-11-21T10:00:00.004000Z",
    "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""},
}  # fmt: skip
_SEEN: dict[str, Any] = {
    "event.category": ["api"], "event.type": ["access", "denied"], "event.action": "list", "event.outcome": "failure",
    "user.name": "alice@example.com", "user.id": "u1", "source.ip": "203.0.113.9", "user_agent.original": "kubectl/v1.31.0",
    "orchestrator.namespace": "shop", "orchestrator.resource.type": "secrets", "http.response.status_code": 403,
    "error.message": "secrets is forbidden", "event.reason": "Forbidden", "url.path": "/api/v1/namespaces/shop/secrets",
    "url.query": "limit=500",
}  # fmt: skip
_ALLOWED = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding \"admins\""}
_EXEC = {"resource": "pods", "namespace": "shop", "name": "web-7d9f", "apiVersion": "v1", "subresource": "exec"}
_BOUND = {"resource": "clusterrolebindings", "name": "mallory-admin", "apiGroup": "rbac.authorization.k8s.io", "apiVersion": "v1"}

_EXAMPLES = (
    Example(_LISTED, _SEEN, ("log.level", "user.target.name", "user.effective.name", "network.forwarded_ip")),
    Example(
        {**_LISTED, "verb": "create", "objectRef": _EXEC, "annotations": _ALLOWED, "responseStatus": {"code": 101},
         "sourceIPs": ["198.51.100.7", "203.0.113.9"], "impersonatedUser": {"username": "root"}},
        {"event.category": ["process"], "event.type": ["start", "allowed"], "event.action": "container_exec", "event.outcome": "success",
         "source.ip": "203.0.113.9", "network.forwarded_ip": "198.51.100.7", "orchestrator.resource.name": "web-7d9f",
         "user.effective.name": "root", "event.reason": 'RBAC: allowed by ClusterRoleBinding "admins"'},
        ("error.message",),
    ),
    Example(
        {**_LISTED, "verb": "create", "objectRef": _BOUND, "annotations": _ALLOWED, "responseStatus": {"code": 201}},
        {"event.category": ["iam"], "event.type": ["user", "change", "allowed"], "event.action": "role_granted",
         "orchestrator.resource.name": "mallory-admin"},
    ),
    Example(
        {**_LISTED, "verb": "create", "objectRef": {"resource": "serviceaccounts", "name": "robot"}, "annotations": _ALLOWED,
         "responseStatus": {"code": 201}},
        {"event.action": "user_created", "event.type": ["user", "creation", "allowed"], "user.target.name": "robot"},
    ),
    Example(
        {**_LISTED, "stage": "RequestReceived", "responseStatus": None, "annotations": None},
        {"event.category": ["api"], "event.type": ["info"], "event.action": "list"},
        ("event.outcome", "http.response.status_code", "event.reason"),
    ),
    Example(
        {"auditID": 1, "verb": ["x"], "user": "x", "sourceIPs": [], "objectRef": [], "responseStatus": {"code": "x"}, "requestURI": 5},
        {"event.category": ["api"], "event.type": ["info"]},
        ("event.action", "event.outcome", "source.ip", "url.path"),
    ),
)  # fmt: skip

_FIELDS = Mapping(
    "kubernetes-audit", "Kubernetes' audit log", Keys(("auditID", "verb")), paths=_PATHS, read=_READ, reads=_READS, examples=_EXAMPLES,
)  # fmt: skip
MAPPINGS = (_FIELDS, texted("kubernetes-audit-text", "the same as JSON text in the message", '"auditID"', (_FIELDS,)))
