"""Folders → generations: a saved file is tried in another process, and only what passes is swapped in.

The host calls `scan` at start and whenever something in a folder may have changed. A scan that changes anything gives the
manifest of the next generation; a broken file keeps the sources it last ran on, and its problem is kept for whoever asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..options import close
from ..problem import Problem, printable
from .checker import Candidate, Verdict
from .child import started
from .generations import Generations, Manifest, Module
from .link import Framed, frame
from .loader import Bundle, bundle, is_analyzer_file
from .references import File, Library

__all__ = ["Checker", "Reloader"]

log = logging.getLogger(__name__)

_PATIENCE = 20.0  # seconds a candidate may take to load and pass its examples
_RENEW = 200  # candidates after which the process is replaced, whatever it may have gathered


class Checker:
    """The process in which candidates are tried; started on first use, replaced when it dies or hangs."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience, self._used = patience, 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def check(self, made: Bundle, options: Mapping[str, dict[str, Any]]) -> Verdict:
        """The verdict on a bundle; a `Problem` if the process died or hung over it."""
        if self._process is None or self._process.returncode is not None or self._used >= _RENEW:
            await self._start()
        self._used += 1
        self._writer.write(frame(Candidate(made, dict(options))))
        try:
            return await asyncio.wait_for(self._answer(), self._patience)
        except TimeoutError:
            await self.close()
            what = f"loading the file and its examples took longer than {self._patience:.0f} s"
            raise Problem("analyzer.slow", what, where=made.file) from None
        except (ConnectionError, EOFError):
            await self.close()
            raise Problem("analyzer.died", "the process that tried the file died over it", where=made.file,
                          todo="does it end the interpreter, or need more than 2 GiB?") from None  # fmt: skip

    async def _answer(self) -> Verdict:
        framed = Framed(Verdict)
        while data := await self._reader.read(1 << 20):
            for verdict in framed.receive(data):
                return verdict  # type: ignore[no-any-return]  # Framed decodes to its kind
        raise EOFError

    async def _start(self) -> None:
        await self.close()
        self._process, self._reader, self._writer = await started("checker", "pluginhost.engine.checker")
        self._used = 0

    async def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._writer.close()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._process = None


class Reloader:
    """Knows the current manifest, what each file last looked like, and which problems stand."""

    def __init__(self, folders: Iterable[Path], options: Mapping[str, dict[str, Any]], generations: Generations, checker: Checker,
                 files: Iterable[File] = ()) -> None:  # fmt: skip
        self._folders, self._options, self._generations, self._checker = tuple(folders), options, generations, checker
        self.library = Library(files, generations)
        self.manifest = generations.latest() or Manifest(0, ())
        self.problems: dict[str, Problem] = {}
        self._looks: dict[str, str] = {}  # the digest each file was last tried with
        self._missing: set[str] = set()
        self._lock = asyncio.Lock()

    def files(self) -> list[Path]:
        """The analyzer files of all folders, in order; helpers, tests and hidden files are not among them."""
        return [file for folder in self._folders for file in sorted(folder.glob("*.py")) if is_analyzer_file(file) and file.is_file()]

    async def scan(self, reset: Iterable[str] = ()) -> Manifest | None:
        """The next generation, stored and ready to be swapped in; None if nothing that runs has changed."""
        known = [info.name for info in self.manifest.infos()]
        for name in (reset := tuple(reset)):
            if name not in known:
                raise Problem("analyzer.unknown", f"there is no analyzer {name}", todo=close(name, known))
        async with self._lock:
            return await self._scan(reset)

    async def _scan(self, reset: tuple[str, ...]) -> Manifest | None:
        modules = {module.file: module for module in self.manifest.modules}
        bundles: dict[str, Bundle] = {}
        present = self.files()
        self._drop({str(file) for file in present}, modules)  # first, so that a file that was renamed may take over
        for file in present:
            await self._look(file, modules, bundles, reset)
        made = tuple(modules[name] for name in sorted(modules))
        contents = await self.library.look(self.manifest.contents)
        if made == self.manifest.modules and contents == self.manifest.contents and not reset:
            return None
        bundles = {module.file: bundles.get(module.file) or self._generations.bundle(module) for module in made}
        manifest = Manifest(self.manifest.number + 1, made, contents)
        try:
            self._generations.write(manifest, bundles.values())
        except OSError as error:
            log.error("the new generation cannot be stored (%s); what runs goes on", error)  # noqa: TRY400 - no bug of ours
            self._looks.clear()
            return None
        self.manifest = manifest
        return manifest

    async def _look(self, file: Path, modules: dict[str, Module], bundles: dict[str, Bundle], reset: tuple[str, ...]) -> None:
        """Tries `file` if it looks different from last time, and puts what passed into `modules`."""
        name = str(file)
        try:
            made = bundle(file)
        except Problem as problem:
            self._refuse(name, problem, modules)
            return
        current = modules.get(name)
        options = self._options
        mine = current.chosen(options) if current else None
        if current is not None and current.digest == made.digest and current.options == mine:
            if self.problems.pop(name, None) is not None:
                log.info("%s: back to what runs", name)
            self._looks[name] = made.digest
            return
        if self._looks.get(name) == made.digest and not reset:
            return  # refused already, and nothing has changed since
        self._looks[name] = made.digest
        try:
            module = self._passed(await self._checker.check(made, options), modules, name, reset)
        except Problem as problem:
            if problem.code == "analyzer.twice":  # what is wrong is another file, and that may change
                del self._looks[name]
            self._refuse(name, problem, modules)
            return
        self.problems.pop(name, None)
        modules[name], bundles[name] = module, made
        for info in module.analyzers:
            for warning in info.warnings:
                log.warning("%s: %s: where: %s", name, info.name, printable(warning))

    def _passed(self, verdict: Verdict, modules: Mapping[str, Module], name: str, reset: tuple[str, ...]) -> Module:
        if verdict.module is None:
            assert verdict.refusal is not None  # noqa: S101 - one of the two is there
            raise verdict.refusal.problem(None)
        taken = {info.name: module.file for module in modules.values() if module.file != name for info in module.analyzers}
        shapes = {info.name: info.shape for info in self.manifest.infos()}
        for info in verdict.module.analyzers:
            if info.name in taken:
                raise Problem("analyzer.twice", f"there is an analyzer {info.name} already, in {taken[info.name]}", where=name,
                              todo="rename one")  # fmt: skip
            if shapes.get(info.name, info.shape) != info.shape and not info.migrates and info.name not in reset:
                told = f"{info.name} keeps its state in another shape now: {shapes[info.name] or 'nothing'} → {info.shape}"
                raise Problem("analyzer.shape", told, where=name,
                              todo=f"give it migrate=…, or forget what it knows: pluginhost reload {info.name} --reset-state")  # fmt: skip
        return verdict.module

    def _refuse(self, name: str, problem: Problem, modules: Mapping[str, Module]) -> None:
        running = ", ".join(info.name for info in modules[name].analyzers) if name in modules else ""
        problem.still = f"{running} as it was before" if running else "every other analyzer; nothing of this file runs"
        self.problems[name] = problem
        log.error("%s", problem.page())

    def _drop(self, present: set[str], modules: dict[str, Module]) -> None:
        """Lets go of files that are gone; an editor may take a moment between removing and renaming, so twice in a row."""
        away = {name for name in modules if not Path(name).parent.is_dir()}  # a folder that vanished may have been unmounted
        for name in away - self.problems.keys():
            gone_folder = Problem("analyzer.folder", "the folder is gone", where=str(Path(name).parent), todo="is it mounted?")
            self._refuse(name, gone_folder, modules)
        gone = modules.keys() - present - away
        for name in gone & self._missing if self._looks else gone:
            del modules[name]
        self._missing = gone
        for name in self._looks.keys() - present - modules.keys():
            del self._looks[name]
            self.problems.pop(name, None)

    async def close(self) -> None:
        """Ends the process in which candidates are tried."""
        await self._checker.close()

    def snapshot(self) -> list[dict[str, Any]]:
        """Every analyzer of the current generation as plain data, with the problem of its file if there is one."""
        pages = {file: problem.page() for file, problem in self.problems.items()}
        return [
            {**msgspec.to_builtins(info), "file": module.file, "problem": pages.get(module.file)}
            for module in self.manifest.modules
            for info in module.analyzers
        ]
