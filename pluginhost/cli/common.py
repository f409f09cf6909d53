"""What several commands share: the configuration option, and how alerts look in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ..host.config import Configured, configure, default_file
from ..problem import Problem, printable
from ..store.alerts import AlertStore, Archive

__all__ = ["COLORS", "alert_line", "archive", "config_option", "configured", "quarantined"]

F = TypeVar("F", bound=Callable[..., Any])

COLORS = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "magenta"}


def config_option(command: F) -> F:
    """The option `--config`."""
    told = "Configuration file; default: ./pluginhost.yaml, /etc/pluginhost/pluginhost.yaml, or safe defaults."
    return click.option("--config", "-c", "config", type=click.Path(path_type=Path, dir_okay=False), help=told)(command)


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


def alert_line(alert: Mapping[str, Any]) -> str:
    """One alert in one line: time, severity, analyzer, headline, short id."""
    when = str(alert["document"].get("@timestamp", ""))[:19].replace("T", " ")
    severity = str(alert["severity"])
    told = click.style(f"{severity:8}", fg=COLORS.get(severity))
    headline = printable(str(alert["headline"]), 160)
    return f"{when}  {told}  {alert['analyzer']:<20}  {headline}  {click.style(alert['id'][:12], dim=True)}"


def quarantined(entry: Mapping[str, Any]) -> str:
    """Until when an analyzer is in quarantine, and why."""
    until = datetime.fromtimestamp(entry["until"] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return click.style(f"in quarantine until {until}: {printable(entry['reason'], 300)}", fg="red")
