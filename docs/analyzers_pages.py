"""Writes docs/analyzers.md and a page for each file of shipped analyzers: `python docs/analyzers_pages.py`, or `main()` from elsewhere.

Everything is read from the declarations, and what an analyzer tells from its own examples: they are run through the production pipeline,
and the first alert is shown as `pluginhost alerts show` prints it. Which kinds of records feed an analyzer is tried with the examples of
the mappings.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from pluginhost import shipped_analyzers
from pluginhost.cli.alerts.looking import flat
from pluginhost.cli.common import alert_line
from pluginhost.detect.declaration import Example
from pluginhost.detect.finding import SEVERITIES
from pluginhost.detect.state import State
from pluginhost.engine.gate import START, loaded, played
from pluginhost.engine.generations import used
from pluginhost.engine.items import Finding
from pluginhost.engine.loader import bundle, is_analyzer_file
from pluginhost.engine.parts import mappings
from pluginhost.engine.unit import Unit
from pluginhost.events.event import Event
from pluginhost.events.slice import Slice
from pluginhost.match.tree import fields as fields_of
from pluginhost.options import Duration, describe

__all__ = ["FAMILIES", "main", "page", "pages"]

DOCS = Path(__file__).parent
FAMILIES: dict[str, tuple[str, ...]] = {
    "Logins": ("anonymous_ip", "geoprofile", "impossible_travel", "login_bruteforce", "login_hours", "mfa_fail_open", "mfa_fatigue",
               "new_country", "new_device", "password_spraying", "ssh_bruteforce", "stale_account"),
    "Web": ("proxy_drops", "user_agents", "visits", "waf", "web_rates", "web_scanners", "web_signatures"),
    "Generic, by configuration": ("rare_value", "new_value", "count_anomaly", "numeric_anomaly", "list_hit"),
}  # fmt: skip
"""The files of each family, by name; what is not named belongs to `_OTHERS`."""

_OTHERS = "Hosts, accounts and networks"
_ORDER = ("Logins", "Web", _OTHERS, "Generic, by configuration")
_ATTACK = "https://attack.mitre.org/techniques/"
_OUT = ("pluginhost.record.", "observer.", "rule.description", "event.original", "ecs.version")
_PLACES = ("source.geo.", "source.as.", "destination.geo.", "destination.as.")
_LONGEST = 160
_KNOWN = mappings()
_SHOWN = 4  # records of an example, of those that differ
_HEAD = """# The shipped analyzers

{count} analyzers in {files} files. All run as soon as records come that they can judge, but for the generic ones, which run under the
names that your configuration gives them ([generic detectors](generic-detectors.md)). A page tells what an analyzer does, what it can be
told, what it remembers, which records feed it, and shows an alert of one of its own examples.

`analyzers: [shipped]` in the configuration takes all of them (the default); `options` sets their options by name; `pluginhost list` shows
what runs. In the column "needs", places are a [database of places](enrichment.md#places), unless the records name them. This page and those
below are made from the source by `docs/analyzers_pages.py`.
"""


def page(file: Path) -> str:
    """The page of one file of analyzers."""
    units = _units(file)
    head = f"# {file.stem}\n\nFile: `analyzers/{file.name}`. All analyzers: [the table](../analyzers.md).\n"
    return "\n".join([head, *(_section(unit, len(units) > 1) for unit in units)]).rstrip() + "\n"


def pages() -> dict[Path, str]:
    """Every page by its path."""
    files = _files()
    made = {DOCS / "analyzers" / f"{file.stem}.md": page(file) for file in files}
    return {DOCS / "analyzers.md": _table_of_all(files), **made}


def main() -> None:
    """Writes what differs, takes away pages of files that are gone, and says so."""
    made = pages()
    (DOCS / "analyzers").mkdir(exist_ok=True)
    for file in set((DOCS / "analyzers").glob("*.md")) - made.keys():
        file.unlink()
        sys.stdout.write(f"removed {file}\n")
    for file, text in made.items():
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {file}\n")


# --- what there is ---


def _files() -> list[Path]:
    return [file for file in sorted(shipped_analyzers().glob("*.py")) if is_analyzer_file(file)]


@cache
def _units(file: Path) -> tuple[Unit, ...]:
    """The analyzers of a file, by their place in it; templates are among them."""
    return tuple(sorted(chain(*loaded(bundle(file), {})), key=lambda unit: unit.analyzer.place.line))


@cache
def _told(unit: Unit) -> tuple[tuple[Example, tuple[Finding, ...]], ...]:
    """Each example that must fire, with what comes of it."""
    return tuple((one, tuple(_findings(unit, one))) for one in unit.analyzer.examples if one.want == "fires")


def _findings(unit: Unit, example: Example) -> list[Finding]:
    name, told = _configured(unit, example)
    fresh = used(unit.analyzer, name, told, unit.rule.ruleset, unit.sources, unit.options)
    return played(fresh, example, _KNOWN).findings


def _configured(unit: Unit, example: Example) -> tuple[str, dict[str, Any]]:
    """(the name, what stands under it in the configuration) of the analyzer as the example has it."""
    if unit.analyzer.declared.template:
        return f"my_{unit.name}", {"use": unit.name, **example.options}
    return unit.name, dict(example.options)


def _documents(unit: Unit) -> list[dict[str, Any]]:
    return [msgspec.json.decode(finding.document) for _, found in _told(unit) for finding in found]


def _severities(unit: Unit) -> list[str]:
    return sorted({one["log"]["level"] for one in _documents(unit)}, key=SEVERITIES.__getitem__)


def _techniques(unit: Unit) -> list[str]:
    return sorted({name for one in _documents(unit) for name in one.get("threat", {}).get("technique", {}).get("id", ())})


def _needs(unit: Unit) -> list[str]:
    """What a record must have beside being of the right category, and what makes it more telling."""
    where = fields_of(unit.where) if unit.where is not None else set()
    asked = [*unit.key, *sorted(where - {"event.category", "event.type", "event.outcome", "event.action", "*"})]
    places = any(name.startswith(_PLACES) for name in {*where, *unit.named})
    return [*(f"`{name}`" for name in dict.fromkeys(asked) if name and not name.startswith("\0")), *(["places"] if places else [])]


@cache
def _records() -> tuple[Event, ...]:
    """The examples of all mappings, as events."""
    told = [(one.tag, {"message": one.record} if isinstance(one.record, str) else one.record) for kind in _KNOWN for one in kind.examples]
    return tuple(Event(Slice(0, 0, START, START, tag, "json", msgspec.json.encode(record)), _KNOWN) for tag, record in told)


def _fed_by(unit: Unit) -> list[str]:
    """The mappings of which an example comes to the analyzer and has its key."""
    fits = unit.predicate or (lambda event: True)
    return sorted({event.mapping for event in _records() if event.mapping and unit.wants(event.tag) and fits(event)
                   and all(event.get(name) is not None for name in unit.key)})  # fmt: skip


# --- how it is shown ---


def _table_of_all(files: list[Path]) -> str:
    named = {name: family for family, names in FAMILIES.items() for name in names}
    made = [_HEAD.format(count=sum(len(_units(file)) for file in files), files=len(files))]
    for family in _ORDER:
        units = [(file, unit) for file in files if named.get(file.stem, _OTHERS) == family for unit in _units(file)]
        made.append(f"## {family}\n\n{_table(('analyzer', 'what', 'severity', 'technique', 'needs'), (_row(*one) for one in units))}")
    return "\n".join(made).rstrip() + "\n"


def _row(file: Path, unit: Unit) -> tuple[str, ...]:
    at = f"analyzers/{file.stem}.md" + (f"#{unit.name}" if len(_units(file)) > 1 else "")
    cells = (_severities(unit), [_attack(name) for name in _techniques(unit)], _needs(unit))
    return (f"[{unit.name}]({at})", unit.analyzer.title, *(", ".join(cell) or "–" for cell in cells))


def _attack(name: str) -> str:
    return f"[{name}]({_ATTACK}{name.replace('.', '/')}/)"


def _section(unit: Unit, named: bool) -> str:
    declared = unit.analyzer.declared
    key = " + ".join(f"`{name}`" for name in unit.key) or ("one state for all records" if unit.pinned and unit.stateful else "none")
    facts = [("looks at", f"`{declared.where}`" if declared.where else "every record"), ("key", key)]
    facts += [("tags", ", ".join(f"`{tag}`" for tag in declared.tags))] if declared.tags else []
    facts += [("alerts are about", " + ".join(f"`{name}`" for name in unit.group))] if unit.group != unit.key else []
    facts += [("technique", ", ".join(map(_attack, found)))] if (found := _techniques(unit)) else []
    facts += [("severity", ", ".join(found))] if (found := _severities(unit)) else []
    if declared.template:
        facts[:2] = [("looks at", "as configured: `where`, `tags`"), ("key", "as configured; default: none")]
    else:
        feeding = ", ".join(f"`{name}`" for name in _fed_by(unit))
        facts.append(("fed by", feeding or "records in ECS's own names; no example of a [mapping](../mappings.md) comes to it"))
    head, deeper = ([f"## {unit.name}\n"], "###") if named else ([], "##")
    return "\n".join([*head, f"{_doc(unit)}\n", _table(("", ""), facts), *_options(unit), *_states(unit), *_example(unit, deeper)])


def _doc(unit: Unit) -> str:
    """The docstring; where it points at a page of docs/, from one folder below."""
    return re.sub(r"\]\((?=[\w-]+\.md)", "](../", unit.analyzer.doc)


def _options(unit: Unit) -> list[str]:
    options = unit.analyzer.options
    if not options:
        return []
    kinds = [(name, one.kind) if one.default is ... else (name, one.kind, _default(one.default)) for name, one in options.items()]
    made = describe(msgspec.defstruct("Options", kinds, kw_only=True))
    told = [(f"`{name}`", kind, shown if shown == "required" else f"`{shown}`") for name, kind, shown, _ in made]
    return [_table(("option", "type", "default"), told)]


def _default(value: Any) -> Any:
    return msgspec.field(default_factory=lambda: value) if isinstance(value, (list, dict, set)) else value


def _states(unit: Unit) -> list[str]:
    analyzer = unit.analyzer
    told = [(f"`{name}`", _state(state)) for name, state in sorted(analyzer.states.items())]
    told += [(f"`{name}`", f"[Table](../toolbox.md#table) `{table.name}`, each entry for {Duration(table.expire / 1e9)}")
             for name, table in analyzer.tables.items()]
    if not told:
        return []
    most = f"\nAt most {unit.most:,} keys are remembered; the one idle longest goes first.\n" if analyzer.states and unit.key else ""
    return [_table(("remembers", "as"), told) + most]


def _state(state: State) -> str:
    """The kind and bounds of a state; what its fields hold as spans of time is written as such."""
    kind = type(state).__name__
    bounds = {field.name: _bound(getattr(state, field.name), field.type) for field in msgspec.structs.fields(state)}
    told = ", ".join(f"{name}={value}" for name, value in bounds.items() if not name.startswith("_"))
    return f"[{kind}](../toolbox.md#{kind.lower()}): `{told}`" if told else f"[{kind}](../toolbox.md#{kind.lower()})"


def _bound(value: Any, kind: Any) -> str:
    return str(Duration(value / 1e9)) if kind is Any and value.__class__ is int else repr(value)


def _example(unit: Unit, head: str) -> list[str]:
    """The records and the first alert of the first example that fires."""
    example, found = next(((one, found) for one, found in _told(unit) if found), (None, ()))
    if example is None:
        return []
    made = [f"{head} An example\n"]
    if example.options:
        made.append(f"```yaml\n{_yaml({'options': dict([_configured(unit, example)])})}```\n")
    if example.lists:
        made.append("Lists: " + "; ".join(f"`{name}` holds {_entries(one)}" for name, one in example.lists.items()) + ".\n")
    wait = f", then {Duration(example.wait / 1e9)} pass" if example.wait else ""
    made.append(f"Records, {Duration(example.every / 1e9)} apart{wait}:\n\n```\n{''.join(_lines(example.records))}```\n")
    more = f", the first of {len(found)}" if len(found) > 1 else ""
    return [*made, f"The alert{more}:\n\n```\n{_alert(found[0])}```\n"]


def _yaml(told: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(told, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)


def _entries(one: Any) -> str:
    values = one[1] if len(one) == 2 and not isinstance(one[1], str) else one
    return ", ".join(f"`{value}`" for value in list(values)[:3]) + (", …" if len(values) > 3 else "")


def _lines(records: tuple[Any, ...]) -> Iterator[str]:
    """The records, equal ones in a row as one, and of many only the first and the last."""
    runs = [(text, len(list(same))) for text, same in groupby(map(_line, records))]
    cut = runs if len(runs) <= _SHOWN + 1 else [*runs[: _SHOWN - 1], ("…", len(records)), runs[-1]]
    for text, count in cut:
        yield f"… ({count} records in all)\n" if text == "…" else f"{text}{f'   × {count}' if count > 1 else ''}\n"


def _line(record: Any) -> str:
    return _short(record if isinstance(record, str) else json.dumps(record, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("```", "ʼʼʼ")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _alert(finding: Finding) -> str:
    document = msgspec.json.decode(finding.document)
    told = {"document": document, "severity": finding.severity, "headline": finding.message, "analyzer": finding.analyzer,
            "id": finding.id}
    leaves = [(name, value) for name, value in flat(document) if not f"{name}.".startswith(_OUT)]
    return "".join([f"{_short(click.unstyle(alert_line(told)))}\n\n", *(f"  {name:<34} {_short(str(value))}\n" for name, value in leaves)])


def _table(head: tuple[str, ...], found: Any) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|").replace("\\\\|", "\\|") for cell in row) for row in found)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
