"""The desk's policies, case by case: what is laid down, what is found, and what is to become of it. The tests judge by it, and the table in
docs/policies.md is made of it: `python tests/support/policies.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CASES", "LAST", "PAGE", "Case", "Send", "filled"]

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"
HOUR = 3600


@dataclass(frozen=True)
class Send:
    """Findings that come together: (user, severity, second of event time, more of the record) each."""

    findings: tuple


@dataclass(frozen=True)
class Do:
    """Something that a person does between them; `how` is the tests' name of it."""

    how: str
    said: str


@dataclass(frozen=True)
class Case:
    """One policy. `reasons` are those of each alert, in order; `told` is by output, each message as (kind, its alerts' numbers, when).

    When is "" (at once), or what it waits for and the least seconds of it. `suppress` and `grouping` get the analyzer's name.
    """

    name: str
    policy: str
    steps: tuple
    reasons: tuple
    told: dict
    suppress: tuple = ()
    grouping: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=lambda: {"": {}})
    replays: bool = True  # an end that no record said is not in the journal, so that a replay counts the group's alerts otherwise


def one(user="ann", severity="high", at=0, **more):
    return user, severity, at, more


def sends(*findings):
    return (Send(findings),)


def at_once(*numbers, kind="alert"):
    return tuple((kind, (number,), "", 0) for number in numbers)


SOON = ("2 s later", 2)
NEXT = ("at the next minute", 0)
OPENING = ("when the hours begin", 0)
EVERY = "2s"

CASES = (
    Case("grouping_by_key", "grouping by fingerprint: one number after another in each group",
         sends(one(), one("bob"), one(at=1)), ("", "", ""), {"": at_once(0, 1, 2)}),
    Case("realert", "`realert: 60s`", sends(one(), one(at=30), one(at=59), one(at=60), one("bob", at=30)),
         ("", "realert", "realert", "", ""), {"": at_once(0, 3, 4)}, grouping={"realert": "60s"}),
    Case("realert_growing", "`realert: 60s`, `realert_most: 4m`: quiet for 60, 120, 240, 240 s",
         sends(*(one(at=at) for at in (0, 60, 179, 180, 419, 420, 659, 660))),
         ("", "", "realert", "", "realert", "", "realert", ""), {"": at_once(0, 1, 3, 5, 7)},
         grouping={"realert": "60s", "realert_most": "4m"}),
    Case("aggregate_time", f"`aggregate: {{every: {EVERY}}}`", sends(one(), one("bob"), one("cleo")), ("", "", ""),
         {"": (("digest", (0, 1, 2), *SOON),)}, outputs={"": {"aggregate": {"every": EVERY}}}),
    Case("aggregate_schedule", "`aggregate: {schedule: '* * * * *'}`", sends(one(), one("bob")), ("", ""),
         {"": (("digest", (0, 1), *NEXT),)}, outputs={"": {"aggregate": {"schedule": "* * * * *"}}}),
    Case("aggregate_key", f"`aggregate: {{every: {EVERY}, by: [user.name], table: [severity]}}`",
         sends(one(), one("bob"), one(at=1, severity="low"), one(at=2)), ("", "", "", ""),
         {"": (("digest", (0, 2, 3), *SOON), ("alert", (1,), *SOON))},
         outputs={"": {"aggregate": {"every": EVERY, "by": ["user.name"], "table": ["log.level"]}}}),
    Case("threshold", "`threshold: {count: 3, within: 1m}`", sends(*(one(at=at) for at in (0, 10, 20, 100, 161))),
         ("below_threshold", "below_threshold", "", "below_threshold", "below_threshold"), {"": at_once(2)},
         grouping={"threshold": {"count": 3, "within": "1m"}}),
    Case("threshold_distinct", "`threshold: {count: 2, within: 1m, distinct: source.ip}`",
         sends(*(one(at=n, source={"ip": ip}) for n, ip in enumerate(("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2")))),
         ("below_threshold", "below_threshold", "", "below_threshold"), {"": at_once(2)},
         grouping={"threshold": {"count": 2, "within": "1m", "distinct": "source.ip"}}),
    Case("escalation", "`realert: 1h`, and the severity rises",
         sends(*(one(severity=severity, at=at) for at, severity in enumerate(("low", "low", "high", "medium")))),
         ("", "realert", "", "realert"),
         {"": (*at_once(0), *at_once(2, kind="escalated"))}, grouping={"realert": "1h"}),
    Case("resolved", "an analyzer returns `Resolved`; `resolved: true`",
         sends(one("bob", over=True), one(), one(at=1, over=True), one(at=2)),
         ("not_open", "", "", ""), {"hears": (*at_once(1), *at_once(2, kind="resolved"), *at_once(3)), "": at_once(1, 3)},
         outputs={"": {}, "hears": {"resolved": True}}),
    Case("resolve_after", "`resolve_after: 2s`", sends(one()), ("", ""),
         {"": (*at_once(0), ("resolved", (None,), *SOON))}, grouping={"resolve_after": "2s"}, outputs={"": {"resolved": True}},
         replays=False),
    Case("resolve_person", "a person closes it", (*sends(one()), Do("close", "`alerts resolve`"), *sends(one(at=5))), ("", "", ""),
         {"": (*at_once(0), *at_once(None, kind="resolved"), *at_once(1))}, outputs={"": {"resolved": True}}, replays=False),
    Case("mute_analyzer", "a mute of an analyzer, and its end",
         (Do("mute_analyzer", "`alerts mute --analyzer`"), *sends(one(), one("bob")), Do("unmute", "`alerts unmute`"), *sends(one(at=1))),
         ("m_analyzer", "m_analyzer", ""), {"": at_once(2)}),
    Case("mute_alert", "a mute of an alert's group",
         (*sends(one()), Do("mute_alert", "`alerts mute ID`"), *sends(one(at=1), one("bob", at=1))),
         ("", "m_alert", ""), {"": at_once(0, 2)}),
    Case("mute_query", "a mute by a query", (Do("mute_query", "`alerts mute --when user.name:ann*`"), *sends(one(), one("bob"))),
         ("m_query", ""), {"": at_once(1)}),
    Case("snooze", "a mute that ends by itself",
         (Do("snooze", "`alerts mute --for 1s`"), *sends(one(until=-0.2)), Do("sleep", "its end passes"), *sends(one(until=0.2))),
         ("m_snooze", ""), {"": at_once(1)}),
    Case("maintenance_once", "`during: [{from: …, to: …}]`", sends(one(at=-1), one(), one(at=HOUR - 1), one(at=HOUR)),
         ("", "window", "window", ""), {"": at_once(0, 3)},
         suppress=({"name": "window", "during": [{"from": "2026-03-04T10:00Z", "to": "2026-03-04T11:00Z"}]},)),
    Case("maintenance_weekly", "`during: [{days: wed, from: 11:00, to: 12:00, zone: Europe/Berlin}]`",
         sends(one(), one(at=HOUR), one(at=24 * HOUR), one(at=7 * 24 * HOUR)), ("weekly", "", "", "weekly"), {"": at_once(1, 2)},
         suppress=({"name": "weekly", "during": [{"days": "wed", "from": "11:00", "to": "12:00", "zone": "Europe/Berlin"}]},)),
    Case("maintenance_cron", "`during: [{schedule: '30 9 * * *', for: 45m}]`",
         sends(one(at=-1801), one(at=-1800), one(at=899), one(at=900)),
         ("", "nightly", "nightly", ""), {"": at_once(0, 3)},
         suppress=({"name": "nightly", "during": [{"schedule": "30 9 * * *", "for": "45m"}]},)),
    Case("allow_list", "`list: offices`; then the file changes",
         (*sends(one(source={"ip": "192.0.2.9"}), one(source={"ip": "198.51.100.9"}, at=1)), Do("list", "another list is saved"),
          *sends(one(source={"ip": "192.0.2.9"}, at=2), one(source={"ip": "198.51.100.9"}, at=3))),
         ("office", "", "", "office"), {"": at_once(1, 2)}, suppress=({"name": "office", "list": "offices"},)),
    Case("vip", "`vip: {names: [ceo]}`, and an output for VIPs", sends(one("ceo"), one("ann")), ("", ""),
         {"": at_once(0, 1), "vips": at_once(0)}, outputs={"": {}, "vips": {"when": "pluginhost.alert.vip:true"}}),
    Case("vip_only", "`when: NOT pluginhost.alert.vip:true`", sends(one("ceo"), one("ann")), ("", "no_vip"), {"": at_once(0)},
         suppress=({"name": "no_vip", "when": "NOT pluginhost.alert.vip:true"},)),
    Case("minimum_risk", "`below_risk: medium`", sends(one("risky"), one("risky", "critical", 1), one("mild", "low")),
         ("minor", "", "minor"),
         {"": at_once(1)}, suppress=({"name": "minor", "below_risk": "medium"},)),
    Case("several", "several reasons at once: the analyzer's own, two rules, the pace",
         sends(one(), one(at=1, new=True), one("bob", at=1)), ("", "learning never works realert", "works"),
         {"": at_once(0)}, grouping={"realert": "1h"},
         suppress=({"name": "never", "when": "pluginhost.record.new:true"},
                   {"name": "works", "during": [{"from": "2026-03-04T10:00:01Z"}]})),
    Case("limit", "`limit: {most: 2, per: 2s}`", sends(*(one(at=n) for n in range(5))), ("", "", "", "", ""),
         {"": (*at_once(0, 1), ("digest", (2, 3, 4), *SOON))}, outputs={"": {"limit": {"most": 2, "per": "2s"}}}),
    Case("hours", "`hours`, now outside of them: `skip`, `hold`", sends(one(), one(at=1)), ("", ""),
         {"": at_once(0, 1), "skips": (), "holds": (("digest", (0, 1), *OPENING),)},
         outputs={"": {}, "skips": {"hours": "skip"}, "holds": {"hours": "hold"}}),
    Case("routing", "outputs by severity, by analyzer, by entity", sends(one(severity="critical"), one("bob", "low"),
                                                                         one("bob", "critical", 1)),
         ("", "", ""), {"grave": at_once(0, 2), "bobs": at_once(1, 2), "other": ()},
         outputs={"grave": {"when": "event.severity:>=99"}, "bobs": {"when": "user.name:bob*"}, "other": {"analyzers": ["other"]}}),
)  # fmt: skip
LAST = (
    Case("mute_everything", "everything is muted, for a day at most",
         (Do("mute_everything", "`alerts mute --everything`"), *sends(one(), one("bob")), Do("unmute_everything", "`alerts unmute`"),
          *sends(one(at=1))), ("m_everything", "m_everything", ""), {"": at_once(2)}),
)  # fmt: skip
"""Those that would disturb others: they come behind them."""


def rows():
    """The table's lines."""
    yield "| policy | fires | suppressed, with reasons | told to | when |"
    yield "|---|---|---|---|---|"
    for case in (*CASES, *LAST):
        silent: dict[str, int] = {}
        for reason in filter(None, case.reasons):
            silent[reason] = silent.get(reason, 0) + 1
        kept = "; ".join(f"{count}: {', '.join(f'`{one}`' for one in reason.split())}" for reason, count in silent.items())
        done = [step.said for step in case.steps if isinstance(step, Do)]
        policy = case.policy + (f" ({'; '.join(done)})" if done else "")
        yield f"| {policy} | {case.reasons.count('')} of {len(case.reasons)} | {kept or '–'} | {whom(case)} | {whens(case)} |"


def whom(case):
    """Who gets what: a digest with so many alerts, or how many messages of a kind."""
    told = []
    for name, messages in case.told.items():
        kinds: dict[str, int] = {}
        for kind, numbers, *_ in messages:
            shown = f"{kind} of {len(numbers)}" if kind == "digest" else kind
            kinds[shown] = kinds.get(shown, 0) + 1
        said = ", ".join(f"{count} × {kind}" for kind, count in kinds.items()) or "nothing"
        told.append(f"{f'`{name}`: ' if len(case.told) > 1 and name else ''}{said}")
    return "; ".join(told)


def whens(case):
    found = dict.fromkeys(when or "at once" for messages in case.told.values() for _, _, when, _ in messages)
    return ", ".join(found)


def filled(text):
    """The page with the table as it is by now."""
    head, mark, rest = text.partition("<!-- policies -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    return head + mark + "\n".join(rows()) + "\n" + end + tail


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
