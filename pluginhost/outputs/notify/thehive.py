"""TheHive 5: an alert for each notification, with observables; by option in the older form of its API.

An alert there is one by type, source and reference, and the reference is our alert's id: what is sent again is refused as known, which is
as good as taken. What has risen or ended is an alert of its own, tagged so; all of one group bear the group's tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from ...alerts.notification import Notification
from ...events.fields import lookup, values
from ...options import Secret, doc
from ..port import DONE, Context, Outcome
from . import texts
from .asking import welcomed
from .sender import Notifier, NotifyOptions, Request, Said, json_request
from .templates import About, one_line, shown, template

__all__ = ["TheHive"]

_SEVERITIES = {"critical": 4, "high": 3, "medium": 2, "low": 1}
_OBSERVED = {
    "source.ip": "ip", "destination.ip": "ip", "host.name": "hostname", "user.name": "other", "user.email": "mail", "url.full": "url",
    "dns.question.name": "domain", "destination.domain": "domain", "file.hash.sha256": "hash", "process.hash.sha256": "hash",
}  # fmt: skip
_OBSERVABLES, _VALUES, _DATA, _TITLE, _TAG, _REFERENCE, _DESCRIPTION = 100, 20, 4096, 512, 128, 128, 100_000
_KNOWN = re.compile(rb"already exist", re.IGNORECASE)


class TheHive(Notifier):
    """Alerts for one organisation."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which server, and what an alert there is made of."""

        url: Annotated[str, doc("the server's address", pattern="^https?://")]
        key: Annotated[Secret, doc("the API key of a user that may make alerts")]
        organisation: Annotated[str, doc("the organisation, where the user belongs to several")] = ""
        api: Annotated[Literal["v1", "v0"], doc("`v1` is TheHive 5, `v0` what came before it")] = "v1"
        alert_type: Annotated[str, doc("the type of its alerts", min_length=1, max_length=32)] = "external"
        source: Annotated[str, doc("where they say they are from", min_length=1, max_length=64)] = "pluginhost"
        tlp: Annotated[int, doc("whom they may be shown to, from 0 (everybody) to 4 (by name only)", ge=0, le=4)] = 2
        pap: Annotated[int, doc("what may be done with them, from 0 (anything) to 3 (nothing that could be noticed)", ge=0, le=3)] = 2
        follow: Annotated[bool, doc("whether alerts are followed there")] = True
        tags: Annotated[tuple[str, ...], doc("templates of further tags, beside `pluginhost`, the group, the rule and its techniques")] = ()
        observables: Annotated[
            dict[str, str], doc("the alert's fields that become observables, each with its type there, such as `source.ip: ip`")
        ] = msgspec.field(default_factory=_OBSERVED.copy)
        custom_fields: Annotated[dict[str, str], doc("custom fields that are texts: templates by name")] = msgspec.field(
            default_factory=dict
        )

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.url])
        self._options, self._new = options, options.api == "v1"
        self._api = f"{options.url.rstrip('/')}/api{'/v1' if self._new else ''}"
        self._headers = {"Authorization": f"Bearer {options.key}"}
        if options.organisation:
            self._headers["X-Organisation"] = options.organisation
        self._tags = [template(one, "tags") for one in options.tags]
        self._custom = {name: template(text, f"custom_fields.{name}") for name, text in options.custom_fields.items()}

    async def check(self) -> None:
        """Asks who we are there."""
        await welcomed(self, Request("GET", f"{self._api}/user/current", self._headers))

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The alert."""
        options, about, link = self._options, self.about(told, said), texts.link(told.first)
        alert = {
            "type": options.alert_type, "source": options.source, "sourceRef": _reference(told), "title": texts.cut(said.title, _TITLE),
            "description": texts.fenced(said.body, _DESCRIPTION), "severity": 1 if told.kind == "resolved" else _SEVERITIES[told.severity],
            "date": _date(told.first, self.clock()), "tags": [*dict.fromkeys(self._tagged(told, about))],
            "tlp": options.tlp, "pap": options.pap, "follow": options.follow,
            ("observables" if self._new else "artifacts"): [*self._observed(told.alerts)],
            **({"customFields": self._customised(about)} if self._custom else {}),
            **({"externalLink": link} if link and self._new else {}),
        }  # fmt: skip
        return [json_request(f"{self._api}/alert", alert, self._headers)]

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """That it is known there is as good as taken."""
        return DONE if status == 400 and request.method == "POST" and _KNOWN.search(body) else None

    def _tagged(self, told: Notification, about: About) -> Iterator[str]:
        yield from ("pluginhost", one_line(f"group:{told.group}", _TAG))
        if told.kind != "alert":
            yield told.kind
        techniques = map(shown, values(lookup(told.first, "threat.technique.id", [])))
        own = (about.get("rule.name"), *techniques, *(one.whole(about) for one in self._tags))
        yield from (one_line(tag, _TAG) for tag in own if tag)

    def _observed(self, alerts: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Each value once, the first hundred."""
        found = dict.fromkeys(
            (kind, text)
            for alert in alerts
            for field, kind in self._options.observables.items()
            for value in values(lookup(alert, field, []))[:_VALUES]
            if (text := shown(value))
        )
        for kind, text in list(found)[:_OBSERVABLES]:
            yield {"dataType": kind, "data": text[:_DATA]}

    def _customised(self, about: About) -> Any:
        made = {name: one_line(one(about), _DATA) for name, one in self._custom.items()}
        if self._new:
            return [{"name": name, "value": value, "order": order} for order, (name, value) in enumerate(made.items())]
        return {name: {"order": order, "string": value} for order, (name, value) in enumerate(made.items())}


def _reference(told: Notification) -> str:
    """What tells it from all others there: the alert's own id where it is about one."""
    own = lookup(told.first, "event.id", "") if told.kind == "alert" and told.count == 1 else told.id
    return one_line(own if isinstance(own, str) and own else told.id, _REFERENCE)


def _date(document: Mapping[str, Any], now: int) -> int:
    """When it happened, in ms UTC; now if that cannot be read."""
    try:
        return int(datetime.fromisoformat(str(lookup(document, "@timestamp"))).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return now // 10**6
