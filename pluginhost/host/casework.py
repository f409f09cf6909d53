"""States of alerts and incidents for whoever asks, and what the command line may have done to them: calls of `control.sock`.

The functions read an archive, be it the host's store or a file that no host has open; the calls are `Casework`'s. An id names an alert's
group: that of an alert, or the group's own fingerprint; its first characters do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..alerts.cases import Action, State
from ..alerts.incidents import Incident
from ..problem import Problem
from ..store.alerts import Archive
from ..store.cases import Entry
from ..wire.times import parse

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Casework", "case_of", "incident_of", "incidents_of", "meant", "states_of", "to_do"]

_IDS = 500  # of one action
_ALERTS, _OF_ONE = 300, 20  # of an incident's time line, and of one group in it


def states_of(archive: Archive, groups: Collection[str]) -> dict[str, dict[str, Any]]:
    """The states of those groups that have one, as plain data."""
    return {print_: _plain(state, State) for print_, state in archive.cases.get(groups).items()}


def to_do(archive: Archive, limit: int, assignee: str | None = None) -> list[dict[str, Any]]:
    """The states that are not resolved, the gravest first."""
    return [_plain(state, State) for state in archive.cases.to_do(limit, assignee)]


def case_of(archive: Archive, group: str, alert: str = "") -> dict[str, Any]:
    """What is known of a group: its state (None: it has none), its history from the oldest entry on, where the alert waits or is dead."""
    return {"state": states_of(archive, [group]).get(group), "history": [*map(_entry, archive.cases.history(group))],
            "fates": [msgspec.structs.asdict(one) for one in archive.cases.fates(alert)]}  # fmt: skip


def incidents_of(archive: Archive, limit: int, every: bool = False) -> list[dict[str, Any]]:
    """Incidents that are not resolved, or all, the one with the latest alert first."""
    return [_plain(incident, Incident) for incident in archive.incidents.list(limit, every=every)]


def incident_of(archive: Archive, number: int) -> dict[str, Any]:
    """An incident, the states of its groups, and its time line, the oldest first: the trail, and the latest alerts of its groups."""
    found = archive.incidents.get(number)
    if found is None:
        raise Problem("incident.unknown", f"there is no incident {number}", todo="see which there are: pluginhost incidents list --all")
    groups = archive.incidents.groups(number)
    told = [{"at": parse(made) or 0, "alert": id_, "severity": severity, "analyzer": analyzer, "headline": headline}
            for print_ in groups for made, id_, severity, analyzer, headline in archive.cases.told(print_, _OF_ONE)]  # fmt: skip
    told = sorted(told, key=lambda one: (one["at"], one["alert"]))[-_ALERTS:]
    entries = [*map(_entry, archive.cases.timeline(number))]
    states = sorted(states_of(archive, groups).values(), key=lambda one: (one["first"], one["fingerprint"]))
    return {"incident": _plain(found, Incident), "groups": states, "timeline": sorted([*told, *entries], key=lambda one: one["at"])}


def meant(archive: Archive, ids: Iterable[str]) -> list[str]:
    """The groups that these ids name, each once; `Problem` if one names none, or several."""
    return list(dict.fromkeys(_group(archive, one) for one in ids))


def _group(archive: Archive, id_: str) -> str:
    alert = archive.get(id_) if id_ else None
    if alert is not None:
        return alert.fingerprint
    found = archive.cases.found(id_) if id_ else []
    if len(found) != 1:
        raise Problem("alert.unknown", f"there is no alert {id_}", still="nothing was changed")
    return found[0]


def _plain(packed: bytes, kind: type[State | Incident]) -> dict[str, Any]:
    """Every field, those left out when it was kept as well."""
    return msgspec.structs.asdict(msgspec.json.decode(packed, type=kind))


def _entry(one: Entry) -> dict[str, Any]:
    return {**msgspec.structs.asdict(one), "what": msgspec.json.decode(one.what)}


class Casework:
    """Answers for one host; each public method is a call."""

    def __init__(self, host: Host) -> None:
        self._host, self._store, self._within = host, host.store, host.desk.within

    async def to_do(self, limit: int = 200, assignee: str | None = None) -> AsyncIterator[Any]:
        """The groups that are not resolved, the gravest first."""
        for one in await self._within(to_do, self._store, limit, assignee):
            yield one

    async def case(self, group: str, alert: str = "") -> AsyncIterator[Any]:
        """What is known of a group, by its fingerprint; see `case_of`."""
        yield await self._within(case_of, self._store, group, alert)

    async def case_act(self, ids: Sequence[str], action: str, **given: Any) -> AsyncIterator[Any]:
        """Does something to the groups that ids name, to all or to none; gives their states then. What is `given` is `Action`'s."""
        groups = await self._within(meant, self._store, [str(one) for one in ids[:_IDS]])
        await self._host.desk.act(_action(action, given), groups=groups)
        states = await self._within(states_of, self._store, groups)
        for one in groups:
            yield states[one]

    async def incidents(self, limit: int = 50, every: bool = False) -> AsyncIterator[Any]:
        """Incidents, the one with the latest alert first."""
        for one in await self._within(incidents_of, self._store, limit, every):
            yield one

    async def incident(self, number: int) -> AsyncIterator[Any]:
        """One incident whole; see `incident_of`."""
        yield await self._within(incident_of, self._store, number)

    async def incident_act(self, numbers: Sequence[int], action: str, **given: Any) -> AsyncIterator[Any]:
        """Does something to incidents, to all or to none; gives them then. Resolving one resolves its groups."""
        await self._host.desk.act(_action(action, given), incidents=list(dict.fromkeys(numbers[:_IDS])))
        for number in dict.fromkeys(numbers[:_IDS]):
            yield (await self._within(incident_of, self._store, number))["incident"]


def _action(name: str, given: dict[str, Any]) -> Action:
    return msgspec.convert({**given, "name": name}, Action)
