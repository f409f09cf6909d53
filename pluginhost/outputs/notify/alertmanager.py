"""Prometheus' Alertmanager, API v2: alerts by labels, which it groups, silences and passes on.

It holds an alert until its `endsAt`: a notification sets that to now and `resolve_time`, so that one that is told again within that time
goes on, one of which nothing more is heard ends, and one whose condition has ended does so at once. Nothing is posted again in between:
that would need a state here. One that rose in severity is another alert to it, since severity is a label; the earlier one ends by its time.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from ...alerts.notification import Notification
from ...events.fields import lookup
from ...options import Duration, Secret, doc
from ...problem import Problem, printable
from ...wire.times import iso
from ..port import Context
from . import texts
from .sender import Notifier, NotifyOptions, Request, Said, each, json_request
from .templates import Template, one_line, template

__all__ = ["Alertmanager"]

_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_LABEL, _TEXT = 1000, 10_000  # characters


class Alertmanager(Notifier):
    """Alerts for one Alertmanager, or for each of a cluster."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Where it is, and which labels and annotations an alert has."""

        url: Annotated[Secret, doc("its address, such as `http://alertmanager:9093`")]
        urls: Annotated[tuple[Secret, ...], doc("the others of a cluster, each of which must be told")] = ()
        username: Annotated[str, doc("user, where it asks for one")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        alertname: Annotated[str, doc("template of the label `alertname`")] = "{rule.name}"
        labels: Annotated[dict[str, str], doc("templates of further labels; an alert is known by its labels")] = msgspec.field(
            default_factory=dict
        )
        annotations: Annotated[
            dict[str, str], doc("templates of annotations, beside `summary` (title) and `description` (text)")
        ] = msgspec.field(default_factory=dict)
        resolve_time: Annotated[Duration, doc("how long an alert of which nothing more is heard is held", gt=0)] = Duration(3600)

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, (options.url, *options.urls))
        self._urls = [f"{one.rstrip('/')}/api/v2/alerts" for one in (options.url, *options.urls)]
        self._held = options.resolve_time.ns
        pair = b64encode(f"{options.username}:{options.password or ''}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"} if options.username else {}
        fixed = {"alertname": options.alertname, "rule": "{rule.id}", "severity": "{severity}", "fingerprint": "{group}"}
        self._labels = _named(fixed | options.labels, "labels")
        self._annotations = _named({"summary": "{title}", "description": "{body}"} | options.annotations, "annotations")

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """All of its alerts in one request to each Alertmanager."""
        alerts = [self._alert(one, self.said(one)) for one in each(told)]
        return [json_request(url, alerts, self._headers) for url in self._urls]

    def _alert(self, told: Notification, said: Said) -> dict[str, Any]:
        about, now = self.about(told, said), self.clock()
        labels = {name: one_line(value, _LABEL) for name, one in self._labels.items() if (value := one.whole(about))}
        annotations = {name: texts.cut(one(about), _TEXT) for name, one in self._annotations.items()}
        address = about.get("link")
        return {
            "labels": labels, "annotations": annotations, "startsAt": iso(max(min(_start(told, now), now), 0), 3),
            "endsAt": iso(now if told.kind == "resolved" else now + self._held, 3), **({"generatorURL": address} if address else {}),
        }  # fmt: skip


def _named(given: dict[str, str], option: str) -> dict[str, Template]:
    for name in given:
        if not _NAME.fullmatch(name):
            raise Problem("output.notify.options", f"`{option}`: `{printable(name, 80)}` is no name of a label",
                          todo="write letters, digits and `_`, and no digit first")  # fmt: skip
    return {name: template(text, f"{option}.{name}") for name, text in given.items()}


def _start(told: Notification, now: int) -> int:
    """When it began, in ns UTC; now, if it does not say."""
    for field in ("event.start", "@timestamp"):
        try:
            at = datetime.fromisoformat(str(lookup(told.first, field)))
        except ValueError:
            continue
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000) * 1_000_000
    return now
