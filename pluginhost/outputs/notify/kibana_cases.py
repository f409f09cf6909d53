"""Cases of Kibana (Elastic Security, Observability, or Kibana's own): one for each group of alerts, over the cases API.

The case bears a tag that names the group, and by that tag it is found again, also after a restart: what comes then is a comment. A case
that somebody closed stays closed, and the next alert opens another, unless closed ones are to be opened again. The search lags by a second
or so; the case made last for a group is remembered in the process and asked for by its id.

Kibana escapes what it reads as KQL in the tag that is searched for, and then looks for the escapes, too: the group's tag has nothing to
escape. Text that came out of records is set as code: nothing in it becomes a link, a timeline or a chart.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from ...alerts.notification import Notification
from ...detect.finding import SEVERITIES
from ...events.fields import lookup, values
from ...options import Secret, doc
from ...problem import Problem
from ..port import DONE, Context, Outcome, Retry
from . import texts
from .asking import understood, welcomed
from .sender import Answer, Notifier, NotifyOptions, Request, Said, json_request
from .templates import About, one_line, shown, template

__all__ = ["KibanaCases"]

_TITLE, _TAGS = 160, 200  # the service's limits, in UTF-16 units
_TEXT, _TAG = 10_000, 120  # characters; its limits are 30,000 and 256 units
_REMEMBERED = 1000  # groups
_TRIES = 3  # of a change that somebody else's comes before
_GROUP = re.compile(r"pluginhost-[0-9a-f]{16}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16,}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class _Case(msgspec.Struct, frozen=True):
    id: str
    version: str
    status: str = "open"
    severity: str = "low"


class _Found(msgspec.Struct, frozen=True):
    cases: list[_Case]


class KibanaCases(Notifier):
    """Cases in one space."""

    reads = 1 << 20  # a case is answered whole: 30,000 characters of description, and fields of one's own

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which Kibana, who we are there, and what becomes of a case."""

        url: Annotated[str, doc("Kibana's address with its base path, such as `https://kibana.example.com/kibana`", pattern="^https?://")]
        space: Annotated[str, doc("the space that holds the cases; default: the default space", pattern="^[a-z0-9_-]{0,100}$")] = ""
        api_key: Annotated[Secret | None, doc("an API key, as it is given out encoded")] = None
        username: Annotated[str, doc("or who we are")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        owner: Annotated[
            Literal["securitySolution", "observability", "cases"],
            doc("where the cases are shown: Elastic Security, Observability, or Kibana's management"),
        ] = "securitySolution"
        tags: Annotated[tuple[str, ...], doc("templates of further tags, beside `pluginhost`, the group, the rule and its techniques")] = ()
        reopen: Annotated[bool, doc("whether a closed case is opened again when its group is told again; else another is made")] = False
        close: Annotated[bool, doc("whether the case is closed once what was told has ended, beside the comment")] = True

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.url])
        if options.api_key and options.username:
            raise Problem("output.notify.options", "`api_key` stands beside `username`", todo="give one of them")
        space = f"/s/{options.space}" if options.space not in ("", "default") else ""
        self._options, self._api = options, f"{options.url.rstrip('/')}{space}/api/cases"
        self._headers = {"kbn-xsrf": "true", **_let_in(options)}
        self._tags = [template(one, "tags") for one in options.tags]
        self._made: dict[str, str] = {}  # the case made last, by tag

    async def check(self) -> None:
        """Asks for one case of the owner's, which tells nobody."""
        await welcomed(self, self._get("/_find?" + urlencode({"owner": self._options.owner, "perPage": 1})))

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """A case, or what the group's is to be told. What changes of it goes first: once that has gone through it is not done again."""
        tag = _tag(told.group)
        case, answer = await self._case(tag)
        if answer.means != DONE:
            return answer.means
        if told.kind != "resolved" and (case is None or (case.status == "closed" and not self._options.reopen)):
            return await self._opened(told, said, tag)
        if case is None:
            return DONE
        changed = await self._changed(case, told)
        if isinstance(changed, Retry):
            return changed
        commented = (await self.ask(self._comment(case.id, told, said))).means
        return changed if commented == DONE else commented

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The case as it is made where the group has none."""
        return [self._create(told, said, _tag(told.group))]

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """That a case is already as it is to be is as good as done."""
        return DONE if status == 406 and request.method == "PATCH" else None

    async def _case(self, tag: str) -> tuple[_Case | None, Answer]:
        """The group's latest case, if it has one, and the answer by which that is known."""
        asked = {"tags": tag, "owner": self._options.owner, "sortField": "createdAt", "sortOrder": "desc", "page": 1, "perPage": 1}
        found, answer = _read(await self.ask(self._get("/_find?" + urlencode(asked))), _Found)
        case: _Case | None = found.cases[0] if found is not None and found.cases else None
        made = self._made.get(tag)
        if answer.means != DONE or made is None or (case is not None and case.status != "closed"):
            return case, answer
        remembered = await self.ask(self._get(_one(made)))
        return (case, answer) if remembered.status == 404 else _read(remembered, _Case)  # 404: somebody has deleted it

    async def _opened(self, told: Notification, said: Said, tag: str) -> Outcome:
        case, answer = _read(await self.ask(self._create(told, said, tag)), _Case)
        if case is not None:
            while len(self._made) >= _REMEMBERED:
                del self._made[next(iter(self._made))]
            self._made[tag] = case.id
        return answer.means

    async def _changed(self, case: _Case, told: Notification) -> Outcome:
        """Brings the case to what it is to be; where somebody has changed it meanwhile, from what it is then."""
        for _ in range(_TRIES):
            changes = self._changes(case, told)
            if not changes:
                return DONE
            patch = {"cases": [{"id": case.id, "version": case.version, **changes}]}
            answer = await self.ask(json_request(self._api, patch, self._headers, "PATCH"))
            if answer.status != 409:
                return answer.means
            now, answer = _read(await self.ask(self._get(_one(case.id))), _Case)
            if now is None:
                return answer.means
            case = now
        return Retry("409 the case is changed by somebody else all the time")

    def _changes(self, case: _Case, told: Notification) -> dict[str, str]:
        """What of the case is to be another: its status, and the severity of what has become graver."""
        if told.kind == "resolved":
            return {"status": "closed"} if self._options.close and case.status != "closed" else {}
        graver = told.kind == "escalated" and SEVERITIES[told.severity] > SEVERITIES.get(case.severity, 0)
        return ({"status": "open"} if case.status == "closed" else {}) | ({"severity": told.severity} if graver else {})

    def _get(self, path: str) -> Request:
        return Request("GET", self._api + path, self._headers)

    def _comment(self, case: str, told: Notification, said: Said) -> Request:
        text = texts.fenced(f"{said.title}\n\n{said.body}", _TEXT) + _links(told)
        comment = {"type": "user", "comment": text, "owner": self._options.owner}
        return json_request(f"{self._api}/{quote(case)}/comments", comment, self._headers)

    def _create(self, told: Notification, said: Said, tag: str) -> Request:
        tags = dict.fromkeys(("pluginhost", tag, *self._tagged(told, self.about(told, said))))
        case = {
            "title": _cut(said.title, _TITLE), "description": texts.fenced(said.body, _TEXT) + _links(told), "tags": [*tags][:_TAGS],
            "severity": told.severity, "owner": self._options.owner, "settings": {"syncAlerts": False},
            "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
        }  # fmt: skip
        return json_request(self._api, case, self._headers)

    def _tagged(self, told: Notification, about: About) -> Iterator[str]:
        """Tags of the alert's own, none of which may pass for a group's."""
        techniques = map(shown, values(lookup(told.first, "threat.technique.id", [])))
        own = (about.get("rule.name"), *techniques, *(one.whole(about) for one in self._tags))
        made = (one_line(tag, _TAG) for tag in own)
        return (tag for tag in made if tag and not _GROUP.fullmatch(tag))


def _let_in(options: KibanaCases.Options) -> dict[str, str]:
    if options.api_key:
        return {"Authorization": f"ApiKey {options.api_key}"}
    pair = b64encode(f"{options.username}:{options.password or ''}".encode()).decode()
    return {"Authorization": f"Basic {pair}"} if options.username else {}


def _tag(group: str) -> str:
    """The tag of a group's cases."""
    return f"pluginhost-{(group if _FINGERPRINT.fullmatch(group) else sha256(group.encode('utf-8', 'replace')).hexdigest())[:16]}"


def _one(case: str) -> str:
    return f"/{case}?includeComments=false"  # newer ones answer without comments anyway


def _links(told: Notification) -> str:
    """Where to look, to be followed: in code nothing can be."""
    links = (("Context", texts.link(told.first)), ("Dashboard", texts.link(told.first, texts.DASHBOARD)))
    made = " · ".join(f"[{name}](<{link}>)" for name, link in links if link)
    return f"\n\n{made}" if made else ""


def _cut(text: str, units: int) -> str:
    """`text` cut to so many UTF-16 units, as the service counts."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").rstrip()


def _read(answer: Answer, form: Any) -> tuple[Any, Answer]:
    """As `understood`; each case in it must have a name that can stand in an address."""
    return understood(answer, form, _named, "the cases API")


def _named(made: Any) -> bool:
    cases = made.cases if isinstance(made, _Found) else [made] if isinstance(made, _Case) else []
    return all(_ID.fullmatch(one.id) for one in cases)
