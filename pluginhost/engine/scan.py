"""Which records of a batch anybody could want, found without an event and mostly without decoding: for rules that few records match.

A superset, never less: what may match is judged as if there were no scan. A record is passed over when none of the raw values that
the asked fields could be read from satisfies an atom of the index, and no mapping that gives one of these fields can fit it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from ahocorasick_rs import BytesAhoCorasick, Implementation

from ..events.aliases import ALIASES, heads, tops
from ..events.derived import DERIVED
from ..events.fields import MISSING, lookup
from ..events.mapping import Keys, Mapping
from ..events.projection import CODECS, projection
from ..events.slice import Batch
from ..match.index import Index
from ..wire.records import reader

__all__ = ["scan"]

Scan = Callable[[Batch], Sequence[int]]

_BACKSLASH = b"\\"
_MEMO = 4096  # values of a key that are remembered
_FEW = 24  # keys that are better picked out than found in the whole


def scan(index: Index, kinds: Iterable[Mapping], codec: str) -> Scan | None:
    """The function that gives the places in a batch of `codec` that `index` may want; None where every record has to be looked at.

    `kinds` are the mappings that may read the records.
    """
    bases = {DERIVED[field].base for field in index.fields & DERIVED.keys()}
    giving = [one for one in kinds if one.gives is None or one.gives & {*index.fields, *bases}]
    giving += [Mapping("derived", "", Keys((key,))) for base in bases for key in heads(base)]  # whatever has the base may have the rest
    if codec not in CODECS or index.always or any(not one.keys and not one.literals for one in giving):
        return None
    return _Learning(index, giving, codec)


class _Learning:
    """A scan that remembers, for fields of few values, which of these satisfy nothing. A field of many is found out, and asked anew."""

    def __init__(self, index: Index, giving: Sequence[Mapping], codec: str) -> None:
        self._given = index, giving, codec
        self._write(frozenset())

    def _write(self, many: frozenset[str]) -> None:
        self._writer = _Writer(*self._given, many)
        exec("\n".join(self._writer.lines()), self._writer.names)  # noqa: S102 - the text is made here, from names only
        self._scan: Scan = self._writer.names["scan"]

    def __call__(self, batch: Batch) -> Sequence[int]:
        found = self._scan(batch)
        if any(len(memo) >= _MEMO for memo in self._writer.memos.values()):
            self._write(self._writer.many | {key for key, memo in self._writer.memos.items() if len(memo) >= _MEMO})
        return found


class _Writer:
    """Writes the function: one record after another, the cheap tests first.

    `memos` are, by key, values that satisfy nothing; those of the keys in `many` are too different to be worth it.
    """

    def __init__(self, index: Index, giving: Sequence[Mapping], codec: str, many: frozenset[str]) -> None:
        self._index, self._giving, self._codec, self.many = index, giving, codec, many
        self.memos: dict[str, set[Any]] = {}
        self.names: dict[str, Any] = {"MISSING": MISSING}
        self._asked = _asked(index.fields)
        self._keys = sorted({*self._asked, *(key for one in giving for keys in one.keys for key in keys)})
        self._sets: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        for one in giving:
            if one.rarest is not None:
                self._sets[one.rarest] += one.keys

    def _bind(self, value: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def lines(self) -> list[str]:
        """The text of the function, for `exec`."""
        return [
            "def scan(batch):",
            "    data, hits = batch.data, []",
            "    hit = hits.append",
            "    for place, start, end in zip(range(len(batch)), batch.starts, batch.ends):",
            "        try:",
            *(" " * 12 + line for line in (*self._literals(), *(self._picked() if len(self._keys) <= _FEW else self._found()))),
            "        except TypeError:",  # a list or an object is in no set
            f"            if {self._bind(self._plainly)}(data[start:end]): hit(place)",
            "        except Exception: hit(place)",  # a record that cannot be read is for whoever counts that
            "    return hits",
        ]

    def _literals(self) -> list[str]:
        """Lines of text that a mapping takes apart: one search for all. JSON may spell a text in other ways, with a backslash."""
        texts = {text for one in self._giving for text in one.literals}
        if not texts:
            return []
        marks = {*(text.encode("utf-8", "surrogatepass") for text in texts), *([_BACKSLASH] if self._codec == "json" else [])}
        least = [mark for mark in sorted(marks) if not any(other in mark for other in marks - {mark})]
        search = BytesAhoCorasick(least, implementation=Implementation.DFA).find_matches_as_indexes if least[0] else _anywhere
        return [f"if {self._bind(search)}(data[start:end]): hit(place); continue"]

    def _picked(self) -> list[str]:
        """Decodes the keys that matter, and tests each."""
        if not self._keys:
            return ["pass"]
        self.names["project"], self.names["odd"] = projection(self._keys, self._codec)
        lines = ["try: p = project(data[start:end])", "except (ValueError, RecursionError): p = odd(data[start:end])"]
        for n, key in enumerate(self._keys):
            if key in self._asked:
                lines += [f"x = p.g{n}", f"if {self._unknown(key)}{self._test(key)}{self._learn(key)}: hit(place); continue"]
        for keys in (keys for one in self._giving for keys in one.keys):
            there = " and ".join(f"p.g{self._keys.index(key)} is not MISSING" for key in sorted(keys))
            lines.append(f"if {there}: hit(place); continue")
        return lines

    def _unknown(self, key: str) -> str:
        if key in self.many:
            return ""
        self.memos[key] = set()
        return f"x not in {self._bind(self.memos[key])} and ("

    def _learn(self, key: str) -> str:
        """What follows where nothing was satisfied: the value is remembered, and still satisfies nothing."""
        if key in self.many:
            return ""
        memo = self.memos[key]

        def learn(value: Any) -> None:
            """Equal values must be equal as texts, too: 1 is True, and 1e16 is no text of an integer."""
            if value.__class__ is str or value is None or value is MISSING or (value.__class__ is int and 1 < value < 1 << 50):
                memo.add(value)

        return f" or {self._bind(learn)}(x))"

    def _plainly(self, raw: bytes) -> bool:
        """The same without memory, for values that cannot be remembered."""
        record = reader(self._codec)(raw)
        if self._keyed(record):
            return True
        return any(test(record[key]) for key, test in self._functions.items() if key in record)

    @cached_property
    def _functions(self) -> dict[str, Callable[[Any], bool]]:
        return {key: self._function(key) for key in self._asked}

    def _found(self) -> list[str]:
        """Decodes all, and tests whatever is there that matters."""
        self.names |= {"decode": reader(self._codec), "tests": self._functions, "rare": frozenset(self._sets), "keyed": self._keyed}
        return ["record = decode(data[start:end])",
                "if any(test(x) for key, x in record.items() if (test := tests.get(key)) is not None): hit(place); continue",
                "if not rare.isdisjoint(record) and keyed(record): hit(place)"]  # fmt: skip

    def _keyed(self, record: dict[str, Any]) -> bool:
        """Whether a mapping may know the record by its keys."""
        return any(record.keys() >= keys for rare in self._sets.keys() & record.keys() for keys in self._sets[rare])

    def _test(self, key: str) -> str:
        """The expression: whether the value `x` of the key can satisfy anything."""
        direct = [test for field in self._asked[key].get("", ()) if (test := self._index.test(field, "x", self._bind)) is not None]
        nested = {rest: fields for rest, fields in self._asked[key].items() if rest}
        inner = [f"(x.__class__ is dict or x.__class__ is list) and {self._bind(self._below(key, nested))}(x)"] if nested else []
        return " or ".join(f"({test})" for test in (*direct, *inner))

    def _function(self, key: str) -> Callable[[Any], bool]:
        text = self._test(key)
        made: Callable[[Any], bool] = eval(f"lambda x: {text}", self.names)  # noqa: S307 - the text is made here, from names only
        return made

    def _below(self, key: str, nested: dict[str, list[str]]) -> Callable[[Any], bool]:
        """The test of what lies inside the value of a key."""
        tests = []
        for rest, fields in nested.items():
            texts = [text for field in fields if (text := self._index.test(field, "x", self._bind)) is not None]
            tests.append((f"{key}.{rest}", eval(f"lambda x: {' or '.join(f'({text})' for text in texts)}", self.names)))  # noqa: S307 - as above
        return lambda value: any(test(lookup({key: value}, path)) for path, test in tests)


def _anywhere(raw: bytes) -> bool:
    """The search for nothing."""
    return True


def _asked(fields: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """By key at a record's top: what of it ("" is the value itself) can be the value of which fields."""
    made: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for field in sorted(fields):
        for path in dict.fromkeys((field, *ALIASES.get(field, ()))):
            for key in tops([path]):
                fields_here = made[key].setdefault(path[len(key) + 1 :], [])
                if field not in fields_here:
                    fields_here.append(field)
    return dict(made)
