"""AWS WAF: what the web application firewall let through or blocked; Amazon's own records, and streams of them by others.

Both have `httpSourceName` and `httpRequest`; a stream may add the status that was answered (`httpStatus`), which then decides the
outcome. Its fields are given under their own names, too: a record that came as text in a message has them only thus.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import address, given, number, outcome, text, version

__all__ = ["MAPPINGS"]

_ACCESS, _ALLOWED, _DENIED = (frozen(kinds) for kinds in (["access"], ["access", "allowed"], ["access", "denied"]))


def _header(record: Record, name: str) -> Any:
    headers = lookup(record, "httpRequest.headers", None)
    for one in headers if isinstance(headers, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str) and one["name"].lower() == name:
            return text(one.get("value"))
    return MISSING


def _asked(record: Record, name: str) -> Any:
    return text(lookup(record, f"httpRequest.{name}", None))


def _verdict(record: Record) -> Any:
    action = record.get("action")
    return _DENIED if action == "BLOCK" else _ALLOWED if action in ("ALLOW", "COUNT", "Count") else _ACCESS


def _judged(record: Record) -> Any:
    """By the status that was answered, if the record has it; else by whether the request was let through."""
    answered = outcome(record.get("httpStatus"))
    if answered is not MISSING:
        return answered
    return {"BLOCK": "failure", "ALLOW": "success"}.get(text(record.get("action")) or "", MISSING)


def _original(record: Record) -> Any:
    uri, args = _asked(record, "uri"), _asked(record, "args")
    return uri if uri is MISSING or args is MISSING else f"{uri}?{args}"


def _of_arn(part: int) -> Callable[[Record], Any]:
    def read(record: Record) -> Any:
        arn = record.get("webaclId")
        parts = arn.split(":", 5) if isinstance(arn, str) else []
        return given(parts[part]) if len(parts) == 6 else MISSING

    return read


_OWN = ("action", "httpSourceName", "httpSourceId", "httpStatus", "httpRequest.country", "httpRequest.httpMethod",
            "httpRequest.clientIp", "httpRequest.uri", "httpRequest.args", "terminatingRuleId")  # fmt: skip
_READ: dict[str, Callable[[Record], Any]] = {
    "event.type": _verdict,
    "event.outcome": _judged,
    "event.action": lambda record: text(record.get("action")) and record["action"].lower(),
    "source.ip": lambda record: address(lookup(record, "httpRequest.clientIp", None)),
    "http.version": lambda record: version(_asked(record, "httpVersion")),
    "http.response.status_code": lambda record: number(record.get("httpStatus", record.get("responseCodeSent"))),
    "http.request.referrer": lambda record: _header(record, "referer"),
    "user_agent.original": lambda record: _header(record, "user-agent"),
    "url.domain": lambda record: _header(record, "host"),
    "url.original": _original,
    "cloud.region": _of_arn(3),
    "cloud.account.id": _of_arn(4),
}
_PATHS: dict[str, tuple[str, ...]] = {
    "source.address": ("httpRequest.clientIp",), "source.geo.country_iso_code": ("httpRequest.country",),
    "http.request.method": ("httpRequest.httpMethod",), "http.request.id": ("httpRequest.requestId",), "url.path": ("httpRequest.uri",),
    "url.query": ("httpRequest.args",), "pluginhost.signature.id": ("terminatingRuleId",), "tls.client.ja3": ("ja3Fingerprint",),
    **{name: (name,) for name in _OWN},
}  # fmt: skip
_READS = ("action", "httpStatus", "responseCodeSent", "webaclId",
              *tops(f"httpRequest.{name}" for name in ("clientIp", "httpVersion", "headers", "uri", "args")))  # fmt: skip
_BLOCKED: dict[str, Any] = {
    "timestamp": 1795255200411, "formatVersion": 1, "webaclId": "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/shop/1234",
    "terminatingRuleId": "sql-injection", "terminatingRuleType": "REGULAR", "action": "BLOCK", "httpSourceName": "ALB",
    "httpSourceId": "111122223333-app/shop/50dc6c495c0c9188", "responseCodeSent": None,
    "httpRequest": {
        "clientIp": "203.0.113.9", "country": "DE", "uri": "/a", "args": "b=1'--", "httpVersion": "HTTP/1.1", "httpMethod": "POST",
        "headers": [{"name": "Host", "value": "shop.example"}, {"name": "User-Agent", "value": "curl/8"}], "requestId": "1-5f1c",
    },
}  # fmt: skip
_STREAMED = {
    "timestamp": 1795255200.5, "formatVersion": 1, "action": "ALLOW", "httpSourceName": "CF", "httpSourceId": "cf", "httpStatus": "404",
    "httpRequest": {"clientIp": "2001:db8::9", "country": "US", "headers": [], "uri": "/", "args": "", "httpVersion": "HTTP/2.0",
                    "httpMethod": "GET", "requestId": "1"},
}  # fmt: skip
_BLOCKED_SEEN: dict[str, Any] = {
    "event.category": ["web"], "event.type": ["access", "denied"], "event.outcome": "failure", "event.action": "block",
    "source.ip": "203.0.113.9", "source.geo.country_iso_code": "DE", "http.request.method": "POST", "http.version": "1.1",
    "user_agent.original": "curl/8", "url.domain": "shop.example", "url.original": "/a?b=1'--", "url.path": "/a", "url.query": "b=1'--",
    "pluginhost.signature.id": "sql-injection", "cloud.region": "eu-central-1", "cloud.account.id": "111122223333",
    "httpSourceName": "ALB", "action": "BLOCK", "httpRequest.country": "DE",
}  # fmt: skip
_FIELDS = Mapping(
    "aws-waf", "AWS WAF: requests let through or blocked", Keys(("httpSourceName", "httpRequest")), paths=_PATHS,
    constants={"event.category": frozen(["web"]), "cloud.provider": "aws"}, read=_READ, reads=_READS,
    examples=(
        Example(_BLOCKED, _BLOCKED_SEEN, ("http.response.status_code", "http.request.referrer")),
        Example(
            _STREAMED,
            {"event.type": ["access", "allowed"], "event.outcome": "failure", "event.action": "allow", "http.response.status_code": 404,
             "source.ip": "2001:db8::9", "url.original": "/", "httpStatus": "404"},
            ("user_agent.original", "pluginhost.signature.id", "cloud.region"),
        ),
        Example(
            {"httpSourceName": None, "action": ["BLOCK"], "httpStatus": {}, "httpRequest": {"headers": [None, {"name": 1}], "uri": 5}},
            {"event.category": ["web"], "event.type": ["access"]},
            ("event.outcome", "event.action", "user_agent.original", "url.original", "source.ip"),
        ),
    ),
)  # fmt: skip

_TEXT = texted("aws-waf-text", "the same as JSON text in the message, also inside a JSON string", "httpSourceName", (_FIELDS,))
MAPPINGS = (_FIELDS, _TEXT)
