"""Alerts → incidents, in the desk's thread: who shares which entity, which incident takes a group in, what its time line says of it.

Works for one `Caseload`, whose states and trail it uses; the rules are in `alerts.incidents`. What is asked for is loaded once, and what
has changed is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..alerts import incidents
from ..alerts.cases import Action, Alerted, State, changed, difference, risen
from ..alerts.incidents import Gathering, Incident
from ..problem import Problem
from ..store.alerts import AlertStore
from ..store.cases import Entry
from ..store.incidents import NewIncident

if TYPE_CHECKING:
    from .cases import Caseload

__all__ = ["Gatherer"]

_OWN = "pluginhost."  # analyzers of ours: what they tell follows from alerts that are gathered already
_incident = msgspec.json.Decoder(Incident).decode
_seen = msgspec.msgpack.Decoder(dict[str, int]).decode


class Gatherer:
    """By these `rules` (None: nothing is gathered, what there is can be worked on). `now` is the desk's clock in ns."""

    def __init__(self, store: AlertStore, rules: Gathering | None, cases: Caseload, now: int) -> None:
        self._store, self._rules, self._cases, self._now = store, rules, cases, now
        self._incidents: dict[int, Incident | None] = {}
        self._changed: set[int] = set()
        self._joined: list[tuple[int, str]] = []
        self._seen: dict[str, dict[str, int]] = {}
        self._spoken: set[str] = set()
        self._next = 0
        self._most_open: int | None = None  # as many incidents as may be open, had none been resolved since

    def take(self, alert: Alerted, state: State, document: Mapping[str, Any]) -> int:
        """The number of the incident that an alert which was told is in; 0: none."""
        own = self._open(state.incident)
        named = self._joining(alert, document) if self._rules else []
        self._cases.name(alert.fingerprint, named, incidents.ENTITIES)
        fresh = [name for name in named if own is None or (name not in own.entities and len(own.entities) < incidents.ENTITIES)]
        if own is not None:
            self._keep(incidents.touched(own, alert.time, alert.severity, named, self._now))
        mates = self._mates(alert, fresh)
        theirs = {one.number: one for print_, names in mates.items() if (one := self._of(print_)) and set(names) & set(one.entities)}
        free = [print_ for print_ in mates if self._of(print_) is None]
        if own is None:
            own = self._taking(theirs.values()) or self._opened(free, state)
            if own is None:
                return 0
            mates[alert.fingerprint] = fresh
            free.append(alert.fingerprint)
        for print_ in free:
            self._join(own.number, print_, mates[print_])
        for number in theirs.keys() - {own.number}:
            self._link(own.number, number)
        return own.number

    def _joining(self, alert: Alerted, document: Mapping[str, Any]) -> list[str]:
        """The entities by which the alert may join something, noted as spoken of by its group."""
        rules = self._rules
        if rules is None or not rules.takes(alert.severity) or alert.analyzer.startswith(_OWN):
            return []
        names = incidents.entities(document, rules.fields)
        if unknown := [name for name in names if name not in self._seen]:
            self._seen |= {name: {} for name in unknown}
            self._seen |= {name: _seen(groups) for name, groups in self._store.incidents.entities(unknown).items()}
        return [name for name in names if not self._common(name, alert, rules.window)]

    def _common(self, name: str, alert: Alerted, window: int) -> bool:
        """Whether an entity is common, now that the alert's group speaks of it, too."""
        before = self._seen[name]
        after = self._seen[name] = incidents.seen(before, alert.fingerprint, alert.time)
        self._spoken.add(name)
        common = incidents.common(after, alert.time, window)
        if common and not incidents.common(before, alert.time, window):
            self._cases.load(after.keys())
            for one in {one.number: one for print_ in after if (one := self._of(print_)) and name in one.entities}.values():
                rest = tuple(other for other in one.entities if other != name)
                self._keep(msgspec.structs.replace(one, entities=rest, common=(*one.common, name)[-incidents.ENTITIES :]))
                self._log(one.number, "common", {}, f"{name}: more than {incidents.SHARED} groups speak of it, it joins no more")
        return common

    def _mates(self, alert: Alerted, names: Iterable[str]) -> dict[str, list[str]]:
        """The other groups, not resolved, that share one of these entities, with those they share; who spoke longest ago comes first."""
        made: dict[str, list[str]] = {}
        for name in names:
            for print_ in incidents.sharing(self._seen[name], alert.time, self._rules.window if self._rules else 0):
                made.setdefault(print_, []).append(name)
        made.pop(alert.fingerprint, None)
        self._cases.load(made.keys())
        return {print_: shared for print_, shared in made.items() if (one := self._cases.state(print_)) and one.status != "resolved"}

    def _taking(self, found: Iterable[Incident]) -> Incident | None:
        """Of these the incident with the latest alert, if one has room."""
        return max((one for one in found if one.groups < incidents.GROUPS), key=lambda one: (one.last, one.number), default=None)

    def _opened(self, free: Sequence[str], state: State) -> Incident | None:
        """A new incident, if there is anybody to share it with."""
        first = self._cases.state(free[0]) if free else None
        if first is None or self._rules is None:
            return None
        self._make_room(self._rules.most)
        self._next = (self._next or self._store.incidents.following() - 1) + 1
        made = incidents.opened(self._next, first, state, self._now)
        self._keep(made)
        self._log(made.number, "opened", difference(None, made))
        return made

    def _make_room(self, most: int) -> None:
        """Resolves the incident that is idle longest if as many are open as may be; what has changed is written then, to find it."""
        self._most_open = (self._store.incidents.open() if self._most_open is None else self._most_open) + 1
        if self._most_open <= most:
            return
        self.write()
        while self._store.incidents.open() >= most and (number := self._store.incidents.idle()) is not None and (one := self._open(number)):
            done = msgspec.structs.replace(one, status="resolved", resolved=self._now, revision=risen(one.revision, self._now))
            self._keep(done)
            self._log(number, "resolved", difference(one, done), f"more than {most:,} incidents were open, and this one was idle longest")
            self.write()

    def _join(self, number: int, print_: str, names: Sequence[str]) -> None:
        incident, state = self._open(number), self._cases.state(print_)
        if incident is None or state is None or incident.groups >= incidents.GROUPS:
            return
        self._keep(incidents.grown(incident, state, (*names, *state.entities), self._now))
        self._joined.append((number, print_))
        self._cases.join(print_, number, ", ".join(names))
        if incident.groups + 1 == incidents.GROUPS:
            self._log(number, "full", {}, f"it has {incidents.GROUPS} groups, and takes in no more")

    def _link(self, own: int, other: int) -> None:
        for number, to in ((own, other), (other, own)):
            one = self._open(number)
            if one is not None and to not in one.linked and len(one.linked) < incidents.LINKS:
                self._keep(msgspec.structs.replace(one, linked=(*one.linked, to), revision=risen(one.revision, self._now)))
                self._log(number, "linked", {"linked": (None, to)}, f"a group of incident {own} touches incident {other}")

    def act(self, number: int, action: Action) -> tuple[str, ...]:
        """Does to an incident what somebody wants done; its groups, if they were resolved with it. `Problem` if that cannot be."""
        before = self._get(number)
        if before is None:
            raise Problem("incident.unknown", f"there is no incident {number}", still="nothing was changed")
        after = changed(before, action, self._now)
        if after is not before:
            self._keep(after)
            self._log(number, action.name, difference(before, after), action.note, action.by)
        if action.name != "resolve":
            return ()
        groups = self._store.incidents.groups(number)
        self._cases.load(groups)
        open_ = tuple(print_ for print_ in groups
                      if (one := self._cases.state(print_)) and one.incident == number and one.status != "resolved")  # fmt: skip
        for print_ in open_:
            self._cases.act(print_, action)
        return open_

    def _get(self, number: int) -> Incident | None:
        if number not in self._incidents:
            found = self._store.incidents.get(number)
            self._incidents[number] = _incident(found) if found else None
        return self._incidents[number]

    def _open(self, number: int) -> Incident | None:
        """The incident, if it is not resolved."""
        found = self._get(number) if number else None
        return found if found is not None and found.status != "resolved" else None

    def _of(self, print_: str) -> Incident | None:
        """The incident, not resolved, that a group is in."""
        state = self._cases.state(print_)
        return self._open(state.incident) if state is not None else None

    def _keep(self, incident: Incident) -> None:
        self._incidents[incident.number] = incident
        self._changed.add(incident.number)

    def _log(self, number: int, action: str, what: Mapping[str, Any], note: str = "", by: str = "pluginhost") -> None:
        self._cases.log(Entry(str(number), number, self._now, by, action, msgspec.json.encode(what), note))

    def write(self) -> None:
        """Has the store keep everything that has changed."""
        changed = [one for number in sorted(self._changed) if (one := self._incidents[number])]
        self._store.incidents.put((NewIncident(one.number, one.status, one.last, one.resolved, msgspec.json.encode(one))
                                   for one in changed), self._joined)  # fmt: skip
        self._store.incidents.note({name: (max(groups.values()), msgspec.msgpack.encode(groups))
                                    for name in sorted(self._spoken) if (groups := self._seen[name])})  # fmt: skip
        self._changed, self._joined, self._spoken = set(), [], set()
