"""What a notification says where the configuration does not: a title and a text that read well on a phone. Pure.

Plain text, one statement a line. Every value of an alert is somebody else's: it stands on one line and is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...alerts.notification import Notification, Table
from ...events.fields import lookup, values
from .templates import one_line, shown

__all__ = ["DASHBOARD", "TITLE", "body", "cut", "fenced", "link", "table", "title", "words"]

TITLE = 250
"""The most characters of a title."""

DASHBOARD = "pluginhost.alert.dashboard"
"""The field with the address of the dashboard of the alert's user, source or host."""

_HEADLINES = 20  # of the alerts of a digest
_ROWS, _CELL = 20, 30
_LINE = 300
_LINK = 2048
_SHORT = 12
Document = Mapping[str, Any]


def title(told: Notification) -> str:
    """One line: what has come of it, how grave it is, and the headline."""
    headline, severity = _headline(told.first), told.severity
    match told.kind:
        case "resolved":
            made = f"Resolved: {headline}"
        case "escalated":
            made = f"Escalated to {severity}: {headline}"
        case "digest":
            made = f"[{severity}] {_alerts(told.count)}: {_names(told.alerts)}"
        case "test":
            made = f"Test: [{severity}] {headline}"
        case _:
            made = f"[{severity}] {headline}"
    return one_line(made, TITLE)


def body(told: Notification) -> str:
    """The whole of it: why, who, where, when; of several a table and their headlines."""
    parts = [_opening(told), *(_digest(told) if told.kind == "digest" else _one(told.first, told.count)), _closing(told)]
    return "\n\n".join(part for part in parts if part)


def words(told: Notification) -> dict[str, str]:
    """The words that templates know beside the names of fields, but for `title` and `body`."""
    return {
        "count": str(told.count), "kind": told.kind, "severity": told.severity, "table": table(told.table) if told.table else "",
        "link": link(told.first), "id": one_line(told.id, 200), "group": one_line(told.group, 200), "why": one_line(told.why, _LINE),
    }  # fmt: skip


def link(document: Document, field: str = "event.url") -> str:
    """The alert's address for people, or another one of its; empty if it has none that is of http."""
    told = lookup(document, field, "")
    whole = isinstance(told, str) and len(told) <= _LINK and told.isprintable() and not any(one in told for one in ' <>"')
    return told if whole and told.startswith(("https://", "http://")) else ""


def table(told: Table, rows: int = _ROWS) -> str:
    """The table in columns, for a fixed-width face; further rows are counted."""
    lines = [[*(one_line(field, _CELL) for field in told.fields), "count"]]
    lines += [[*(one_line(cell, _CELL) or "-" for cell in cells), str(count)] for cells, count in told.rows[:rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=False)]
    made = ["  ".join([*(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=False)), line[-1].rjust(widths[-1])])
            for line in lines]  # fmt: skip
    return "\n".join([*made, *_more(len(told.rows) - rows)])


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; where something is left out, the end says so."""
    if len(text) <= limit:
        return text
    notice = f"\n… (cut; {len(text)} characters in all)"
    return text[: limit - len(notice)] + notice if limit > 2 * len(notice) else text[: limit - 1] + "…"


def fenced(text: str, limit: int) -> str:
    """At most so many characters of `text`, as Markdown shows it as it stands."""
    kept = cut(text, limit).replace("```", "'''")
    return f"```\n{kept}\n```"


def _opening(told: Notification) -> str:
    match told.kind:
        case "resolved":
            return "The condition has ended."
        case "test":
            return "This is a trial of the notifier. Nothing has happened."
        case "digest":
            return f"{_alerts(told.count)}{f', gathered: {one_line(told.why, _LINE)}' if told.why else ''}."
        case _:
            return ""


def _one(document: Document, count: int) -> Iterator[str]:
    reason = shown(lookup(document, "event.reason"))
    yield reason if reason != _headline(document) else ""
    yield "\n".join(f"{label}: {one_line(value, _LINE)}" for label, value in _statements(document, count) if value)


def _statements(document: Document, count: int) -> Iterator[tuple[str, str]]:
    """What is known of an alert, label by label; empty where it does not say."""
    def get(field: str) -> str:
        return shown(lookup(document, field))

    risk = get("event.risk_score")
    yield "Severity", f"{get('log.level')}{f', risk {risk}' if risk else ''}"
    user = get("user.name") or get("user.email") or get("user.id")
    yield "User", f"{user} (VIP)" if user and get("pluginhost.alert.vip") else user
    yield "Host", get("host.name")
    source = (get("source.ip") or get("source.address"), _place(document), get("source.as.organization.name"))
    yield "Source", ", ".join(filter(None, source))
    yield "Target", get("destination.ip") or get("destination.domain")
    name, own = get("rule.name"), get("rule.id")
    yield "Rule", f"{name} ({own})" if name and own and name != own else name or own
    yield "Time", _time(document)
    yield "Events", get("pluginhost.alert.count")
    yield "Evidence", _evidence(document)
    yield "ATT&CK", _techniques(document)
    yield "Alerts", str(count) if count > 1 else ""


def _place(document: Document) -> str:
    country = shown(lookup(document, "source.geo.country_name")) or shown(lookup(document, "source.geo.country_iso_code"))
    return ", ".join(filter(None, (shown(lookup(document, "source.geo.city_name")), country)))


def _time(document: Document) -> str:
    at, start = shown(lookup(document, "@timestamp")), shown(lookup(document, "event.start"))
    since = f" (since {_clock(start, at)})" if start and _clock(start, at) != _clock(at, at) else ""
    return f"{_clock(at, '')} UTC{since}" if at else ""


def _clock(told: str, beside: str) -> str:
    """An ISO time to the second; without its day where that is the same as `beside`'s."""
    day, time = told[:10], told[11:19]
    return time if beside[:10] == day and beside and time else f"{day} {time}".strip()


def _evidence(document: Document) -> str:
    kept = len(values(lookup(document, "pluginhost.events", [])))
    return f"{kept} more record{'s' if kept > 1 else ''} in the alert" if kept else ""


def _techniques(document: Document) -> str:
    ids, names = (values(lookup(document, f"threat.technique.{part}", [])) for part in ("id", "name"))
    return ", ".join(f"{shown(one)} {shown(names[index]) if index < len(names) else ''}".rstrip() for index, one in enumerate(ids[:10]))


def _digest(told: Notification) -> Iterator[str]:
    yield table(told.table) if told.table else ""
    lines = [f"{_clock(shown(lookup(one, '@timestamp')), '')}  [{shown(lookup(one, 'log.level'))}] {one_line(_headline(one), _LINE)}"
             for one in told.alerts[:_HEADLINES]]  # fmt: skip
    yield "\n".join([*lines, *_more(told.count - len(lines))])


def _more(count: int) -> list[str]:
    return [f"… and {count} more"] if count > 0 else []


def _closing(told: Notification) -> str:
    """Where to look: the addresses, and the beginning of the id, which is enough for `pluginhost alerts`."""
    own = shown(lookup(told.first, "event.id"))[:_SHORT] if told.kind != "digest" else ""
    lines = (("Context: ", link(told.first)), ("Dashboard: ", link(told.first, DASHBOARD)), ("Alert ", own))
    return "\n".join(f"{label}{value}" for label, value in lines if value)


def _headline(document: Document) -> str:
    return shown(lookup(document, "message")) or shown(lookup(document, "rule.name")) or "an alert"


def _alerts(count: int) -> str:
    return f"{count:,} alert{'' if count == 1 else 's'}"


def _names(alerts: Sequence[Document]) -> str:
    names = list(dict.fromkeys(shown(lookup(one, "rule.name")) or _headline(one) for one in alerts))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
