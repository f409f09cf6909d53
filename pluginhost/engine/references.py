"""An operator's lists and databases → the contents that a generation names, compiled when they change.

A changed file is read and compiled by a process of its own (`python -m pluginhost.engine.references …`), laid into the folder of
generations under its digest, and takes effect like new code: with a generation, at one row of the journal. A file that cannot be
read, or is damaged, changes nothing: what was compiled last goes on.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import resource
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from ..events.references import Content, compiled, opened
from ..events.references.entries import entries
from ..problem import Problem, printable
from .generations import Generations

__all__ = ["File", "Library", "compile_file"]

log = logging.getLogger(__name__)

_PATIENCE = 300.0  # seconds that compiling one file may take
_PART = 1 << 20
_MEMORY = 4 << 30  # of the process that compiles: a list of ten million entries is too long

_Look = tuple[int, int, int]


class File(msgspec.Struct, frozen=True):
    """A reference as it is configured: `kind` is a list's, or `places`; `column` names the one of a CSV that holds the entries."""

    name: str
    kind: str
    path: Path
    column: str = ""


class Library:
    """Knows what each file last looked like, and the contents made of them; `problems` are those that stand, by name."""

    def __init__(self, files: Iterable[File], generations: Generations) -> None:
        self._files, self._generations = tuple(files), generations
        self._looks: dict[str, _Look | None] = {}
        self.problems: dict[str, Problem] = {}

    async def look(self, current: Iterable[Content]) -> tuple[Content, ...]:
        """The contents of all files, in their order: compiled anew where a file has changed, else as in `current`."""
        known = {(one.name, one.kind): one for one in current}
        found = []
        for file in self._files:
            seen, content = _look(file.path), known.get((file.name, file.kind))
            if content is None or file.name not in self._looks or self._looks[file.name] != seen:
                self._looks[file.name] = seen
                content = await self._made(file, content)
            if content is not None:
                found.append(content)
        return tuple(found)

    async def _made(self, file: File, current: Content | None) -> Content | None:
        try:
            content = await compile_file(file, self._generations.folder)
        except Problem as problem:
            problem.still = "the content it had before" if current else "everything else; nothing of this file is known"
            self.problems[file.name] = problem
            log.error("%s", problem.page())  # noqa: TRY400 - the operator's mistake
            return current
        self.problems.pop(file.name, None)
        if content != current:
            log.info("%s: %s of %s", file.name, _counted(content), file.path.name)
        return content


def _counted(content: Content) -> str:
    return "the database" if content.kind == "places" else f"{content.entries:,} entries"


def _look(path: Path) -> _Look | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


async def compile_file(file: File, folder: Path) -> Content:
    """Compiles `file` into `folder`, where it waits for its generation; a `Problem` if it cannot be."""
    command = (sys.executable, "-m", "pluginhost.engine.references", file.name, file.kind, str(file.path), file.column, str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.PIPE)  # fmt: skip
    try:
        told, wrong = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        raise Problem("reference.slow", f"{file.name}: compiling it took longer than {_PATIENCE:.0f} s", where=str(file.path)) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = wrong.decode("utf-8", "backslashreplace").strip().splitlines()
        raise Problem("reference.unreadable", f"{file.name}: {printable(lines[-1] if lines else 'its process died', 500)}",
                      where=str(file.path), todo="is it there, readable, and of the kind that is configured?")  # fmt: skip
    return msgspec.json.decode(told, type=Content)


def main(name: str, kind: str, path: str, column: str, folder: str) -> Content:
    """Compiles one file; in the process that does nothing else."""
    digest, count = sha256(), 0
    aside = Path(folder) / f"{os.getpid()}.new"
    try:
        with open(aside, "wb", opener=lambda file, flags: os.open(file, flags, 0o600)) as made:
            parts: Iterable[bytes]
            if kind == "places":
                parts = _parts(Path(path))
            else:
                with Path(path).open(encoding="utf-8-sig", errors="backslashreplace", newline="") as text:
                    parts, count, left_out = compiled(kind, entries(text, kind, column))
                if left_out and not count:
                    raise ValueError(f"none of its {left_out} entries is of the kind `{kind}`")
            for part in parts:
                made.write(part)
                digest.update(part)
            made.flush()
            os.fsync(made.fileno())
        content = Content(name, kind, digest.hexdigest(), count)
        opened({content: aside})
        aside.replace(Generations.waiting(Path(folder), content.digest))
    finally:
        aside.unlink(missing_ok=True)
    return content


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from itertools.takewhile(bool, iter(lambda: file.read(_PART), None))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        sys.stdout.buffer.write(msgspec.json.encode(main(*sys.argv[1:6])))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the file
        sys.exit(re.sub(r"\s+", " ", f"{type(error).__name__}: {error}"))
