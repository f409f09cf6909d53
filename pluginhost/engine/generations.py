"""Generations on disk: which sources run, content-addressed, so that a restart or a replay runs exactly the same code.

`generations/<number>.json` is a manifest, `generations/<sha256>.py` a source. Files are written aside, synced and renamed; a
manifest is there only when all its sources are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ..detect.declaration import Analyzer
from ..match import parse
from ..options import Secret, close, convert
from ..problem import Problem
from .loader import Bundle, load
from .splitter import Want
from .unit import Unit

__all__ = ["Generations", "Info", "Manifest", "Module", "describe", "fitted", "ready"]


class Info(msgspec.Struct, frozen=True):
    """What is known of an analyzer without running it. `shape` is the layout of its state, `line` where it is declared."""

    name: str
    title: str
    doc: str
    where: str
    key: tuple[str, ...]
    group: tuple[str, ...]
    tags: tuple[str, ...]
    pinned: bool
    shape: str
    ticks: bool
    migrates: bool
    options: dict[str, Any]
    examples: int
    line: int
    warnings: tuple[str, ...] = ()

    @property
    def want(self) -> Want:
        """Which records are to be brought to it."""
        return Want(self.name, self.key, self.tags, parse(self.where) if self.where else None, self.pinned)


class Module(msgspec.Struct, frozen=True):
    """One analyzer file as it runs: digests of its sources, its analyzers' configured options, and what it declares."""

    name: str
    file: str
    digest: str
    source: str
    helpers: dict[str, str]
    options: dict[str, dict[str, Any]]
    analyzers: tuple[Info, ...]


class Manifest(msgspec.Struct, frozen=True):
    """A generation: what runs from its control row on."""

    number: int
    modules: tuple[Module, ...]

    def infos(self) -> list[Info]:
        """Every analyzer, by name."""
        return sorted((info for module in self.modules for info in module.analyzers), key=lambda info: info.name)


class Generations:
    """The folder of generations; written by the host, read by the workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def latest(self) -> Manifest | None:
        """The newest generation, or None."""
        numbers = self._numbers()
        return self.manifest(max(numbers)) if numbers else None

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal()]

    def manifest(self, number: int) -> Manifest:
        """The generation `number`; a `Problem` if it is gone or damaged."""
        path = self.folder / f"{number}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (OSError, msgspec.DecodeError) as error:
            raise Problem("generation.unreadable", f"cannot read generation {number}: {error}", where=str(path),
                          todo="restore the data folder from a backup; the journal needs the code it was judged by") from None  # fmt: skip

    def bundle(self, module: Module) -> Bundle:
        """The sources of a module, checked against their digests."""
        helpers = {name: self._source(one) for name, one in module.helpers.items()}
        return Bundle(module.name, module.file, self._source(module.source), helpers)

    def write(self, manifest: Manifest, bundles: Iterable[Bundle]) -> None:
        """Stores the manifest and the sources it needs, durably."""
        for made in bundles:
            for source in (made.source, *made.helpers.values()):
                path = self.folder / f"{_digest(source)}.py"
                if not path.exists():
                    _write(path, source.encode())
        _write(self.folder / f"{manifest.number}.json", msgspec.json.format(msgspec.json.encode(manifest)))
        _sync(self.folder)

    def prune(self, oldest: int) -> None:
        """Removes manifests below `oldest` and the sources that no manifest needs."""
        kept: set[str] = set()
        for number in self._numbers():
            if number < oldest:
                (self.folder / f"{number}.json").unlink(missing_ok=True)
            else:
                for module in self.manifest(number).modules:
                    kept |= {module.source, *module.helpers.values()}
        for path in list(self.folder.glob("*.py")):
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def _source(self, digest: str) -> str:
        path = self.folder / f"{digest}.py"
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Problem("generation.unreadable", f"cannot read a source of this generation: {error}", where=str(path)) from None
        if _digest(text) != digest:
            raise Problem("generation.unreadable", "a source of this generation was changed", where=str(path))
        return text


def describe(made: Bundle, units: Iterable[Unit], given: Mapping[str, Mapping[str, Any]]) -> Module:
    """The manifest's entry for a bundle that was loaded as `units`."""
    infos = tuple(_info(unit) for unit in units)
    mine = {info.name: dict(given.get(info.name, {})) for info in infos}
    helpers = {name: _digest(source) for name, source in made.helpers.items()}
    return Module(made.name, made.file, made.digest, _digest(made.source), helpers, mine, infos)


def _info(unit: Unit) -> Info:
    one, declared = unit.analyzer, unit.analyzer.declared
    shown = {name: _shown(value) for name, value in unit.options.items()}
    return Info(one.name, one.title, one.doc, declared.where, declared.key, declared.group, declared.tags, declared.pinned, one.shape,
                one.has_timers or bool(one.tables), one.migrate is not None, shown, len(one.examples), one.place.line,
                one.warnings)  # fmt: skip


def ready(made: Bundle, given: Mapping[str, Mapping[str, Any]]) -> list[Unit]:
    """The bundle's analyzers, loaded and given their options; a `Problem` if either cannot be done."""
    sources = {made.file: made.source, **{str(Path(made.file).with_name(f"{name}.py")): text for name, text in made.helpers.items()}}
    return [Unit(one, fitted(one, given.get(one.name, {}), f"$.options.{one.name}"), made.name, sources) for one in load(made)]


def fitted(one: Analyzer, given: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The options `given` to an analyzer as the types it declares; a `Problem` naming `at` if one is unknown or does not fit."""
    unknown = given.keys() - one.options.keys()
    if unknown:
        name = sorted(unknown)[0]
        raise Problem("config.unknown", f"{at}.{name}: {one.name} has no option `{name}`", todo=close(name, one.options))
    return {name: convert(one.options[name].kind, value, f"{at}.{name}") for name, value in given.items()}


def _digest(source: str) -> str:
    return sha256(source.encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    aside = path.with_suffix(".new")
    with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _shown(value: Any) -> Any:
    """An option's value as people may see it."""
    if isinstance(value, Secret):
        return "…"
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
