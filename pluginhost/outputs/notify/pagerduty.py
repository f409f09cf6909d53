"""PagerDuty, Events API v2: an alert triggers an incident of its group, further ones join it, and its end resolves it.

The older v1 is not spoken: every integration key for it works with v2, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ...alerts.notification import Notification
from ...events.fields import lookup
from ...options import Secret, doc
from ..port import Context, Outcome, Retry
from . import texts
from .sender import Notifier, NotifyOptions, Request, Said, json_request
from .templates import About, shown, template

__all__ = ["Pagerduty"]

_ADDRESS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
_SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}
_SUMMARY, _KEY, _DETAIL, _BODY = 1024, 255, 4000, 50_000  # characters; an event has room for 512 KB


class Pagerduty(Notifier):
    """Events for one integration key."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Whose service it is, and what an event says."""

        routing_key: Annotated[Secret, doc("the integration key of a service (Events API v2)")]
        region: Annotated[Literal["us", "eu"], doc("where the account is served")] = "us"
        address: Annotated[str, doc("the address in place of PagerDuty's own, for a gateway")] = ""
        action: Annotated[
            Literal["auto", "trigger", "acknowledge", "resolve"],
            doc("what an event does; `auto`: `resolve` for what has ended, else `trigger`"),
        ] = "auto"
        dedup_key: Annotated[str, doc("template of the key by which events are one incident")] = "{group}"
        client: Annotated[str, doc("who it says it is from")] = "pluginhost"
        severity: Annotated[Literal["auto", "critical", "error", "warning", "info"], doc("how grave; `auto`: as the alert is")] = "auto"
        source: Annotated[str, doc("template of what is affected; `client` where it has no value")] = "{host.name}"
        component: Annotated[str, doc("template of the part that is affected")] = ""
        group: Annotated[str, doc("template of what the parts belong to")] = ""
        class_: Annotated[str, doc("template of the kind of event")] = msgspec.field(default="{rule.id}", name="class")
        details: Annotated[dict[str, str], doc("further details: templates by name")] = msgspec.field(default_factory=dict)
        include_body: Annotated[bool, doc("whether the text is among the details, as `information`")] = True

    def __init__(self, options: Options, context: Context) -> None:
        place = options.address or _ADDRESS[options.region]
        super().__init__(options, context, [place])
        self._url, self._options = f"{place.rstrip('/')}/v2/enqueue", options
        self._dedup, self._source = template(options.dedup_key, "dedup_key"), template(options.source, "source")
        named = {"component": options.component, "group": options.group, "class": options.class_}
        self._named = {name: template(text, name) for name, text in named.items() if text}
        self._details = {name: template(text, f"details.{name}") for name, text in options.details.items()}

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """One event."""
        about = self.about(told, said)
        action = self._options.action if self._options.action != "auto" else "resolve" if told.kind == "resolved" else "trigger"
        event: dict[str, Any] = {"routing_key": self._options.routing_key, "event_action": action,
                                 "dedup_key": (self._dedup(about) or told.group)[:_KEY]}  # fmt: skip
        if action == "trigger":
            event |= {"client": self._options.client, "payload": self._payload(told, said, about)}
            if address := about.get("link"):
                event["client_url"] = address
        return [json_request(self._url, event)]

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """A key that is not known is a 400 like an event that is none, but somebody can act."""
        return Retry("400 invalid routing key", slow=True) if status == 400 and b"routing key" in body.lower() else None

    def _payload(self, told: Notification, said: Said, about: About) -> dict[str, Any]:
        details = {name: texts.cut(one(about), _DETAIL) for name, one in self._details.items()}
        if self._options.include_body:
            details["information"] = texts.cut(said.body, _BODY)
        named = {name: value[:_KEY] for name, one in self._named.items() if (value := one.whole(about))}
        severity = self._options.severity if self._options.severity != "auto" else _SEVERITIES[told.severity]
        return {
            "summary": texts.cut(said.title, _SUMMARY), "severity": severity,
            "source": self._source.whole(about)[:_KEY] or self._options.client, "timestamp": shown(lookup(told.first, "@timestamp")),
            **named, "custom_details": details,
        }  # fmt: skip
