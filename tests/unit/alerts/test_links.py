from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from pluginhost import Alert
from pluginhost.alerts.desk import Found, Policy, decide
from pluginhost.alerts.document import Rule, document
from pluginhost.alerts.links import LONGEST, Links, linked, rison
from pluginhost.events.fields import lookup

FIXTURE = Path(__file__).parents[2] / "fixtures" / "alerts.ndjson.gz"
KIBANA = Links("kibana", "https://kibana.example/base/", "soc")
OPENSEARCH = Links("opensearch", "https://dash.example", "soc team")
ID = "9f2c" * 16
COLUMNS = ["log.level", "event.risk_score", "rule.id", "user.name", "source.ip", "source.geo.country_iso_code", "host.name", "event.reason"]


def alert(**more):
    event = {"id": ID, "category": ["authentication"], "start": "2026-01-02T03:04:05.123Z", "end": "2026-01-02T03:05:05.123Z"}
    return {
        "@timestamp": "2026-01-02T03:05:05.123Z", "event": event | more.pop("event", {}), "observer": {}, "log": {"level": "high"},
        "user": {"name": "root"}, "source": {"ip": "203.0.113.7"}, "host": {"name": "web1"}, "pluginhost": {"alert": {"count": 1}}, **more,
    }  # fmt: skip


def states(link):
    """What stands behind `#`: its path, and the states by name, read back from rison."""
    path, _, query = urlsplit(link).fragment.partition("?")
    return path, {name: read(value) for name, value in parse_qsl(query, strict_parsing=True)}


TOKEN = re.compile(r"'((?:[^'!]|!.)*)'|![ftn(]|[(),:]|[A-Za-z0-9._@+-]+", re.DOTALL)
FIXED = {"!t": True, "!f": False, "!n": None}


def read(told):
    """The value that rison says; fails on what is none, or goes on behind its end."""
    tokens = [*TOKEN.finditer(told)]
    assert "".join(one[0] for one in tokens) == told
    made = value_of(tokens)
    assert not tokens
    return made


def value_of(tokens):
    one = tokens.pop(0)
    if one[1] is not None:
        return re.sub(r"!(.)", r"\1", one[1], flags=re.DOTALL)
    if one[0] in FIXED:
        return FIXED[one[0]]
    if one[0] == "!(":
        return [*several(tokens, value_of)]
    return dict(several(tokens, pair_of)) if one[0] == "(" else float(one[0])


def pair_of(tokens):
    name, colon = tokens.pop(0)[0], tokens.pop(0)[0]
    assert colon == ":"
    return name, value_of(tokens)


def several(tokens, one):
    if tokens[0][0] == ")":
        tokens.pop(0)
        return
    yield one(tokens)
    while (end := tokens.pop(0)[0]) == ",":
        yield one(tokens)
    assert end == ")"


def conditions(query):
    """(field, value) of a query of quoted values joined by `or`, as KQL reads it."""
    found = re.findall(r'(?:^| or )([a-z.]+): "((?:[^"\\]|\\["\\])*)"', query)
    assert " or ".join(f'{field}: "{value}"' for field, value in found) == query
    return [(field, re.sub(r"\\(.)", r"\1", value)) for field, value in found]


def queried(link):
    told = states(link)[1]
    return conditions((told["_q"] if "_q" in told else told["_a"])["query"]["query"])


def test_rison_reads_back():
    value = {"a": True, "b": [False, None, 5, "it's!", "", [], {}], "c": {"d": "(x:!t,'y')", "e": -1.5}}
    assert rison(value) == "(a:!t,b:!(!f,!n,5,'it!'s!!','',!(),()),c:(d:'(x:!!t,!'y!')',e:-1.5))"
    assert read(rison(value)) == value


def test_discover_opens_with_the_alert_among_what_its_user_and_source_did():
    link = KIBANA.discover(alert())
    assert link.startswith("https://kibana.example/base/s/soc/app/discover#/?_g=%28time:%28from:%27")
    query = f'event.id: "{ID}" or user.name: "root" or source.ip: "203.0.113.7"'
    assert states(link) == ("/", {
        "_g": {"time": {"from": "2026-01-02T02:54:05.123Z", "to": "2026-01-02T03:15:05.123Z"}},
        "_a": {"columns": COLUMNS, "index": "pluginhost-alerts", "query": {"language": "kuery", "query": query},
               "sort": [["@timestamp", "desc"]]},
    })  # fmt: skip


def test_discover_in_opensearch_dashboards():
    link = OPENSEARCH.discover(alert())
    assert link.startswith("https://dash.example/app/data-explorer/discover?security_tenant=soc%20team#?_g=%28time:")
    query = f'event.id: "{ID}" or user.name: "root" or source.ip: "203.0.113.7"'
    assert states(link) == ("", {
        "_g": {"time": {"from": "2026-01-02T02:54:05.123Z", "to": "2026-01-02T03:15:05.123Z"}},
        "_a": {"discover": {"columns": COLUMNS, "isDirty": False, "sort": [["@timestamp", "desc"]]},
               "metadata": {"indexPattern": "pluginhost-alerts", "view": "discover"}},
        "_q": {"filters": [], "query": {"language": "kuery", "query": query}},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("categories", "page"),
    [(["authentication"], "logins"), (["web"], "web"), (["iam", "authentication"], "logins"), (["host"], "overview"), ("web", "web"),
     (None, "overview"), ([{}, ["web"]], "overview")],
)  # fmt: skip
@pytest.mark.parametrize("links", [KIBANA, OPENSEARCH])
def test_the_dashboard_is_that_of_its_kind_and_its_user(links, categories, page):
    link = links.dashboard(alert(event={"category": categories}))
    where = "https://kibana.example/base/s/soc/app/dashboards#" if links is KIBANA else "https://dash.example/app/dashboards?security_tenant=soc%20team#"
    assert link.startswith(where)
    assert states(link) == (f"/view/pluginhost-{page}", {
        "_g": {"time": {"from": "2026-01-01T03:04:05.123Z", "to": "2026-01-02T04:05:05.123Z"}},
        "_a": {"query": {"language": "kuery", "query": 'user.name: "root"'}},
    })  # fmt: skip


@pytest.mark.parametrize("space", ["", "default"])
def test_no_space_is_the_default_one(space):
    assert Links("kibana", "https://k.example", space).dashboard(alert()).startswith("https://k.example/app/dashboards#/view/")
    assert Links("opensearch", "https://k.example").dashboard(alert()).startswith("https://k.example/app/dashboards#/view/")


@pytest.mark.parametrize(
    ("more", "among", "whose"),
    [
        ({"user": {}}, ["source.ip"], "source.ip"), ({"source": {"ip": ["203.0.113.7"]}, "user": None}, ["source.ip"], "source.ip"),
        ({"source": {}}, ["user.name"], "user.name"), ({"user": {}, "source": 5}, ["host.name"], "host.name"),
        ({"user": {"name": ["a", "b"]}, "source": {"ip": "not one"}, "host": {"name": ""}}, [], None),
        ({"user": {"name": "x" * 201}, "source": {"ip": None}, "host": {"name": "a\nb"}}, [], None),
        ({"user": {"name": "a\x00b"}, "source": {"ip": "::ffff:203.0.113.7"}}, ["source.ip"], "source.ip"),
        ({"user": {"name": "\ud800"}, "source": {"ip": {}}, "host": []}, [], None),
    ],
)  # fmt: skip
def test_only_what_can_be_looked_up_is_asked_for(more, among, whose):
    told = alert(**more)
    for links in (KIBANA, OPENSEARCH):
        assert [field for field, _ in queried(links.discover(told))] == ["event.id", *among]
        link = links.dashboard(told)
        assert ([field for field, _ in queried(link)] if link else None) == (None if whose is None else [whose])


HOSTILE = ['a"b', "a\\", '\\" or event.id: *', "it's", "!", "')))&_a=(x:'", "a&b#c?d=%27%00+", "*", "a or b", "Zoë 👾", "<b>", "日" * 66,
           "(" * 200, '"' * 200]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("links", [KIBANA, OPENSEARCH])
def test_no_value_breaks_out_of_its_quotes(links, name):
    for link in links.both(alert(user={"name": name})):
        assert len(link) <= LONGEST
        assert re.fullmatch(r"[A-Za-z0-9:/#?&=%.,_~-]+", link)
        assert [value for field, value in queried(link) if field == "user.name"] == [name]


def test_what_matters_least_goes_first_where_there_is_no_room():
    def left(name, **more):
        link = Links("kibana", "https://k.example").discover(alert(user={"name": name}, **more))
        return len(states(link)[1]["_a"].get("columns", [])), [field for field, _ in queried(link)], len(link) <= LONGEST

    assert left("日" * 100) == (8, ["event.id", "user.name", "source.ip"], True)
    assert left("日" * 165) == (0, ["event.id", "user.name", "source.ip"], True)
    assert left("👾" * 200) == (0, ["event.id"], True)
    assert queried(KIBANA.dashboard(alert(user={"name": "👾" * 200}))) == [("source.ip", "203.0.113.7")]
    assert Links("kibana", "https://k.example/" + "x" * LONGEST).both(alert()) == ("", "")


@pytest.mark.parametrize(
    "told",
    [{}, {"event": None}, {"event": {"id": ID}}, {"event": {"id": ID, "end": "2026-01-02T03:04:05.123+01:00Z"}},
     {"event": {"id": ID, "end": 5}, "user": {"name": "root"}}, {"event": {"id": ID, "end": "0001-01-01T00:00:00.000Z"}},
     {"event": {"id": ID, "end": "9999-12-31T23:59:00.000Z"}}],
)  # fmt: skip
def test_without_a_time_there_is_no_link(told):
    assert KIBANA.both({"user": {"name": "root"}, **told}) == ("", "")


def test_without_an_id_there_is_a_dashboard_only():
    assert KIBANA.both(alert(event={"id": None})) == ("", KIBANA.dashboard(alert()))
    at_its_end = alert(event={"start": "2026-01-02T03:05:05.123Z"})
    assert KIBANA.discover(alert(event={"start": "rubbish", "end": None})) == KIBANA.discover(at_its_end)


def test_every_alert_of_the_shipped_analyzers_has_its_links():
    documents = [json.loads(line) for line in gzip.decompress(FIXTURE.read_bytes()).splitlines()]
    for links in (KIBANA, OPENSEARCH):
        for one in documents:
            discover, dashboard = links.both(one)
            assert queried(discover)[0] == ("event.id", one["event"]["id"])
            fields = ("user.name", "source.ip", "host.name")
            wanted = [(field, value) for field in fields if (value := lookup(one, field, None))]
            assert (queried(dashboard) if dashboard else []) == wanted[:1]
            assert unquote(dashboard).isprintable()


def test_no_analyzer_says_where_the_dashboard_is():
    fields = {"pluginhost.alert.dashboard": "https://evil.example", "pluginhost.alert.lag": 5, "pluginhost.alert.note": "kept"}
    rule = Rule("probe", "A probe", "A probe.", "probes")
    made = document(rule, Alert("low", "x", fields=fields), event=None, key={}, event_id="e", fingerprint="f", time=10**18, window=None)
    assert made["pluginhost"]["alert"] == {"fingerprint": "f", "count": 1, "note": "kept"}


def decided(told, **policy):
    return decide(told, Found("a", "f", 1, "high"), None, created=1, observer="x", policy=Policy(**policy)).document


def test_the_desk_puts_them_into_the_alert():
    made = decided(alert(), links=KIBANA)
    discover, dashboard = KIBANA.both(alert())
    assert (made["event"]["url"], made["event"]["sequence"]) == (discover, 1)
    assert made["pluginhost"]["alert"] == {"count": 1, "dashboard": dashboard}
    assert "url" not in decided(alert())["event"]
    own = decided(alert(event={"url": "https://runbooks.example"}), links=KIBANA)
    assert (own["event"]["url"], own["pluginhost"]["alert"]["dashboard"]) == ("https://runbooks.example", dashboard)


def test_what_has_ended_and_what_is_silent_has_them_too():
    ended = decided(alert(pluginhost={"alert": {"status": "resolved"}}), links=KIBANA)
    silent = decided(alert(pluginhost={"alert": {"suppressed": ["learning"]}}), links=KIBANA)
    for made in (ended, silent):
        assert (made["event"]["url"], made["pluginhost"]["alert"]["dashboard"]) == KIBANA.both(alert())


def test_nothing_of_the_document_itself_is_altered():
    told = alert()
    before = json.dumps(told)
    linked(told, KIBANA)
    assert json.dumps(told) == before
