"""What one commit of the desk decides: findings one after another, by the desk's rules, each seeing what those before it changed.

Lives inside one turn of the store, in the desk's thread: groups go into the commit, risks are kept at once, and all of it is durable
together. An alert whose user's risk has risen far enough is followed by the alert about that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from ..alerts import risk
from ..alerts.cases import Alerted
from ..alerts.desk import Decision, Found, Group, Policy, decide, resolves, silently
from ..alerts.suppression import risk_reasons
from ..alerts.telling import Audience, kind_of, notification_id, turn
from ..detect.finding import Severity
from ..events.fields import Document
from ..store.alerts import AlertStore, Commit, Letter, NewAlert
from ..store.notifications import NewNotification
from .cases import Caseload
from .items import Finding
from .standing import Look

__all__ = ["Route", "Sitting"]

Route = Callable[[Finding, Mapping[str, Any]], list[str]]
"""Which outputs an alert goes to."""

_group = msgspec.msgpack.Decoder(Group).decode
_score = msgspec.msgpack.Decoder(risk.Score).decode


class Sitting:
    """For the findings `taken`, `standing` being what mutes and lists there are, row by row. `now` is the desk's clock in ns; `alerts` and
    `notifications` are those decided, `evicted` the risks that made room."""

    def __init__(self, store: AlertStore, policy: Policy, route: Route, taken: Iterable[Finding], *, now: int, observer: str,
                 standing: Look) -> None:  # fmt: skip
        self._store, self._policy, self._route, self._now, self._observer = store, policy, route, now, observer
        self._standing, self._audiences = standing, {one.output: one for one in policy.audiences}
        self._groups: dict[str, Group | None] = dict.fromkeys(one.fingerprint for one in taken)
        self._groups |= {print_: _group(blob) for print_, blob in store.groups(self._groups.keys()).items()}
        self._cases = Caseload(store, policy, self._groups, now=now)
        self._ends: dict[str, int] = {}
        self._taken: dict[str, list[int]] = {}
        self._ahead = store.clock() - now  # outboxes go by the store's clock, people by this one
        self.alerts: list[NewAlert] = []
        self.notifications: list[NewNotification] = []
        self.evicted = 0

    def commit(self, positions: dict[int, int], letters: list[Letter]) -> Commit:
        """What is to be stored of it; everything else is in the store's open turn already."""
        groups = {print_: msgspec.msgpack.encode(self._groups[print_]) for print_ in self._ends}
        self._cases.write()
        self._standing.keep(self._store.mutes)
        return Commit(positions=positions, alerts=self.alerts, letters=letters, groups=groups, ends=self._ends,
                      notifications=self.notifications)  # fmt: skip

    def decide(self, one: Finding) -> bytes:
        """The document of the alert that the finding becomes."""
        found = Found(one.analyzer, one.fingerprint, one.time, cast(Severity, one.severity))
        held = self._standing.at(one.offset)
        decision = decide(msgspec.json.decode(one.document), found, self._group(one.fingerprint), created=self._now,
                          observer=self._observer, policy=self._policy, held=held)  # fmt: skip
        raised: Finding | None = None
        if self._policy.risk is not None:
            decision, raised = self._weighed(one, decision, self._policy.risk)
            if not decision.suppressed and not resolves(decision.document):
                why = risk_reasons(one.analyzer, one.fingerprint, one.time, Document(decision.document), self._policy.suppress, held.lists)
                decision = silently(decision, why) if why else decision
        self._groups[one.fingerprint] = decision.group
        lasts = decision.grouping.resolve_after if decision.group.told else 0
        self._ends[one.fingerprint] = self._now + lasts if lasts else 0
        made = self._kept(one, decision)
        if raised is not None:
            self.decide(raised)
        return made

    def forget(self, print_: str) -> None:
        """Leaves a group as it is, without an end that anything waits for."""
        if self._group(print_) is not None:
            self._ends[print_] = 0

    def _group(self, print_: str) -> Group | None:
        if print_ not in self._groups:  # of an alert that nobody found
            blob = self._store.groups([print_]).get(print_)
            self._groups[print_] = _group(blob) if blob else None
        return self._groups[print_]

    def _kept(self, one: Finding, decision: Decision) -> bytes:
        seen = Alerted(one.id, one.fingerprint, one.time, decision.severity, one.analyzer, one.message, bool(decision.suppressed),
                       resolves(decision.document))  # fmt: skip
        document = self._cases.take(seen, decision.document)
        finding = msgspec.structs.replace(one, severity=decision.severity)
        wanted = self._route(finding, document)
        if decision.suppressed:
            wanted = [name for name in wanted if name in self._policy.hears]
        made = msgspec.json.encode(document)
        outputs = tuple(name for name in wanted if name not in self._audiences)
        named = risk.entities(document)
        self.alerts.append(NewAlert(id=one.id, time=one.time, severity=decision.severity, analyzer=one.analyzer,
                                    fingerprint=one.fingerprint, sequence=decision.group.sequence, headline=one.message, document=made,
                                    outputs=outputs, suppressed=decision.suppressed,
                                    user=named.get("user", ""), source=named.get("address", "")))  # fmt: skip
        for name in wanted:
            if name in self._audiences:
                self._tell(self._audiences[name], one.id, document)
        return made

    def _tell(self, audience: Audience, alert: str, document: Mapping[str, Any]) -> None:
        """Puts down when the audience is told of the alert, if it is."""
        name, kind = audience.output, kind_of(document)
        taken = self._taken.get(name)
        if taken is None and audience.limit is not None:
            taken = [at - self._ahead for at in self._store.notifications.taken(name, audience.limit.most)]
            self._taken[name] = taken
        told = turn(document, kind, audience, self._now, taken or ())
        if told is None:
            return
        if taken is not None and (told.key is None or not taken or taken[-1] <= self._now):  # else it joins the message that lies open
            taken.append(told.due)
        table = audience.gather.table if audience.gather is not None else ()
        due = told.due + self._ahead
        self.notifications.append(NewNotification(name, alert, notification_id(name, alert), kind, due, told.key, told.why, table))

    def _weighed(self, one: Finding, decision: Decision, scale: risk.Scale) -> tuple[Decision, Finding | None]:
        """The decision with the risk of what the alert is about, and the finding that this has risen, if it has."""
        cause = risk.Cause(one.id, one.time, one.analyzer, one.severity)
        weighs = not decision.suppressed and one.analyzer != risk.RULE.id and not resolves(decision.document)
        marks, raised = {}, None
        for kind, name in risk.entities(decision.document).items():
            known = self._store.risks.get(kind, name)
            score = _score(known.state) if known.state else risk.Score()
            said = known.override.level if known.override is not None and known.override.until > self._now else None
            if weighs:
                score, before = risk.recount(score, cause, scale, said)
                state = msgspec.msgpack.encode(score)
                self.evicted += self._store.risks.put(kind, name, score.at, risk.rank(score, scale), state, most=scale.most)
                if before and kind == "user":
                    made = risk.raised(name, before, score, cause, scale, self._policy.mark)
                    raised = Finding(one.offset, one.index, risk.RULE.id, 0, made.id, made.fingerprint, made.time, made.severity,
                                     made.message, made.document)  # fmt: skip
            marks[kind] = risk.mark(score, one.time, scale, said)
        return msgspec.structs.replace(decision, document=risk.labelled(decision.document, marks)), raised
