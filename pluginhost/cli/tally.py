"""What the demo found against what it had to find, by families of analyzers. The one truth is that of `replay.kinds` and `replay.score`.

Nothing is forgiven but what the truth itself calls a look-alike, and low alerts: those are shown as false and do not fail the demo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click

from ..detect.finding import SEVERITIES
from ..replay.kinds import KINDS
from ..replay.score import Row, Truth, findings, score
from .evidence import told

__all__ = ["FAMILIES", "Tally", "family", "foremost", "tally"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "logins": ("anonymous_ip", "impossible_travel", "login_bruteforce", "login_hours", "mfa_fail_open", "mfa_fatigue", "new_country",
               "new_device", "password_spraying", "stale_account"),
    "geoprofile": ("geoprofile",),
    "web": ("proxy_drops", "user_agents", "visits", "web_rates", "web_scanners", "web_signatures"),
    "WAF": ("waf",),
    "hosts and accounts": ("accounts", "audit_tampering", "disks", "heartbeats", "ids_signatures", "ldap_changes", "pipeline_health",
                           "privileges", "process_tracing", "promiscuous", "scans", "sensitive_sessions", "ssh_access", "ssh_bruteforce",
                           "watch_list"),
    "risk": ("pluginhost",),
    "anomalies": ("count_anomaly", "list_hit", "new_value", "numeric_anomaly", "rare_value"),
}  # fmt: skip
"""The families of the shipped analyzers, each with the names of its files; the desk's own alerts are about risk."""

_OTHER = "others"
_LOUD = SEVERITIES["medium"]
_SHOWN = 8  # causes of false alerts
_Alerts = Sequence[Mapping[str, Any]]


def family(file: str) -> str:
    """The family of the analyzers in a file of that name (without `.py`)."""
    return next((name for name, files in FAMILIES.items() if file in files), _OTHER)


class Tally(NamedTuple):
    """Rows of the score for each analyzer: of all its alerts, and of those from medium severity on; and each analyzer's family."""

    rows: Sequence[Row]
    loud: Sequence[Row]
    families: Mapping[str, str]

    def lines(self) -> Iterator[str]:
        """The table by family, and what false alerts were misled by."""
        head = f"{'family':<22}{'analyzers':>10}{'to find':>10}{'found':>8}{'alerts':>9}{'false':>8}"
        yield click.style(head, bold=True)
        for name in (*FAMILIES, *([_OTHER] if _OTHER in self.families.values() else ())):
            mine = [row for row in self.rows if self.families[row.analyzer] == name]
            wanted, found = sum(row.incidents for row in mine), sum(row.caught for row in mine)
            line = f"{name:<22}{len(mine):>10}{wanted:>10}{found:>8}{sum(row.findings for row in mine):>9}{sum(map(_false, mine)):>8}"
            yield line if found == wanted else click.style(line, fg="red")
        misled, loud = (sum((row.false for row in rows), Counter[str]()) for rows in (self.rows, self.loud))
        if misled:
            yield click.style("false ones, by what misled them:", dim=True)
        for cause, count in misled.most_common(_SHOWN):
            low = "low" if not loud[cause] else f"{count - loud[cause]} of them low"
            yield click.style(f"{count:>5}  {KINDS[cause].what if cause else 'nothing out of the ordinary'}, {low}", dim=True)

    def wrong(self) -> list[str]:
        """What must not be, a line each; empty if all is as it must be."""
        missed = [f"not found: {row.incidents - row.caught} of {row.incidents} that {row.analyzer} must find"
                  for row in self.rows if row.caught < row.incidents]  # fmt: skip
        false = [f"false: {row.false['']} of {row.analyzer}, at medium severity or above" for row in self.loud if row.false[""]]
        fired = {self.families[row.analyzer] for row in self.rows if row.findings}
        return [*missed, *false, *(f"no alert at all: {name}" for name in FAMILIES if name not in fired)]


def _false(row: Row) -> int:
    return row.false.total()


def tally(truth: Truth, alerts: _Alerts, records: int, analyzers: Mapping[str, str]) -> Tally:
    """How it came out; `analyzers` are those that ran, each with the name of its file."""
    documents = [one["document"] for one in alerts]
    loud = [one for one in documents if one["event"]["severity"] >= _LOUD]
    rows, loud_rows = (score(truth, findings(given), records, sorted(analyzers)) for given in (documents, loud))
    return Tally(rows, loud_rows, {name: family(file) for name, file in analyzers.items()})


def foremost(truth: Truth, alerts: _Alerts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """For each family the alert that shows best what it does: about an attack, the most severe, of these the one that tells most."""
    best: dict[str, tuple[tuple[bool, int, int], Mapping[str, Any]]] = {}
    for one in alerts:
        document = one["document"]
        name = family(document["rule"]["ruleset"])
        rank = (_right(truth, document), document["event"]["severity"], len(told(document)))
        if name not in best or rank > best[name][0]:
            best[name] = rank, one
    return ((name, best[name][1]) for name in FAMILIES if name in best)


def _right(truth: Truth, document: Mapping[str, Any]) -> bool:
    """Whether the alert belongs to an attack."""
    return any(incident.attack for one in findings([document]) for incident in truth.of(one))
