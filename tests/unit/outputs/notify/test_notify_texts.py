from __future__ import annotations

from notifying import alert, notification

from pluginhost.alerts.notification import Table
from pluginhost.outputs.notify import texts

HEADLINE = "25 failures for root from 203.0.113.7"


def test_a_title_begins_with_what_it_is_about():
    assert texts.title(notification()) == f"[high] {HEADLINE}"
    assert texts.title(notification("resolved")) == f"Resolved: {HEADLINE}"
    assert texts.title(notification("escalated", alert("critical"))) == f"Escalated to critical: {HEADLINE}"
    assert texts.title(notification("test")) == f"Test: [high] {HEADLINE}"
    assert texts.title(notification("digest")) == "[critical] 12 alerts: SSH brute force, Impossible travel"
    many = [alert(rule={"name": f"rule {number}"}) for number in range(5)]
    assert texts.title(notification("digest", *many, count=1)) == "[high] 1 alert: rule 0, rule 1, rule 2 and 2 more"
    assert texts.title(notification("alert", {"log": {"level": "low"}})) == "[low] an alert"
    assert len(texts.title(notification("alert", alert(message="x" * 5000)))) == texts.TITLE


def test_the_text_of_an_alert():
    assert texts.body(notification("alert", alert(destination={"ip": "10.0.0.9"}))) == (
        "25 failed logins in 60 s (limit 20)\n\nSeverity: high, risk 88\nUser: root\nHost: web1\n"
        "Source: 203.0.113.7, Amsterdam, NL, Example Net\nTarget: 10.0.0.9\nRule: SSH brute force (ssh_brute_force)\n"
        "Time: 2026-01-02 03:04:05 UTC (since 03:03:05)\nEvents: 25\nEvidence: 10 more records in the alert\nATT&CK: T1110 Brute Force\n\n"
        "Context: https://kibana.example/app/discover#/a\nAlert 9f2c9f2c9f2c"
    )


def test_what_an_alert_does_not_say_leaves_no_trace():
    bare = {"message": "odd", "log": {"level": "low"}, "event": {"reason": "odd", "id": "ab"}}
    assert texts.body(notification("alert", bare)) == "Severity: low\n\nAlert ab"
    yesterday = {**bare, "@timestamp": "2026-01-02T00:00:10.000Z", "event": {"start": "2026-01-01T23:59:00.000Z"}}
    assert texts.body(notification("alert", yesterday)) == "Severity: low\nTime: 2026-01-02 00:00:10 UTC (since 2026-01-01 23:59:00)"


def test_the_text_says_first_what_has_come_of_it():
    assert texts.body(notification("resolved")).startswith("The condition has ended.\n\n25 failed logins")
    assert texts.body(notification("test")).startswith("This is a trial of the notifier. Nothing has happened.\n\n")
    vip = alert()
    vip["pluginhost"]["alert"]["vip"] = True
    assert "\nUser: root (VIP)\n" in texts.body(notification("alert", vip))


def test_the_text_of_a_digest():
    assert texts.body(notification("digest")) == (
        "12 alerts, gathered: every 15 minutes.\n\n"
        "source.ip    user.name  count\n203.0.113.7  root           9\n2001:db8::1  -              3\n\n"
        f"2026-01-02 03:04:05  [high] {HEADLINE}\n2026-01-02 03:04:05  [critical] ann: Paris to Lima in 20 min\n"
        f"2026-01-02 03:04:05  [low] {HEADLINE}\n… and 9 more\n\nContext: https://kibana.example/app/discover#/a"
    )


def test_the_text_ends_with_where_to_look():
    linked = alert()
    linked["pluginhost"]["alert"]["dashboard"] = "https://kibana.example/app/dashboards#/view/a"
    assert texts.body(notification("alert", linked)).endswith(
        "\n\nContext: https://kibana.example/app/discover#/a\nDashboard: https://kibana.example/app/dashboards#/view/a\nAlert 9f2c9f2c9f2c"
    )
    del linked["event"]["url"], linked["event"]["id"]
    assert texts.body(notification("alert", linked)).endswith("\n\nDashboard: https://kibana.example/app/dashboards#/view/a")


def test_a_table_is_bounded():
    table = texts.table(Table(("f" * 50,), tuple(((f"{number}" + "v" * 50,), number) for number in range(50))))
    assert len(table.splitlines()) == 22
    assert table.endswith("\n… and 30 more")
    assert max(map(len, table.splitlines())) == 30 + 2 + 5


def test_only_an_address_of_http_is_a_link():
    def link(url):
        return texts.link({"event": {"url": url}})

    assert link("https://kibana.example/a?b=c#d") == "https://kibana.example/a?b=c#d"
    long = "https://" + "a" * 2048
    for odd in ("javascript:alert(1)", "https://a b", "https://a\n", 'https://a"', "https://<a>", 7, None, ["https://a"], long):
        assert link(odd) == ""


def test_a_cut_says_so():
    assert texts.cut("short", 10) == "short"
    assert texts.cut("x" * 1000, 100) == "x" * 68 + "\n… (cut; 1000 characters in all)"
    assert len(texts.cut("x" * 1000, 100)) == 100
    assert texts.cut("x" * 1000, 10) == "x" * 9 + "…"
