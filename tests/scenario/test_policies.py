"""Every policy of the desk on one real sidecar, killed in the middle: what fires, what is suppressed with which reasons, who is told, when.

The cases are those of `tests/support/policies.py`, each an analyzer of its own, whose outputs a recording server stands for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import pytest
from policies import CASES, LAST, PAGE, Send, filled
from recording import Answer, recording
from shims import Clock
from sidecars import Sidecar, until

from pluginhost.store.alerts import AlertStore
from pluginhost.wire.times import iso

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("policies")]

SECOND = 10**9
T = 1_772_618_400 * SECOND  # Wednesday, 2026-03-04T10:00:00Z
ALL = (*CASES, *LAST)
ANALYZER = '''
@analyzer(where="case:{name}", key="user.name")
def {name}(event):
    """Whatever a record says of itself."""
    own = ("learning",) if event.get("new") else ()
    return Resolved("over") if event.get("over") else Alert(event["severity"], str(event["n"]), suppressed=own)
'''


class Lived:
    """The sidecar's life: `told` are the messages by output, (kind, numbers, why, table, seconds since the last finding was sent)."""

    def __init__(self, made, clock, url):
        self.clock, self.url, self.told = clock, url, defaultdict(list)
        self.numbers, self.sent, self.until = defaultdict(int), {}, 0
        self._lock = threading.Lock()
        self.opening = self._shifted()
        outputs = [self._output(case, name, terms) for case in ALL for name, terms in case.outputs.items()]
        self.one = made(
            outputs=outputs, vip={"names": ["CEO"]}, risk={"alert_from": "never"},
            lists={"offices": {"file": "offices.txt", "kind": "networks"}},
            suppress=[{"analyzers": [case.name], **rule} for case in ALL for rule in case.suppress],
            grouping=[{"analyzers": [case.name], **case.grouping} for case in ALL if case.grouping],
        )  # fmt: skip
        (self.one.folder / "offices.txt").write_text("192.0.2.0/24\n")
        text = "".join(ANALYZER.format(name=case.name) for case in ALL)
        (self.one.analyzers / "cases.py").write_text(f"from pluginhost import Alert, Resolved, analyzer\n{text}")

    def _shifted(self):
        """Puts the clock to half a minute before the next one, which is when the hours of an output begin."""
        now = datetime.now(UTC)
        ahead = (30 - now.second) % 60
        self.clock.shift(ahead)
        return now + timedelta(seconds=ahead + 30)

    def _output(self, case, name, terms):
        made = {"type": "webhook", "name": f"{case.name}.{name}", "url": f"{self.url}/{case.name}.{name}", "analyzers": [case.name],
                **terms}
        if "hours" in terms:
            opens = f"{self.opening:%H:%M}"
            closes = f"{self.opening + timedelta(hours=1):%H:%M}"
            made["hours"] = {"from": opens, "to": closes, "outside": terms["hours"]}
        return made

    def heard(self, request):
        message, name = json.loads(request.body), request.path[1:]
        at = time.monotonic() - self.sent.get(name.partition(".")[0], 0)
        numbers = tuple(int(one["message"]) if one["message"].isdigit() else one["message"] for one in message["alerts"])
        with self._lock:
            self.told[name].append((message["kind"], numbers, message["why"], message["table"], at))
        return Answer()

    def records(self, case, send):
        for user, severity, at, more in send.findings:
            more = dict(more)  # noqa: PLW2901
            when = self.until + round(more.pop("until") * SECOND) if "until" in more else T + at * SECOND
            number = self.numbers[case.name]
            self.numbers[case.name] += 1
            yield {"case": case.name, "user": {"name": f"{user}-{case.name}" if user != "ceo" else user}, "severity": severity, "n": number,
                   "@timestamp": iso(when, 9), **more}  # fmt: skip

    def play(self, cases):
        """A step of each case, then the next; the sidecar is killed once, when all that was told at once is settled."""
        for number, steps in enumerate(zip_longest(*(case.steps for case in cases))):
            doing = [(case, step) for case, step in zip(cases, steps, strict=True) if step is not None]
            records = []
            for case, step in doing:
                if isinstance(step, Send):
                    records += self.records(case, step)
                    self.sent[case.name] = time.monotonic()
                else:
                    getattr(self, step.how)(case)
            if records:
                self.one.post(records)
            self.one.settled()
            if number == 1 and len(cases) > 1:
                self.killed()

    def killed(self):
        until(lambda: "waiting" not in self.statuses(), what="that all is settled")
        self.one.kill()
        self.one.start(*self.clock.before)

    def statuses(self):
        """Those of all messages, as they stand in the file."""
        archive = AlertStore.readonly(self.one.data / "alerts.db")
        return {status for (status,) in archive._database.rows("SELECT DISTINCT status FROM notifications")}

    # --- what people do

    def mute(self, name, seconds=3600, **given):
        (made,) = self.one.ask("mute", seconds=seconds, name=name, author="eve", **given)
        return made

    def mute_analyzer(self, case):
        self.mute("m_analyzer", analyzers=[case.name])

    def unmute(self, case):
        assert self.one.ask("unmute", name="m_analyzer") == ["m_analyzer"]

    def mute_alert(self, case):
        self.mute("m_alert", alert=self.one.alerts(analyzer=case.name)[0]["id"])

    def mute_query(self, case):
        self.mute("m_query", query=f"pluginhost.analyzer:{case.name} AND user.name:ann*")

    def snooze(self, case):
        self.until = self.mute("m_snooze", 1, analyzers=[case.name])["until"]

    def sleep(self, case):
        time.sleep(1.0)

    def mute_everything(self, case):
        self.mute("m_everything", everything=True)

    def unmute_everything(self, case):
        self.one.ask("unmute", name="m_everything")

    def close(self, case):
        (alert,) = self.one.alerts(analyzer=case.name)
        self.one.ask("case_act", ids=[alert["id"]], action="resolve", by="eve", verdict="true", note="done")

    def list(self, case):
        before = self.one.status()["generation"]
        (self.one.folder / "offices.txt").write_text("198.51.100.0/24\n")
        until(lambda: self.one.status()["generation"] > before, what="the list")


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    with recording() as server:
        one = Lived(lambda **config: Sidecar(folder, **config), Clock(folder), server.url)
        server.usual = one.heard
        one.one.start(*one.clock.before)
        try:
            one.play(CASES)
            until(lambda: all(len(one.told[f"{case.name}.{name}"]) >= len(wanted) for case in CASES for name, wanted in case.told.items()),
                  60,
                  "what they should be told")  # fmt: skip
            one.play(LAST)
            until(lambda: len(one.told[f"{LAST[0].name}."]) >= 1)
            time.sleep(1.0)  # for what should not come
            one.stored = defaultdict(list)
            for alert in reversed(one.one.ask("alerts", limit=10_000, suppressed=None)):
                one.stored[alert["analyzer"]].append(alert)
            assert one.one.stop() == 0
            yield one
        except AssertionError as error:
            untold = {path: len(one.told[path]) for case in ALL for name, wanted in case.told.items()
                      if len(one.told[path := f"{case.name}.{name}"]) != len(wanted)}  # fmt: skip
            raise AssertionError(f"{error}\n{one.one.log()[-3000:]}\n{untold}") from None
        finally:
            one.one.kill()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_policy(lived, case):
    stored = sorted(lived.stored[case.name], key=lambda one: one["seq"])
    assert tuple(one["suppressed"] for one in stored) == case.reasons
    kept = [one["document"]["pluginhost"]["alert"].get("suppressed", []) for one in stored]
    assert kept == [each.split() for each in case.reasons]
    for name, wanted in case.told.items():
        heard = lived.told[f"{case.name}.{name}"]
        assert about(heard) == about(wanted)  # each once: also over the kill
        for kind, numbers, _, least in wanted:
            assert next(one[4] for one in heard if one[0] == kind and (kind == "resolved" or one[1] == numbers)) >= least


def about(messages):
    """Kinds and numbers of alerts, in any order; that something is over is about no alert in particular."""
    return sorted((kind, () if kind == "resolved" else numbers) for kind, numbers, *_ in messages)


def test_numbers_of_groups_and_marks(lived):
    sequences = [(one["document"]["user"]["name"], one["sequence"]) for one in sorted(lived.stored["grouping_by_key"],
                                                                                      key=lambda one: one["seq"])]
    assert sequences == [("ann-grouping_by_key", 1), ("bob-grouping_by_key", 1), ("ann-grouping_by_key", 2)]
    (escalated,) = [one for one in lived.stored["escalation"] if one["headline"] == "2"]
    assert escalated["document"]["pluginhost"]["alert"] | {"escalated": "low",
                                                           "withheld": 1} == escalated["document"]["pluginhost"]["alert"]
    (again,) = [one for one in lived.stored["realert"] if one["headline"] == "3"]
    assert again["document"]["pluginhost"]["alert"]["withheld"] == 2


def test_a_digest_says_why_and_counts_in_a_table(lived):
    (digest,) = [one for one in lived.told["aggregate_key."] if one[0] == "digest"]
    assert digest[2:4] == ("gathered", {"fields": ["log.level"], "rows": [[["high"], 2], [["low"], 1]]})
    assert [one[2] for one in lived.told["limit."]] == ["", "", "more than 2 messages in 2 s"]
    assert [one[2] for one in lived.told["hours.holds"]] == ["outside of the hours"]


def test_a_backtest_of_its_journal_gives_the_same_alerts_byte_for_byte(lived):
    """With all that people muted and the list that was changed; but for groups that a person or the clock has closed."""
    folder, names = lived.one.folder, {case.name for case in ALL if case.replays}
    done = subprocess.run([sys.executable, "-m", "pluginhost", "backtest", "--data", "data", "--to", "found.ndjson", "-q"], cwd=folder,
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {one["event"]["id"]: one for one in map(plain, map(json.loads, (folder / "found.ndjson").read_text().splitlines()))
             if one["pluginhost"]["analyzer"] in names}  # fmt: skip
    live = {one["id"]: plain(one["document"]) for name in names for one in lived.stored[name]}
    assert len(live) == sum(len(case.reasons) for case in ALL if case.replays)
    assert found == live


def plain(document):
    """Without what differs from run to run."""
    for name in ("created", "ingested", "url"):
        document["event"].pop(name, None)
    document["pluginhost"]["alert"].pop("dashboard", None)
    for name in ("backtest", "incident"):
        document["pluginhost"].pop(name, None)
    document.pop("observer")
    return document


def test_the_table_is_up_to_date():
    text = PAGE.read_text("utf-8")
    assert filled(text) == text, "run: python tests/support/policies.py"
