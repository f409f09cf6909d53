"""`pluginhost status`: how the running host is doing, in a dozen lines."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..host.control import ask
from ..problem import printable
from .common import config_option, configured, quarantined

__all__ = ["command"]


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Everything, every counter, as JSON.")
def command(config: Path | None, as_json: bool) -> None:
    """Show how the running sidecar is doing."""
    one = next(ask(configured(config).data, "status"))
    if as_json:
        click.echo(json.dumps(one, indent=2))
        return
    journal, counts = one["journal"], one["counts"]
    desk = counts["desk"]
    rows = [
        ("version", one["version"]),
        ("data", one["data"]),
        ("inputs", ", ".join(one["inputs"])),
        ("outputs", ", ".join(f"{out['name']} ({out['trouble'] or 'ok'})" for out in one["outputs"]) or "none beside the embedded store"),
        ("records", f"{counts['journal']['records']:,} accepted since the start"),
        ("journal", f"{journal['bytes'] / 2**20:,.1f} MiB, {journal['end'] - journal['analysed']:,} rows behind"),
        ("alerts", f"{desk['alerts'] - desk['suppressed']:,} since the start, {desk['suppressed']:,} more suppressed"),
        ("letters", f"{desk['dead_letters']:,} dead since the start"),
        ("analyzers", f"generation {one['generation']}, {len(one['problems'])} files with problems, {len(one['quarantine'])} quarantined"),
    ]
    for name, value in rows:
        click.echo(f"{click.style(f'{name:<10}', dim=True)} {printable(str(value))}")
    for name, entry in one["quarantine"].items():
        click.echo(f"{name} {quarantined(entry)}")
    for page in one["problems"]:
        click.echo(click.style(page, fg="red"))
