"""`pluginhost tap`: records, or alerts, as they pass. What the host shows is a sample: it never waits for whoever looks."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ..events.fields import Document
from ..host.control import ask
from ..match import compile as compile_predicate
from ..match import parse
from ..problem import printable
from ..wire.times import iso
from .common import alert_line, config_option, configured

__all__ = ["command"]

_WIDTH = 2000  # characters of a record


@click.command()
@config_option
@click.option("--tag", default="", help="Only what came under this tag; `*` stands for anything.")
@click.option("--where", default="", help="Only what fits this query, as in an analyzer's `where`.")
@click.option("--alerts", is_flag=True, help="Alerts instead of records.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="End after so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(config: Path | None, tag: str, where: str, alerts: bool, limit: int | None, as_json: bool) -> None:
    """Print records as they come in, a sample where there are many, until interrupted."""
    data = configured(config).data
    passing = _alerts(data, tag, where) if alerts else _records(data, tag, where, as_json)
    try:
        for count, one in enumerate(passing, 1):
            click.echo(_line(one, alerts, as_json))
            if count == limit:
                return
    except KeyboardInterrupt:
        pass


def _records(data: Path, tag: str, where: str, as_json: bool) -> Iterator[dict[str, Any]]:
    for one in ask(data, "tap", tag=tag, where=where):
        if "record" in one:
            yield one
        elif one["missed"]:
            told = f"{one['missed']:,} of {one['passed']:,} records in the last second were not looked at"
            click.echo(json.dumps(one) if as_json else click.style(f"… {told}", dim=True), err=True)


def _alerts(data: Path, tag: str, where: str) -> Iterator[dict[str, Any]]:
    fits = compile_predicate(parse(where)) if where else None
    for one in ask(data, "follow"):
        found: Mapping[str, Any] = one["document"].get("pluginhost", {}).get("source", {})
        if (not tag or fnmatch.fnmatchcase(str(found.get("tag", "")), tag)) and (fits is None or fits(Document(one["document"]))):
            yield one


def _line(one: dict[str, Any], alerts: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps(one["document"] if alerts else one, ensure_ascii=True)
    if alerts:
        return alert_line(one)
    record = one["record"]
    when, told = iso(one["time"], 3)[:23].replace("T", " "), json.dumps(record, ensure_ascii=False)
    if isinstance(record, dict) and record.keys() == {"message"}:
        told = str(record["message"])
    return f"{click.style(when, dim=True)}  {click.style(printable(one['tag'], 60), fg='cyan')}  {printable(told, _WIDTH)}"
