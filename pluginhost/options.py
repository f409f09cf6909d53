"""How a part declares what can be configured, and how a configuration is read into it.

A part declares a frozen `msgspec.Struct` whose fields carry their documentation (`Annotated[int, doc("…", ge=1)]`);
this module reads YAML into such structs and knows none of them. Every mistake is found in one pass and told with its
path, line and a "did you mean". Nothing is looked up on the record path: options are read once, at start.
"""

from __future__ import annotations

import difflib
import operator
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml

from .problem import Place, Problem, Problems

__all__ = ["Duration", "Secret", "Size", "Tree", "build", "close", "convert", "describe", "doc", "parse", "read", "schema"]

T = TypeVar("T")
Path_ = tuple[str | int, ...]

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {"": 1, "b": 1, "k": 1000, "kb": 1000, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9,
          "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}  # fmt: skip
_BOUNDS = {"ge": (">=", operator.ge), "gt": (">", operator.gt), "le": ("<=", operator.le), "lt": ("<", operator.lt)}
_WORDS = {"`object`": "a mapping", "`array`": "a list", "`str`": "text", "`null`": "nothing"}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_TELLING = re.compile(r"(?i)((?:pass|secret|token|key|auth|cred)[^:=]*[:=]\s*)[^\s,}].*")
_USER = re.compile(r"://[^/@\s]*@")
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Duration(float):
    """A span of time in seconds, written `90`, `"90s"`, `"10m"`, `"1h"`, `"2d"` …"""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> Duration:
        """The duration that `value` says; `ValueError` if it says none."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12:
            return cls(value)
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if not found or (found[2] or "s") not in _UNITS:
            raise ValueError(f"expected a duration such as `10m` (units {', '.join(_UNITS)}), got `{value}`")
        return cls(float(found[1]) * _UNITS[found[2] or "s"])

    @property
    def ns(self) -> int:
        """The same in whole nanoseconds."""
        return round(self * 1e9)

    def __str__(self) -> str:
        for unit in ("w", "d", "h", "m", "s", "ms"):
            if self >= _UNITS[unit] and (self / _UNITS[unit]).is_integer():
                return f"{self / _UNITS[unit]:.0f}{unit}"
        return f"{float(self):g}s"


class Size(int):
    """A number of bytes, written `1048576`, `"1MiB"`, `"64k"` …"""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> Size:
        """The size that `value` says; `ValueError` if it says none."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(value)
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if not found or found[2].lower() not in _SIZES:
            raise ValueError(f"expected a size such as `64MiB`, got `{value}`")
        return cls(float(found[1]) * _SIZES[found[2].lower()])

    def __str__(self) -> str:
        for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if self >= unit and self % unit == 0:
                return f"{self // unit}{name}"
        return f"{int(self)}"


class Secret(str):
    """A string that is never shown. In a configuration: the text, `${ENV}`, or `file:/path` (its first line)."""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> Secret:
        """The secret that `value` says or points at; `ValueError` if it cannot be had."""
        if not isinstance(value, str):
            raise ValueError("expected a secret: text, `${ENV}` or `file:/path`")
        if not value.startswith("file:"):
            return cls(value)
        try:
            return cls(Path(value[5:]).read_text().split("\n", 1)[0])
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the secret's file `{value[5:]}`: {type(error).__name__}") from None

    def __repr__(self) -> str:
        return "Secret('…')"


_OWN: dict[type, tuple[typing.Callable[[object], Any], dict[str, Any]]] = {
    Duration: (Duration.of, {"type": ["string", "number"], "examples": ["10m"]}),
    Size: (Size.of, {"type": ["string", "integer"], "examples": ["64MiB"]}),
    Secret: (Secret.of, {"type": "string"}),
    Path: (lambda value: Path(_text(value)).expanduser(), {"type": "string"}),
}


def doc(description: str, **bounds: Any) -> msgspec.Meta:
    """The documentation of one option, with `ge`, `le`, `min_length`, `pattern` … where it is bounded."""
    return msgspec.Meta(description=description, **bounds)


class Tree:
    """A parsed configuration: `value` as plain data, and where each path of it stands in the file."""

    def __init__(self, value: Any, file: str = "configuration", text: str = "",
                 marks: Mapping[Path_, tuple[int, int]] | None = None) -> None:  # fmt: skip
        self.value, self.file, self._lines, self._marks = value, file, text.splitlines(), {} if marks is None else marks

    def place(self, path: Path_) -> Place | str:
        """Where `path` stands, or the nearest thing above it."""
        while path not in self._marks:
            if not path:
                return self.file
            path = path[:-1]
        line, column = self._marks[path]
        return Place(self.file, line + 1, column + 1, _quoted(self._lines, line))


def read(file: Path) -> Tree:
    """The configuration in `file`; a `Problem` if it cannot be read or is not YAML."""
    try:
        return parse(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Problem("config.unreadable", f"cannot read the configuration: {error}", where=str(file)) from None


def parse(text: str, file: str = "configuration") -> Tree:
    """The configuration in `text`, with `${ENV}` filled in; a `Problem` with a caret where it is not YAML."""
    node = _composed(text, file)
    marks: dict[Path_, tuple[int, int]] = {}
    loader = yaml.SafeLoader("")
    found: list[Problem] = []
    tree = Tree(None, file, text, marks)

    def plain(node: yaml.Node, path: Path_, depth: int) -> Any:
        marks.setdefault(path, (node.start_mark.line, node.start_mark.column))
        if depth > 50:
            raise Problem("config.depth", "the configuration is nested too deeply", where=tree.place(path))
        if isinstance(node, yaml.MappingNode):
            made: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
                marks[(*path, key)] = (key_node.start_mark.line, key_node.start_mark.column)
                if key in made:
                    found.append(Problem("config.twice", f"{_dotted((*path, key))} is given twice", where=tree.place((*path, key))))
                made[key] = plain(value_node, (*path, key), depth + 1)
            return made
        if isinstance(node, yaml.SequenceNode):
            return [plain(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        value = node.value if _clock(node) else loader.construct_object(node)
        return _filled(value, path, tree, found) if isinstance(value, str) else value

    try:
        tree.value = plain(node, (), 0) if node is not None else {}
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, file) from None
    if found:
        raise Problems(found)
    tree.value = {} if tree.value is None else tree.value  # a file of nothing but `---`
    return tree


def _clock(node: yaml.Node) -> bool:
    """Whether YAML would make something of its own of a date or a time of the day; here both are text, with quotes or without."""
    return node.tag.endswith(":timestamp") or (node.tag.endswith((":int", ":float")) and ":" in node.value)


def _composed(text: str, file: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, file) from None
    except RecursionError:
        raise Problem("config.depth", "the configuration is nested too deeply", where=file) from None


def _quoted(lines: list[str], line: int) -> str:
    """The line as it may be shown: who an address is asked as, and what stands behind a word that sounds secret, is nobody's business."""
    return _TELLING.sub(r"\1…", _USER.sub("://…@", lines[line])) if line < len(lines) else ""


def _not_yaml(error: Exception, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line if mark else 0
    where = Place(file, line + 1, (mark.column if mark else 0) + 1, _quoted(text.splitlines(), line))
    return Problem("config.yaml", f"not YAML: {getattr(error, 'problem', None) or error}", where=where)


def _filled(text: str, path: Path_, tree: Tree, found: list[Problem]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match[1], match[2]
        if (known := os.environ.get(name, default)) is not None:
            return known
        found.append(Problem("config.environment", f"{_dotted(path)}: the environment has no {name}", where=tree.place(path),
                             todo=f"set it, or give a default: ${{{name}:-…}}"))  # fmt: skip
        return ""

    return _VARIABLE.sub(value, text)


def build(cls: type[T], tree: Tree, path: Path_ = (), skip: tuple[str, ...] = ()) -> T:
    """The `cls` that the tree holds at `path`; raises `Problems` with every mistake in it. Keys in `skip` are not its."""
    found: list[Problem] = []
    value = tree.value
    for step in path:
        value = value[step]
    made = _struct(cls, value, path, tree, found, skip)
    if found:
        raise Problems(found)
    return typing.cast(T, made)


def convert(kind: Any, value: Any, at: str, where: Place | str | None = None) -> Any:
    """`value` as the type `kind`; a `Problem` naming `at` if it cannot be one. A text may say a number: `${PORT}` is one."""
    own = _bare(kind) in _OWN  # their bounds are ours to check
    try:
        made = msgspec.convert(value, _unnoted(kind) if own else kind, strict=not isinstance(value, str), dec_hook=_decode)
        return _within(made, kind) if own else made
    except (msgspec.ValidationError, ValueError) as error:
        reason = re.sub(r" - at `(\$[^`]*)`$", "", str(error))
        reason = re.sub(r"`\w+`", lambda word: _WORDS.get(word[0], word[0]), reason)
        raise Problem("config.value", f"{at}: {reason[0].lower()}{reason[1:]}", where=where) from None


def _notes(kind: Any) -> list[msgspec.Meta]:
    return [note for note in get_args(kind)[1:] if isinstance(note, msgspec.Meta)] if get_origin(kind) is typing.Annotated else []


def _unnoted(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is typing.Annotated else kind


def _within(made: Any, kind: Any) -> Any:
    """`made`, if it keeps the bounds that `kind` notes; `ValueError` otherwise."""
    for note in _notes(kind) if made is not None else ():
        for name, (sign, holds) in _BOUNDS.items():
            if (bound := getattr(note, name)) is not None and not holds(made, bound):
                raise ValueError(f"expected {sign} {type(made)(bound)}, got {made}")
        if isinstance(made, (list, tuple)) and not (note.min_length or 0) <= len(made) <= (note.max_length or len(made)):
            raise ValueError(f"expected {note.min_length or 0} to {note.max_length or 'any number of'} items, got {len(made)}")
    return made


def _decode(kind: type, value: object) -> object:
    if kind in _OWN:
        return _OWN[kind][0](value)
    raise NotImplementedError(f"no way to read {kind}")


def _struct(cls: Any, value: Any, path: Path_, tree: Tree, found: list[Problem], skip: tuple[str, ...] = ()) -> Any:
    if value is None:
        value = {}
    if not isinstance(value, dict):
        found.append(Problem("config.value", f"{_dotted(path)}: expected a mapping, got {_kind(value)}", where=tree.place(path)))
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    for key in value.keys() - fields.keys() - set(skip):
        todo = close(key, [*fields, *skip])
        what = f"{_dotted((*path, key))}: there is no option `{key}` here"
        found.append(Problem("config.unknown", what, where=tree.place((*path, key)), todo=todo))
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            made[field.name] = _value(field.type, value[name], (*path, name), tree, found)
        elif field.required:
            found.append(Problem("config.missing", f"{_dotted((*path, name))} is missing", where=tree.place(path)))
    return cls(**made) if not found else None


def _value(kind: Any, value: Any, path: Path_, tree: Tree, found: list[Problem]) -> Any:
    """`value` as `kind`, struct by struct so that each mistake is told apart."""
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _struct(bare, value, path, tree, found)
    try:
        if get_origin(bare) in (list, tuple) and isinstance(value, list):
            item = get_args(bare)[0]
            items = [_value(item, one, (*path, index), tree, found) for index, one in enumerate(value)]
            return _within(tuple(items) if get_origin(bare) is tuple else items, kind)
        return convert(kind, value, _dotted(path), tree.place(path))
    except Problem as problem:
        if isinstance(value, str) and get_origin(bare) is Literal:
            problem.todo = close(value, [str(choice) for choice in get_args(bare)])
        found.append(problem)
    except ValueError as error:  # too many or too few items
        found.append(Problem("config.value", f"{_dotted(path)}: {error}", where=tree.place(path)))
    return None


def _bare(kind: Any) -> Any:
    """The type without its documentation and without `| None`."""
    while get_origin(kind) is typing.Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (types.UnionType, typing.Union):
        rest = [one for one in get_args(kind) if one is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else kind
    return kind


def _optional(kind: Any) -> bool:
    return type(None) in get_args(_unnoted(kind))


def close(word: str, known: typing.Iterable[str]) -> str:
    """What to do about a word that is not `known`: the nearest one, or all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, 1, 0.6)
    return f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(words) or 'none'}"


def _dotted(path: Path_) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {_kind(value)}")
    return value


def describe(cls: type[msgspec.Struct]) -> list[tuple[str, str, str, str]]:
    """(name, type, default, documentation) of every option of `cls`, for the docs."""
    rows = []
    for field in msgspec.structs.fields(cls):
        default = "required" if field.required else _shown(_default(field))
        rows.append((field.encode_name, _named(field.type), default, _told(field.type)))
    return rows


def _told(kind: Any) -> str:
    return " ".join(note.description or "" for note in _notes(kind))


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _shown(value: object) -> str:
    if isinstance(value, (str, Path, Duration, Size)):
        return str(value) or '""'
    return msgspec.json.encode(value, enc_hook=str).decode()


def _named(kind: Any) -> str:
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        return " \\| ".join(str(choice) for choice in get_args(bare))
    if get_origin(bare) in (list, tuple):
        return f"list of {_named(get_args(bare)[0])}"
    if get_origin(bare) in (types.UnionType, typing.Union):
        return " \\| ".join(_named(one) for one in get_args(bare))
    names = {str: "text", bool: "true or false", int: "integer", float: "number",
             Duration: "duration", Size: "size", Secret: "secret", Path: "path"}  # fmt: skip
    return names.get(bare, getattr(bare, "__name__", str(bare)).lower())


def schema(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of `cls`, whole in itself: a struct within a struct is written out where it stands."""
    properties, required = {}, []
    for field in msgspec.structs.fields(cls):
        made = properties[field.encode_name] = _schema(field.type)
        if field.required:
            required.append(field.encode_name)
        else:
            made["default"] = msgspec.to_builtins(_default(field), enc_hook=str)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema(kind: Any) -> dict[str, Any]:
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        made = {"anyOf": [schema(bare), {"type": "null"}]} if _optional(kind) else schema(bare)
    elif get_origin(bare) in (list, tuple):
        made = {"type": "array", "items": _schema(get_args(bare)[0])}
    else:
        made = msgspec.json.schema(_unnoted(kind) if bare in _OWN else kind, schema_hook=lambda own: dict(_OWN[own][1]))
    return {**made, "description": _told(kind)} if _told(kind) else made
