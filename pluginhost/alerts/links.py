"""From an alert to where it is reviewed: addresses in Kibana or OpenSearch Dashboards that open with its time and its query. Pure.

A link leads to data views and dashboards by the ids that they have in what we ship. Values of an alert are somebody else's: in a link they
stand quoted in KQL, quoted in rison, percent-encoded. One that could not be looked up again (too long, not printable, no address where
there must be one) is left out. A link is at most `LONGEST` characters; what matters least goes first, and it is never cut.

All that does not depend on the alert is encoded once, when this is imported: frames, with holes for times and the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from ..events.address import packed
from .document import laid

__all__ = ["LONGEST", "Links", "linked", "rison"]

LONGEST = 2000
"""The most characters of a link: what browsers, chats and mails take without cutting it."""

_VALUE = 200  # characters of a value; a longer one was invented
_AROUND, _HOUR, _DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
_COLUMNS = ("log.level", "event.risk_score", "rule.id", "user.name", "source.ip", "source.geo.country_iso_code", "host.name",
            "event.reason")  # fmt: skip
_SAFE = ":,"  # all else of rison is encoded: brackets and quotes at a link's end are taken for the sentence's where links are found in text
_HOLE = "\0"
_Frame = tuple[str, str, str, str]
_PLAIN = re.compile(r"[A-Za-z0-9._:-]*")  # what stands in a link as it is
_Span = tuple[datetime, datetime] | None


def rison(value: Any) -> str:
    """`value` as rison: truth, numbers, texts (always quoted), lists, and objects whose keys are plain words."""
    match value:
        case None:
            return "!n"
        case bool():
            return "!t" if value else "!f"
        case str():
            return f"'{_inside(value)}'"
        case Mapping():
            return f"({','.join(f'{name}:{rison(one)}' for name, one in value.items())})"
        case list() | tuple():
            return f"!({','.join(map(rison, value))})"
    return str(value)


def _inside(text: str) -> str:
    return text.replace("!", "!!").replace("'", "!'")


def _frame(start: str, **states: Mapping[str, Any]) -> _Frame:
    """What stands behind a link's path, around its three holes: from, to, query."""
    told = "&".join(f"_{name}={quote(rison(state), safe=_SAFE)}" for name, state in states.items())
    first, second, third, last = f"{start}?{told}".split("%00")
    return first, second, third, last


_TIME = {"time": {"from": _HOLE, "to": _HOLE}}
_QUERY = {"language": "kuery", "query": _HOLE}


def _search(product: str, columns: Sequence[str]) -> _Frame:
    shown: dict[str, Any] = {"columns": columns} if columns else {}
    sort = [["@timestamp", "desc"]]
    if product == "kibana":
        return _frame("#/", g=_TIME, a={**shown, "index": "pluginhost-alerts", "query": _QUERY, "sort": sort})
    view = {"discover": {**shown, "isDirty": False, "sort": sort}, "metadata": {"indexPattern": "pluginhost-alerts", "view": "discover"}}
    return _frame("#", g=_TIME, a=view, q={"filters": [], "query": _QUERY})


_SEARCH = {product: (_search(product, _COLUMNS), _search(product, ())) for product in ("kibana", "opensearch")}
_OVERVIEW, _LOGINS, _WEB = [_frame(f"#/view/pluginhost-{page}", g=_TIME, a={"query": _QUERY}) for page in ("overview", "logins", "web")]


class Links(msgspec.Struct, frozen=True):
    """Where alerts are reviewed: the product, its address with its base path, and the space there (OpenSearch: the tenant)."""

    product: Literal["kibana", "opensearch"]
    url: str
    space: str = ""

    def discover(self, document: Mapping[str, Any]) -> str:
        """The alert in Discover, among what its user and its source did from ten minutes before it to ten minutes after it.

        Of an alert that names neither, what its host did. Empty if it has no id or no time.
        """
        return self._discover(document, _span(document), _entities(document))

    def dashboard(self, document: Mapping[str, Any]) -> str:
        """The dashboard of the alert's user, else of its source, else of its host, from a day before it to an hour after it.

        Empty if it names none of them, or has no time.
        """
        return self._dashboard(document, _span(document), _entities(document))

    def both(self, document: Mapping[str, Any]) -> tuple[str, str]:
        """The two, at half the cost of asking for each."""
        span, named = _span(document), _entities(document)
        return self._discover(document, span, named), self._dashboard(document, span, named)

    def _discover(self, document: Mapping[str, Any], span: _Span, named: Mapping[str, str]) -> str:
        own, times = _value(document, "event", "id"), _times(span, _AROUND, _AROUND)
        if not own or times is None:
            return ""
        among = [one for field, one in named.items() if field != "host.name"] or [*named.values()]
        clauses = [_clause("event.id", own), *among]
        app = self._app("/app/discover" if self.product == "kibana" else "/app/data-explorer/discover")
        whole, bare = _SEARCH[self.product]
        made = _filled(app, whole, times, "%20or%20".join(clauses))
        while len(made) > LONGEST and clauses:  # first without columns, then clause by clause
            made = _filled(app, bare, times, "%20or%20".join(clauses))
            clauses.pop()
        return made if len(made) <= LONGEST else ""

    def _dashboard(self, document: Mapping[str, Any], span: _Span, named: Mapping[str, str]) -> str:
        times = _times(span, _DAY, _HOUR)
        if times is None:
            return ""
        told = _at(document, "event", "category")
        categories = told if isinstance(told, list) else [told]
        page = _LOGINS if "authentication" in categories else _WEB if "web" in categories else _OVERVIEW
        app = self._app("/app/dashboards")
        for clause in named.values():
            if len(made := _filled(app, page, times, clause)) <= LONGEST:
                return made
        return ""

    def _app(self, path: str) -> str:
        base = self.url.rstrip("/")
        if self.product == "kibana":
            return f"{base}/s/{quote(self.space, safe='')}{path}" if self.space not in ("", "default") else base + path
        return f"{base}{path}?security_tenant={quote(self.space, safe='')}" if self.space else base + path


def linked(document: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """The document with `event.url`, if its analyzer gave none, and `pluginhost.alert.dashboard`, each where there is such a link."""
    url, dashboard = links.both(document)
    made = laid(document, ("event",), {"url": url}) if url and not _at(document, "event", "url") else dict(document)
    return laid(made, ("pluginhost", "alert"), {"dashboard": dashboard}) if dashboard else made


def _filled(app: str, frame: _Frame, times: tuple[str, str], query: str) -> str:
    return f"{app}{frame[0]}{times[0]}{frame[1]}{times[1]}{frame[2]}{query}{frame[3]}"


def _entities(document: Mapping[str, Any]) -> dict[str, str]:
    """The clauses that find what else is known of the alert's user, source and host, by field, in this order; encoded."""
    source = _value(document, "source", "ip")
    found = {
        "user.name": _value(document, "user", "name"),
        "source.ip": source if packed(source) is not None else "",  # a field of addresses takes no other text, not even in a query
        "host.name": _value(document, "host", "name"),
    }
    return {field: _clause(field, value) for field, value in found.items() if value}


def _clause(field: str, value: str) -> str:
    """The condition as it stands in a link."""
    if not _PLAIN.fullmatch(value):
        value = quote(_inside(value.replace("\\", "\\\\").replace('"', '\\"')), safe=_SAFE)
    return f"{field}:%20%22{value}%22"


def _value(document: Mapping[str, Any], group: str, name: str) -> str:
    """The field's value, if it is one that can be looked up."""
    value = _at(document, group, name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _VALUE else ""


def _at(document: Mapping[str, Any], group: str, name: str) -> Any:
    inner = document.get(group)
    return inner.get(name) if isinstance(inner, dict) else None


def _span(document: Mapping[str, Any]) -> _Span:
    """From when to when the alert lasted; None if it has no time. Any length: an analyzer says itself since when it counts."""
    end = _time(_at(document, "event", "end")) or _time(document.get("@timestamp"))
    return None if end is None else (_time(_at(document, "event", "start")) or end, end)


def _time(told: Any) -> datetime | None:
    """The time in UTC that a document tells, which always ends in `Z`."""
    try:
        made = datetime.fromisoformat(told[:-1]) if isinstance(told, str) and told[-1:] == "Z" else None
    except ValueError:
        return None
    return made if made is None or made.tzinfo is None else None


def _times(span: _Span, before: timedelta, after: timedelta) -> tuple[str, str] | None:
    try:
        return None if span is None else (_iso(span[0] - before), _iso(span[1] + after))
    except OverflowError:
        return None


def _iso(moment: datetime) -> str:
    return moment.isoformat("T", "milliseconds") + "Z"
