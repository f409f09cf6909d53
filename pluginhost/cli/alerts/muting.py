"""`pluginhost alerts mute` and `unmute`: silence what you know, with an end, a name and a reason."""

from __future__ import annotations

from pathlib import Path

import click

from ...alerts.sanitise import plain
from ...host.control import ask
from ...options import Duration
from ..common import config_option, configured, login
from ..common import span as span_of
from ..mutes import line

__all__ = ["mute", "unmute"]


@click.command()
@config_option
@click.argument("id", required=False, default="")
@click.option("--analyzer", "analyzers", multiple=True, help="Only alerts of this analyzer, `*` for any part of a name; may be repeated.")
@click.option("--when", "query", default="", help="Only alerts that this query means, such as 'host.name:db*'.")
@click.option("--everything", is_flag=True, help="Every alert there is; for a day at most.")
@click.option("--for", "span", default="1d", show_default=True, callback=span_of, help="How long it holds, such as 2h or 30d.")
@click.option("--name", default="", help="What it is called, as a reason of the alerts it silences; default: mute_ and a number.")
@click.option("--by", "author", default=None, help="Who says so; default: who is logged in.")
@click.option("--reason", default="", help="Why.")
def mute(config: Path | None, id: str, analyzers: tuple[str, ...], query: str, everything: bool, span: Duration, name: str,  # noqa: A002 - the field's own name
         author: str | None, reason: str) -> None:  # fmt: skip
    """Tell nobody of an alert's group, by the first characters of its id; or of what --analyzer and --when mean."""
    author = login() if author is None else author
    given = {"analyzers": analyzers, "alert": id, "query": query, "name": name, "reason": reason, "author": author}
    found = ask(configured(config).data, "mute", seconds=float(span), everything=everything, **plain(given))
    click.echo(line(next(found)))


@click.command()
@config_option
@click.argument("name")
def unmute(config: Path | None, name: str) -> None:
    """End a mute, by its name: see `pluginhost mutes`."""
    click.echo(f"{next(ask(configured(config).data, 'unmute', name=plain(name)))} has ended")
