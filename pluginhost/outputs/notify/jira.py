"""Jira: a ticket for each group of alerts, over its REST API, in the cloud and on servers of one's own.

The ticket bears a label that names the group, and by that label an open one is found again: what comes then is a comment, and what has
ended a comment and a transition. A closed ticket stays closed; the next alert makes another. The cloud's search lags by some seconds,
so the ticket made last for a group is remembered in the process and asked for by its key.

Text that came out of records is set between `{noformat}`: nobody is mentioned, and nothing embedded, by what an attacker writes.
"""

from __future__ import annotations

import contextlib
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from ...alerts.notification import Notification
from ...detect.finding import Severity
from ...options import Secret, doc
from ...problem import printable
from ..port import DONE, Context, Outcome, Retry, Unavailable
from . import texts
from .asking import understood, welcomed
from .sender import Answer, Notifier, NotifyOptions, Request, Said, json_request

__all__ = ["Jira"]

_SUMMARY, _TEXT = 250, 30_000  # the service's limits are 255 and 32,767
_REMEMBERED = 1000  # groups
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
_NOFORMAT = re.compile(r"\{noformat", re.IGNORECASE)
_FENCE = "{noformat}"
_PRIORITIES: dict[Severity, str] = {"critical": "Highest", "high": "High", "medium": "Medium", "low": "Low"}


class _Category(msgspec.Struct, frozen=True):
    key: str = ""


class _Status(msgspec.Struct, frozen=True, rename={"category": "statusCategory"}):
    name: str = ""
    category: _Category = _Category()


class _Fields(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class _Issue(msgspec.Struct, frozen=True):
    key: str
    fields: _Fields = _Fields()


class _Found(msgspec.Struct, frozen=True):
    issues: list[_Issue] = []


class _Transition(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    to: _Status = _Status()


class _Transitions(msgspec.Struct, frozen=True):
    transitions: list[_Transition] = []


class Jira(Notifier):
    """Tickets in one project."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which project, who we are there, and what a ticket is like."""

        url: Annotated[str, doc("Jira's address, such as `https://example.atlassian.net`", pattern="^https?://")]
        project: Annotated[str, doc("the project's key", pattern="^[A-Za-z][A-Za-z0-9_]*$")]
        token: Annotated[Secret, doc("API token, or password, of the `user`; without one a personal access token")]
        issue_type: Annotated[str, doc("the type of a ticket")] = "Task"
        user: Annotated[str, doc("the user's mail address, on a server of your own the name")] = ""
        priorities: Annotated[
            dict[Severity, str], doc("the name of a priority by severity; `{}`: none is set")
        ] = msgspec.field(default_factory=_PRIORITIES.copy)
        labels: Annotated[tuple[str, ...], doc("further labels, beside `pluginhost` and that of the group")] = ()
        components: Annotated[tuple[str, ...], doc("names of components")] = ()
        fields: Annotated[
            dict[str, Any], doc("further fields of a new ticket, as Jira takes them, such as `assignee: {name: ann}`")
        ] = msgspec.field(default_factory=dict)
        watchers: Annotated[tuple[str, ...], doc("who watches a new ticket: names, in the cloud account ids")] = ()
        create: Annotated[bool, doc("whether tickets are made; otherwise only those that are there are commented on")] = True
        comment: Annotated[bool, doc("whether an open ticket gets a comment when its group is told again")] = True
        resolve_to: Annotated[
            str, doc("name of the transition, or of the status it leads to, once what was told has ended; empty: only a comment")
        ] = "Done"

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.url])
        self._options, self._api = options, f"{options.url.rstrip('/')}/rest/api/2"
        self._headers = _let_in(options)
        self._made: dict[str, str] = {}  # the ticket made last, by label

    async def check(self) -> None:
        """Asks who we are there."""
        await welcomed(self, self._get("myself"))

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """A ticket, or what an open one is to be told."""
        label = _label(told.group)
        key, answer = await self._open(label)
        if answer.means != DONE:
            return answer.means
        if key is None:
            new = told.kind != "resolved" and self._options.create
            return await self._ticket(told, said, label) if new else DONE
        if told.kind == "resolved":
            return await self._ended(key, said)
        return (await self.ask(self._comment(key, said))).means if self._options.comment else DONE

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The ticket as it is made where the group has none."""
        return [self._create(told, said, _label(told.group))]

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """A question that Jira does not understand is about the project, not about the alert."""
        if status == 400 and request.method == "GET":
            return Retry(f"400 {printable(body[:300].decode('utf-8', 'replace'))}", slow=True)
        return None

    async def _open(self, label: str) -> tuple[str | None, Answer]:
        """The key of the group's open ticket, if it has one, and the answer by which that is known."""
        jql = f'project = "{self._options.project}" AND labels = "{label}" AND statusCategory != Done ORDER BY created DESC'
        asked = urlencode({"jql": jql, "fields": "status", "maxResults": 1})
        answer = await self.ask(self._get(f"search/jql?{asked}"))
        if answer.status in (404, 405):  # a server of one's own knows the older way only
            answer = await self.ask(self._get(f"search?{asked}"))
        found, answer = _read(answer, _Found)
        if found is not None and found.issues:
            return found.issues[0].key, answer
        if answer.means == DONE and label in self._made:
            return await self._remembered(label)
        return None, answer

    async def _remembered(self, label: str) -> tuple[str | None, Answer]:
        asked = await self.ask(self._get(f"issue/{self._made[label]}?fields=status"))
        if asked.status == 404:  # somebody has deleted it
            del self._made[label]
            return None, msgspec.structs.replace(asked, means=DONE)
        issue, answer = _read(asked, _Issue)
        if issue is not None and issue.fields.status.category.key == "done":
            del self._made[label]
            return None, answer
        return (issue.key if issue else None), answer

    async def _ticket(self, told: Notification, said: Said, label: str) -> Outcome:
        issue, answer = _read(await self.ask(self._create(told, said, label)), _Issue)
        if issue is None:
            return answer.means
        while len(self._made) >= _REMEMBERED:
            del self._made[next(iter(self._made))]
        self._made[label] = issue.key
        with contextlib.suppress(Unavailable):  # a ticket that nobody watches is a ticket all the same
            for one in self._options.watchers:
                await self.ask(json_request(f"{self._api}/issue/{issue.key}/watchers", one, self._headers))
        return answer.means

    async def _ended(self, key: str, said: Said) -> Outcome:
        """A comment, and the transition if there is one of that name now."""
        means = (await self.ask(self._comment(key, said))).means
        wanted = self._options.resolve_to.casefold()
        if means != DONE or not wanted:
            return means
        offered, answer = _read(await self.ask(self._get(f"issue/{key}/transitions")), _Transitions)
        chosen = [one.id for one in offered.transitions if wanted in (one.name.casefold(), one.to.name.casefold())] if offered else []
        if not chosen:
            return answer.means
        step = {"transition": {"id": chosen[0]}}
        return (await self.ask(json_request(f"{self._api}/issue/{key}/transitions", step, self._headers))).means

    def _get(self, path: str) -> Request:
        return Request("GET", f"{self._api}/{path}", self._headers)

    def _comment(self, key: str, said: Said) -> Request:
        text = f"{_noformat(said.title)}\n{_noformat(said.body)}"
        return json_request(f"{self._api}/issue/{key}/comment", {"body": text}, self._headers)

    def _create(self, told: Notification, said: Said, label: str) -> Request:
        options, link = self._options, texts.link(told.first)
        fields: dict[str, Any] = {
            "project": {"key": options.project}, "issuetype": {"name": options.issue_type}, "summary": texts.cut(said.title, _SUMMARY),
            "description": _noformat(said.body) + (f"\n{link}" if link else ""), "labels": ["pluginhost", label, *options.labels],
        }  # fmt: skip
        if told.severity in options.priorities:
            fields["priority"] = {"name": options.priorities[told.severity]}
        if options.components:
            fields["components"] = [{"name": one} for one in options.components]
        return json_request(f"{self._api}/issue", {"fields": {**fields, **options.fields, "labels": fields["labels"]}}, self._headers)


def _let_in(options: Jira.Options) -> dict[str, str]:
    if not options.user:
        return {"Authorization": f"Bearer {options.token}"}
    return {"Authorization": f"Basic {b64encode(f'{options.user}:{options.token}'.encode()).decode()}"}


def _label(group: str) -> str:
    """The label of a group's tickets; nothing in it could mean anything to a search."""
    return f"pluginhost-{group if _LABEL.fullmatch(group) else sha256(group.encode('utf-8', 'replace')).hexdigest()}"


def _noformat(text: str) -> str:
    """`text` as Jira shows it as it stands."""
    kept = _NOFORMAT.sub("{ noformat", texts.cut(text, _TEXT))
    return f"{_FENCE}\n{kept}\n{_FENCE}"


def _read(answer: Answer, form: Any) -> tuple[Any, Answer]:
    """As `understood`; each ticket in it must have a name that can stand in an address."""
    return understood(answer, form, _named, "Jira's")


def _named(made: Any) -> bool:
    issues = made.issues if isinstance(made, _Found) else [made] if isinstance(made, _Issue) else []
    return all(_KEY.fullmatch(one.key) for one in issues)
