"""Mappings of proxies, Amazon, Kubernetes and network sensors: their examples, what an attacker writes into them, and what breaks them."""

import json
import random
from copy import deepcopy

import msgspec
import pytest

from pluginhost.events import Event, Mappings, Slice
from pluginhost.events.fields import MISSING
from pluginhost.events.mappings import access, aws, aws_waf, caddy, haproxy, kubernetes, sshd, suricata, zeek
from pluginhost.events.mappings.json_text import decoded

MINE = (*aws.MAPPINGS, *caddy.MAPPINGS, *haproxy.MAPPINGS, *kubernetes.MAPPINGS, *suricata.MAPPINGS, *zeek.MAPPINGS)
ALL = (*access.MAPPINGS, *MINE, *sshd.MAPPINGS)
EXAMPLES = [(one, example) for one in MINE for example in one.examples]
RECORDS = [{"message": example.record} if isinstance(example.record, str) else example.record for _, example in EXAMPLES]
each_mapping = pytest.mark.parametrize("mapping", MINE, ids=lambda one: one.name)


def event(record, tag="", mappings=ALL):
    record = {"message": record} if isinstance(record, str) else record
    return Event(Slice(0, 0, 1, 1, tag, "json", json.dumps(record).encode()), Mappings(mappings))


# --- the examples, and what a mapping says of itself ---


@pytest.mark.parametrize(("mapping", "example"), EXAMPLES, ids=lambda one: getattr(one, "name", ""))
@pytest.mark.parametrize("order", [1, -1])
def test_example(mapping, example, order) -> None:
    seen = event(example.record, example.tag, ALL[::order])
    assert {field: seen.get(field, MISSING) for field in example.expected} == example.expected
    assert [field for field in example.absent if field in seen] == []


@each_mapping
def test_it_is_the_one_that_reads_most_of_its_examples(mapping) -> None:
    read = [event(example.record, example.tag).mapping for example in mapping.examples]
    assert read.count(mapping.name) > len(read) / 2


@each_mapping
def test_a_record_cut_down_to_what_is_read_says_the_same(mapping) -> None:
    alone = Mappings([mapping])
    for record in RECORDS:
        cut = {key: value for key, value in record.items() if key in mapping.reads}
        for tag in ("", "haproxy"):
            reading, again = alone.read(tag, record), alone.read(tag, cut)
            assert (again.mapping, again.found) == (reading.mapping, reading.found)
            assert reading.found.keys() <= mapping.gives
            for field in mapping.gives if reading.mapping is not None else ():
                assert again.get(cut, field) == reading.get(record, field)


# --- what somebody broke ---

ODD = [
    None, True, 0, -1, 1 << 63, 1e308, float("nan"), "", "-", "\x00", "x" * 5000, "404", "²", [], {}, [[]], [None, {}, [7]],
    {"a": {"b": []}},
]  # fmt: skip
BITS = ["", " ", '"', "\\", "[", "{", "}", "|", "/", ":", "-", "٣", "\n", "9" * 20, "²", "\ud800", "\u2028", '\\"', " - - "]


def places(value, path=()):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def broken(record, path, odd):
    made = inner = deepcopy(record)
    for key in path[:-1]:
        inner = inner[key]
    if odd is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return made


def damaged(line, rng):
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(line))
        line = line[:at] + rng.choice(BITS) + line[at + rng.choice((0, 1, 1, 40)) :]
    return line[: rng.choice((len(line), rng.randint(0, len(line))))]


@each_mapping
def test_nothing_raises_whatever_stands_somewhere(mapping) -> None:
    rng, alone = random.Random(mapping.name), Mappings([mapping])
    for example in mapping.examples:
        if isinstance(example.record, str):
            records = [{"message": damaged(example.record, rng)} for _ in range(150)]
        else:
            records = [broken(example.record, path, odd) for path in places(example.record) for odd in rng.sample([*ODD, MISSING], 3)]
        for record in records:
            reading = alone.read("haproxy", record)
            for field in mapping.gives:
                reading.get(record, field)
        for record in rng.sample(records, min(20, len(records))):
            assert isinstance(event(record, "haproxy", [mapping]).document(), dict)


LONG = 300_000
LONG_LINES = [
    haproxy._LB + haproxy._CAME + " a b/c 0/0/0/0/0 200 1 - - ---- 1/1/1/1/0 0/0 " + "{" * LONG,
    haproxy._LB + haproxy._CAME + " a b/c 0/0/0/0/0 200 1 - - ---- 1/1/1/1/0 0/0 {a} " + "{|" * LONG + '} "GET /',
    haproxy._LB + haproxy._CAME + " a b/c 0/0/0/0/0 200 1 " + "a" * LONG + " - ---- 1/1/1/1/0 0/0",
    "haproxy[7]: " * LONG,
    aws._ALB.replace("curl/8", '\\"' * LONG),
    aws._ALB.replace("curl/8", "\\" * LONG),
    aws._CLASSIC.replace("GET", "GET " * LONG),
    '"' * LONG,
    '{"httpSourceName":' + "[" * LONG,
    '"' + '\\"httpSourceName' * LONG + '"',
    "2 111122223333 eni-" + "1" * LONG + " OK",
]


@pytest.mark.parametrize("line", LONG_LINES, ids=range(len(LONG_LINES)))
def test_a_long_line_is_read_in_linear_time(line) -> None:
    assert event(line, "haproxy").get("event.outcome") in ("failure", "success", None)  # quadratic runs into the suite's time limit


# --- records inside a message ---


def text(record) -> str:
    return msgspec.json.encode(record).decode()


def test_json_text_is_decoded_at_most_twice() -> None:
    record = {"httpSourceName": "ALB", "httpRequest": {"country": "DE"}}
    once, twice = text(record), text(text(record))
    none = [text(twice), "[1]", '"x"', "{", "", "5", '"\\ud800"']
    assert [decoded(one) for one in (once, f" {twice}\n", *none)] == [record, record, *[None] * len(none)]


def test_a_firewall_record_is_read_from_json_text_inside_a_json_string() -> None:
    seen = event(text(text(aws_waf._STREAMED)))
    assert (seen.mapping, seen["httpStatus"], seen["event.outcome"]) == ("aws-waf-text", "404", "failure")
    assert seen["httpRequest.country"] == "US"


def test_what_the_shipper_says_stays_beside_the_record_inside() -> None:
    seen = event({"log": text(zeek._log(80, trans_depth=1, host="shop.example", uri="/")), "host": "sensor-1", "user": "root"})
    assert (seen.mapping, seen["host.name"], seen["url.domain"]) == ("zeek-text", "sensor-1", "shop.example")


@pytest.mark.parametrize("inner", ['{"eventSource": 1}', '{"eventSource": "a", "ev', '["eventSource"]', 'say "eventSource" loud'])
def test_a_message_that_only_holds_the_word_is_none(inner) -> None:
    assert event(inner).mapping == ""


# --- what an attacker writes ---


@pytest.mark.parametrize("agent", ['x#22 200', "203.0.113.1:1 [21/Nov/2026:10:00:00.000] a b/c", "a b } \"GET /fake", " - - "])
def test_an_haproxy_line_is_read_from_its_own_beginning(agent) -> None:
    seen = event(f'{haproxy._LB}{haproxy._CAME} www shop/web1 0/0/1/3/4 404 9 - - ---- 1/1/0/0/0 0/0 {{{agent}}} "GET / HTTP/1.1"')
    assert (seen["source.ip"], seen["http.response.status_code"], seen["event.outcome"]) == ("203.0.113.9", 404, "failure")


@pytest.mark.parametrize("agent", [r"\x22 200 1", r"\" \"-\" - -", "203.0.113.1:1 -1 -1 -1 200 200 0 0"])
def test_a_load_balancers_line_is_read_from_its_own_quotes(agent) -> None:
    seen = event(aws._ALB.replace("curl/8", agent))
    assert (seen["source.ip"], seen["http.response.status_code"], seen["tls.version"]) == ("203.0.113.9", 403, "1.2")
    assert seen["user_agent.original"] == agent


def test_a_claimed_address_is_not_taken_for_the_source_of_an_api_call() -> None:
    seen = event({**kubernetes._LISTED, "sourceIPs": ["198.51.100.1", "198.51.100.2", "203.0.113.9"]})
    assert (seen["source.ip"], seen["network.forwarded_ip"]) == ("203.0.113.9", "198.51.100.1")


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        ({"type": "IAMUser", "userName": "alice"}, "alice"),
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/ops/bob"}, "bob"),
        ({"type": "Root", "userName": "company-alias"}, "root"),
        ({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/Admin/carol"}, "carol"),
        ({"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/dave"}, "dave"),
        ({"type": "SAMLUser", "principalId": "x:erin", "userName": "erin"}, "erin"),
        ({"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS", "arn": "arn:aws:iam::1:user/x"}, None),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, None),
        ({"type": "AWSAccount", "accountId": "1", "principalId": "AIDA"}, None),
        (None, None),
        ("alice", None),
    ],
)
def test_who_called(identity, user) -> None:
    record = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userIdentity": identity}
    assert event(record).get("user.name") == user


@pytest.mark.parametrize(
    ("service", "call", "action", "types"),
    [
        ("iam", "DeactivateMFADevice", "mfa_removed", ["user", "change"]),
        ("iam", "AttachRolePolicy", "role_granted", ["user", "change"]),
        ("identitystore", "DeleteUser", "user_deleted", ["user", "deletion"]),
        ("cognito-idp", "CreateUser", "CreateUser", ["creation"]),
        ("cloudtrail", "DeleteTrail", "audit_disabled", ["change"]),
        ("logs", "DeleteLogGroup", "audit_cleared", ["change"]),
        ("ec2", "TerminateInstances", "host_stopped", ["end"]),
        ("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", ["change"]),
        ("sts", "AssumeRole", "AssumeRole", ["info"]),
        ("kms", "Decrypt", "Decrypt", ["info"]),
    ],
)
def test_what_was_called(service, call, action, types) -> None:
    seen = event({"eventSource": f"{service}.amazonaws.com", "eventName": call, "awsRegion": "eu-central-1"})
    assert (seen["event.action"], seen["event.type"], seen["event.code"], seen["event.outcome"]) == (action, types, call, "success")


@pytest.mark.parametrize("state", ["RSTO", "SF", "S1"])
@pytest.mark.parametrize("nested", [True, False])
def test_a_connection_that_was_answered_has_ended(state, nested) -> None:
    seen = event(zeek._log(443, nested=nested, conn_state=state))
    assert (seen["event.type"], seen["event.outcome"], seen["source.ip"]) == (["connection", "end"], "success", "203.0.113.9")
