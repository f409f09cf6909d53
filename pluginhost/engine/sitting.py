"""What one commit of the desk decides: findings one after another, by the desk's rules, each seeing what those before it changed.

Lives inside one turn of the store, in the desk's thread: groups go into the commit, risks are kept at once, and all of it is durable
together. An alert whose user's risk has risen far enough is followed by the alert about that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..alerts import risk
from ..alerts.desk import Decision, Group, Policy, decide
from ..store.alerts import AlertStore, NewAlert
from .items import Finding

__all__ = ["Route", "Sitting"]

Route = Callable[[Finding, Mapping[str, Any]], list[str]]
"""Which outputs an alert goes to."""

_group = msgspec.msgpack.Decoder(Group).decode
_score = msgspec.msgpack.Decoder(risk.Score).decode


class Sitting:
    """For the findings `taken`. `now` is the desk's clock in ns; `alerts` are those decided, `evicted` the risks that made room."""

    def __init__(self, store: AlertStore, policy: Policy, route: Route, taken: Iterable[Finding], *, now: int, observer: str) -> None:
        self._store, self._policy, self._route, self._now, self._observer = store, policy, route, now, observer
        self._groups: dict[str, Group | None] = dict.fromkeys(one.fingerprint for one in taken)
        self._groups |= {print_: _group(blob) for print_, blob in store.groups(self._groups.keys()).items()}
        self._changed: set[str] = set()
        self.alerts: list[NewAlert] = []
        self.evicted = 0

    def groups(self) -> dict[str, bytes]:
        """The groups that have changed, packed, by fingerprint."""
        return {print_: msgspec.msgpack.encode(self._groups[print_]) for print_ in self._changed}

    def decide(self, one: Finding) -> bytes:
        """The document of the alert that the finding becomes."""
        decision = decide(msgspec.json.decode(one.document), one.time, self._group(one.fingerprint), created=self._now,
                          observer=self._observer, analyzer=one.analyzer, rules=self._policy.suppress)  # fmt: skip
        self._groups[one.fingerprint] = decision.group
        self._changed.add(one.fingerprint)
        raised: Finding | None = None
        document = decision.document
        if self._policy.risk is not None:
            document, raised = self._weighed(one, decision, self._policy.risk)
        made = self._kept(one, decision, document)
        if raised is not None:
            self.decide(raised)
        return made

    def _group(self, print_: str) -> Group | None:
        if print_ not in self._groups:  # of an alert that nobody found
            blob = self._store.groups([print_]).get(print_)
            self._groups[print_] = _group(blob) if blob else None
        return self._groups[print_]

    def _kept(self, one: Finding, decision: Decision, document: dict[str, Any]) -> bytes:
        wanted = self._route(one, document)
        outputs = [name for name in wanted if name in self._policy.hears] if decision.suppressed else wanted
        made = msgspec.json.encode(document)
        self.alerts.append(NewAlert(id=one.id, time=one.time, severity=one.severity, analyzer=one.analyzer, fingerprint=one.fingerprint,
                                    sequence=decision.group.sequence, headline=one.message, document=made, outputs=tuple(outputs),
                                    suppressed=decision.suppressed))  # fmt: skip
        return made

    def _weighed(self, one: Finding, decision: Decision, scale: risk.Scale) -> tuple[dict[str, Any], Finding | None]:
        """The document with the risk of what it is about, and the finding that this has risen, if it has."""
        cause = risk.Cause(one.id, one.time, one.analyzer, one.severity)
        weighs = not decision.suppressed and one.analyzer != risk.RULE.id
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
        return risk.labelled(decision.document, marks), raised
