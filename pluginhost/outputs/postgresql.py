"""Alerts into a table of PostgreSQL: a row each, `on conflict (id) do nothing`, so that a resend meets its first copy.

A batch is one statement and so one transaction. A row that the server will never store makes it refuse the batch, which is then halved
until the culprit is alone. How a row is made and what an error means is in `rows`; here is the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from ..options import Duration, Secret, Size, doc
from ..problem import Problem, printable
from ..tls import Calling
from .parts import Refused, in_parts, made_of, settled
from .port import DONE, Context, Outcome, Outgoing, Unavailable
from .rows import Row, create, insert, meaning, quoted

if TYPE_CHECKING:
    import psycopg

__all__ = ["Postgresql"]

_DURABLE = "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
"""What is acknowledged must be on the server's disk, whatever it does by default."""

_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$"


class Postgresql:
    """One table. Looks for it at first contact, and again whenever contact was lost or something stood in the way."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Where the server is, how to be let in, and which table."""

        host: Annotated[str, doc("the server's name or address, several with commas between, or the folder of its socket")] = "127.0.0.1"
        port: Annotated[int, doc("its port", ge=1, le=65535)] = 5432
        database: Annotated[str, doc("the database", min_length=1)] = "pluginhost"
        username: Annotated[str, doc("who we are there", min_length=1)] = "pluginhost"
        password: Annotated[Secret | None, doc("the user's password")] = None
        tls: Annotated[Calling | None, doc("insist on TLS; else it is spoken if the server wants to, unproved")] = None
        table: Annotated[str, doc("the table, `name` or `schema.name`", pattern=_PATTERN)] = "pluginhost_alerts"
        create: Annotated[bool, doc("make the table if there is none")] = True
        timeout: Annotated[Duration, doc("how long a connection or a statement may take")] = Duration(30)
        batch: Annotated[int, doc("most alerts in a transaction", ge=1, le=5000)] = 500
        batch_bytes: Annotated[Size, doc("most bytes in a transaction")] = Size(5 << 20)

    def __init__(self, options: Options, context: Context) -> None:
        try:
            import psycopg  # noqa: PLC0415  # an extra
        except ImportError:
            raise Problem("output.postgresql.missing", "the driver of PostgreSQL is not installed",
                          todo="pip install 'pluginhost[postgresql]'") from None  # fmt: skip
        self._psycopg = psycopg
        self.address = f"{options.host}:{options.port}/{options.database}"
        self.batch = options.batch
        self._options, self._clock, self._hostname = options, context.clock, context.hostname
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "present", "refused")
        self._settings = _settings(options)
        self._table = quoted(options.table)
        self._insert = insert(self._table)
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def check(self) -> None:
        """Connects, sees to the table, and asks whether we may write to it."""
        try:
            connection = await self._connected()
            asked = await self._run(connection, "select has_table_privilege(%s, 'insert') and has_column_privilege(%s, 'id', 'select')",
                                    (self._table, self._table))  # fmt: skip
            (may,) = await asked.fetchone() or (False,)
        except Unavailable as error:
            if not error.slow:
                raise
            raise Problem("output.postgresql.refused", error.reason, where=self.address,
                          todo="mend the credentials, the database, the table or the rights") from None  # fmt: skip
        if not may:
            user, table = self._options.username, self._options.table
            raise Problem("output.postgresql.rights", f"{user} may not write to {table}", where=self.address,
                          todo=f"grant insert, select (id) on {table} to {user}")  # fmt: skip

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Inserts what is not there yet. A row that can never be stored is dead; its neighbours are written."""
        outcomes: dict[str, Outcome] = {}
        rows = made_of(alerts, self._made, outcomes)
        return settled(alerts, outcomes | await in_parts(rows, self._send, self._options.batch_bytes))

    def _made(self, alert: Outgoing) -> Row:
        return Row.of(alert, self._hostname, self._clock())

    async def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _send(self, rows: Sequence[Row]) -> list[Outcome]:
        self._counts["requests"] += 1
        self._counts["request_bytes"] += sum(len(row.body) for row in rows)
        columns = [list(column) for column in zip(*(row.values for row in rows), strict=True)]
        try:
            made = await self._run(await self._connected(), self._insert, columns)
        except Refused:
            self._counts["refused"] += 1
            raise
        self._counts["present"] += len(rows) - made.rowcount
        return [DONE] * len(rows)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        """The connection, on which the table was found."""
        if self._connection is None or self._connection.closed:
            try:
                async with asyncio.timeout(self._options.timeout):
                    self._connection = await self._psycopg.AsyncConnection.connect(**self._settings)
            except (self._psycopg.Error, OSError, TimeoutError, UnicodeError) as error:
                raise self._unconnected(error) from None
            await self._prepare(self._connection)
        return self._connection

    async def _prepare(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await self._run(connection, _DURABLE)
        found = await self._run(connection, "select to_regclass(%s) is not null", (self._table,))
        if self._options.create and await found.fetchone() == (False,):
            with contextlib.suppress(Refused):  # somebody else made it at the same time
                await self._run(connection, create(self._table))

    async def _run(self, connection: psycopg.AsyncConnection[Any], statement: str, values: Sequence[Any] = ()) -> Any:
        """The cursor. After any failure but a row's own, the connection is given up."""
        try:
            async with asyncio.timeout(self._options.timeout):
                return await connection.execute(statement.encode(), values)
        except self._psycopg.Error as error:
            reason = printable(f"{error.sqlstate or type(error).__name__} {error.diag.message_primary or error}".replace("\n", " "), 500)
            meant = meaning(error.sqlstate, reason)
            if isinstance(meant, Unavailable):
                await self.close()
            raise meant from None
        except (TimeoutError, OSError) as error:
            await self.close()
            raise Unavailable(f"{type(error).__name__}: {error}".rstrip(": ")) from None

    def _unconnected(self, error: Exception) -> Unavailable:
        """Why no connection came to be. Where the server asked for a password, what follows does not pass by itself."""
        told = printable(str(error).replace("\n", " ").strip() or type(error).__name__, 500)
        state = getattr(error, "pgconn", None)
        asked = state is not None and (state.needs_password or state.used_password)
        return Unavailable(told, slow=bool(asked) or any(sign in told for sign in _LASTING))


_LASTING = ("pg_hba.conf", "certificate", "SSL", "does not exist", "authentication", "permission denied", "root.crt")
"""What a refusal says that waits for a person, in the words of most servers. In other languages it is tried again sooner."""


def _settings(options: Postgresql.Options) -> dict[str, Any]:
    """What libpq is told. Of several hosts it takes the one that can be written to."""
    made: dict[str, Any] = {
        "host": options.host, "port": options.port, "dbname": options.database, "user": options.username, "autocommit": True,
        "prepare_threshold": None, "application_name": "pluginhost", "connect_timeout": max(2, round(options.timeout)),
        "target_session_attrs": "read-write",
    }  # fmt: skip
    if options.password:
        made["password"] = str(options.password)
    tls = options.tls
    if tls is None:
        return made
    if tls.server_name:
        raise Problem("output.postgresql.options", "a `server_name` cannot be told to PostgreSQL's library",
                      todo="let `host` be the name in the certificate")  # fmt: skip
    made |= {"sslmode": "verify-full" if tls.verify else "require", "ssl_min_protocol_version": f"TLSv{tls.min_version}"}
    if tls.verify:
        made["sslrootcert"] = str(tls.ca or ssl.get_default_verify_paths().cafile or "system")
    if tls.cert:
        made |= {"sslcert": str(tls.cert), "sslkey": str(tls.key or tls.cert)}
    return made
