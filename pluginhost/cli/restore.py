"""`pluginhost restore`: what `pluginhost backup` wrote, as a data folder again."""

from __future__ import annotations

from pathlib import Path

import click

from ..host.backup import restore
from ..problem import printable
from .common import config_option, configured

__all__ = ["command"]


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Delete what is in the data folder, once the backup is found whole.")
def command(config: Path | None, file: Path, force: bool) -> None:
    """Verify the backup FILE and unpack it into the data folder, which must be new or empty; no host may run on it."""
    setup = configured(config)
    manifest = restore(setup.data, file, force=force)
    click.echo(f"{len(manifest.files)} files of {printable(manifest.made, 40)} (version {printable(manifest.version, 40)}) in {setup.data}")
