"""The same queries over the same documents, asked of a real Elasticsearch and of us.

Left out is what is different on purpose: values of no field, partial months and years (whole here, the first day there),
`^` and `$` in regular expressions, escaped comparison signs, comparisons with a number in a text field, CIDR in a text field,
`now` (the time of the record here).
"""

import json
import random
import urllib.error
import urllib.request

import pytest

from pluginhost import match
from pluginhost.events.fields import Document
from pluginhost.match import parse
from pluginhost.problem import Problem

INDEX = "match-lucene"
MAPPING = {
    "message": {"type": "text"},
    "user": {"properties": {"name": {"type": "keyword"}}},
    "event": {"properties": {"action": {"type": "keyword"}, "created": {"type": "date"}}},
    "source": {"properties": {"ip": {"type": "ip"}, "port": {"type": "long"}}},
}
TEXTS = [
    "alpha", "Beta", "web-01", "cmd.exe", "a b", "C:\\Windows\\cmd.exe", "10.0.0.5", "Failed password for root", "root", "5", "5.0",
    "x_y", "", "true", "user@example.com", "don't", "2024-05-01T12:00:00Z", "1,234", "v1.a", "alpha beta", "beta alpha gamma", "(x)",
]  # fmt: skip
ADDRESSES = ["10.0.0.5", "10.1.2.3", "::1", "2001:db8::1", "192.168.0.1", ["10.0.0.5", "::1"], "::ffff:10.0.0.5"]
DATES = ["2024-05-01T12:00:00Z", "2024-05-02", "2024-05-01T12:00:00+02:00", 1714521600000, "2023-12-31T23:59:59.999Z"]
FIXED = [
    "*", "*:*", "", "NOT *:*", "_exists_:event", "user.name:*", "user.name:**", "message:**", "source.port:**", "source.port:44*",
    "source.port:(5 80)", 'message:"--"', 'NOT message:"--"', 'message:"--" AND user.name:root', '(message:"--") OR user.name:root',
    "user.name:(alpha beta)", "user.name:=5", "message:(alpha AND beta OR gamma)", "user.name:/\\d+/", "message:/Failed/",
    "message:FAIL*", "message:[B TO C]", "message:>B", "user.name:\\u0061lpha", "event.action:true", "event.action:True",
    "event.action:5.0", "source.ip:10.*", "NOT source.ip:nonsense", "source.port:05", "source.port:5e0", "source.port:5.5",
    "source.port:[4.5 TO 5.5]", "event.created:nonsense", "event.created:2024-5-1", "source.ip:[* TO 10.0.0.5]",
]  # fmt: skip
REFUSED = [
    "(user.name:x", "user.name:x)", 'user.name:"x', "user.name:()", "user.name:", "AND user.name:x", "user.name:x AND",
    "user.name:x AND OR user.name:y", "NOT NOT user.name:x", "user.name:-5", "user.name:!x", "user.name:a:b", "user.*:bob",
    '"user.name":x', "user.name:a/b", "user.name:x\\", "user.name:\\uZZ", "user.name:[a b]", "user.name:[a TO", "user.name:x^",
    "user.name:x^ 2", "user.name:x]", "user.name:a&&user.name:b",
]  # fmt: skip


def ask(url, method, path, body=None):
    """Elasticsearch's answer, also where it is an error."""
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
    request = urllib.request.Request(url + path, method=method, data=data, headers={"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def document(rng):
    made = {"message": rng.choice([f"{rng.choice(TEXTS)} {rng.choice(TEXTS)}", [rng.choice(TEXTS), rng.choice(TEXTS)]])}
    name = rng.choice([rng.choice(TEXTS), rng.choice(TEXTS), [rng.choice(TEXTS), rng.choice(TEXTS)], None, []])
    for path, chance, value in [
        ("user.name", 0.8, name), ("event.action", 0.5, rng.choice([rng.choice(TEXTS), 5, True])),
        ("event.created", 0.6,         rng.choice(DATES)), ("source.port", 0.6, rng.choice([5, 443, "443", 1024, 80, [5, 80], None, -5])),
        ("source.ip", 0.6, rng.choice(ADDRESSES)),
    ]:  # fmt: skip
        if rng.random() < chance:
            parent, leaf = path.split(".")
            made.setdefault(parent, {})[leaf] = value
    return made


def escaped(text):
    return "".join(f"\\{char}" if char in '+-=&|!(){}[]^"~*?:\\/ ' else char for char in text)


def text_value(rng):
    text = rng.choice(TEXTS)
    quoted = json.dumps(text)
    return rng.choice([
        escaped(text) or '""', escaped(text) or '""', quoted, f"*{escaped(text[1:])}*", f"{escaped(text[:3])}*", f"*{escaped(text[-3:])}",
        f"{escaped(text[:1])}?{escaped(text[2:])}", f"{escaped(text[:2])}*{escaped(text[-2:])}", "*",
        f"/{rng.choice(['[a-z]+', '.*a.*', 'c.d.*', '[0-9]+', '(alpha|beta)', '[^a]*', '.', 'al{1}pha?'])}/",
        f"[{rng.choice('abAB5')} TO {rng.choice('cdCD')}]",
    ])  # fmt: skip


def clause(rng):
    ports = ["5", '"443"', ">5", ">=80", "<443", "[5 TO 80]", "{5 TO 443]", "[* TO 80}", "x", "5.0", "*", "\\-5", "[-5 TO 5]", "(5 OR 80)"]
    addresses = ["10.0.0.5", '"10.0.0.0/8"', "10.0.0.0\\/16", '"::1"', "2001\\:db8\\:\\:\\/32", "[10.0.0.0 TO 10.9.9.9]", "*", "<10.1.0.0"]
    dates = ["2024-05-01", ">2024-05-01", "[2024-05-01 TO 2024-05-02]", "<2024-05-02", '"2024-05-01T12:00:00Z"', "*", "<=2024-05-01",
             "{2023-12-31 TO *}",
             '["2024-05-01T10" TO "2024-05-01T10"]', '["2024-05-01||/M" TO "2024-05-01||/M"]', '["2024-05-31||-1M/d" TO *]']  # fmt: skip
    text = f"{rng.choice(['user.name', 'event.action', 'message'])}:"
    words = " ".join(escaped(rng.choice(TEXTS[:9])) for _ in range(2))
    several = rng.choice([" OR ", " AND ", " "]).join(text_value(rng) for _ in range(3))
    exists = f"_exists_:{rng.choice(['user.name', 'message', 'source.port', 'source.ip', 'event', 'nope'])}"
    return rng.choice([text + text_value(rng)] * 8 + [
        f"{text}({words})", f"{text}({several})", exists, f"source.port:{rng.choice(ports)}", f"source.ip:{rng.choice(addresses)}",
        f"event.created:{rng.choice(dates)}",
    ])  # fmt: skip


def query(rng, depth=0):
    made = ""
    for at in range(rng.choice([1, 2, 3])):
        joint = rng.choice([" AND ", " OR ", " ", " && ", " || "]) if at else ""
        inner = f"({query(rng, depth + 1)})" if depth < 3 and rng.random() < 0.3 else clause(rng)
        made += joint + rng.choice([""] * 6 + ["NOT ", "-", "+", "!"]) + inner
    return made


@pytest.fixture(scope="module")
def documents():
    rng = random.Random(7)
    return [document(rng) for _ in range(200)]


@pytest.fixture
def both(elasticsearch_url, documents):
    """Asks both: (the numbers of the documents that Elasticsearch finds, those that we find); None for a refusal."""
    ask(elasticsearch_url, "DELETE", f"/{INDEX}")
    ask(elasticsearch_url, "PUT", f"/{INDEX}", {"mappings": {"dynamic": False, "properties": MAPPING}})
    lines = [json.dumps(line) for number, made in enumerate(documents) for line in ({"index": {"_id": str(number)}}, made)]
    assert ask(elasticsearch_url, "POST", f"/{INDEX}/_bulk?refresh=true", "\n".join(lines) + "\n")["errors"] is False
    views = [Document(made) for made in documents]

    def answers(text, operator="OR"):
        asked = {"query": {"query_string": {"query": text, "default_operator": operator}}}
        answer = ask(elasticsearch_url, "POST", f"/{INDEX}/_search?size=500&_source=false", asked)
        theirs = None if "error" in answer else {int(hit["_id"]) for hit in answer["hits"]["hits"]}
        try:
            test = match.compile(parse(text, default_operator=operator))
        except Problem:
            return theirs, None
        return theirs, {number for number, view in enumerate(views) if test(view)}

    return answers


def test_fixed_queries_find_the_same(both):
    assert {text: ours for text in FIXED if (ours := both(text))[0] != ours[1]} == {}


def test_what_elasticsearch_refuses_is_refused(both):
    assert {text: both(text) for text in REFUSED} == dict.fromkeys(REFUSED, (None, None))


@pytest.mark.parametrize("seed", range(5))
def test_generated_queries_find_the_same(both, seed):
    rng, different, found = random.Random(seed), {}, 0
    for _ in range(200):
        text, operator = query(rng), rng.choice(["OR", "OR", "AND"])
        theirs, ours = both(text, operator)
        found += bool(theirs)
        if theirs != ours:
            different[text, operator] = (theirs, ours)
    assert different == {}
    assert found > 80  # the queries find something, and not the same everywhere
