"""Makes a document acceptable: to JSON (`plain`), and to the alert index (`clean`). Pure; nothing that arrived is lost.

Elasticsearch forgives a bad address or date in a field (`ignore_malformed`), but refuses the whole document for others:
an empty or blank part of a name, a scalar where an object is mapped and the reverse, more than twenty levels, a keyword
of more than 32,766 bytes. Such a value moves to `pluginhost.unfit`, under its dotted path, which is kept but never mapped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .template import mapped

__all__ = ["clean", "plain"]

_DEPTH = 20
_NEW_FIELDS = 500
_LONGEST_KEYWORD = 8191  # characters: at most 32,764 bytes, the index's own limit being 32,766
_NOTHING: Any = object()
_Spec = Mapping[str, Any]


def plain(value: Any, depth: int = 64) -> Any:
    """`value` as JSON can say it: text keys, valid text, finite floats, integers of 64 bits, at most `depth` levels.

    NaN and infinities become null, larger integers and whatever lies deeper become text, bytes become text with `\\x` escapes.
    """
    if value.__class__ is str:
        return value if value.isascii() else _text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return _text(str(value))
    if depth <= 0:
        return _as_text(value)
    if isinstance(value, dict):
        return {_key(name): plain(inner, depth - 1) for name, inner in value.items()}
    return [plain(inner, depth - 1) for inner in value]


def _text(value: str) -> str:
    """Without the lone surrogates that no encoder takes."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def _key(name: Any) -> str:
    return str(plain(name, 0)) if name is not None else "null"


def _as_text(value: Any) -> str:
    """A subtree too deep for its place, as JSON text."""
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (RecursionError, TypeError, ValueError):  # endless depth, keys of no JSON kind, text of no encoding
        return "…"


def clean(document: Mapping[str, Any]) -> dict[str, Any]:
    """The alert `document` as its index takes it. Cleaning twice changes nothing."""
    cleaner = _Cleaner()
    made: dict[str, Any] = cleaner.object(document, mapped(), ())
    if cleaner.unfit:
        ours = made.get("pluginhost")
        if not isinstance(ours, dict):
            cleaner.unfit |= {"pluginhost": ours} if ours else {}
            ours = made["pluginhost"] = {}
        earlier = ours.get("unfit")
        ours["unfit"] = {**(earlier if isinstance(earlier, dict) else {}), **cleaner.unfit}
    return made


class _Cleaner:
    """One walk over one document, along the mapping: what does not fit its place gathers in `unfit`."""

    def __init__(self) -> None:
        self.unfit: dict[str, Any] = {}
        self._new: set[tuple[str, ...]] = set()

    def object(self, value: Mapping[Any, Any], specs: _Spec | None, path: tuple[str, ...]) -> dict[str, Any]:
        made = {}
        for key, inner in value.items():
            if specs is not None and (known := specs.get(key)) is not None:  # a name of ours: nothing can be wrong with it
                if _common(inner) and "properties" not in known:
                    made[key] = inner
                elif (kept := self._field(inner, known, (*path, key))) is not _NOTHING:
                    made[key] = kept
                continue
            name = _key(key)
            parts = name.split(".")
            here, spec = (*path, *parts), _below(specs, parts)
            if not self._nameable(parts, here, spec):
                self._misfit(here, inner)
            elif (kept := self._field(inner, spec, here)) is not _NOTHING:
                made[name] = kept
        return made

    def _nameable(self, parts: list[str], here: tuple[str, ...], spec: _Spec | None) -> bool:
        """Whether the index can have a field of this name; a document may bring only so many that are not mapped."""
        if not all(part.strip() for part in parts) or here[0].startswith("_") or len(here) > _DEPTH:
            return False
        if spec is None and here not in self._new:
            if len(self._new) >= _NEW_FIELDS:
                return False
            self._new.add(here)
        return True

    def _field(self, value: Any, spec: _Spec | None, path: tuple[str, ...]) -> Any:
        if spec is not None and (spec.get("enabled") is False or spec.get("type") == "geo_point"):
            return plain(value)
        if value is None:
            return None
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._list(list(value), spec, path)
        wanted = isinstance(value, dict) if spec is None else "properties" in spec
        return self._one(value, spec, path, wanted)

    def _list(self, values: list[Any], spec: _Spec | None, path: tuple[str, ...]) -> list[Any]:
        """An array is of one kind: what the mapping wants, else objects if it holds any. Arrays within are laid flat."""
        flat = list(_flat(values))
        wanted = any(isinstance(one, dict) for one in flat) if spec is None else "properties" in spec
        return [kept for one in flat if (kept := self._one(one, spec, path, wanted)) is not _NOTHING]

    def _one(self, value: Any, spec: _Spec | None, path: tuple[str, ...], wanted: bool) -> Any:
        if value is None:
            return None
        if isinstance(value, dict) is not wanted or (wanted and len(path) >= _DEPTH):
            return self._misfit(path, value)
        if isinstance(value, dict):
            return self.object(value, spec["properties"] if spec else None, path)
        return _scalar(value, spec)

    def _misfit(self, path: tuple[str, ...], value: Any) -> Any:
        """Kept aside; several of one place become a list."""
        name, value = ".".join(path), plain(value)
        self.unfit[name] = value if name not in self.unfit else [*_listed(self.unfit[name]), value]
        return _NOTHING


def _common(value: Any) -> bool:
    """Whether it is a scalar that any scalar's place takes as it is; most are."""
    if value.__class__ is str:
        return value.isascii() and len(value) <= _LONGEST_KEYWORD
    return value.__class__ is int and -(1 << 63) <= value < 1 << 63


def _below(specs: _Spec | None, parts: list[str]) -> _Spec | None:
    """The mapping of a field by the parts of its name; None if it has none."""
    spec: _Spec | None = None
    for part in parts:
        spec = specs.get(part) if specs else None
        specs = spec.get("properties") if spec else None
    return spec


def _flat(values: list[Any]) -> Iterator[Any]:
    """What lies in arrays of arrays, in order; without recursion, since nobody bounded their depth yet."""
    rest = values[::-1]
    while rest:
        one = rest.pop()
        if isinstance(one, (list, tuple, set, frozenset)):
            rest += list(one)[::-1]
        else:
            yield one


def _scalar(value: Any, spec: _Spec | None) -> Any:
    value = plain(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 63:
        return str(value)
    if isinstance(value, str) and len(value) > _LONGEST_KEYWORD and spec and _bounded(spec):
        return value[:_LONGEST_KEYWORD]
    return value


def _bounded(spec: _Spec) -> bool:
    return spec.get("type") == "keyword" and "ignore_above" not in spec and spec.get("index") is not False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
