"""`pluginhost alerts export|import`: alerts out of a store and into one, as documents (NDJSON) or as a table (CSV)."""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import click
import msgspec

from ...host.config import Configured
from ...host.control import ask, running
from ...host.importing import LONGEST, imported
from ...host.lock import locked
from ...host.sheet import COLUMNS, cells, document_of
from ...problem import printable
from ...store.alerts import AlertStore, Archive, Commit
from ..common import COLORS, config_option, configured
from .spans import since_option
from .which import of_store, opened

__all__ = ["export", "import_"]

_BATCH, _BATCH_BYTES = 500, 1 << 20  # documents that are stored at once, and about how many bytes of them
_TOLD = 20  # bad lines that are told one by one
_GZIP = b"\x1f\x8b"
_LOST = "a table holds {} fields of each alert; the rest is in the documents only: --format ndjson"


@click.command()
@config_option
@of_store
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True, help="Documents, or a table.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, packed if it ends in .gz.")
@since_option()
@click.option("--severity", type=click.Choice(list(COLORS)), help="Only this severity.")
@click.option("--analyzer", help="Only alerts of this analyzer.")
@click.option("--text", help='Only alerts that have these words: failed "from one address" adm*.')
@click.option("--told/--suppressed", "told", default=None, help="Only those that were told to somebody, or to nobody; default: both.")
def export(config: Path | None, task: str | None, backtest: str | None, form: str, out: Path | None, told: bool | None,
           **filters: Any) -> None:  # fmt: skip
    """Write alerts in the order they were stored."""
    setup = configured(config)
    file = opened(setup, task, backtest)
    wanted = {**filters, "suppressed": None if told is None else not told}
    documents = (one.encode() for one in ask(setup.data, "alerts_export", **wanted)) if file is None else _stored(file, wanted)
    count = 0
    with _target(out) as target:
        for count, line in enumerate(_rows(documents) if form == "csv" else (one + b"\n" for one in documents), 1):  # noqa: B007 - told below
            target.write(line)
    click.echo(f"{count - (form == 'csv'):,} alerts", err=True)
    if form == "csv":
        click.echo(_LOST.format(len(COLUMNS)), err=True)


def _stored(file: Archive, wanted: dict[str, Any]) -> Iterator[bytes]:
    seq: int | None = 0
    while seq is not None:
        part, seq = file.part(seq, **wanted)
        yield from (one.document for one in part)


def _rows(documents: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of the table, its head first."""

    class Line:
        text = ""

        def write(self, text: str) -> None:
            self.text = text

    line = Line()
    table = csv.writer(line, lineterminator="\r\n")
    table.writerow(COLUMNS)
    yield line.text.encode()
    for one in documents:
        table.writerow(cells(msgspec.json.decode(one, type=dict[str, Any])))
        yield line.text.encode("utf-8", "replace")


@contextlib.contextmanager
def _target(out: Path | None) -> Iterator[IO[bytes]]:
    """Where it goes; a file is written beside its name, and private."""
    if out is None:
        yield sys.stdout.buffer
        return
    aside = out.with_name(f"{out.name}.new")
    try:
        with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if out.suffix == ".gz":
                with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield file
        aside.replace(out)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror or error}") from None
    finally:
        aside.unlink(missing_ok=True)


@click.command("import")
@config_option
@click.argument("file", type=click.File("rb"))
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), help="Default: by the file's name; `-` is ndjson.")
def import_(config: Path | None, file: BinaryIO, form: str | None) -> None:
    """Store the alerts of FILE (packed or not, `-` is standard input). They go to no output; what is known already is left as it is."""
    setup = configured(config)
    name = str(getattr(file, "name", "")).removesuffix(".gz")
    table = form == "csv" or (form is None and name.endswith(".csv"))
    bad, taken, fresh = _Bad(), 0, 0
    lines = _lines(_unpacked(file), bad)
    documents = _documents(lines, bad) if table else lines
    with _keeper(setup) as keep:
        for batch in _batches(documents, bad):
            taken += len(batch)
            fresh += keep(batch)
    click.echo(f"{fresh:,} alerts stored, {taken - fresh:,} known already, {bad.count:,} lines skipped")
    if table:
        click.echo("of a table there is no more than its columns: no record, no evidence", err=True)


class _Bad:
    """Lines that are no alerts: the first are told, all are counted."""

    def __init__(self) -> None:
        self.count = 0

    def tell(self, number: int, why: object) -> None:
        """Notes one more, by its number."""
        self.count += 1
        if self.count <= _TOLD:
            click.echo(f"line {number:,}: {printable(str(why), 200)}", err=True)
        elif self.count == _TOLD + 1:
            click.echo("… more lines are skipped", err=True)


def _unpacked(file: BinaryIO) -> IO[bytes]:
    head = file.peek(2)[:2] if hasattr(file, "peek") else b""
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if head == _GZIP else file


def _lines(file: IO[bytes], bad: _Bad) -> Iterator[tuple[int, bytes]]:
    """(number, line) of every line that is not too long and not empty."""
    number = 0
    try:
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST and not line.endswith(b"\n"):
                bad.tell(number, f"it is longer than {LONGEST >> 20} MiB")
                while (more := file.readline(LONGEST)) and not more.endswith(b"\n"):
                    pass
                continue
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        bad.tell(number + 1, f"the file cannot be read on from here: {error}")


def _documents(lines: Iterator[tuple[int, bytes]], bad: _Bad) -> Iterator[tuple[int, bytes]]:
    """(number of the last line, document) of each row of a table."""
    at = 0

    def texts() -> Iterator[str]:
        nonlocal at
        for at, line in lines:  # noqa: B007 - told by whoever reads the rows
            yield line.decode("utf-8", "replace")

    csv.field_size_limit(LONGEST)
    table = csv.reader(texts(), strict=True)
    columns = None
    while True:
        try:
            row = next(table)
            if columns is None:
                columns = row
            else:
                yield at, document_of(columns, row)
        except StopIteration:
            return
        except (csv.Error, ValueError) as error:
            bad.tell(at, error)


def _batches(documents: Iterable[tuple[int, bytes]], bad: _Bad) -> Iterator[list[bytes]]:
    """The documents that can be alerts, some at a time."""
    batch, size = list[bytes](), 0
    for number, line in documents:
        document = line.strip()
        try:
            imported(document)
        except ValueError as error:
            bad.tell(number, error)
            continue
        batch.append(document)
        size += len(document)
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _handed(setup: Configured, file: Path, batch: list[bytes]) -> int:
    """Gives documents to the host that runs, in a file of the data folder."""
    with open(file, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
        target.write(b"\n".join(batch))
    return int(next(ask(setup.data, "alerts_import", file=file.name)))


@contextlib.contextmanager
def _keeper(setup: Configured) -> Iterator[Callable[[list[bytes]], int]]:
    """What stores documents and says how many were not known: the host if one runs, else we ourselves while none may start."""
    if running(setup.data):
        handed = setup.data / f"import-{os.getpid()}.new"
        try:
            yield lambda batch: _handed(setup, handed, batch)
        finally:
            handed.unlink(missing_ok=True)
        return
    with locked(setup.data):
        store = AlertStore(setup.data / "alerts.db", clock=time.time_ns, keep=setup.config.keep)  # noqa: TID251 - the command's own
        try:
            yield lambda batch: len(store.commit(Commit(alerts=[imported(one) for one in batch])).fresh)
        finally:
            store.close()
