"""Amazon's logs: load balancers, GuardDuty and VPC flow logs here, CloudTrail and the web application firewall in files of their own."""

from __future__ import annotations

import re
from typing import Any

from ..address import packed
from ..aliases import message, tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Line, Mapping, Record
from . import aws_waf, cloudtrail
from .json_text import texted
from .web import address, given, nanoseconds, number, outcome, path, query, request, text

__all__ = ["MAPPINGS"]

_Found = dict[str, Any]
_WEB, _ACCESS, _NETWORK, _INTRUSION = (frozen([one]) for one in ("web", "access", "network", "intrusion_detection"))
_CONNECTED, _REFUSED = (frozen(["connection", verdict]) for verdict in ("allowed", "denied"))
_AWS = {"cloud.provider": "aws"}


# --- load balancers: application ones begin with the protocol; the classic ones' lines end behind the TLS protocol ---

_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_SPENT = r"(-1|\d{1,9}(?:\.\d{1,9})?)"
_BALANCED = re.compile(
    r"(?:(?:https?|h2|grpcs|wss?) )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20} (\S{1,255}) (\S{1,64}):(\d{1,5}) (?:(\S{1,64}):(\d{1,5})|-) "
    rf"{_SPENT} {_SPENT} {_SPENT} (\d{{3}}|-) (?:\d{{1,3}}|-) (\d{{1,18}}|-) (\d{{1,18}}|-) {_QUOTED} {_QUOTED} (\S{{1,64}}) (\S{{1,32}})"
    rf"(?: \S{{1,2048}} {_QUOTED} {_QUOTED} {_QUOTED} \S{{1,16}} \S{{1,32}} {_QUOTED} {_QUOTED} {_QUOTED})?",
    re.DOTALL,
)


def _balanced(record: Record) -> _Found | None:
    said = _BALANCED.match(message(record).lstrip())
    if said is None:
        return None
    (name, client, port, target, target_port, before, within, after, status, received, sent, line, agent, cipher, protocol,
     trace, domain, _, actions, _, reason) = said.groups()  # fmt: skip
    method, asked, http = (MISSING,) * 3 if line.startswith("- ") else request(line)  # no request at all
    known = "-1" not in (before, within, after)  # it came to that
    code = number(status)
    return {
        "event.outcome": outcome(code), "event.reason": given(reason),
        "event.duration": round((float(before) + float(within) + float(after)) * 1e9) if known else MISSING,
        **_end(_SOURCE, client, port), **_end(_DESTINATION, target, target_port),
        "http.request.method": method, "http.version": http, "http.response.status_code": code,
        "http.request.bytes": number(received), "http.response.bytes": number(sent), "user_agent.original": given(agent),
        "url.original": asked, "url.path": path(asked), "url.query": query(asked), "url.domain": given(domain) or _domain(asked),
        "tls.cipher": given(cipher), "tls.version": given(protocol.removeprefix("TLSv")), "trace.id": given(trace),
        "aws.elb.name": name, "aws.elb.action_executed": MISSING if given(actions) is MISSING else actions.split(","),
    }  # fmt: skip


_SOURCE = ("source.address", "source.ip", "source.port")
_DESTINATION = ("destination.address", "destination.ip", "destination.port")


def _end(fields: tuple[str, str, str], host: str | None, port: str | None) -> _Found:
    if host is None or port is None:
        return {}
    if host[0] == "[":
        host = host[1:].removesuffix("]")
    return {fields[0]: host, fields[1]: address(host), fields[2]: int(port)}


def _domain(target: Any) -> Any:
    """The host in the URL that was asked for."""
    _, mark, rest = target.partition("://") if isinstance(target, str) else ("", "", "")
    return rest.partition("/")[0].partition(":")[0] if mark else MISSING


_ALB = (
    'https 2026-11-21T10:00:00.186641Z app/shop/50dc6c495c0c9188 203.0.113.9:2817 192.0.2.1:80 0.086 0.048 0.037 403 200 0 57 '
    '"GET https://shop.example:443/a?b=c HTTP/1.1" "curl/8" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
    'arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop/73e2d6bc24d8a067 "Root=1-58337281" "shop.example" '
    '"arn:aws:acm:eu-central-1:111122223333:certificate/1234" 1 2026-11-21T10:00:00.123000Z "waf,forward" "-" "-" '
    '"192.0.2.1:80" "200" "-" "-" TID_1234'
)  # fmt: skip
_CLASSIC = (
    '2026-11-21T10:00:00.945958Z shop 203.0.113.9:2817 - -1 -1 -1 503 0 0 0 "GET http://shop.example:80/ HTTP/1.1" "-" - -'
)  # fmt: skip
_BALANCED_GIVES = frozenset({
    "event.outcome", "event.duration", "event.reason", "source.address", "source.ip", "source.port", "destination.address",
    "destination.ip", "destination.port", "http.request.method", "http.version", "http.response.status_code", "http.request.bytes",
    "http.response.bytes", "user_agent.original", "url.original", "url.path", "url.query", "url.domain", "tls.cipher", "tls.version",
    "trace.id", "aws.elb.name", "aws.elb.action_executed",
})  # fmt: skip
_BALANCERS = Mapping(
    "aws-elb", "access log lines of Amazon's load balancers (application and classic)", Line(holds='" "'),
    constants={"event.category": _WEB, "event.type": _ACCESS, **_AWS}, extract=_balanced, reads=(), gives=_BALANCED_GIVES,
    examples=(
        Example(
            _ALB,
            {"event.category": ["web"], "event.type": ["access"], "event.outcome": "failure", "event.duration": 171_000_000,
             "source.ip": "203.0.113.9", "source.port": 2817, "destination.ip": "192.0.2.1", "destination.port": 80,
             "http.request.method": "GET", "http.version": "1.1", "http.response.status_code": 403, "http.response.bytes": 57,
             "user_agent.original": "curl/8", "url.original": "https://shop.example:443/a?b=c", "url.path": "/a", "url.query": "b=c",
             "url.domain": "shop.example", "tls.version": "1.2", "trace.id": "Root=1-58337281",
             "aws.elb.name": "app/shop/50dc6c495c0c9188", "aws.elb.action_executed": ["waf", "forward"]},
            ("event.reason",),
        ),
        Example(
            _CLASSIC,
            {"event.outcome": "failure", "source.ip": "203.0.113.9", "url.path": "/", "url.domain": "shop.example", "aws.elb.name": "shop"},
            ("event.duration", "destination.ip", "user_agent.original", "tls.cipher", "trace.id"),
        ),
        Example(
            '2026-11-21T10:00:00.945958Z mail 203.0.113.9:2817 192.0.2.1:25 0.1 0.2 0.3 - - 82 305 "- - - " "-" - -',
            {"source.ip": "203.0.113.9", "http.request.bytes": 82},
            ("event.outcome", "http.request.method", "url.original", "http.response.status_code"),
        ),
    ),
)  # fmt: skip


# --- GuardDuty's findings, as it exports them ---

_REMOTE = tuple(f"service.action.{kind}.remoteIpDetails" for kind in (
    "networkConnectionAction", "awsApiCallAction", "kubernetesApiCallAction", "rdsLoginAttemptAction", "portProbeAction.portProbeDetails",
))  # fmt: skip
_ACTION = "service.action.actionType"
_FINDING: dict[str, Any] = {
    "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-central-1", "id": "16afba5c", "severity": 2,
    "type": "Recon:EC2/PortProbeUnprotectedPort", "title": "Unprotected port on instance i-99999999 is being probed.",
    "description": "EC2 instance has an unprotected port which is being probed by a known malicious host.",
    "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": "i-99999999"}},
    "service": {"action": {"actionType": "PORT_PROBE", "portProbeAction": {"portProbeDetails": [
        {"remoteIpDetails": {"ipAddressV4": "203.0.113.9", "country": {"countryName": "Germany"}}}]}}},
}  # fmt: skip
_GUARDDUTY = Mapping(
    "guardduty", "findings of Amazon GuardDuty", Keys(("schemaVersion", "resource", "service", "accountId")),
    paths={
        "event.reason": ("description",), "event.severity": ("severity",), "pluginhost.signature.id": ("type",),
        "pluginhost.signature.name": ("title",), "source.ip": tuple(f"{one}.ipAddressV4" for one in _REMOTE),
        "source.geo.country_name": tuple(f"{one}.country.countryName" for one in _REMOTE),
        "user.name": ("resource.accessKeyDetails.userName",), "cloud.account.id": ("accountId",), "cloud.region": ("region",),
        "cloud.instance.id": ("resource.instanceDetails.instanceId",),
    },
    constants={"event.category": _INTRUSION, "event.type": frozen(["info"]), **_AWS},
    read={"event.action": lambda record: text(lookup(record, _ACTION)) and lookup(record, _ACTION).lower()},
    reads=tuple(tops([_ACTION])),
    examples=(
        Example(
            _FINDING,
            {"event.category": ["intrusion_detection"], "event.type": ["info"], "event.action": "port_probe", "event.severity": 2,
             "source.ip": ["203.0.113.9"], "source.geo.country_name": ["Germany"], "cloud.instance.id": "i-99999999",
             "pluginhost.signature.id": "Recon:EC2/PortProbeUnprotectedPort", "cloud.account.id": "111122223333"},
            ("user.name", "event.outcome"),
        ),
    ),
)  # fmt: skip


# --- VPC flow logs in their default format ---

_FLOW = re.compile(
    r"\d{1,2} (\d{12}) (eni-\S{1,32}) (\S{1,45}) (\S{1,45}) (\d{1,5}) (\d{1,5}) (\d{1,3}) (\d{1,18}) (\d{1,18}) (\d{10,12}) (\d{10,12}) "
    r"(ACCEPT|REJECT) OK\s*"
)
_TRANSPORTS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp"}


def _flow(record: Record) -> _Found | None:
    said = _FLOW.fullmatch(message(record).lstrip())
    if said is None:
        return None
    account, interface, source, target, port, target_port, protocol, packets, size, began, ended, verdict = said.groups()
    if packed(source) is None or packed(target) is None:
        return None
    accepted = verdict == "ACCEPT"
    return {
        "event.type": _CONNECTED if accepted else _REFUSED, "event.outcome": "success" if accepted else "failure",
        "event.action": verdict.lower(), "event.duration": nanoseconds(int(ended) - int(began)),
        **_end(_SOURCE, source, port), **_end(_DESTINATION, target, target_port), "source.bytes": int(size),
        "source.packets": int(packets), "network.transport": _TRANSPORTS.get(protocol, protocol), "cloud.account.id": account,
        "aws.vpcflow.interface_id": interface,
    }  # fmt: skip


_FLOW_GIVES = frozenset({
    "event.type", "event.outcome", "event.action", "event.duration", "source.address", "source.ip", "source.port", "source.bytes",
    "source.packets", "destination.address", "destination.ip", "destination.port", "network.transport", "cloud.account.id",
    "aws.vpcflow.interface_id",
})  # fmt: skip
_FLOWS = Mapping(
    "aws-vpcflow", "VPC flow logs in their default format", Line(holds=" eni-", within=24),
    constants={"event.category": _NETWORK, **_AWS}, extract=_flow, reads=(), gives=_FLOW_GIVES,
    examples=(
        Example(
            "2 111122223333 eni-1235b8ca123456789 203.0.113.9 192.0.2.1 49761 3389 6 20 4249 1795255200 1795255260 REJECT OK",
            {"event.category": ["network"], "event.type": ["connection", "denied"], "event.outcome": "failure",
             "event.duration": 60_000_000_000, "source.ip": "203.0.113.9", "destination.ip": "192.0.2.1", "destination.port": 3389,
             "network.transport": "tcp", "source.bytes": 4249, "source.packets": 20, "cloud.account.id": "111122223333"},
        ),
        Example("2 111122223333 eni-1235b8ca123456789 2001:db8::9 2001:db8::1 5 22 6 2 49 1795255200 1795255260 ACCEPT OK",
                {"event.type": ["connection", "allowed"], "event.outcome": "success", "source.ip": "2001:db8::9"}),
        Example("2 111122223333 eni-1235b8ca123456789 - - - - - - - 1795255200 1795255260 - NODATA", {}, ("event.category",)),
    ),
)  # fmt: skip

_TEXT = texted("guardduty-text", "the same as JSON text in the message", '"schemaVersion"', (_GUARDDUTY,))
MAPPINGS = (*cloudtrail.MAPPINGS, *aws_waf.MAPPINGS, _BALANCERS, _GUARDDUTY, _TEXT, _FLOWS)
