"""`pluginhost conf`: the shipper's side of this configuration, made from the files that are shipped and can be used as they are.

A shipped file has sections between `# >>> name` and `# <<< name`. Each is printed with its defaults replaced by what is configured,
left out, or replaced by a comment that says how to get it. A default that does not stand in its section is our own bug and raises.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from .. import shipped_analyzers
from ..host.config import Configured, Part
from ..problem import Problem
from .common import config_option, configured

__all__ = ["command", "fluent_bit", "fluentd", "logstash", "rendered"]

Section = Callable[[str], str]
"""What is printed of a section, made from its text."""

_SECTION = re.compile(r"^ *# >>> (?P<name>.+)\n(?P<body>(?:.*\n)*?) *# <<< (?P=name)\n", re.MULTILINE)
_EVERYWHERE = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is bound there is reached here
_NO_WAY_BACK = """\
# Flagged records do not come back here: pluginhost.yaml has no output that leads to {shipper}. Add one and print this again:
#   outputs:
#     - {output}
"""


@click.command()
@click.argument("shipper", type=click.Choice(["fluentd", "fluent-bit", "logstash"]))
@config_option
def command(shipper: str, config: Path | None) -> None:
    """Print the configuration that SHIPPER needs beside this one."""
    make = {"fluentd": fluentd, "fluent-bit": fluent_bit, "logstash": logstash}[shipper]
    click.echo(make(configured(config)), nl=False)


class _Place(NamedTuple):
    """Where somebody listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def fluentd(setup: Configured) -> str:
    """`fluent.conf` for this configuration."""
    door = _door(_needed(setup, "forward", "Fluentd"))
    sections = {
        "to pluginhost": _changed({"host 127.0.0.1": f"host {door.host}", "port 24224": f"port {door.port}"}),
        "back from pluginhost": _no_way_back("Fluentd", "{type: forward, servers: [127.0.0.1:24225]}"),
    }
    if back := _forward(setup, "fluent"):
        place = _server(back)
        changes = {"bind 127.0.0.1": f"bind {place.host}", "port 24225": f"port {place.port}", "flagged.": _prefix(back)}
        sections["back from pluginhost"] = _changed(changes)
    return rendered(_shipped("fluentd", "fluent.conf"), sections)


def fluent_bit(setup: Configured) -> str:
    """`fluent-bit.yaml` for this configuration: over forward where there is such an input, else over HTTP."""
    forward, http = _input(setup, "forward"), _input(setup, "http")
    sections: dict[str, Section] = {
        "to pluginhost": _left_out,
        "to pluginhost over HTTP": _left_out,
        "back from pluginhost": _no_way_back("Fluent Bit", "{type: forward, servers: [127.0.0.1:24225]}"),
        "where flagged records go": _left_out,
    }
    if http:
        door = _door(http)
        over_http = _changed({"host: 127.0.0.1": f"host: {door.host}", "port: 8088": f"port: {door.port}", **_token_line(http, "header: ")})
        sections["to pluginhost over HTTP"] = over_http if forward else lambda body: _uncommented(over_http(body))
    if forward or not http:
        door = _door(forward or _needed(setup, "forward", "Fluent Bit"))
        sections["to pluginhost"] = _changed({"host: 127.0.0.1": f"host: {door.host}", "port: 24224": f"port: {door.port}"})
    if back := _forward(setup, "fluent"):
        place = _server(back)
        changes = {"listen: 127.0.0.1": f"listen: {place.host}", "port: 24225": f"port: {place.port}", "flagged.": _prefix(back)}
        sections |= {"back from pluginhost": _changed(changes), "where flagged records go": _as_it_is}
    return rendered(_shipped("fluentd", "fluent-bit.yaml"), sections)


def logstash(setup: Configured) -> str:
    """The files for Logstash, one behind the other, each under its name."""
    http = _needed(setup, "http", "Logstash")
    ship = _changed({"127.0.0.1:8088": str(_door(http)), **_token_line(http, '"X-Api-Key"')})
    made = {"pluginhost-ship.conf": {"to pluginhost": ship}}
    return_ = _no_way_back("Logstash", "{type: http, url: 'http://127.0.0.1:8089/', what: alert}")
    kinds = []
    if output := _http(setup):
        place = _url(output)
        user = {'# user => "pluginhost"': f'user => "{output.options.username}"'} if output.options.username else {}
        changes = {'host => "127.0.0.1"': f'host => "{place.host}"', "port => 8089": f"port => {place.port}", **user}
        made["pluginhost-flagged-http.conf"] = {"back from pluginhost": _changed(changes)}
        kinds.append("flagged-http")
    if output := _forward(setup, "logstash"):
        place = _server(output)
        changes = {'host => "127.0.0.1"': f'host => "{place.host}"', "port => 24225": f"port => {place.port}"}
        made["pluginhost-flagged-forward.conf"] = {"back from pluginhost": _changed(changes)}
        kinds.append("flagged-forward")
    if kinds:
        made["pluginhost-out.conf"] = {"where flagged records go": _changed({'-default"': f'-{setup.config.namespace}"'})}
        return_ = _changed({"{flagged-http,out}": f"{{{','.join(kinds)},out}}"})
    made["pipelines.yml"] = {"back from pluginhost": return_}
    return "\n".join(f"# ===== {name} =====\n{rendered(_shipped('logstash', name), sections)}" for name, sections in made.items())


def rendered(text: str, sections: Mapping[str, Section]) -> str:
    """`text` with each of its sections made by the function of its name; every section has one."""
    made = _SECTION.sub(lambda found: sections[found["name"]](found["body"]), text)
    return re.sub(r"\n{3,}", "\n\n", made)


def _shipped(folder: str, name: str) -> str:
    return (shipped_analyzers().parent / folder / name).read_text("utf-8")


def _changed(changes: Mapping[str, str]) -> Section:
    """The section with every default replaced, all in one pass: a new value is never taken for another default."""

    def made(body: str) -> str:
        if absent := [default for default in changes if default not in body]:
            raise LookupError(f"the shipped file has no {absent}")
        return re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], body)

    return made


def _no_way_back(shipper: str, output: str) -> Section:
    told = _NO_WAY_BACK.format(shipper=shipper, output=output)
    return lambda body: textwrap.indent(told, " " * (len(body) - len(body.lstrip(" "))))


def _as_it_is(body: str) -> str:
    return body


def _left_out(_: str) -> str:
    return ""


def _uncommented(body: str) -> str:
    """The lines of a commented-out block, without the prose above it."""
    return "".join(line.replace("# ", "", 1) for line in body.splitlines(keepends=True) if re.match(r" *# [ -]", line))


def _token_line(part: Part, line: str) -> dict[str, str]:
    """Makes the line that sends the token count if the input asks for one; the token itself is never printed."""
    return {f"# {line}": line} if part.options.token else {}


def _of_type(setup: Configured, group: str, kind: str) -> list[Part]:
    """The configured parts of one type, in order."""
    given, parts = getattr(setup.config, group), getattr(setup, group)
    return [part for one, part in zip(given, parts, strict=True) if one["type"] == kind]


def _input(setup: Configured, kind: str) -> Part | None:
    return next(iter(_of_type(setup, "inputs", kind)), None)


def _needed(setup: Configured, kind: str, shipper: str) -> Part:
    part = _input(setup, kind)
    if part is None:
        todo = f"add to `inputs`: {{type: {kind}}}"
        raise Problem("conf.input", f"{shipper} sends to an input of type `{kind}`, and there is none", todo=todo)
    return part


def _door(part: Part) -> _Place:
    """Where a shipper on the same machine reaches the input."""
    if not part.options.port:
        raise Problem("conf.port", f"the input {part.name} takes any free port, which nobody can know beforehand", todo="give it a `port`")
    return _Place(_EVERYWHERE.get(part.options.bind, part.options.bind), part.options.port)


def _forward(setup: Configured, profile: str) -> Part | None:
    return next((part for part in _of_type(setup, "outputs", "forward") if part.options.profile == profile), None)


def _http(setup: Configured) -> Part | None:
    """The first output to a plain http address: TLS leads elsewhere, for the printed input speaks none."""
    return next((part for part in _of_type(setup, "outputs", "http") if part.options.url.startswith("http:")), None)


def _server(part: Part) -> _Place:
    return _named(part, f"tcp://{part.options.servers[0]}", 24224)


def _url(part: Part) -> _Place:
    return _named(part, part.options.url, 80)


def _named(part: Part, url: str, port: int) -> _Place:
    """Where the output sends to; the shipper listens there."""
    try:
        parsed = urlsplit(url)
        if parsed.hostname:
            return _Place(parsed.hostname, parsed.port or port)
    except ValueError:
        pass
    raise Problem("conf.address", f"the output {part.name} names no host and port: `{url.partition('//')[2]}`", todo="write `host:port`")


def _prefix(part: Part) -> str:
    """The parts that every tag of the output begins with, with a dot behind them."""
    options: Any = part.options
    literal: str = options.tag.replace("{prefix}", options.tag_prefix).partition("{")[0]
    return literal[: literal.rfind(".") + 1]
