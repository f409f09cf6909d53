"""Source text → analyzers, without leaving a trace in `sys.modules`, so that a file can be loaded thousands of times.

A *bundle* is one analyzer file with the helper modules (`_name.py` beside it) that it imports, directly or through each
other. Helpers are found by `import _name`, `from _name import x` and `from ._name import x`.
"""

from __future__ import annotations

import ast
import builtins
import sys
import traceback
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import msgspec

from ..detect.declaration import Analyzer
from ..problem import Place, Problem

__all__ = ["Bundle", "bundle", "is_analyzer_file", "load", "place_of"]


class Bundle(msgspec.Struct, frozen=True):
    """The sources one file runs on: `name` is its stem, `file` what people are shown, `helpers` by module name."""

    name: str
    file: str
    source: str
    helpers: dict[str, str]

    @property
    def sources(self) -> dict[str, str]:
        """Every source by the file it stands in."""
        return {**{str(Path(self.file).with_name(f"{name}.py")): text for name, text in self.helpers.items()}, self.file: self.source}

    @property
    def digest(self) -> str:
        """sha256 over all sources, hex."""
        made = sha256(self.source.encode())
        for name, source in sorted(self.helpers.items()):
            made.update(f"\0{name}\0{source}".encode())
        return made.hexdigest()


def is_analyzer_file(file: Path) -> bool:
    """Whether `file` is for analyzers by its name: not a helper, not hidden, not a test of one."""
    stem = file.stem
    return file.suffix == ".py" and not stem.startswith(("_", ".", "test_")) and not stem.endswith("_test") and stem != "conftest"


def bundle(file: Path) -> Bundle:
    """The bundle of `file` as it stands on disk; a `Problem` if a source cannot be read."""
    source, helpers, wanted = _text(file), {}, [file]
    texts = {file: source}
    while wanted:
        for name in _helpers(texts[wanted.pop()]):
            path = file.with_name(f"{name}.py")
            if name not in helpers and path.is_file():
                texts[path] = helpers[name] = _text(path)
                wanted.append(path)
    return Bundle(file.stem, str(file), source, helpers)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem("analyzer.unreadable", f"cannot read the file: {error}", where=str(file)) from None


def _helpers(source: str) -> set[str]:
    """Names of modules with a leading underscore that `source` imports; none where it is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} if node.module else {one.name for one in node.names}
    return {name for name in names if name.startswith("_") and not name.startswith("__") and "." not in name}


def load(made: Bundle) -> list[Analyzer]:
    """The analyzers that the bundle's file declares, in its order; a `Problem` with the author's line if it does not load."""
    found: list[Analyzer] = []
    for value in _Modules(made).main().values():
        if isinstance(value, Analyzer) and value not in found:
            if value.name in {one.name for one in found}:
                raise Problem("analyzer.twice", f"the file declares two analyzers {value.name}", where=value.place, todo="rename one")
            found.append(value)
    if not found:
        raise Problem("analyzer.none", "the file declares no analyzer", where=made.file,
                      todo="decorate a function with @analyzer, or begin the file's name with _ if it only helps others")  # fmt: skip
    return found


class _Modules:
    """Runs the sources of one bundle; lives as long as its modules."""

    def __init__(self, made: Bundle) -> None:
        self._bundle, self._loaded = made, dict[str, ModuleType]()

    def main(self) -> dict[str, Any]:
        return self._run(self._bundle.name, self._bundle.file, self._bundle.source).__dict__

    def _run(self, name: str, file: str, source: str) -> ModuleType:
        module = ModuleType(f"pluginhost.dropped_in.{name}")
        self._loaded[name] = module
        module.__dict__.update(__file__=file, __builtins__={**vars(builtins), "__import__": self._import})
        sys.modules[module.__name__] = module  # only while it runs: dataclasses and the like look themselves up there
        try:
            exec(_compiled(source, file), module.__dict__)  # noqa: S102 - running the author's file is what this is for
        except Problem:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Problem("analyzer.import", f"{type(error).__name__}: {error}", where=place_of(error, self._bundle.sources)) from None
        finally:
            sys.modules.pop(module.__name__, None)
        return module

    def _helper_file(self, name: str) -> str:
        return str(Path(self._bundle.file).with_name(f"{name}.py"))

    def _import(self, name: str, globals_: Mapping[str, Any] | None = None, locals_: Mapping[str, Any] | None = None,
                fromlist: tuple[str, ...] = (), level: int = 0) -> ModuleType:  # fmt: skip
        if level == 1 and not name:  # from . import _helper
            package = ModuleType(".")
            package.__dict__.update({one: self._helper(one) for one in fromlist or ()})
            return package
        if level == 1 or (level == 0 and name in self._bundle.helpers):
            return self._helper(name)
        return builtins.__import__(name, globals_, locals_, fromlist, level)

    def _helper(self, name: str) -> ModuleType:
        if name not in self._bundle.helpers:
            raise ImportError(f"there is no {name}.py beside {self._bundle.file}")
        return self._loaded.get(name) or self._run(name, self._helper_file(name), self._bundle.helpers[name])


def _compiled(source: str, file: str) -> CodeType:
    try:
        return compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        width = (error.end_offset or 0) - (error.offset or 0) if error.end_lineno == error.lineno else 1
        where = Place(file, error.lineno or 0, error.offset or 0, (error.text or "").rstrip("\n"), max(width, 1))
        raise Problem("analyzer.syntax", error.msg, where=where) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Problem("analyzer.syntax", f"not Python: {error}", where=file) from None


def place_of(error: BaseException, sources: Mapping[str, str]) -> Place | None:
    """The author's own line in the traceback of `error`: the innermost frame that lies in `sources` (file → text)."""
    frames = [one for one in traceback.extract_tb(error.__traceback__, 200) if one.filename in sources]
    if not frames:
        return None
    last = frames[-1]
    lines = sources[last.filename].splitlines()
    text = lines[last.lineno - 1] if last.lineno and last.lineno <= len(lines) else ""
    start = _characters(text, last.colno) if last.colno is not None else len(text) - len(text.lstrip())
    end = _characters(text, last.end_colno) if last.end_colno is not None and last.end_lineno == last.lineno else len(text)
    return Place(last.filename, last.lineno or 0, start + 1, text, max(end - start, 1))


def _characters(text: str, size: int) -> int:
    """How many characters the first `size` bytes of a line are: a traceback counts bytes."""
    return len(text.encode()[:size].decode("utf-8", "ignore"))
