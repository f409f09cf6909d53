"""`pluginhost backup`: the data folder as one file, also while a host runs on it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from ..host.backup import backup
from ..problem import printable
from .common import config_option, configured

__all__ = ["command"]


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(config: Path | None, file: Path) -> None:
    """Copy the data folder into FILE, a tar, while the sidecar runs or not. A file that is there is not overwritten."""
    setup = configured(config)
    made = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - the command's own
    manifest = backup(setup.data, file, made=made, heard=_heard if sys.stderr.isatty() else bool)
    _heard("")
    size = sum(one.size for one in manifest.files.values())
    click.echo(f"{len(manifest.files)} files, {size:,} bytes, in {file}")


def _heard(name: str) -> None:
    """Shows the file that is copied, where there is a terminal; "" takes it away."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[2K{printable(name, 78)}", err=True, nl=False)
