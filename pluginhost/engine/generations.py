"""Generations on disk: which sources run, content-addressed, so that a restart or a replay runs exactly the same code.

`generations/<number>.json` is a manifest, `generations/<sha256>.py` a source, `generations/<sha256>.ref` a list or a database that records
are read with. Files are written aside, synced and renamed; a manifest is there only when all it names is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ..detect.declaration import Analyzer
from ..events.references import NOTHING, Content, References, opened
from ..match import parse
from ..options import Duration, Secret, close, convert
from ..problem import Problem
from .loader import Bundle, load
from .splitter import Want
from .unit import Unit

__all__ = ["Generations", "Info", "Manifest", "Module", "describe", "fitted", "ready", "used"]


_NAMES = str | tuple[str, ...]
_OF_ANOTHER = {"use": str, "where": str, "key": _NAMES, "group": _NAMES, "tags": _NAMES, "title": str}
"""What the configuration says of an analyzer that it uses under another name, beside that one's options."""


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
    templates: tuple[str, ...] = ()

    def chosen(self, given: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What of the configured options is this file's: those of its analyzers, and those that use one of them under another name."""
        declared = {*self.templates, *(info.name for info in self.analyzers)}
        return {**{info.name: given.get(info.name, {}) for info in self.analyzers},
                **{name: one for name, one in given.items() if one.get("use") in declared}}  # fmt: skip


class Manifest(msgspec.Struct, frozen=True):
    """A generation: what runs from its control row on, and the lists and databases that records are read with."""

    number: int
    modules: tuple[Module, ...]
    contents: tuple[Content, ...] = ()

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

    def references(self, manifest: Manifest, before: References = NOTHING, *, lists: bool = True) -> References:
        """The lists and databases of a generation, ready to be asked, those that are open in `before` as they are; without the lists, some
        of which take a second to open, for whoever only reads fields."""
        wanted = [content for content in manifest.contents if lists or content.kind == "places"]
        try:
            return opened({content: self.folder / f"{content.digest}.ref" for content in wanted}, before)
        except (OSError, ValueError) as error:
            raise Problem("generation.unreadable", f"cannot read a list or database of generation {manifest.number}: {error}",
                          where=str(self.folder)) from None  # fmt: skip

    @staticmethod
    def waiting(folder: Path, digest: str) -> Path:
        """Where a compiled reference lies until a generation names it."""
        return folder / f"{digest}.ref.new"

    def write(self, manifest: Manifest, bundles: Iterable[Bundle]) -> None:
        """Stores the manifest and the sources it needs, durably."""
        for content in manifest.contents:
            if (waiting := self.waiting(self.folder, content.digest)).exists():
                waiting.replace(self.folder / f"{content.digest}.ref")
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
                manifest = self.manifest(number)
                kept |= {f"{content.digest}.ref" for content in manifest.contents}
                for module in manifest.modules:
                    kept |= {f"{source}.py" for source in (module.source, *module.helpers.values())}
        for path in [*self.folder.glob("*.py"), *self.folder.glob("*.ref")]:
            if path.name not in kept:
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


def describe(made: Bundle, units: Iterable[Unit], given: Mapping[str, Mapping[str, Any]], templates: Iterable[str] = ()) -> Module:
    """The manifest's entry for a bundle that was loaded as `units`; `templates` are those in it that run only under other names."""
    infos = tuple(_info(unit) for unit in units)
    mine = {info.name: dict(given.get(info.name, {})) for info in infos}
    helpers = {name: _digest(source) for name, source in made.helpers.items()}
    return Module(made.name, made.file, made.digest, _digest(made.source), helpers, mine, infos, tuple(templates))


def _info(unit: Unit) -> Info:
    one, declared = unit.analyzer, unit.analyzer.declared
    shown = {name: _shown(value) for name, value in unit.options.items()}
    return Info(one.name, one.title, one.doc, declared.where, declared.key, declared.group, declared.tags, declared.pinned, one.shape,
                one.has_timers or bool(one.tables), one.migrate is not None, shown, len(one.examples), one.place.line,
                one.warnings)  # fmt: skip


def ready(made: Bundle, given: Mapping[str, Mapping[str, Any]], found: Sequence[Analyzer] | None = None) -> list[Unit]:
    """The bundle's analyzers, loaded (unless they are `found` already) and given their options, also those that are used under other
    names; a `Problem` if either cannot be done."""
    units = []
    found = load(made) if found is None else found
    for one in found:
        if not one.declared.template and "use" in given.get(one.name, ()):
            raise Problem("analyzer.twice", f"$.options.{one.name}.use: there is an analyzer {one.name} already", where=one.place,
                          todo="give what it uses another name")  # fmt: skip
    for one in found:
        uses = {name: told for name, told in given.items() if told.get("use") == one.name}
        if not one.declared.template:
            uses = {one.name: given.get(one.name, {}), **uses}
        units += [used(one, name, told, made.name, made.sources) for name, told in uses.items()]
    return units


def used(one: Analyzer, name: str, told: Mapping[str, Any], module: str, sources: Mapping[str, str],
         before: Mapping[str, Any] | None = None, at: str = "") -> Unit:  # fmt: skip
    """The analyzer as the configuration under `name` has it: itself with options, or another that uses its body. `before` are options
    that hold where `told` says nothing else; `at` names where that stands, if not in the configuration."""
    at = at or f"$.options.{name}"
    if "use" not in told:
        return Unit(*_fixed(one, {**(before or {}), **fitted(one, told, at)}, at), module, sources)
    said = {word: convert(kind, told[word], f"{at}.{word}") for word, kind in _OF_ANOTHER.items() if word in told}
    try:
        one = one.another(name, said)
    except Problem as problem:
        problem.what = f"{at}: {problem.what}"
        raise
    options = {**(before or {}), **fitted(one, {word: value for word, value in told.items() if word not in _OF_ANOTHER}, at)}
    for option, declared in one.options.items():
        if options.get(option, declared.default) is ...:
            raise Problem("config.missing", f"{at}.{option} is missing", todo=f"{said['use']} cannot do without it")
    return Unit(*_fixed(one, options, at), module, sources)


def _fixed(one: Analyzer, options: dict[str, Any], at: str) -> tuple[Analyzer, dict[str, Any]]:
    """The analyzer with the states that its options ask for, and all of its options."""
    whole = {**{name: option.default for name, option in one.options.items()}, **options}
    try:
        return one.given(whole), whole
    except Problem as problem:
        problem.what = f"{at}: {problem.what}"
        raise
    except (TypeError, ValueError) as error:
        raise Problem("config.value", f"{at}: {error}") from None


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
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
