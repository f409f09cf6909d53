"""What one commit of the desk, or one action of somebody, does to the states of groups and to incidents.

Lives inside one turn of the store, in the desk's thread. What is asked for is loaded once, and all that has changed is written once, by
`write`: a group that has a thousand alerts in a commit is one row then. Which alerts gather is laid down in `gathering`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from ..alerts import cases
from ..alerts.cases import Action, Alerted, State, difference, happened
from ..alerts.desk import Policy
from ..alerts.document import laid
from ..detect.finding import SEVERITIES
from ..problem import Problem
from ..store.alerts import AlertStore, Commit
from ..store.cases import Entry, NewState
from .gathering import Gatherer

__all__ = ["OURS", "Caseload", "act", "packed"]

OURS = "pluginhost"
"""Who changed what no person did."""

_state = msgspec.json.Decoder(State).decode


class Caseload:
    """For the alerts of these `groups`, and whatever they touch. `now` is the desk's clock in ns."""

    def __init__(self, store: AlertStore, policy: Policy, groups: Iterable[str], *, now: int) -> None:
        self._store, self._outputs, self._now = store, policy.states, now
        self._states: dict[str, State | None] = {}
        self._changed: set[str] = set()
        self._entries: list[Entry] = []
        self._floor: int | None = None
        self.incidents = Gatherer(store, policy.incidents, self, now)
        self.load(frozenset(groups))

    def load(self, groups: Collection[str]) -> None:
        """Gets the states of these groups, unless they are here already."""
        if wanted := [print_ for print_ in groups if print_ not in self._states]:
            self._states |= dict.fromkeys(wanted)
            self._states |= {print_: _state(state) for print_, state in self._store.cases.get(wanted).items()}

    def state(self, group: str) -> State | None:
        """The group's state as it is by now."""
        self.load((group,))
        return self._states[group]

    def take(self, alert: Alerted, document: dict[str, Any]) -> dict[str, Any]:
        """Reckons with an alert; its document, with the incident that it is in, if it is."""
        before = self.state(alert.fingerprint)
        after = cases.alerted(before, alert, self._now, 0 if before else self._lowest())
        if after is None:
            return document
        self._keep(after)
        if action := happened(before, after):
            self._log(before, after, "condition" if alert.ended else OURS, action)
        number = 0 if alert.suppressed or alert.ended else self.incidents.take(alert, after, document)
        return laid(document, ("pluginhost",), {"incident": number}) if number else document

    def _lowest(self) -> int:
        if self._floor is None:
            self._floor = self._store.cases.floor()
        return self._floor

    def name(self, group: str, entities: Iterable[str], most: int) -> None:
        """Notes what an alert of a group speaks of; of many the latest."""
        if (state := self.state(group)) is None:
            return
        named = tuple(dict.fromkeys((*state.entities, *entities)))[-most:]
        if named != state.entities:
            self._keep(msgspec.structs.replace(state, entities=named))

    def join(self, group: str, incident: int, by: str) -> None:
        """Has a group in an incident; `by` says why."""
        if (before := self.state(group)) is not None:
            after = cases.joined(before, incident, self._now)
            self._keep(after)
            self._log(before, after, OURS, "joined", by)

    def act(self, group: str, action: Action) -> None:
        """Does to a group what somebody wants done; `Problem` if that cannot be."""
        before = self.state(group)
        if before is None:
            raise Problem("case.unknown", f"the alerts of group {group[:12]} were told to nobody, or it is forgotten: it has no state",
                          still="nothing was changed", todo="see what there is to do: pluginhost alerts open")  # fmt: skip
        after = cases.changed(before, action, self._now)
        if after is not before:
            self._keep(after)
            self._log(before, after, action.by, action.name, action.note)

    def _keep(self, state: State) -> None:
        self._states[state.fingerprint] = state
        self._changed.add(state.fingerprint)

    def _log(self, before: State | None, after: State, by: str, action: str, note: str = "") -> None:
        self.log(Entry(after.fingerprint, after.incident, self._now, by, action, packed(difference(before, after)), note))

    def log(self, entry: Entry) -> None:
        """Adds to the trail."""
        self._entries.append(entry)

    def write(self) -> None:
        """Has the store keep everything that has changed."""
        changed = sorted(self._changed)
        self._store.cases.put([_new(state) for print_ in changed if (state := self._states[print_])], self._now)
        self._store.states.add(changed, self._outputs)
        self.incidents.write()
        self._store.cases.log(self._entries)
        self._changed, self._entries = set(), []


def act(store: AlertStore, policy: Policy, action: Action, groups: Sequence[str], incidents: Sequence[int], now: int) -> list[str]:
    """Does to groups and incidents what somebody wants done, all of it or, where something cannot be, nothing. In the desk's thread.

    The fingerprints of the groups that were meant: with an incident that is resolved all of its groups are.
    """
    action = cases.checked(action)
    with store.turn():
        load = Caseload(store, policy, groups, now=now)
        meant = [*groups, *(print_ for number in incidents for print_ in load.incidents.act(number, action))]
        for print_ in groups:
            load.act(print_, action)
        load.write()
        store.commit(Commit())
    return meant


def _new(state: State) -> NewState:
    rank = SEVERITIES.get(state.severity, 0)
    return NewState(state.fingerprint, state.revision, state.status, rank, state.assignee, state.last, state.resolved, state.alert,
                    packed(state))  # fmt: skip


packed = msgspec.json.Encoder().encode
"""As it is kept."""
