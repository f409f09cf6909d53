"""`pluginhost new`: an analyzer to begin with, with its example and a test beside it."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import click

from ..engine.loader import is_analyzer_file
from ..problem import Problem

__all__ = ["command"]

_TAKEN = {*keyword.kwlist, *sys.stdlib_module_names, "pluginhost", "pytest"}  # the test beside it imports it by its name

_ANALYZER = '''from pluginhost import Alert, Event, SlidingCount, analyzer


@analyzer(where="event.category:authentication AND event.outcome:failure", key="user.name")
def {name}(event: Event, failures: SlidingCount = SlidingCount("10m"), limit: int = 5) -> Alert | None:
    """Many failed logins of one user, from anywhere."""
    if failures.reaches(event, limit):
        return Alert("medium", f"{{event['user.name']}}: {{limit}} failed logins in 10 minutes", technique="T1110")
    return None


FAILED = {{"event": {{"category": "authentication", "outcome": "failure"}}, "user": {{"name": "alice"}}}}
{name}.fires_on([FAILED] * 5).quiet_on([FAILED] * 4).survives({{**FAILED, "user": {{"name": None}}}})
'''
_TEST = '''from {name} import FAILED, {name}


def test_each_user_is_counted_alone(play):
    mixed = [FAILED | {{"user": {{"name": name}}}} for name in "abcdefgh"]
    assert play({name}, mixed) == []


def test_the_limit_is_an_option(play):
    (alert,) = play({name}, [FAILED] * 3, limit=3)
    assert alert["message"] == "alice: 3 failed logins in 10 minutes"
'''


@click.command()
@click.argument("name")
@click.option("--folder", "-d", type=click.Path(path_type=Path, file_okay=False), default="analyzers", show_default=True, help="Where to.")
def command(name: str, folder: Path) -> None:
    """Write an analyzer NAME with an example, and a test beside it."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise Problem("analyzer.name", f"`{name}` is no name for an analyzer", todo="use lower-case letters, digits and _, a letter first")
    if name in _TAKEN or not is_analyzer_file(folder / f"{name}.py"):
        raise Problem("analyzer.name", f"`{name}` means something else to Python or pytest", todo="choose another name")
    made = {folder / f"{name}.py": _ANALYZER, folder / f"test_{name}.py": _TEST}
    for path in made:
        if path.exists():
            raise Problem("analyzer.exists", f"{path} is there already", todo="choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        path.write_text(text.format(name=name))
        click.echo(f"wrote {path}")
    click.echo(f"try it: pluginhost test {folder}")
