"""`pluginhost setup`: what must stand where alerts are kept and reviewed, shown before it is done, done when it is wanted, and undone.

What that is, is `outputs.standing`'s and `review`'s; here it is told and asked for. It may be done as somebody else than the
configuration says: secrets come from the environment, and are never shown.
"""

from __future__ import annotations

import click

from .review import dashboards, kibana
from .search import elasticsearch, opensearch

__all__ = ["command"]


@click.group()
def command() -> None:
    """Prepare what alerts are written into and reviewed in: show what is to be done, then do it."""


for one in (elasticsearch, opensearch, kibana, dashboards):
    command.add_command(one)
