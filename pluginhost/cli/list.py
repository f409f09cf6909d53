"""`pluginhost list`: which analyzers run, on what, and how often they fired."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..host.control import ask, running
from ..host.trying import tried
from ..options import close
from ..problem import Problem, printable
from .common import config_option, configured, quarantined

__all__ = ["command"]

_WIDEST, _NARROWEST = 32, 12  # of a column
_TITLE = 24  # characters of what an analyzer tells that are worth a narrower column
_LINE = 140  # characters, where the output is no terminal


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object an analyzer, or a kind of records.")
@click.option("--cost", is_flag=True, help="What each analyzer and each kind of records costs, of a host that runs.")
@click.argument("name", required=False)
def command(config: Path | None, as_json: bool, cost: bool, name: str | None) -> None:
    """List analyzers with their keys and counts, by file; NAME (an analyzer or a file) shows all there is to know; or what they cost."""
    setup = configured(config)
    live = running(setup.data)
    if cost:
        _costs(setup.data, as_json)
        return
    found = list(ask(setup.data, "analyzers")) if live else tried(setup)
    found = sorted(_named(found, name) if name else found, key=lambda one: one["name"] or "~")
    told = map(json.dumps, found) if as_json else (_details(one, live) for one in found) if name else _overview(found, live)
    for line in told:
        click.echo(line)


def _costs(data: Path, as_json: bool) -> None:
    found, kinds = list(ask(data, "analyzers")), list(ask(data, "costs"))
    if as_json:
        for one in (*found, *kinds):
            click.echo(json.dumps(one))
        return
    spent = sum(one["seconds"] for one in found if one["name"]) or 1.0
    click.echo(click.style(f"{'analyzer':<32}{'records':>12}{'alerts':>10}{'seconds':>10}{'share':>8}", bold=True))
    for one in sorted((one for one in found if one["name"]), key=lambda one: -one["seconds"]):
        counts = one["counts"]
        click.echo(f"{one['name']:<32}{counts['seen']:>12,}{counts['fired']:>10,}{one['seconds']:>10.1f}{one['seconds'] / spent:>8.0%}")
    head = f"{'records of the kind of tag':<32}{'passed over':>12}{'judged':>12}{'analyzers':>10}  why each is judged"
    click.echo(click.style(f"\n{head}", bold=True))
    for one in kinds:
        told = f"{printable(one['tag'], 24)} ({one['codec']})"
        click.echo(f"{told:<32}{one['passed']:>12,}{one['judged']:>12,}{one['analyzers']:>10}  {_why(one)}")


def _why(one: dict[str, Any]) -> str:
    """Why the records of a kind are looked at one by one."""
    if one["whole"]:
        return f"{', '.join(one['whole'][:3])}{', …' if len(one['whole']) > 3 else ''} must be asked about every record"
    return one["because"] or "only those that something in them gives away"


def _named(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The analyzer `name`, or all of the file `name`."""
    chosen = [one for one in found if one["name"] == name] or [one for one in found if Path(one["file"]).stem == name]
    if not chosen:
        raise Problem("analyzer.unknown", f"there is no analyzer {name}", todo=close(name, {one["name"] for one in found if one["name"]}))
    return chosen


def _overview(found: list[dict[str, Any]], live: bool) -> Iterator[str]:
    """A line for each analyzer, by file, and behind them what is wrong with files."""
    running = sorted((one for one in found if one["name"]), key=lambda one: (Path(one["file"]).stem, one["name"]))
    rows = [(Path(one["file"]).stem, one["name"], _key(one), *(f"{one['counts'][name]:,}" for name in ("seen", "fired") if live))
            for one in running]  # fmt: skip
    head = ("file", "analyzer", "key", *(("records", "alerts") if live else ()))
    widths = [min(max(len(row[column]) for row in (head, *rows)), _WIDEST) for column in range(len(head))]
    room = shutil.get_terminal_size((_LINE, 24)).columns - sum(widths) - 2 * len(widths)
    for column in (2, 0):  # keys and files give way to what is told, down to what still can be known by
        less = max(min(_TITLE - room, widths[column] - _NARROWEST), 0)
        widths[column], room = widths[column] - less, room + less
    room = max(room, 20)
    if rows:
        yield click.style(f"{_row(head, widths)}  what it tells", bold=True)
    before = ""
    for row, one in zip(rows, running, strict=True):
        file, before = ("" if row[0] == before else row[0]), row[0]
        mark = _mark(one)
        yield f"{_row((file, *row[1:]), widths)}  {click.style(mark, fg='red')}{printable(one['title'], max(room - len(mark), 20))}"
    for page in dict.fromkeys(one["problem"] for one in found if one["problem"]):
        yield click.style(f"\n{page}", fg="red")
    if not found:
        yield "no analyzers"


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    """The cells side by side: words to the left, the counts behind the third column to the right."""
    told = enumerate(zip(cells, widths, strict=True))
    return "  ".join(f"{printable(cell, width):{'<' if place < 3 else '>'}{width}}" for place, (cell, width) in told)


def _mark(one: dict[str, Any]) -> str:
    """What must not be overlooked, before the title."""
    if one.get("quarantine"):
        return "quarantined: "
    failed = one.get("counts", {}).get("failed", 0)
    return "old version: " if one["problem"] else f"failed {failed:,} times: " if failed else ""


def _key(one: dict[str, Any]) -> str:
    return " + ".join(one["key"]) or ("one for all" if one["pinned"] else "–")


def _details(one: dict[str, Any], live: bool) -> str:
    if one["name"] is None:
        return click.style(one["problem"], fg="red")
    key = "pinned to one shard" if one["pinned"] else " + ".join(one["key"]) or "no key"
    doc = [f"    {printable(line)}".rstrip() for line in one["doc"].split("\n")[1:]]
    lines = [f"{click.style(one['name'], bold=True)}  {printable(one['title'])}", *doc, "",
             f"    file     {printable(one['file'])}:{one['line']}",
             f"    where    {printable(one['where']) or 'every record'}"]  # fmt: skip
    lines += [f"    tags     {printable(', '.join(one['tags']))}"] if one["tags"] else []
    lines += [f"    key      {key}"] + ([f"    group    {' + '.join(one['group'])}"] if one["group"] != one["key"] else [])
    for label, (name, value) in zip(("options", *[""] * len(one["options"])), one["options"].items(), strict=False):
        lines.append(f"    {label:<8} {name} = {printable(str(value))}")
    if live:
        counts = ", ".join(f"{name} {value}" for name, value in one["counts"].items())
        lines.append(f"    counts   {counts}, {one['seconds']:.1f} s")
        if one["unjudged"]:
            told = ", ".join(f"{printable(reason, 40)} {count}" for reason, count in sorted(one["unjudged"].items()))
            lines.append(f"    could not judge: {told}")
        if one["quarantine"]:
            lines.append(f"    {quarantined(one['quarantine'])}")
    if one["problem"]:
        lines.append(click.style("\n".join(f"    {line}" for line in one["problem"].splitlines()), fg="red"))
    return "\n".join(lines)
