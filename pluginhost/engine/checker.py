"""The process in which candidates are tried: warm, limited in memory and time, and worth nothing to anybody if it dies.

`python -m pluginhost.engine.checker FD` answers each `Candidate` on the socket with the module's manifest entry or the pages of
its problem. The host kills it when an answer takes too long.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from ..problem import Place, Problem, printable
from .child import bound
from .gate import check
from .generations import Module
from .link import Framed, frame
from .loader import Bundle
from .parts import mappings

__all__ = ["Candidate", "Refusal", "Verdict", "main"]

_MEMORY = 2 << 30


class Candidate(msgspec.Struct, frozen=True):
    """A bundle to be tried with these options, by analyzer."""

    bundle: Bundle
    options: dict[str, dict[str, Any]]


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """A problem as it travels between processes."""

    code: str
    what: str
    file: str = ""
    line: int = 0
    column: int = 0
    text: str = ""
    width: int = 1
    todo: str | None = None

    @classmethod
    def of(cls, problem: Problem, file: str) -> Refusal:
        """The refusal that says what `problem` says; `file` where it does not say where."""
        where, what = problem.where, printable(problem.what)  # printable: what authors raise may be text of no encoding
        if isinstance(where, Place):
            return cls(problem.code, what, where.file, where.line, where.column, where.text, where.width, problem.todo)
        return cls(problem.code, what, where or file, todo=problem.todo)

    def problem(self, still: str | None) -> Problem:
        """The problem again, with what still works."""
        where = Place(self.file, self.line, self.column, self.text, self.width)
        return Problem(self.code, self.what, where=where, still=still, todo=self.todo)


class Verdict(msgspec.Struct, frozen=True):
    """The manifest entry of a candidate that passed, or why it did not."""

    module: Module | None = None
    refusal: Refusal | None = None


def main(fd: int) -> None:
    """Serves until the host hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host decides when to stop
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    known = mappings()
    framed = Framed(Candidate)
    with socket.socket(fileno=fd) as host, contextlib.suppress(ConnectionError):  # a host that died has hung up
        while data := host.recv(1 << 16):
            for candidate in framed.receive(data):
                host.sendall(frame(_judged(candidate, known)))
                gc.collect()


def _judged(candidate: Candidate, known: Any) -> Verdict:
    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):  # what authors print at import
            return Verdict(check(candidate.bundle, candidate.options, known))
    except Problem as problem:
        return Verdict(refusal=Refusal.of(problem, candidate.bundle.file))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an author's file can raise keeps that file out, no more
        return Verdict(refusal=Refusal("analyzer.import", printable(f"{type(error).__name__}: {error}"), candidate.bundle.file))


if __name__ == "__main__":
    bound()
    main(int(sys.argv[1]))
