"""The web analyzers: what their alerts say, and what two of them know together; that they fire and when is in their examples."""

from __future__ import annotations

import json

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START
from pluginhost.engine.generations import used
from pluginhost.engine.loader import bundle, load
from pluginhost.engine.parts import mappings
from pluginhost.replay.generators import Item
from pluginhost.replay.trial import trial

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
SECOND = 10**9


@pytest.fixture(scope="module")
def analyzers():
    found = {}
    for name in ("web_rates", "web_signatures", "web_scanners", "user_agents", "visits", "waf"):
        found |= {one.name: one for one in load(bundle(shipped_analyzers() / f"{name}.py"))}
    return found


def line(path, *, agent="Mozilla/5.0", referrer="-", ip="203.0.113.9", status=200):
    return f'{ip} - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" {status} 12 "{referrer}" "{agent}"'


def asked(agent, ip="203.0.113.9", **more):
    return {"event": {"category": ["web"]}, "source": {"ip": ip}, "url": {"path": "/"}, "user_agent": {"original": agent}, **more}


# --- signatures ---


@pytest.mark.parametrize(("given", "name", "part", "decoded", "technique"), [
    ({"path": "/?q=<script>"}, "cross-site scripting", "URL", 0, "T1059.007"),
    ({"path": "/?q=%3Cscript%3E"}, "cross-site scripting", "URL", 1, "T1059.007"),
    ({"path": "/?q=%253Cscript%253E"}, "cross-site scripting", "URL", 2, "T1059.007"),
    ({"path": "/", "agent": "${jndi:dns://a}"}, "JNDI lookup", "user agent", 0, "T1190"),
    ({"path": "/", "referrer": "http://a/%24%7Bjndi:dns://a%7D"}, "JNDI lookup", "referrer", 1, "T1190"),
    ({"path": "/.git/config"}, "exposed repository", "URL", 0, "T1595.003"),
])  # fmt: skip
def test_a_signature_says_what_where_and_how_deep(play, analyzers, given, name, part, decoded, technique):
    (alert,) = play(analyzers["web_signatures"], [line(**given)])
    told = alert["pluginhost"]["signature"]
    assert (told["name"], told["part"], told["decoded"], told["list"]) == (name, part, decoded, "built in")
    assert alert["threat"]["technique"]["id"] == [technique]
    assert alert["message"] == f"{name} attempt from 203.0.113.9"


@pytest.mark.parametrize(("path", "reason"), [
    ("/products?id=1+UNION+SELECT+name", "the URL, decoded once, holds a sign of SQL injection: UNION SELECT"),
    ("/?x=${jndi:ldap://192.0.2.1/a}", "the URL, as sent, holds a sign of JNDI lookup: ${jndi:"),
    ("/?q=<a " + "x" * 190 + " onload=", "the URL, as sent, holds a sign of cross-site scripting: <a " + "x" * 97),
])  # fmt: skip
def test_the_reason_shows_the_words_and_no_expression(play, analyzers, path, reason):
    (alert,) = play(analyzers["web_signatures"], [line(path)])
    assert alert["event"]["reason"] == reason
    assert alert["pluginhost"]["signature"]["text"] == reason.split(": ", 1)[1]


def test_three_times_encoded_is_not_decoded_so_far(play, analyzers):
    assert play(analyzers["web_signatures"], [line("/?q=%25253Cscript%25253E")]) == []


@pytest.mark.parametrize(("kind", "name", "entry"), [
    ("literals", "bad_strings", "VeryAwful"), ("patterns", "bad_patterns", "very(?:aw|un)ful"),
])  # fmt: skip
def test_a_listed_string_is_found_decoded_and_says_its_list(play, analyzers, kind, name, entry):
    (alert,) = play(analyzers["web_signatures"], [line("/?a=Very%2541wful")], lists={name: (kind, [entry])})
    told = alert["pluginhost"]["signature"]
    assert (told["list"], told["text"], told["part"], told["decoded"]) == (name, entry, "URL", 2)
    assert alert["event"]["reason"] == f"the URL, decoded twice, holds what the list {name} names: {entry}"


def test_of_an_ignored_signature_and_another_the_other_is_told(play, analyzers):
    (alert,) = play(analyzers["web_signatures"], [line("/wp-login.php?a=../../b")], ignored=["path traversal"])
    assert alert["pluginhost"]["signature"]["name"] == "CMS probe"


def test_a_signature_behind_much_padding_is_found(play, analyzers):
    (alert,) = play(analyzers["web_signatures"], [line("/?a=" + "x" * 60_000 + "&q=<script>")])
    assert alert["pluginhost"]["signature"]["name"] == "cross-site scripting"


def test_a_lone_surrogate_is_read_over(analyzers):
    find = analyzers["web_signatures"].body.__globals__["in_url"]
    assert find("/\ud800?q=<script>", ()).signature.what == "cross-site scripting"
    assert find("/\ud800", ()) is None


# --- rates, with what agents_per_address knows ---


def together(names, records, every):
    loaded = [used(one, one.name, {}, "", {}) for one in names]
    failures = []
    items = [Item("web", START + n * every, record, None) for n, record in enumerate(records)]
    found = [msgspec.json.decode(one.document) for one in trial(items, loaded, mappings(), failures)]
    assert not failures
    return found


@pytest.mark.parametrize(("agents", "severity"), [(6, "low"), (1, "medium")])
def test_many_people_behind_one_address_are_told_as_low(analyzers, agents, severity):
    records = [asked(CHROME.format(100 + n % agents)) for n in range(320)]
    (alert,) = together([analyzers["request_rate"], analyzers["agents_per_address"]], records, SECOND // 2)
    assert (alert["rule"]["id"], alert["log"]["level"]) == ("request_rate", severity)
    assert ("user agents were seen behind it" in alert["event"]["reason"]) is (agents > 1)


def test_an_outlier_is_told_with_the_average_it_is_compared_with(play, analyzers):
    records = [asked("a", f"198.51.100.{n}") for n in range(9)] + [asked("a")] * 40
    (alert,) = play(analyzers["web_outlier"], records)
    assert alert["pluginhost"]["score"] == {"actual": 40, "expected": 4.9, "threshold": 5, "value": 8.16}
    assert alert["pluginhost"]["alert"]["count"] == 40
    assert "8.2 times the average of 4.9 of 10 addresses" in alert["event"]["reason"]


def test_each_outlier_is_told_once_in_ten_minutes(play, analyzers):
    records = [asked("a", f"198.51.100.{n % 9}" if n % 2 else "203.0.113.9") for n in range(1500)]
    alerts = play(analyzers["web_outlier"], records, every="1s", times=2)
    assert [one["source"]["ip"] for one in alerts] == ["203.0.113.9"] * 3
    times = [one["@timestamp"] for one in alerts]
    assert [one[14:19] for one in times] == ["01:18", "11:18", "21:18"]


# --- scanners ---


def test_a_scanner_is_told_with_its_paths(play, analyzers):
    (alert,) = play(analyzers["web_scanner"], [line(f"/{n}", status=404) for n in range(25)])
    assert (alert["pluginhost"]["alert"]["count"], alert["pluginhost"]["paths"]) == (20, 20)
    assert alert["threat"]["technique"]["id"] == ["T1595.003"]


def test_limits_of_a_scanner_are_options(play, analyzers):
    assert len(play(analyzers["web_scanner"], [line(f"/{n}", status=404) for n in range(5)], paths_limit=5)) == 1
    assert play(analyzers["web_scanner"], [line(f"/{n}", status=404) for n in range(4)], paths_limit=5) == []


# --- user agents ---


def test_a_downgrade_is_low_and_an_update_nothing(play, analyzers):
    visits = [asked(CHROME.format(major), user={"name": "alice"}) for major in (140, 141, 142, 141, 140, 138)]
    (alert,) = play(analyzers["new_user_agent"], visits)
    assert (alert["log"]["level"], alert["event"]["reason"]) == ("low", "version 138 after 142")


def test_what_is_impossible_is_said(play, analyzers):
    (alert,) = play(analyzers["impossible_browser"], [asked("Mozilla/4.0 (compatible; MSIE 6.0; Linux x86_64)")])
    assert alert["event"]["reason"].startswith("Internet Explorer 6 and later ran on Windows only (IE 6 Linux): Mozilla/4.0")


# --- the WAF stream ---


def request(n, status="200"):
    made = {"clientIp": "198.18.0.1", "country": "US", "uri": "/", "httpMethod": "GET"}
    return {"action": "ALLOW", "httpSourceName": "CF", "httpStatus": status, "httpRequest": {**made, "requestId": str(n)}}


@pytest.mark.parametrize("nested", [False, True])
def test_an_odd_minute_is_told_by_field(play, analyzers, nested):
    records = [request(n) for n in range(1200)] + [request(n, "503") for n in range(20)] + [request(n) for n in range(30)]
    given = [{"message": json.dumps(json.dumps(one))} for one in records] if nested else records
    (alert,) = play(analyzers["waf"], given, every="3s")
    told = alert["pluginhost"]["score"]
    assert told["of"] == "status"
    assert told["actual"] == 20
    assert told["attribution"] == {"action": 0.0, "source": 0.0, "status": 1.0, "country": 0.0, "method": 0.0}
    assert told["counts"]["status"] == {"unusual": 20, "usual": 0}
    assert told["counts"]["country"] == {"unusual": 0, "usual": 20}
    assert alert["event"]["start"] == "2026-01-01T01:00:00.000Z"
    assert alert["log"]["level"] == "high"


def test_forty_times_the_traffic_with_the_same_share_is_no_news(play, analyzers):
    calm = [request(n, "404" if n % 50 == 0 else "200") for n in range(800)]
    assert play(analyzers["waf"], calm, every="3s") == []
    busy = [request(n, "404" if n % 50 == 0 else "200") for n in range(2400)]
    failures = []
    items = [Item("waf", START + n * 3 * SECOND, one, None) for n, one in enumerate(calm)]
    items += [Item("waf", START + 2400 * SECOND + n * 75 * SECOND // 1000, one, None) for n, one in enumerate(busy)]
    unit = used(analyzers["waf"], "waf", {}, "", {})
    assert list(trial(items, [unit], mappings(), failures)) == []
    assert not failures


def test_a_missing_field_is_counted_and_the_others_judged(play, analyzers):
    unit = used(analyzers["waf"], "waf", {}, "", {})
    absent = {key: value for key, value in request(1).items() if key != "httpStatus"}
    failures = []
    list(trial([Item("waf", START + n * SECOND, absent, None) for n in range(5)], [unit], mappings(), failures))
    assert (failures, unit.unjudged, unit.seen) == ([], {"no_status": 5}, 5)
