"""What several commands share: the configuration option, and how alerts look in a terminal."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ..alerts.desk import resolves
from ..host.config import Configured, configure, default_file
from ..options import Duration
from ..problem import Problem, printable
from ..store.alerts import AlertStore, Archive

__all__ = ["COLORS", "alert_line", "archive", "config_option", "configured", "laid", "login", "moment", "quarantined", "span"]

F = TypeVar("F", bound=Callable[..., Any])

COLORS = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "magenta"}
_BESIDE = 21  # the column of the severity: a headline with no room beside the analyzer stands under it
_ROOM = 40  # characters; less is no room


def config_option(command: F) -> F:
    """The option `--config`."""
    told = "Configuration file; default: ./pluginhost.yaml, /etc/pluginhost/pluginhost.yaml, or safe defaults."
    return click.option("--config", "-c", "config", type=click.Path(path_type=Path, dir_okay=False), help=told)(command)


def login() -> str:
    """Who is logged in; a number where the user has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def configured(config: Path | None) -> Configured:
    """The configuration that holds for a command."""
    if config is not None and not config.is_file():
        raise Problem("config.unreadable", f"there is no configuration {config}")
    return configure(config or default_file())


def archive(setup: Configured) -> Archive:
    """The alerts' database, opened to read, for when no host runs."""
    path = setup.data / "alerts.db"
    if not path.exists():
        raise Problem("alerts.absent", f"there are no alerts in {setup.data} yet", todo="start the sidecar: pluginhost run")
    return AlertStore.readonly(path)


def moment(ns: int) -> str:
    """A time as people read it, UTC."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(_: click.Context, __: click.Parameter, value: str) -> Duration:
    """What an option says of how long something holds; for its `callback`."""
    try:
        return Duration.of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def alert_line(alert: Mapping[str, Any]) -> str:
    """One alert in one line: time, severity, analyzer, headline, short id, and why nobody was told. Lines more if a terminal is narrow."""
    when = str(alert["document"].get("@timestamp", ""))[:19].replace("T", " ")
    severity = str(alert["severity"])
    head, short = f"{when}  {severity:8}  {alert['analyzer']:<20}", alert["id"][:12]
    over = "over: " if resolves(alert["document"]) else ""
    text = f"{over}{printable(str(alert['headline']), 160)}  {short}"
    if reasons := alert.get("suppressed"):
        text += f"  suppressed: {', '.join(reasons.split(' '))}"
    if (state := alert.get("state")) and (state["status"] != "open" or state["assignee"] or state["incident"]):
        text += f"  {_state(state)}"
    room = (_columns() or 10_000) - len(head) - 2
    beside = f"  {laid(text, len(head) + 2)}" if room >= min(_ROOM, len(text)) else f"\n{'':{_BESIDE}}{laid(text, _BESIDE)}"
    before, _, after = f"{head.rstrip() if beside[0] == chr(10) else head}{beside}".rpartition(short)
    told = before.replace(f"  {severity:8}", f"  {click.style(f'{severity:8}', fg=COLORS.get(severity))}", 1)
    return f"{told}{click.style(short + after, dim=True)}"


def _state(state: Mapping[str, Any]) -> str:
    """What there is to be said of the state of an alert's group, unless it is merely open."""
    words = [str(state["status"]).replace("_", " "), *([f"as {state['verdict']}"] if state["verdict"] else [])]
    words += [printable(state["assignee"], 60)] if state["assignee"] else []
    return f"({' '.join(words)}{', ' if state['incident'] else ''}{f'incident {n}' if (n := state['incident']) else ''})"


def laid(text: str, column: int) -> str:
    """`text` from that column on, broken to the width of the terminal and each line set in; whole where output is no terminal."""
    columns = _columns()
    lines = textwrap.wrap(text, max(columns - column, _ROOM // 2), break_long_words=False, break_on_hyphens=False) if columns else []
    return f"\n{'':{column}}".join(lines or [text])


def _columns() -> int | None:
    """How wide the terminal is; None where output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def quarantined(entry: Mapping[str, Any]) -> str:
    """Until when an analyzer is in quarantine, and why."""
    until = moment(entry["until"])
    return click.style(f"in quarantine until {until}: {printable(entry['reason'], 300)}", fg="red")
