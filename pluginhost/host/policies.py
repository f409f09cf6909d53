"""What `pluginhost.yaml` may say about alerts: whom nobody is told of, how often people hear of a group, who is told when, how risk is
reckoned; and what the desk goes by, made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ..alerts import calendar, grouping, suppression, telling
from ..alerts import risk as risks
from ..alerts.risk import LEVELS
from ..alerts.scope import Scope
from ..events.references import KINDS
from ..match.tree import Test
from ..options import Duration, doc

__all__ = ["Aggregate", "During", "Grouping", "Hours", "Limit", "Risk", "RiskLevels", "RiskWeights", "Suppression", "Terms", "Threshold",
           "Vip", "audience", "groups", "scale", "suppress", "vip"]  # fmt: skip

Query = Callable[[str], Test | None]
"""What a query of the configuration tests; None if it is empty."""

_ZONE = Annotated[str, doc("the time zone, such as `Europe/Berlin`")]


class During(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to", "span": "for"}):
    """When a rule holds: between two moments, or at hours of the week, or for a while after each time of a schedule."""

    since: Annotated[str, doc("a moment such as `2026-03-01T22:00Z`; with `days`, a time of the day such as `08:00`")] = ""
    until: Annotated[str, doc("the moment, or time of the day, at which it ends")] = ""
    days: Annotated[str, doc("days of the week, such as `mon-fri` or `sat,sun`")] = ""
    schedule: Annotated[str, doc("when it begins, as a cron expression of five fields")] = ""
    span: Annotated[Duration | None, doc("how long it lasts from each time of `schedule` on")] = None
    zone: _ZONE = "UTC"


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that are told to nobody: stored, with this and every other reason. All that it says must hold; it must say something."""

    name: Annotated[str, doc("the reason in a word, as it stands in the alert", pattern="^[a-z][a-z0-9_]{0,39}$")]
    when: Annotated[str, doc("a query over the alert's fields, such as `source.ip:\"10.0.0.0/8\"`; default: every alert")] = ""
    analyzers: Annotated[tuple[str, ...], doc("only alerts of these analyzers, `*` for any part of a name")] = ()
    during: Annotated[tuple[During, ...], doc("only at one of these times: maintenance; by the alert's event time")] = ()
    list: Annotated[str, doc("only alerts with a value of `field` in this list of `lists`: an allow list")] = ""
    field: Annotated[str, doc("the field that is looked up in `list`")] = "source.ip"
    below_risk: Annotated[
        Literal["", "low", "medium", "high", "critical"],
        doc("only while the risk of the alert's user, this alert counted, is below this level"),
    ] = ""
    reason: Annotated[str, doc("why, for people")] = ""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings of a group are worth an alert."""

    count: Annotated[int, doc("so many", ge=1, le=100_000)]
    within: Annotated[Duration, doc("within so long of the first; then it begins anew", gt=0)]
    distinct: Annotated[str, doc("count the different values of this field, at most 1,000, in place of findings")] = ""


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """How often people hear of the same group (a rule and its key). The first entry that means an alert holds for it."""

    when: Annotated[str, doc("a query over the alert's fields; default: every alert")] = ""
    analyzers: Annotated[tuple[str, ...], doc("only alerts of these analyzers, `*` for any part of a name")] = ()
    threshold: Annotated[Threshold | None, doc("how many findings are worth an alert")] = None
    realert: Annotated[Duration, doc("nobody is told of the group again for so long, unless it became graver; `0`: always")] = Duration(0)
    realert_most: Annotated[Duration, doc("each alert soon after that doubles it, up to this; `0`: it stays")] = Duration(0)
    resolve_after: Annotated[Duration, doc("the group is over when nothing came for so long, and is told to be; `0`: never")] = Duration(0)


class Vip(msgspec.Struct, frozen=True, kw_only=True):
    """Whose alerts say `pluginhost.alert.vip: true`, for queries."""

    field: Annotated[str, doc("the field that names them")] = "user.name"
    names: Annotated[tuple[str, ...], doc("who they are, in any case")] = ()
    list: Annotated[str, doc("a list of `lists` that has them")] = ""


class Hours(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """When people are told, by the clock."""

    days: Annotated[str, doc("days of the week, such as `mon-fri` or `sat,sun`")] = "mon-sun"
    start: Annotated[str, doc("from this time of the day")] = "00:00"
    end: Annotated[str, doc("to this one; if it lies before, that of the next day")] = "00:00"
    zone: _ZONE = "UTC"
    outside: Annotated[
        Literal["skip", "hold"], doc("what comes at other hours is not told here, or is told when they begin, as a digest")
    ] = "skip"


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts are gathered and told as one digest."""

    every: Annotated[Duration, doc("so long after the first of them")] = Duration(0)
    schedule: Annotated[str, doc("or at the times of this cron expression of five fields, such as `0 9 * * mon-fri`")] = ""
    zone: _ZONE = "UTC"
    by: Annotated[tuple[str, ...], doc("apart by the values of these fields")] = ()
    table: Annotated[tuple[str, ...], doc("the fields whose values the digest counts in a table")] = ()


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The most messages; what is more is gathered into a digest that is told when there is room again."""

    most: Annotated[int, doc("so many; `0`: no bound", ge=0, le=10_000)] = 20
    per: Annotated[Duration, doc("in any time as long as this", gt=0)] = Duration(60)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an output that tells people can say beside what every output can."""

    hours: Annotated[Hours | None, doc("when people are told")] = None
    aggregate: Annotated[Aggregate | None, doc("whether alerts are gathered")] = None
    limit: Annotated[Limit, doc("the most messages")] = Limit()
    resolved: Annotated[bool, doc("whether it is also told that a condition is over")] = False


class RiskWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert adds to the risk of its user, host and address, by severity."""

    low: Annotated[float, doc("of an alert of low severity", ge=0, le=1e6)] = 1.0
    medium: Annotated[float, doc("of medium", ge=0, le=1e6)] = 4.0
    high: Annotated[float, doc("of high", ge=0, le=1e6)] = 10.0
    critical: Annotated[float, doc("of critical", ge=0, le=1e6)] = 20.0


class RiskLevels(msgspec.Struct, frozen=True, kw_only=True):
    """The least score of each level, rising; below the first it is `no_risk`."""

    low: Annotated[float, doc("of `low`", gt=0)] = 0.5
    medium: Annotated[float, doc("of `medium`", gt=0)] = 20.0
    high: Annotated[float, doc("of `high`", gt=0)] = 40.0
    critical: Annotated[float, doc("of `critical`", gt=0)] = 80.0


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """How risky users, hosts and addresses have become: the weights of their alerts, added up and fading."""

    half_life: Annotated[Duration, doc("after this time an alert weighs half", gt=0)] = Duration(14 * 86400)
    weights: Annotated[RiskWeights, doc("what an alert weighs")] = RiskWeights()
    levels: Annotated[RiskLevels, doc("from which score on a level holds")] = RiskLevels()
    alert_from: Annotated[
        Literal["low", "medium", "high", "critical", "never"], doc("a user whose level rises to this one, or above, is an alert")
    ] = "medium"
    entities: Annotated[int, doc("how many are remembered; the one without alerts longest goes; 0: no risk is reckoned", ge=0)] = 100_000


def scale(risk: Risk) -> risks.Scale | None:
    """How risk is reckoned; None: not at all. `ValueError` if that cannot be."""
    if any(lower >= higher for lower, higher in pairwise(msgspec.structs.astuple(risk.levels))):
        raise ValueError(".levels: each is higher than the one before")
    if not risk.entities:
        return None
    weights, cuts = msgspec.structs.asdict(risk.weights), msgspec.structs.astuple(risk.levels)
    return risks.Scale(half_life=risk.half_life.ns, weights=weights, cuts=cuts,
                       alert_from=risk.alert_from if risk.alert_from in LEVELS else None, most=risk.entities)  # fmt: skip


def suppress(one: Suppression, test: Test | None, lists: Mapping[str, Any], risk: Risk) -> suppression.Suppress:
    """The rule; `ValueError` if it cannot hold, or holds for every alert there is."""
    if not (one.when or one.analyzers or one.during or one.list or one.below_risk):
        raise ValueError(" would suppress every alert; give `when`, `analyzers`, `during`, `list` or `below_risk`")
    _known(one.list, lists)
    if one.below_risk and not risk.entities:
        raise ValueError(".below_risk: no risk is reckoned; set `risk.entities`")
    during = []
    for index, span in enumerate(one.during):
        try:
            during.append(_during(span))
        except ValueError as error:
            raise ValueError(f".during[{index}]: {error}") from None
    return suppression.Suppress(one.name, Scope(test, one.analyzers), tuple(during), one.list, one.field, one.below_risk)


def groups(one: Grouping, test: Test | None) -> grouping.Grouping:
    """What holds for the groups that it means; `ValueError` if that cannot be."""
    least = one.threshold
    if least and least.distinct and least.count > grouping.VALUES:
        raise ValueError(f".threshold.count: at most {grouping.VALUES} different values are told apart")
    if one.realert_most and not 0 < one.realert <= one.realert_most:
        raise ValueError(".realert_most: is what `realert` grows to: give one, and no more than this")
    threshold = grouping.Threshold(least.count, least.within.ns, least.distinct) if least else None
    return grouping.Grouping(Scope(test, one.analyzers), threshold, one.realert.ns, one.realert_most.ns, one.resolve_after.ns)


def vip(one: Vip, lists: Mapping[str, Any]) -> suppression.Vip | None:
    """Who is one; None: nobody. `ValueError` for a list that is not there."""
    _known(one.list, lists)
    found = suppression.Vip(one.field, frozenset(name.casefold() for name in one.names), one.list)
    return found if one.names or one.list else None


def audience(output: str, terms: Terms) -> telling.Audience:
    """The terms of an output that tells people; `ValueError` if they cannot be kept."""
    open_, gather = terms.hours, terms.aggregate
    hours = _at(".hours", lambda: _hours(open_.days, open_.start, open_.end, open_.zone)) if open_ else None
    gathered = _at(".aggregate", lambda: _gather(gather)) if gather else None
    limit = telling.Limit(terms.limit.most, terms.limit.per.ns) if terms.limit.most else None
    return telling.Audience(output, hours, open_ is not None and open_.outside == "hold", gathered, limit, terms.resolved)


def _gather(given: Aggregate) -> telling.Gather:
    if bool(given.every) == bool(given.schedule):
        raise ValueError("give `every` or `schedule`")
    schedule = calendar.Schedule(given.schedule, _zone(given.zone)) if given.schedule else None
    return telling.Gather(given.every.ns, schedule, given.by, given.table)


def _at(where: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _known(name: str, lists: Mapping[str, Any]) -> None:
    if name and name not in lists:
        raise ValueError(f".list: there is no list `{name}` in `lists`")
    if name and lists[name].kind not in KINDS:
        raise ValueError(f".list: `{name}` is no list")


def _during(given: During) -> calendar.When:
    if given.span and not given.schedule:
        raise ValueError("`for` needs `schedule`")
    if given.schedule:
        if not given.span:
            raise ValueError("`schedule` needs `for`")
        if given.days or given.since or given.until:
            raise ValueError("`schedule` and `for` say all of it: no `days`, `from` or `to`")
        return calendar.Schedule(given.schedule, _zone(given.zone), given.span.ns)
    if given.days:
        return _hours(given.days, given.since or "00:00", given.until or "00:00", given.zone)
    if not given.since and not given.until:
        raise ValueError("give `from` and `to`, `days`, or `schedule` and `for`")
    span = calendar.Span(**{name: _moment(told, given.zone) for name, told in (("since", given.since), ("until", given.until)) if told})
    if span.until <= span.since:
        raise ValueError("`to` lies before `from`")
    return span


def _hours(days: str, start: str, end: str, zone: str) -> calendar.Hours:
    return calendar.Hours(_days(days), _time(start), _time(end), _zone(zone))


def _days(told: str) -> frozenset[int]:
    found: set[int] = set()
    for part in told.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in calendar.DAYS or (last or first) not in calendar.DAYS:
            raise ValueError(f"`{told}` are no days; write `mon-fri` or `sat,sun`")
        begin, end = calendar.DAYS.index(first), calendar.DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return frozenset(found)


def _time(told: str) -> time:
    try:
        made = time() if told == "24:00" else time.fromisoformat(told)
    except ValueError:
        made = None
    if made is None or made.tzinfo is not None:
        raise ValueError(f"`{told}` is no time of the day; write `08:00`")
    return made


def _moment(told: str, zone: str) -> int:
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise ValueError(f"`{told}` is no moment; write `2026-03-01T22:00Z`") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))
    return int(moment.astimezone(UTC).timestamp() * 1e3) * 10**6


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone `{name}`") from None
