"""Whether the detection rule for Elastic Security and the monitor for OpenSearch are ones that these take, and about our alerts.

Only what we use of their forms is known here. Both are shipped switched off: who switches them on has seen them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ... import kql
from .asking import Named, of_body, of_query
from .mapping import kind_of, unfit
from .shapes import Misshapen, Shape, shaped

__all__ = ["monitor_problems", "rule_problems"]

_SEVERITIES = {"low": "21", "medium": "47", "high": "73", "critical": "99"}
"""What `event.severity` says in Elastic's own rules; any other number would be shown as medium."""

Severity = Literal["low", "medium", "high", "critical"]
Span = Annotated[str, Meta(pattern=r"^[1-9][0-9]*[smh]$")]


# The rule.

class SeverityOf(Shape, frozen=True):
    """The severity of alerts that have this value."""

    field: str
    operator: Literal["equals"]
    severity: Severity
    value: str


class RiskOf(Shape, frozen=True):
    """The field that says the risk."""

    field: str
    operator: Literal["equals"]
    value: Literal[""]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule that makes alerts of what its query finds."""

    rule_id: Annotated[str, Meta(min_length=1)]
    type: Literal["query"]
    name: Annotated[str, Meta(min_length=1)]
    description: str
    index: Annotated[list[str], Meta(min_length=1)]
    language: Literal["kuery"]
    query: Annotated[str, Meta(min_length=1)]
    from_: Annotated[str, Meta(pattern=r"^now-[1-9][0-9]*[smh]$")] = msgspec.field(name="from")
    to: Literal["now"] = "now"
    interval: Span
    max_signals: Annotated[int, Meta(ge=1, le=1000)] = 100
    risk_score: Annotated[int, Meta(ge=0, le=100)]
    risk_score_mapping: tuple[RiskOf, ...] = ()
    severity: Severity
    severity_mapping: tuple[SeverityOf, ...] = ()
    rule_name_override: str = ""
    timestamp_override: str = ""
    tags: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    threat: tuple[dict[str, Any], ...] = ()
    enabled: bool
    version: Annotated[int, Meta(ge=1)] = 1


def rule_problems(text: str) -> list[str]:
    """What is wrong with a file of one detection rule, a line each."""
    return list(_said("rule", _rule, text))


def _rule(value: Any) -> Iterator[Named]:
    rule: Rule = shaped(Rule, value, "")
    yield from _off(rule.enabled)
    yield from _ours(rule.index, "index")
    try:
        yield from (Named("query", field, "something there") for field in sorted(kql.fields(rule.query)))
    except kql.KqlError as error:
        yield Named("query", wrong=f"cannot be read as KQL: {error}")
    yield from (Named("risk_score_mapping", each.field, "number") for each in rule.risk_score_mapping)
    yield from (Named("severity_mapping", each.field, "values") for each in rule.severity_mapping)
    if (given := {each.severity: each.value for each in rule.severity_mapping}) != _SEVERITIES:
        yield Named("severity_mapping", wrong=f"is {given}, not {_SEVERITIES}")
    if rule.rule_name_override:
        yield Named("rule_name_override", rule.rule_name_override, "text")
    if rule.timestamp_override:
        yield Named("timestamp_override", rule.timestamp_override, "date")


# The monitor.

class Period(Shape, frozen=True):
    """So often."""

    interval: Annotated[int, Meta(ge=1)]
    unit: Literal["MINUTES", "HOURS", "DAYS"]


class Schedule(Shape, frozen=True):
    """When it looks."""

    period: Period


class Looking(Shape, frozen=True):
    """Where it looks, and for what."""

    indices: Annotated[list[str], Meta(min_length=1)]
    query: dict[str, Any]


class Input(Shape, frozen=True):
    """What it looks at."""

    search: Looking


class Script(Shape, frozen=True):
    """A condition on what was found."""

    source: Annotated[str, Meta(min_length=1)]
    lang: Literal["painless"]


class Condition(Shape, frozen=True):
    """When it fires."""

    script: Script


class Fired(Shape, frozen=True):
    """What happens then; `severity` 1 is the gravest."""

    name: str
    severity: Literal["1", "2", "3", "4", "5"]
    condition: Condition
    actions: list[dict[str, Any]]
    id: str = ""


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it fires, and what happens then."""

    query_level_trigger: Fired


class Monitor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that looks into the cluster by itself."""

    type: Literal["monitor"]
    name: Annotated[str, Meta(min_length=1)]
    monitor_type: Literal["query_level_monitor"]
    enabled: bool
    schedule: Schedule
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=1)]
    triggers: Annotated[list[Trigger], Meta(min_length=1, max_length=10)]


def monitor_problems(text: str) -> list[str]:
    """What is wrong with a file of one monitor, a line each."""
    return list(_said("monitor", _monitor, text))


def _monitor(value: Any) -> Iterator[Named]:
    monitor: Monitor = shaped(Monitor, value, "")
    yield from _off(monitor.enabled)
    looking = monitor.inputs[0].search
    yield from _ours(looking.indices, "inputs[0].search.indices")
    yield from of_body(looking.query, "inputs[0].search.query")
    if not list(of_query(looking.query.get("query"), "")):
        yield Named("inputs[0].search.query.query", wrong="asks for no field: everything would fire it")


# What both have in common.

def _off(enabled: bool) -> Iterator[Named]:
    if enabled:
        yield Named("enabled", wrong="is true: it would begin without having been looked at")


def _ours(indices: list[str], path: str) -> Iterator[Named]:
    for one in indices:
        if kind_of(one) != "alerts":
            yield Named(path, wrong=f"{one!r} is not where our alerts are")


def _said(name: str, reader: Any, text: str) -> Iterator[str]:
    try:
        for one in reader(msgspec.json.decode(text)):
            if wrong := one.wrong or unfit("alerts", one.field, one.need):
                yield f"{name} {one.path}: {wrong}"
    except msgspec.DecodeError as error:
        yield f"{name}: no JSON: {error}"
    except Misshapen as error:
        yield f"{name} {error}"
