"""How brokers are called: what the inputs and the outputs of Kafka and RabbitMQ declare alike, in the words of their client libraries.

The libraries are optional packages and are imported when a part is made, never before: what can be configured is known without them.
Nothing here knows a record or an alert.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from .options import Duration, Secret, doc
from .problem import Problem
from .tls import Calling, client_context

__all__ = ["Rabbit", "Sasl", "kafka_settings", "made", "package", "rabbit_address", "rabbit_connect"]

_OURS = ("ssl.", "sasl.", "security.", "plugin.", "log", "debug", "builtin.")
"""What `settings` may not begin with: said by options of their own, or a way to load and run foreign code."""


class Sasl(msgspec.Struct, frozen=True, kw_only=True):
    """How a Kafka broker is told who we are."""

    mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], doc("how the password is proved")] = "SCRAM-SHA-512"
    username: Annotated[str, doc("user", min_length=1)]
    password: Annotated[Secret, doc("the user's password")]


def package(name: str, extra: str) -> Any:
    """The optional package `name`; a `Problem` that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Problem("broker.missing", f"the package {name} is not installed", todo=f"pip install 'pluginhost[{extra}]'") from None


def kafka_settings(own: Mapping[str, Any], brokers: Sequence[str], tls: Calling | None, sasl: Sasl | None,
                   settings: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
    """librdkafka's configuration: `defaults`, the operator's `settings`, and what is ours to say, `own` among it."""
    secured = _tls(tls) if tls else {}
    protocol = ("SASL_" if sasl else "") + ("SSL" if tls else "PLAINTEXT")
    who = {"sasl.mechanism": sasl.mechanism, "sasl.username": sasl.username, "sasl.password": str(sasl.password)} if sasl else {}
    fixed = {**own, "bootstrap.servers": ",".join(brokers), "security.protocol": protocol, **secured, **who}
    for name in settings:
        if name in fixed or name.startswith(_OURS) or name.endswith((".cb", "_cb")) or name == "metadata.broker.list":
            raise Problem("broker.settings", f"`{name}` is not for `settings` to say",
                          todo="use the option for it; where there is none, pluginhost depends on its own value")  # fmt: skip
    return {**defaults, **settings, **fixed}


def _tls(tls: Calling) -> dict[str, Any]:
    if tls.server_name or tls.min_version != "1.2":
        raise Problem("broker.tls", "librdkafka takes the broker's name from its address, and TLS 1.2 or newer as both sides can",
                      todo="leave `server_name` and `min_version` out")  # fmt: skip
    files: dict[str, Path | None] = {"ssl.ca.location": tls.ca, "ssl.certificate.location": tls.cert, "ssl.key.location": tls.key}
    for file in filter(None, files.values()):
        try:
            file.open("rb").close()
        except OSError as error:
            raise Problem("tls.files", f"TLS cannot be set up: {error.strerror}", where=str(file),
                          todo="name PEM files that this user may read") from None  # fmt: skip
    given = {name: str(file) for name, file in files.items() if file}
    return {**given, "enable.ssl.certificate.verification": tls.verify,
            "ssl.endpoint.identification.algorithm": "https" if tls.verify else "none"}  # fmt: skip


def made(kind: Callable[..., Any], config: dict[str, Any], say: Callable[[str, str], object]) -> Any:
    """A client of the library; a `Problem` if its settings cannot be. `say` (subject, text) hears what the library would log."""
    try:
        return kind(config, logger=_log(say))
    except Exception as error:  # noqa: BLE001  # KafkaException, ValueError and TypeError, of a package that may not be imported above
        reason = next((one.str() for one in error.args if hasattr(one, "str")), str(error))
        raise Problem("broker.settings", f"librdkafka cannot be set up: {reason}", todo="see to `settings` and `tls`") from None


def _log(say: Callable[[str, str], object]) -> logging.Logger:
    """A logger whose lines go to `say`: a broker that is away makes librdkafka repeat itself."""
    logger = logging.Logger("librdkafka", logging.WARNING)  # noqa: LOG001  # one a client: its lines go nowhere else

    def heard(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        say(text.split(" [", 1)[0], text)
        return False

    logger.addFilter(heard)
    return logger


class Rabbit(msgspec.Struct, frozen=True, kw_only=True):
    """What every part that speaks to RabbitMQ declares."""

    host: Annotated[str, doc("the broker", min_length=1)] = "127.0.0.1"
    port: Annotated[int, doc("its port; 5671 is usual with TLS", ge=1, le=65535)] = 5672
    virtual_host: Annotated[str, doc("virtual host", min_length=1)] = "/"
    username: Annotated[str, doc("user", min_length=1)] = "guest"
    password: Annotated[Secret, doc("the user's password")] = Secret("guest")
    tls: Annotated[Calling | None, doc("speak TLS")] = None
    connect_timeout: Annotated[Duration, doc("how long a connection may take")] = Duration(10)
    heartbeat: Annotated[int, doc("seconds between signs of life; a broker that misses some is taken for gone", ge=2, le=600)] = 30


def rabbit_address(options: Rabbit, name: str) -> str:
    """For people: without user and password."""
    return f"amqp{'s' * bool(options.tls)}://{options.host}:{options.port}/{quote(options.virtual_host, safe='')}/{name}"


def rabbit_connect(options: Rabbit, name: str) -> Callable[[], Awaitable[Any]]:
    """A function that connects; a `Problem` if the package or the files of TLS are missing. `name` is what the broker is told."""
    library = package("aio_pika", "rabbitmq")
    _lenient(package("pamqp.decode", "rabbitmq").METHODS)
    for talkative in ("aio_pika", "aiormq"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL)  # what they tell at each attempt is told once by us
    where = {"host": options.host, "port": options.port, "login": options.username, "password": str(options.password),
             "virtualhost": options.virtual_host}  # fmt: skip
    url = library.connection.make_url(**where, ssl=bool(options.tls), heartbeat=options.heartbeat)
    more: dict[str, Any] = {"ssl_context": client_context(options.tls)} if options.tls else {}
    if options.tls and options.tls.server_name:
        more["server_hostname"] = options.tls.server_name
    told = {"connection_name": name, "product": "pluginhost"}

    async def connect() -> Any:
        return await library.connect(url, timeout=options.connect_timeout, client_properties=told, **more)

    return connect


def _lenient(decoders: dict[str, Callable[[bytes], tuple[int, Any]]]) -> None:
    """Makes the library read what a sender put beside a message's body, whatever it is.

    It hangs up at a time behind the year 9999 (one given in ns, for one) or at text that is not UTF-8, and the broker gives the message
    again: one such message would keep all others waiting for ever.
    """

    def else_(kind: str, instead: Callable[[bytes], tuple[int, Any]]) -> None:
        strict = decoders[kind]
        if strict.__module__ == __name__:
            return

        def read(value: bytes) -> tuple[int, Any]:
            try:
                return strict(value)
            except (ValueError, OverflowError, ArithmeticError, OSError):
                return instead(value)

        decoders[kind] = read

    else_("timestamp", lambda _: (8, None))
    else_("shortstr", lambda value: (value[0] + 1, value[1 : value[0] + 1].decode("utf-8", "backslashreplace")))
    else_("table", lambda value: (int.from_bytes(value[:4], "big") + 4, {}))
