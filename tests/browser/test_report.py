"""The page of a backtest in a real browser: what people see and can do, and what attackers cannot."""

from __future__ import annotations

import msgspec
import pytest
from browser import Chromium

from pluginhost.replay.report import Gathered, page
from pluginhost.store.alerts import StoredAlert

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("browser")]

START = 1_795_000_000  # 2026-11-18T11:06:40Z
EVIL = ("</script><img src=http://192.0.2.1/x onerror=alert(1)><svg onload=alert(2)>{{data}}{{script}}<!--", "\u202egpj.exe\u2066",
        "\x1b[31m\x07\n\x00", "A" * 5000, "مرحبا", "javascript:alert(3)", "' onmouseover=alert(4) x='", "a\u0301" * 300)  # fmt: skip
OPENED = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
SHOWN = "document.querySelectorAll('details').length"


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.end()


@pytest.fixture
def opened(chromium, tmp_path):
    """Opens a report of alerts; what it must never do is looked at when the test is over."""
    made = []

    def opening(alerts, title="Backtest of files: auth.log", told=("7 records",), **window):
        gathered = Gathered()
        for one in alerts:
            gathered.add(one)
        path = tmp_path / f"report{len(made)}.html"
        path.write_text(page(gathered, title=title, told=told), "utf-8")
        made.append((chromium.page(path.as_uri(), **window), path))
        return made[-1][0]

    yield opening
    for shown, path in made:
        assert shown.requests == [path.as_uri()]
        assert shown.complaints == []
        assert shown.ask("document.documentElement.scrollWidth <= innerWidth")
        shown.tell("Page.close")


def alert(n, severity="high", analyzer="far_logins", minutes=None, suppressed="", **more):
    event = {"reason": f"reason {n}", "original": f"line {n}"}
    document = {"message": f"headline {n}", "rule": {"name": "A login far away"}, "event": event, **more}
    when, told = START + 60 * (n if minutes is None else minutes), msgspec.json.encode(document)
    return StoredAlert(n, f"{n:064x}", when * 10**9, 0, severity, analyzer, "f", 1, "open", document["message"], told, suppressed)


TRAVEL = alert(
    1, "critical", user={"name": "ada"},
    source={"ip": "203.0.113.9", "geo": {"city_name": "Lima", "location": {"lat": -12.0, "lon": -77.0}}},
    pluginhost={"travel": {"distance_km": 10_500, "from": {"city_name": "Oslo", "location": {"lat": 59.9, "lon": 10.7}}},
                "score": {"value": 8.5, "threshold": 6}, "record": {"user": "ada", "n": [1]},
                "events": [{"@timestamp": "2026-11-18T11:00:00.000Z", "message": "Accepted password for ada"}]},
)  # fmt: skip
FEW = [TRAVEL, alert(2, "low", "scans"), alert(3, "medium", "scans", minutes=300, user={"name": "bob"}), alert(4, suppressed="learning")]


class TestReading:
    def test_a_click_on_an_alert_shows_what_it_stands_on(self, opened):
        report = opened(FEW)
        assert report.text("h1") == "Backtest of files: auth.log"
        assert " ".join(report.text(".figures").split()) == "3 alerts 1 critical 0 high 1 medium 1 low 1 suppressed"
        assert report.text("summary") == "2026-11-18 11:07:40\ncritical\nfar_logins\nheadline 1"
        report.click("summary")
        report.until("document.querySelector('details .land')")
        told = dict(zip(report.texts("dt"), report.texts("dd"), strict=True))
        assert told["reason"] == "reason 1"
        assert told["analyzer"] == "far_logins: A login far away"
        assert (told["user.name"], told["source.ip"]) == ("ada", "203.0.113.9")
        assert (told["travel.distance_km"], told["score.value"]) == ("10500", "8.5")
        assert report.texts("details pre") == ["line 1", "2026-11-18 11:00:00  Accepted password for ada"]
        assert report.texts("details svg .label") == ["Lima", "Oslo"]

    def test_charts_say_what_they_show(self, opened):
        report = opened(FEW)
        assert report.text("#time .note").startswith("18 Nov 2026 11:05–16:10 UTC; alerts in 5 minutes each.")
        assert report.texts("#time .spot title") == [
            "18 Nov 2026 11:05–11:10 UTC: 2 alerts (1 critical, 1 low)", "18 Nov 2026 16:05–16:10 UTC: 1 alert (1 medium)"]  # fmt: skip
        assert report.texts("#analyzers td:nth-child(3)") == ["2", "1"]
        assert report.texts("#scores circle title") == ["2026-11-18 11:07:40 UTC: score 8.5, threshold 6"]
        assert report.texts("#map .way title") == ["from Oslo to Lima: 1 alert, the worst critical"]

    def test_the_filter_goes_by_click_and_by_writing(self, opened):
        report = opened(FEW)

        def headlines():
            return report.texts("summary .headline")

        assert headlines() == ["headline 1", "headline 3", "headline 2"]  # the most severe first
        for selector, found in (
            ("#analyzers tbody button", ["headline 3", "headline 2"]),
            ("#time .spot:last-of-type", ["headline 3"]),
            (".figures button:nth-child(2)", ["headline 1"]),
            (".figures button:last-child", ["headline 4"]),
            ("#keys .bar", ["headline 1"]),
        ):
            report.click(selector)
            assert headlines() == found, selector
        report.click("#alerts .more:last-child")  # clears it
        report.write("BOB")
        assert headlines() == ["headline 3"]
        assert report.text("[role=status]") == "1 of 1 alert shown"

    def test_keys_do_what_the_mouse_does(self, opened):
        report = opened(FEW)
        report.ask("document.querySelector('#alerts select:last-of-type').focus()")
        for _ in range(6):
            report.key("Tab")
            if report.ask("document.activeElement.tagName") == "SUMMARY":
                break
        report.key("Enter")
        report.until("document.querySelector('details').open && document.querySelector('details pre')")
        assert report.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    def test_none_and_many(self, opened):
        empty = opened([])
        assert empty.texts("header p") == ["7 records", "No analyzer had anything to tell."]
        assert " ".join(empty.text(".figures").split()) == "0 alerts 0 critical 0 high 0 medium 0 low"
        assert empty.ask("document.querySelectorAll('section').length") == 0
        many = opened(alert(n, "low" if n % 50 else "high") for n in range(5000))
        assert many.text(".figures b") == "5,000"
        assert many.text("#alerts .note").endswith("The page holds the 1,000 most severe of 5,000.")
        assert many.ask(SHOWN) == 25
        many.click("#alerts .more")
        assert many.ask(SHOWN) == 50
        assert many.text("[role=status]") == "50 of 1,000 alerts shown"


class TestLooks:
    @pytest.mark.parametrize("dark", [False, True])
    def test_letters_stand_out_and_fit_a_phone(self, opened, dark):
        report = opened(FEW, width=360, dark=dark, title="B" * 300)
        report.ask(OPENED)
        report.until("document.querySelectorAll('details pre').length >= 3")
        assert report.ask("getComputedStyle(document.body).backgroundColor") == ("rgb(20, 23, 26)" if dark else "rgb(248, 248, 246)")
        assert report.ask(FAINT) == []
        assert report.ask("Math.min(...[...document.querySelectorAll('svg text')].map((one) => one.getBoundingClientRect().height)) > 11")

    def test_paper_is_white_and_has_no_controls(self, opened):
        report = opened(FEW, dark=True, media="print")
        assert report.ask("getComputedStyle(document.body).backgroundColor") == "rgb(248, 248, 246)"
        for one in ("nav", ".filters", ".more"):
            assert report.ask(f"getComputedStyle(document.querySelector('{one}')).display") == "none"


class TestAttackers:
    def test_what_they_write_stays_text(self, opened):
        plain = opened([hostile(n, "x") for n in range(len(EVIL))])
        report = opened([hostile(n, text) for n, text in enumerate(EVIL)], title=EVIL[0], told=EVIL)
        for one in (plain, report):
            one.ask("window.alert = () => { window.hit = true; }")
            one.ask(OPENED)
            one.until("document.querySelectorAll('details dl').length === document.querySelectorAll('details').length")
        tags = "[...new Set([...document.querySelectorAll('*')].map((one) => one.tagName))].sort()"
        assert set(report.ask(tags)) <= set(plain.ask(tags)) | {"text"}
        assert report.texts("img, iframe, object, [onload], [onerror], [onmouseover], [src], a:not([href^='#'])") == []
        assert report.ask("window.hit") is None
        assert report.text("h1") == EVIL[0]
        seen = report.ask("document.body.innerText")
        assert "gpj.exe\\u2066" in seen
        assert "\\x1b[31m\\x07\\x0a\\x00" in seen
        assert not any(sign in seen for sign in "\u202e\u2066\x1b\x07\x00")

    def test_nothing_else_may_run_or_leave(self, opened, chromium):
        report = opened(FEW)
        refused = report.ask("""(async () => {
          const found = [];
          for (const [name, attempt] of Object.entries({
            markup: () => { document.body.innerHTML = "<b>x</b>"; },
            script: () => { const one = document.createElement("script"); one.textContent = "window.hit = 1"; document.body.append(one); },
            fetch: () => fetch("http://192.0.2.1/"),
          })) { try { await attempt(); } catch (error) { found.push(name); } }
          return found;
        })()""")
        assert refused == ["markup", "script", "fetch"]
        assert report.ask("window.hit") is None
        assert report.complaints != []
        assert all("Content Security Policy" in one or "action has been blocked" in one for one in report.complaints)
        report.complaints.clear()


def hostile(n, text):
    geo = {"city_name": text, "location": {"lat": n * 5, "lon": n * 20}}
    own = {"record": {text: text}, "events": [{"message": text, "@timestamp": text}], text[:50]: {text[:40]: text}}
    return alert(n, "medium", minutes=0, message=text, event={"reason": text, "original": text, "outcome": text}, user={"name": text},
                 rule={"name": text}, host={"name": text}, source={"ip": text, "geo": geo}, pluginhost=own)  # fmt: skip


# Every text whose contrast with what lies behind it is below the 4.5 that WCAG asks for.
FAINT = """(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (value) => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = (node) => {
    const color = node ? parts(getComputedStyle(node).backgroundColor) : [255, 255, 255];
    return color.length === 4 && !color[3] ? behind(node.parentElement) : color;
  };
  const written = [...document.querySelectorAll("body :not(script, noscript, option, title)")].filter((node) =>
    [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return written.map((node) => {
    const style = getComputedStyle(node), ink = light(parts(node.matches("svg *") ? style.fill : style.color)), paper = light(behind(node));
    return [node.outerHTML.slice(0, 80), (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05)];
  }).filter((pair) => pair[1] < 4.5);
})()"""
