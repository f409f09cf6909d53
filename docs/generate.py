"""Writes the generated parts of the docs from the declarations in the source: `make docs`, or `python docs/generate.py`.

A part stands between `<!-- generated: name -->` and `<!-- end -->`; everything else in the files is written by people and stays.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import yaml

from pluginhost import Alert, Derived, Event, FirstSeen, LastSeen, Recent, Resolved, Scored, SlidingCount, Table, Timer, Timers, Unjudged
from pluginhost.cli import main as cli
from pluginhost.engine.parts import find, names
from pluginhost.events.aliases import ALIASES
from pluginhost.host.config import Config, Journal, ListFile, Log, Metrics, Route, Scores
from pluginhost.host.exposition import METRICS
from pluginhost.host.gathering import Incidents
from pluginhost.host.policies import (
    Aggregate,
    During,
    Grouping,
    Hours,
    Limit,
    Risk,
    RiskLevels,
    RiskWeights,
    Suppression,
    Terms,
    Threshold,
    Vip,
)
from pluginhost.inputs.access import Key
from pluginhost.inputs.forward.options import Client, User
from pluginhost.options import describe
from pluginhost.review.options import Dashboards, Kibana
from pluginhost.store.bounds import Buffer, Keep
from pluginhost.tls import Calling, Serving

__all__ = ["DOCS", "commands", "filled", "parts"]

DOCS = Path(__file__).parent
_PART = re.compile(r"(?<=<!-- generated: )(?P<name>[a-z_ ]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
_BOUNDS = {"ge": "at least {}", "le": "at most {}", "min_length": "not empty", "pattern": "matches `{}`"}
_STATES = (SlidingCount, FirstSeen, LastSeen, Recent, Timers, Table)
_OF_THE_ENGINE = {"dump", "evidence", "fresh", "load", "merge", "moved", "bound"}


def parts() -> dict[str, str]:
    """Every generated part by name, as Markdown."""
    made = {
        "config": _options(Config),
        "journal": _options(Journal),
        "listener": _options(Metrics),
        "log": _options(Log),
        "metrics": _table(("metric", "kind", "labels", "what it tells"), _metrics()),
        "route": _options(Route),
        "keep": _options(Keep),
        "buffer": _options(Buffer),
        "input pages": _pages("inputs"),
        "output pages": _pages("outputs"),
        **{f"input {name}": _options(find("inputs", name).Options) for name in names("inputs")},
        **{f"output {name}": _options(find("outputs", name).Options) for name in names("outputs")},
        "lists": _options(ListFile),
        "suppress": _options(Suppression),
        "during": _options(During),
        "grouping": _options(Grouping),
        "threshold": _options(Threshold),
        "vip": _options(Vip),
        "incidents": _options(Incidents),
        "terms": _options(Terms),
        "hours": _options(Hours),
        "aggregate": _options(Aggregate),
        "limit": _options(Limit),
        "risk": _options(Risk),
        "scores": _options(Scores),
        "kibana": _options(Kibana),
        "dashboards": _options(Dashboards),
        "risk weights": _options(RiskWeights),
        "risk levels": _options(RiskLevels),
        "serving": _options(Serving),
        "keys": _options(Key),
        "forward users": _options(User),
        "forward clients": _options(Client),
        "calling": _options(Calling),
        "event": _members(Event),
        "states": "\n".join(_state(one) for one in _STATES),
        "results": "\n".join(_struct(one) for one in (Alert, Resolved, Derived, Scored, Unjudged, Timer)),
        "aliases": _table(("ECS name", "is also found as"), ((f"`{name}`", _codes(raw)) for name, raw in ALIASES.items())),
        "commands": "\n".join(_command(name, one) for name, one in commands()),
    }
    return {name: f"{text.strip()}\n" for name, text in made.items()}


def filled(text: str, made: Mapping[str, str]) -> str:
    """`text` with its generated parts as they should be; a part that nobody makes is a mistake."""
    return _PART.sub(lambda found: f"{found['name']} -->\n{made[found['name']]}", text)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of the command line by its full name."""
    yield from _commands("pluginhost", cli)


def _commands(name: str, one: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(one, click.Group):
        yield name, one
        return
    context = click.Context(one)
    for inner in one.list_commands(context):
        found = one.get_command(context, inner)
        if found is not None:
            yield from _commands(f"{name} {inner}", found)


def _command(name: str, one: click.Command) -> str:
    arguments = [inner.make_metavar(click.Context(one)) for inner in one.params if isinstance(inner, click.Argument)]
    lines = [f"**`{' '.join([name, *arguments])}`**: {inspect.cleandoc(one.help or '')}\n"]
    rows = [_option_of(inner) for inner in one.params if isinstance(inner, click.Option) and inner.name != "config"]
    return "\n".join([*lines, *(f"- {row}" for row in rows), *([""] if rows else [])])


def _option_of(one: click.Option) -> str:
    default = f" Default: {one.default}." if one.show_default and one.default is not None else ""
    return f"`{'`, `'.join(one.opts)}`: {one.help or ''}{default}"


def _metrics() -> Iterator[tuple[str, ...]]:
    return ((f"`{one.name}`", one.kind, _codes(one.labels), one.help) for one in METRICS.values())


def _pages(group: str) -> str:
    return ", ".join(f"[`{name}`]({group}/{name}.md)" for name in names(group))


def _options(kind: type[msgspec.Struct]) -> str:
    rows = [
        (f"`{name}`", type_.replace("dict", "mapping"), _default(field, default), _bounded(text, field))
        for (name, type_, default, text), field in zip(describe(kind), msgspec.structs.fields(kind), strict=True)
    ]
    return _table(("option", "type", "default", "meaning"), rows)


def _default(field: Any, described: str) -> str:
    """The default as YAML where it is more than a word."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct):
        return "see below"
    if isinstance(value, (list, tuple, dict)):
        plain = [str(one) if isinstance(one, Path) else one for one in value] if not isinstance(value, dict) else value
        return f"`{yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=1000).strip()}`"
    return f"`{described}`"


def _bounded(text: str, field: Any) -> str:
    said = []
    for meta in get_args(field.type):
        if isinstance(meta, msgspec.Meta):
            given = {name: form.format(getattr(meta, name)) for name, form in _BOUNDS.items() if getattr(meta, name) is not None}
            both = [f"{meta.ge} to {meta.le}"] if {"ge", "le"} <= given.keys() else []
            said += both or list(given.values())
    return f"{text} ({', '.join(said)})" if said else text


def _members(kind: type[msgspec.Struct]) -> str:
    hints = typing.get_type_hints(kind, include_extras=True)
    rows = [(f"`event.{name}`", hints[name].__metadata__[0].description) for name in kind.__struct_fields__ if not name.startswith("_")]
    for name, one in vars(kind).items():
        if isinstance(one, property):
            rows.append((f"`event.{name}`", _first(one)))
        elif inspect.isfunction(one) and not name.startswith("_"):
            rows.append((f"`event.{name}({_arguments(one)})`", _first(one)))
    return _table(("", "gives"), rows)


def _state(kind: type) -> str:
    head = f"### `{kind.__name__}({_arguments(kind)})`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n"
    rows = [(f"`{name}({_arguments(one)})`", _first(one)) for name, one in vars(kind).items()
            if inspect.isfunction(one) and name not in _OF_THE_ENGINE and not name.startswith("_")]  # fmt: skip
    return f"{head}\n{_table(('', 'gives'), rows)}"


def _struct(kind: type[msgspec.Struct]) -> str:
    given = [field.name if field.required else f"{field.name}=…" for field in msgspec.structs.fields(kind)]
    return f"### `{kind.__name__}({', '.join(given)})`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n"


def _arguments(one: Any) -> str:
    """The public parameters without types, as they are written in a call."""
    shown = [given for given in inspect.signature(one).parameters.values() if given.name != "self" and not given.name.startswith("_")]
    return ", ".join(f"{one.name}={one.default!r}" if one.default is not inspect.Parameter.empty else one.name for one in shown)


def _first(one: Any) -> str:
    """The first paragraph of the documentation, in one line."""
    return " ".join(inspect.cleandoc(one.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


def _codes(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Writes what differs, and says so."""
    made = parts()
    for file in sorted(DOCS.rglob("*.md")):
        before = file.read_text("utf-8")
        after = filled(before, made)
        if after != before:
            file.write_text(after, "utf-8")
            sys.stdout.write(f"wrote {file}\n")
    sys.path.insert(0, str(DOCS))
    for name in ("mappings_table", "toolbox", "analyzers_pages"):  # pages with generators of their own
        importlib.import_module(name).main()


if __name__ == "__main__":
    main()
