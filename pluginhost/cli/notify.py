"""`pluginhost notify`: who is told of alerts, and a trial of one of them. No host is needed, and no secret is shown."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import click
import msgspec

from .. import __version__
from ..alerts.notification import Kind, Notification, Table
from ..detect.finding import SEVERITIES
from ..host.config import Configured, Part
from ..metrics import Registry
from ..outputs.port import Context, Dead, Outcome, Outgoing, Output, Retry, Unavailable
from ..problem import Problem, printable
from ..wire.times import iso
from .common import config_option, configured

__all__ = ["command"]


@click.group()
def command() -> None:
    """Show who is told of alerts, and try whether a message arrives."""


@command.command("list")
@config_option
def list_(config: Path | None) -> None:
    """Each notifier: its name, its service, where it sends to, and what it is told."""
    setup = configured(config)
    parts = _notifiers(setup)
    for part in parts.values():
        click.echo(f"{printable(part.name):<16} {part.type.__name__.lower():<14} {_address(part, setup):<32}  {_told(part)}")
    if not parts:
        click.echo("nobody is told: no output of the configuration is a notifier")


@command.command()
@config_option
@click.argument("name")
@click.option("--severity", type=click.Choice([*SEVERITIES]), default="high", show_default=True, help="How grave it pretends to be.")
@click.option("--kind", type=click.Choice(["alert", "escalated", "resolved", "digest"]), default="alert", show_default=True,
              help="What it pretends to be; `resolved` ends what `alert` began, where the service knows such.")  # fmt: skip
def test(config: Path | None, name: str, severity: str, kind: str) -> None:
    """Send one message that says it is a trial, and say what came of it."""
    setup = configured(config)
    parts = _notifiers(setup)
    if name not in parts:
        raise Problem("notify.unknown", f"there is no notifier `{printable(name, 80)}`", todo=f"known are: {', '.join(parts) or 'none'}")
    told = _trial(name, severity, "test" if kind == "alert" else kind, time.time_ns())  # type: ignore[arg-type]
    said, well = asyncio.run(_sent(parts[name], setup, told))
    click.echo(f"{printable(name)}: {click.style(said, fg='green' if well else 'red')}")
    sys.exit(0 if well else 1)


def _trial(name: str, severity: str, kind: Kind, now: int) -> Notification:
    """A notification that says in its headline that it is a trial. Its group is the same each time, so that one can end another."""
    group = sha256(f"trial\0{name}".encode()).hexdigest()
    document = {
        "@timestamp": iso(now, 3), "message": f"a trial of the notifier {name}: nothing has happened",
        "event": {"id": sha256(f"{group}\0{now}".encode()).hexdigest(), "kind": "alert", "severity": SEVERITIES[severity],
                  "reason": "somebody ran `pluginhost notify test`", "risk_score": float(SEVERITIES[severity])},
        "log": {"level": severity}, "rule": {"id": "notify_test", "name": "notify_test"},
        "user": {"name": "trial"}, "host": {"name": "trial.example"}, "source": {"ip": "192.0.2.1"}, "tags": ["pluginhost.alert"],
        "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": __version__},
        "pluginhost": {"analyzer": "notify_test", "alert": {"fingerprint": group, "count": 1}},
    }  # fmt: skip
    several = kind == "digest"
    table = Table(("source.ip", "user.name"), ((("192.0.2.1", "trial"), 3),)) if several else None
    return Notification(document["event"]["id"], kind, (document,) * (3 if several else 1), 3 if several else 1,  # type: ignore[index]
                        "a trial" if several else "", table)  # fmt: skip


def _notifiers(setup: Configured) -> Mapping[str, Part]:
    return {part.name: part for part in setup.outputs if getattr(part.type, "notifies", False)}


def _made(part: Part, setup: Configured) -> Output:
    made: Output = part.type(part.options, Context(part.name, Registry(), time.time_ns, setup.hostname, setup.config.namespace))
    return made


def _address(part: Part, setup: Configured) -> str:
    try:
        return printable(_made(part, setup).address)
    except Problem as problem:
        return f"(cannot be used: {printable(problem.what)})"


def _told(part: Part) -> str:
    """What it is told, in words."""
    audience = part.audience
    words = [
        f"alerts with {part.route.when}" if part.route.when else "every alert",
        f"of {', '.join(part.route.analyzers)}" if part.route.analyzers else "",
        "gathered" if audience and audience.gather else "", "at its hours" if audience and audience.hours else "",
        "and when it is over" if audience and audience.resolved else "",
    ]  # fmt: skip
    return printable(" ".join(filter(None, words)))


async def _sent(part: Part, setup: Configured, told: Notification) -> tuple[str, bool]:
    """What came of it in words, and whether it was delivered."""
    output = _made(part, setup)
    body = msgspec.json.encode(told)
    try:
        (outcome,) = await output.deliver([Outgoing(1, told.id, time.time_ns(), told.severity, "notify_test", body)])
    except Unavailable as error:
        outcome = Retry(error.reason, error.after, error.slow)
    finally:
        await output.close()
    return _came_of(outcome, output.address)


def _came_of(outcome: Outcome, address: str) -> tuple[str, bool]:
    match outcome:
        case Dead(reason):
            return f"refused by {address}: {printable(reason, 500)}", False
        case Retry(reason, _, slow):
            how = "refused by" if reason[:3].isdigit() else "cannot reach"
            next_ = "see to its settings" if slow else "an alert would be tried again"
            return f"{how} {address}: {printable(reason, 500)} ({next_})", False
        case _:
            return f"delivered to {address}", True
