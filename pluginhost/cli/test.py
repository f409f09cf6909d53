"""`pluginhost test`: the examples in analyzer files and the tests beside them, through pytest."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..problem import Problem

__all__ = ["command"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> None:
    """Run the examples and tests of the analyzers in PATHS (default: ./analyzers). Options go to pytest."""
    try:
        import pytest  # noqa: PLC0415 - an extra
    except ImportError:
        raise Problem("part.import", "pytest is not installed", todo="pip install 'pluginhost[test]'") from None
    given = [str(path) for path in paths]
    chosen = [] if any(Path(one.partition("::")[0]).exists() for one in given) else ["analyzers"]
    quiet = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")  # pytest would rewrite our plugin
    sys.exit(pytest.main(["--analyzers", *quiet, *given, *chosen]))
