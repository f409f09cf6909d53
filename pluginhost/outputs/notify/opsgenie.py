"""Opsgenie, and Jira Service Management, which takes the same: an alert of a group is opened, its priority raised, and closed at its end.

Opsgenie itself is being retired by its maker; the address of Jira Service Management is
`https://api.atlassian.com/jsm/ops/integration/v2/alerts`, the key that of an integration there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ..port import Context
from . import texts
from .sender import Notifier, NotifyOptions, Request, Said, json_request, several
from .templates import About, Template, one_line, template

__all__ = ["Opsgenie"]

_PRIORITIES = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P4"}
_MESSAGE, _ALIAS, _DESCRIPTION, _NAME, _TAG, _TAGS, _DETAIL = 130, 512, 15_000, 100, 50, 20, 1000  # the service's limits


class Opsgenie(Notifier):
    """Alerts for one integration."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Whose integration it is, who is called, and what an alert says."""

        key: Annotated[Secret, doc("the API key of an integration")]
        address: Annotated[str, doc("where alerts are made; in the EU `https://api.eu.opsgenie.com/v2/alerts`")] = (
            "https://api.opsgenie.com/v2/alerts"
        )
        alias: Annotated[str, doc("template of the key by which alerts are one")] = "{group}"
        priority: Annotated[str, doc("template of the priority, `P1` to `P5`; default, and where it gives another: by severity")] = ""
        tags: Annotated[tuple[str, ...], doc("templates of further tags, beside `pluginhost` and the rule's name")] = ()
        teams: Annotated[str | tuple[str, ...], doc("templates of the teams that are called")] = ()
        default_teams: Annotated[str | tuple[str, ...], doc("teams where a template in `teams` has no value")] = ()
        recipients: Annotated[str | tuple[str, ...], doc("templates of the people who are called")] = ()
        default_recipients: Annotated[str | tuple[str, ...], doc("people where a template in `recipients` has no value")] = ()
        account: Annotated[str, doc("the user in whose name it is done")] = ""
        entity: Annotated[str, doc("template of what is affected")] = "{host.name}"
        source: Annotated[str, doc("where it says it is from")] = "pluginhost"
        details: Annotated[dict[str, str], doc("further details: templates by name")] = msgspec.field(default_factory=dict)

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.address])
        self._url, self._options = options.address.rstrip("/"), options
        self._headers = {"Authorization": f"GenieKey {options.key}"}
        self._alias, self._priority = template(options.alias, "alias"), template(options.priority, "priority")
        self._entity = template(options.entity, "entity")
        self._tags = [template(one, "tags") for one in ("pluginhost", "{rule.name}", *options.tags)]
        self._teams = [template(one, "teams") for one in several(options.teams)]
        self._people = [template(one, "recipients") for one in several(options.recipients)]
        self._details = {name: template(text, f"details.{name}") for name, text in options.details.items()}

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The alert; of one that rose its priority, too; of one that has ended only that it is closed."""
        about = self.about(told, said)
        alias = self._alias(about)[:_ALIAS]
        alias = alias if alias.strip(".") else told.group  # a part of the path: dots alone would lead elsewhere
        existing = f"{self._url}/{quote(alias, safe='')}"
        own = {"source": self._options.source[:_NAME], **({"user": self._options.account} if self._options.account else {})}
        if told.kind == "resolved":
            note = texts.cut(said.body, _DESCRIPTION)
            return [json_request(f"{existing}/close?identifierType=alias", {**own, "note": note}, self._headers)]
        priority = self._priority_of(told, about)
        made = [json_request(self._url, {**self._alert(said, about), "alias": alias, "priority": priority, **own}, self._headers)]
        if told.kind == "escalated":  # of an alert that is known only the count rises
            made.append(json_request(f"{existing}/priority?identifierType=alias", {"priority": priority}, self._headers, "PUT"))
        return made

    def _alert(self, said: Said, about: About) -> dict[str, Any]:
        tags = dict.fromkeys(one_line(value, _TAG) for one in self._tags if (value := one.whole(about)))
        people = _filled(self._people, several(self._options.default_recipients), about)
        teams = _filled(self._teams, several(self._options.default_teams), about)
        responders = [*({"name": one, "type": "team"} for one in teams), *({"username": one, "type": "user"} for one in people)]
        entity = self._entity.whole(about)[:_ALIAS]
        details = {name: texts.cut(one(about), _DETAIL) for name, one in self._details.items()}
        return {
            "message": texts.cut(said.title, _MESSAGE), "description": texts.cut(said.body, _DESCRIPTION), "tags": [*tags][:_TAGS],
            **({"responders": responders} if responders else {}), **({"entity": entity} if entity else {}),
            **({"details": details} if details else {}),
        }  # fmt: skip

    def _priority_of(self, told: Notification, about: About) -> str:
        wanted = self._priority.whole(about)
        return wanted if wanted in ("P1", "P2", "P3", "P4", "P5") else _PRIORITIES[told.severity]


def _filled(wanted: Sequence[Template], otherwise: Sequence[str], about: About) -> list[str]:
    """Who is called: each template's value, and the defaults once one has none."""
    made = [one_line(one.whole(about), _NAME) for one in wanted]
    return [*dict.fromkeys([*filter(None, made), *(otherwise if not all(made) or not made else ())])]
