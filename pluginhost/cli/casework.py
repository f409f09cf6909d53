"""What people do to alerts and to incidents, as commands of both, and how a state and its history look in a terminal.

Texts of alerts, and notes, are others' to write: they are printed without what a terminal would act on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ..alerts.cases import VERDICTS
from ..host.control import ask
from ..problem import printable
from .common import COLORS, config_option, configured, laid, login, moment

__all__ = ["actions", "head", "history", "state_told"]

_WHO = 14  # characters
_LONG = 160

_EXTRAS: Mapping[str, tuple[str, Callable[[click.Command], click.Command]]] = {
    "assign": ("assignee", click.option("--to", "assignee", default=None, help="Whose it is; '' for nobody's. Default: yours.")),
    "resolve": ("verdict", click.option("--as", "verdict", type=click.Choice(VERDICTS), required=True,
                                        help="What it was: true, false, or true but allowed.")),
    "tag": ("values", click.option("--tag", "-t", "values", multiple=True, required=True, help="The tag; more than once for several.")),
    "untag": ("values", click.option("--tag", "-t", "values", multiple=True, required=True, help="The tag; more than once for several.")),
    "link": ("values", click.option("--url", "values", multiple=True, required=True, help="The address; more than once for several.")),
}  # fmt: skip
_TOLD = {
    "ack": "Say that somebody has seen {0}.", "assign": "Say whose {0} are.", "start": "Say that somebody works on {0}.",
    "resolve": "Close {0}, with what it was.", "reopen": "Open {0} again.", "note": "Add a note to {0}.", "tag": "Add tags to {0}.",
    "untag": "Take tags off {0}.", "link": "Add links to {0}.",
}  # fmt: skip


def actions(call: str, ids: str, kind: click.ParamType[Any], it: str, line: Callable[[Mapping[str, Any]], str]) -> Iterator[click.Command]:
    """A command for each thing people can do to `it`: `call` of `control.sock` does it to `ids` and gives what `line` prints."""
    return (_action(name, call, ids, kind, it, line) for name in _TOLD)


def _action(name: str, call: str, ids: str, kind: click.ParamType[Any], it: str, line: Callable[[Mapping[str, Any]], str]) -> click.Command:
    @click.command(name, help=_TOLD[name].format(it))
    @config_option
    @click.option("--by", default=login, help="Who says so. Default: your login name.")
    @click.option("--note", required=name == "note", default="", help="The note." if name == "note" else "Why.")
    @click.argument(ids, nargs=-1, required=True, type=kind, metavar=f"{'ID' if ids == 'ids' else 'NUMBER'}…")
    def made(config: Path | None, by: str, note: str, **given: Any) -> None:
        if name == "assign" and given["assignee"] is None:
            given["assignee"] = by
        for one in ask(configured(config).data, call, action=name, **_sendable({"by": by, "note": note, **given})):
            click.echo(line(one))

    return _EXTRAS[name][1](made) if name in _EXTRAS else made


def _sendable(value: Any) -> Any:
    """Arguments as they were typed, without bytes that are no text."""
    if isinstance(value, dict):
        return {name: _sendable(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_sendable(one) for one in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def head(case: Mapping[str, Any]) -> str:
    """Status, with the verdict, and severity of a group or an incident, in columns of 14 and 8."""
    status = case["verdict"] and f"{case['status']}:{case['verdict']}"
    severity = str(case["severity"])
    return f"{(status or case['status']).replace('_', ' '):<15}  {click.style(f'{severity:8}', fg=COLORS.get(severity))}"


def state_told(state: Mapping[str, Any]) -> str:
    """The state of a group in a few words: status and verdict, whose it is, its tags and incident."""
    words = [state["status"].replace("_", " ") + (f" as {state['verdict']}" if state["verdict"] else "")]
    words += [f"assigned to {printable(state['assignee'], 60)}"] if state["assignee"] else []
    words += [f"tags {printable(', '.join(state['tags']), _LONG)}"] if state["tags"] else []
    return ", ".join([*words, *([f"incident {state['incident']}"] if state.get("incident") else [])])


def history(entries: Iterable[Mapping[str, Any]], names: Mapping[str, str] = {}) -> Iterator[str]:
    """The lines of a trail, with the alerts among it, each entry with the note that belongs to it below. `names` are those of groups, by
    fingerprint, where several are in it."""
    for one in entries:
        if "alert" in one:
            severity = str(one["severity"])
            line = _line(one["at"], one["analyzer"], f"{severity} alert: {printable(one['headline'], _LONG)}  {one['alert'][:12]}")
            yield f"{line[:37]}{line[37:].replace(severity, click.style(severity, fg=COLORS.get(severity)), 1)}"
            continue
        changes = [change for name, pair in one["what"].items() if (change := _change(name, pair))]
        whose = f"  ({printable(names[one['subject']], 60)})" if one["subject"] in names else ""
        yield _line(one["at"], one["by"], f"{one['action']}{': ' if changes else ''}{', '.join(changes)}{whose}")
        for line in one["note"].split("\n") if one["note"] else ():
            yield f"{'':37}{laid(printable(line, 10_000), 37)}"


def _line(at: int, who: str, what: str) -> str:
    return f"{moment(at)}  {printable(who, _WHO):<{_WHO}}  {laid(what, 37)}"


def _change(name: str, pair: Any) -> str:
    """What became of a field: for lists what came and went."""
    before, after = pair
    if name in ("tags", "links"):
        came, went = ([one for one in some or () if one not in (others or ())] for some, others in ((after, before), (before, after)))
        return printable(" ".join([*(f"+{one}" for one in came), *(f"-{one}" for one in went)]), _LONG)
    if isinstance(before or after, (list, dict)):
        return printable(json.dumps(after), _LONG)
    return f"{name} {f'{printable(str(before), 60)} → ' if before else ''}{printable(str(after), 60) if after else 'none'}"
