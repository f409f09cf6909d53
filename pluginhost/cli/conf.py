"""`pluginhost conf`: the shipper's side of this configuration, made from the files that are shipped and can be used as they are.

Which file a shipper has, and what in it depends on the configuration. How a file is taken apart and put together is in `samples`. A
secret is never printed: files name the variable of the shipper's environment that it comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from ..host.config import Configured, Part
from ..problem import Problem
from .common import config_option, configured
from .samples import Section, as_it_is, changed, either, in_force, left_out, no_way_back, rendered, shipped, uncommented

__all__ = ["SHIPPERS", "command", "fluent_bit", "fluentd", "logstash"]

_EVERYWHERE = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is bound there is reached here


class _Place(NamedTuple):
    """Where somebody listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def named(self) -> str:
        """The host as certificates have it: most name no address of the loopback, but `localhost`."""
        return "localhost" if self.host in ("127.0.0.1", "::1") else self.host


def fluentd(setup: Configured) -> str:
    """`fluent.conf` for this configuration."""
    part = _needed(setup, "forward", "Fluentd")
    door, options = _door(part), part.options
    sections = {
        **_locks("to pluginhost", options, user=options.users, client=options.tls and options.tls.client_ca),
        "name to pluginhost": either(options.tls),
        "to pluginhost": changed({"host 127.0.0.1": f"host {door.host}", "port 24224": f"port {door.port}"}),
        **_locks("back"),
        "back from pluginhost": no_way_back("Fluentd", "{type: forward, servers: [127.0.0.1:24225]}"),
    }
    if back := _forward(setup, "fluent"):
        place = _server(back)
        changes = {"bind 127.0.0.1": f"bind {place.host}", "port 24225": f"port {place.port}", "flagged.": _prefix(back)}
        sections |= {"back from pluginhost": changed(changes), **_locks_back(back)}
    return rendered(shipped("fluentd", "fluent.conf"), sections)


def fluent_bit(setup: Configured) -> str:
    """`fluent-bit.yaml` for this configuration: over forward where there is such an input, else over HTTP."""
    forward, http = _input(setup, "forward"), _input(setup, "http")
    sections: dict[str, Section] = {
        **_locks("to pluginhost"), "to pluginhost": left_out,
        **_locks("over HTTP"), "to pluginhost over HTTP": left_out,
        **_locks("back"), "back from pluginhost": no_way_back("Fluent Bit", "{type: forward, servers: [127.0.0.1:24225]}"),
        "where flagged records go": left_out,
    }  # fmt: skip
    if http:
        door = _door(http)
        host = door.named if http.options.tls else door.host
        over_http = changed({"host: 127.0.0.1": f"host: {host}", "port: 8088": f"port: {door.port}"})
        sections |= _http_locks(http, "over HTTP")
        sections["to pluginhost over HTTP"] = over_http if forward else lambda body: uncommented(over_http(body))
    if forward or not http:
        part = forward or _needed(setup, "forward", "Fluent Bit")
        door, options = _door(part), part.options
        host = door.named if options.tls else door.host  # it looks for the name it connects to
        sections |= _locks("to pluginhost", options, user=options.users, client=options.tls and options.tls.client_ca)
        sections["to pluginhost"] = changed({"host: 127.0.0.1": f"host: {host}", "port: 24224": f"port: {door.port}"})
    if back := _forward(setup, "fluent"):
        place = _server(back)
        changes = {"listen: 127.0.0.1": f"listen: {place.host}", "port: 24225": f"port: {place.port}", "flagged.": _prefix(back)}
        sections |= {"back from pluginhost": changed(changes), "where flagged records go": as_it_is, **_locks_back(back)}
    return rendered(shipped("fluentd", "fluent-bit.yaml"), sections)


def logstash(setup: Configured) -> str:
    """The files for Logstash, one behind the other, each under its name."""
    http = _needed(setup, "http", "Logstash")
    ship = {"to pluginhost": changed(_url_of(http)), **_http_locks(http, "to pluginhost")}
    made = {"pluginhost-ship.conf": ship, **({"pluginhost-enrich.conf": ship} if "analyze" in http.options.serve else {})}
    return_ = no_way_back("Logstash", "{type: http, url: 'http://127.0.0.1:8089/', what: alert}")
    kinds = []
    if output := _http(setup):
        place, options = _url(output), output.options
        changes = {'host => "127.0.0.1"': f'host => "{place.host}"', "port => 8089": f"port => {place.port}"}
        if options.username:
            changes['user => "pluginhost"'] = f'user => "{options.username}"'
        locks = {"user": options.username, "tls": options.url.startswith("https:"), "certificate": options.tls and options.tls.cert}
        made["pluginhost-flagged-http.conf"] = {
            "back from pluginhost": changed(changes), **{f"{name} back": either(wanted) for name, wanted in locks.items()},
        }  # fmt: skip
        kinds.append("flagged-http")
    if output := _forward(setup, "logstash"):
        place = _server(output)
        changes = {'host => "127.0.0.1"': f'host => "{place.host}"', "port => 24225": f"port => {place.port}"}
        made["pluginhost-flagged-forward.conf"] = {"back from pluginhost": changed(changes)}
        kinds.append("flagged-forward")
    if kinds:
        made["pluginhost-out.conf"] = {"where flagged records go": changed({'-default"': f'-{setup.config.namespace}"'})}
        return_ = changed({"{flagged-http,out}": f"{{{','.join(kinds)},out}}"})
    made["pipelines.yml"] = {"back from pluginhost": return_}
    return "\n".join(f"# ===== {name} =====\n{rendered(shipped('logstash', name), sections)}" for name, sections in made.items())


def _over_http(shipper: str, file: str, *, bare: bool = False) -> Callable[[Configured], str]:
    """What prints a file of `shippers/` that leads to the HTTP door; `bare` where host and port stand apart in it, without a scheme."""

    def made(setup: Configured) -> str:
        part = _needed(setup, "http", shipper)
        door, tls = _door(part), part.options.tls
        changes = _url_of(part)
        if bare:
            host = door.named if tls else door.host
            changes = {'server="127.0.0.1"': f'server="{host}"', 'serverport="8088"': f'serverport="{door.port}"'}
        return rendered(shipped("shippers", file), {"to pluginhost": changed(changes), **_http_locks(part, "to pluginhost")})

    return made


def otel_collector(setup: Configured) -> str:
    """`otel-collector.yaml` for this configuration: over HTTP, gRPC or both, whatever there is an input for."""
    http, grpc = _input(setup, "http"), _input(setup, "grpc")
    sections: dict[str, Section] = {**_locks("to pluginhost"), "to pluginhost": left_out, "to pluginhost over gRPC": left_out,
                                    "token over gRPC": as_it_is, "exporters": as_it_is}  # fmt: skip
    if http or not grpc:
        part = http or _needed(setup, "http", "The OpenTelemetry Collector")
        sections |= {"to pluginhost": changed(_url_of(part)), **_http_locks(part, "to pluginhost")}
    if grpc:
        door, options = _door(grpc), grpc.options
        changes = {"127.0.0.1:24226": str(_Place(door.named, door.port) if options.tls else door)}
        if options.tls:
            changes["tls: {insecure: true}            # no TLS"] = "tls: {ca_file: /etc/pluginhost/tls/ca.crt}"
        sections |= {"to pluginhost over gRPC": changed(changes), "token over gRPC": either(options.token or options.keys)}
        if not http:
            sections["exporters"] = changed({"otlphttp/pluginhost": "otlp/pluginhost"})
    return rendered(shipped("shippers", "otel-collector.yaml"), sections)


SHIPPERS: dict[str, Callable[[Configured], str]] = {
    "fluentd": fluentd,
    "fluent-bit": fluent_bit,
    "logstash": logstash,
    "vector": _over_http("Vector", "vector.yaml"),
    "syslog-ng": _over_http("syslog-ng", "syslog-ng.conf"),
    "rsyslog": _over_http("rsyslog", "rsyslog.conf", bare=True),
    "filebeat": _over_http("Filebeat", "filebeat.yml"),
    "otel-collector": otel_collector,
    "docker": _over_http("Docker", "docker-splunk.yaml"),
}
"""What prints the files for each shipper."""


@click.command()
@click.argument("shipper", type=click.Choice(list(SHIPPERS)))
@config_option
def command(shipper: str, config: Path | None) -> None:
    """Print the configuration that SHIPPER needs beside this one."""
    click.echo(SHIPPERS[shipper](configured(config)), nl=False)


def _locks(way: str, options: Any = None, *, user: object = None, client: object = None) -> dict[str, Section]:
    """The sections of locks of a way over forward: each in force where `options` ask for it. Without options all stay comments."""
    tls, key = getattr(options, "tls", None), getattr(options, "shared_key", None)
    locks = {"tls": tls, "certificate": client, "key": key, "user": user, "token": None}
    return {f"{name} {way}": either(wanted) for name, wanted in locks.items()}


def _locks_back(output: Part) -> dict[str, Section]:
    options = output.options
    made = _locks("back", options, user=options.username, client=options.tls and options.tls.cert)
    if options.username:
        made["user back"] = lambda body: in_force(body.replace("username pluginhost", f"username {options.username}")
                                                  .replace("users: pluginhost", f"users: {options.username}"))  # fmt: skip
    return made


def _http_locks(part: Part, way: str) -> dict[str, Section]:
    options = part.options
    locks = {"token": options.token or options.keys, "tls": options.tls, "certificate": options.tls and options.tls.client_ca}
    return {f"{name} {way}": either(wanted) for name, wanted in locks.items()}


def _url_of(part: Part) -> dict[str, str]:
    """The change of the address in a file that leads to the HTTP door."""
    door = _door(part)
    return {"http://127.0.0.1:8088": f"https://{_Place(door.named, door.port)}" if part.options.tls else f"http://{door}"}


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
        raise Problem("conf.port", f"the input {part.name} has no port that can be known beforehand", todo="give it a `port`")
    return _Place(_EVERYWHERE.get(part.options.bind, part.options.bind), part.options.port)


def _forward(setup: Configured, profile: str) -> Part | None:
    return next((part for part in _of_type(setup, "outputs", "forward") if part.options.profile == profile), None)


def _http(setup: Configured) -> Part | None:
    """The output that leads to this Logstash: over plain http, or one that has TLS or a user of its own, as a stranger's has not."""
    outputs = _of_type(setup, "outputs", "http")
    return next((part for part in outputs if part.options.url.startswith("http:") or (part.options.tls and part.options.tls.ca)), None)


def _server(part: Part) -> _Place:
    return _named(part, f"tcp://{part.options.servers[0]}", 24224)


def _url(part: Part) -> _Place:
    return _named(part, part.options.url, 80)


def _named(part: Part, url: str, port: int) -> _Place:
    """Where the output sends to; the shipper listens there."""
    try:
        parsed = urlsplit(url)
        if parsed.hostname and parsed.netloc != "unix:":  # no shipper's sample listens on a Unix socket
            return _Place("127.0.0.1" if parsed.hostname == "localhost" else parsed.hostname, parsed.port or port)
    except ValueError:
        pass
    raise Problem("conf.address", f"the output {part.name} names no host and port: `{url.partition('//')[2]}`", todo="write `host:port`")


def _prefix(part: Part) -> str:
    """The parts that every tag of the output begins with, with a dot behind them."""
    options: Any = part.options
    literal: str = options.tag.replace("{prefix}", options.tag_prefix).partition("{")[0]
    return literal[: literal.rfind(".") + 1]
