"""Which of thousands of predicates a record can match, at a cost that does not grow with those it cannot.

From every predicate a necessary clause of atoms is taken (`atoms.py`). All atoms of one field make one probe, which reads the
field once: hash look-ups for equalities and prefixes, one Aho-Corasick automaton for all texts that must be contained. What
a probe finds is enumerated only where its boolean expression, which is what an ordinary record costs, is true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ahocorasick_rs import AhoCorasick, Implementation

from ..events.ecs import ADDRESSES
from ..events.fields import MISSING, values
from . import views
from .atoms import Atom, Reading, costs, necessary, proven
from .questions import VIEWS
from .tree import Fields, Node

__all__ = ["Index"]

Rules = tuple[int, ...]
Bind = Callable[[Any], str]


class Index:
    """Which of many predicates a record can match. Rules are the numbers of `nodes`; a node of None is no predicate: always.

    The trees must be such as `compile` takes.
    """

    fields: frozenset[str]
    """The fields that are read of every record."""

    always: Rules
    """The rules of which nothing necessary is known: to be evaluated for every record."""

    candidates: Callable[[Fields], Sequence[int]]
    """The rules that the record or document can match, ascending, `always` among them. Never misses one; may name others."""

    def __init__(self, nodes: Sequence[Node | None]) -> None:
        cost = costs(node for node in nodes if node is not None)
        clauses = [None if node is None else necessary(node, cost) for node in nodes]
        rules: defaultdict[str, defaultdict[Atom, list[int]]] = defaultdict(lambda: defaultdict(list))
        for rule, clause in enumerate(clauses):
            for atom in clause or ():
                rules[atom.field][atom].append(rule)
        self.always = tuple(rule for rule, clause in enumerate(clauses) if clause is None)
        self.fields = frozenset(rules)
        self._probes = {field: _Probe({atom: tuple(found) for atom, found in atoms.items()}) for field, atoms in sorted(rules.items())}
        self._proven = frozenset(rule for rule, node in enumerate(nodes) if node is not None and proven(node))
        self.candidates = self._written()

    def test(self, field: str, value: str, bind: Bind) -> str | None:
        """Python source: whether what a record holds raw as `field` can satisfy an atom of it. None if the field is not probed.

        `value` is the name of the local variable that holds it, `MISSING` where the record does not have it; the expression may also set
        `<value>_`. `bind` gives a name to a constant. True wherever a rule could match, whatever the value; sometimes needlessly.
        """
        probe = self._probes.get(field)
        if probe is None:
            return None
        asked = probe.source(value, bind)
        if field not in ADDRESSES:
            return asked
        # an event gives addresses in their shortest form; an IPv4 address has no other
        spelled = f'":" in {value} if {value}.__class__ is str else {value} is not {bind(MISSING)} and {bind(_respelled)}({value})'
        return f"({asked} or ({spelled}))"

    def covers(self, rule: int) -> bool:
        """Whether `rule` matches every record that it is a candidate for."""
        return rule in self._proven

    def _written(self) -> Callable[[Fields], Sequence[int]]:
        """`candidates`: the probes one after another, and nothing but their tests where none is hit."""
        names: dict[str, Any] = {}

        def bind(constant: Any) -> str:
            name = f"c{len(names)}"
            names[name] = constant
            return name

        missing, nothing = bind(MISSING), bind(self.always)
        lines = ["def candidates(f):", "    get, hits = f.get, ()"]
        for field, probe in self._probes.items():
            lines.append(f"    x = get({bind(field)}, {missing})")
            lines.append(f"    if {probe.source('x', bind)}: hits = [*hits, *{bind(probe.find)}(x)]")
        lines.append(f"    return {bind(self._merged)}(hits) if hits else {nothing}")
        exec("\n".join(lines), names)  # noqa: S102 - the text is made here, from names only
        made: Callable[[Fields], Sequence[int]] = names["candidates"]
        return made

    def _merged(self, hits: Sequence[Rules]) -> Sequence[int]:
        if len(hits) == 1 and not self.always:
            return hits[0]
        return sorted(set(self.always).union(*hits))


class _Probe:
    """All atoms of one field."""

    def __init__(self, atoms: Mapping[Atom, Rules]) -> None:
        grouped: defaultdict[tuple[Reading, str], dict[Any, Rules]] = defaultdict(dict)
        for atom, rules in atoms.items():
            if atom.reading:
                grouped[atom.reading, atom.shape][atom.key] = rules
        self._present = [rules for atom, rules in atoms.items() if not atom.reading]
        self._tables: defaultdict[Reading, list[_Table]] = defaultdict(list)
        for reading, shape in sorted(grouped, key=_ORDER.index):
            self._tables[reading].append(_TABLES[shape](grouped[reading, shape]))
        self._views = [(getattr(views, VIEWS[reading]), [table.find for table in tables]) for reading, tables in self._tables.items()]

    def find(self, value: Any) -> list[Rules]:
        """The rules of each atom that `value`, which is not `MISSING`, satisfies."""
        found = list(self._present)
        elements = values(value)
        for view, finds in self._views:
            for x in view(elements):
                for find in finds:
                    found += find(x)
        return found

    def source(self, value: str, bind: Bind) -> str:
        """Whether `find` finds anything; false for `MISSING`."""
        there = f"{value} is not {bind(MISSING)}"
        if self._present:
            return f"({there})"
        text, integer = self._asked(_of_text(value, bind), bind), self._asked(_of_integer(value, bind), bind)
        of_class, other = f"{value}.__class__ is", f"{there} and {bind(self.find)}({value}) != []"
        return f"({text} if {of_class} str else {integer} if {of_class} int else {other})"

    def _asked(self, elements: Mapping[Reading, tuple[str, str]], bind: Bind) -> str:
        """The tests of all tables, over (what must hold first, the element) of their reading."""
        asked: list[str] = []
        for reading, tables in self._tables.items():
            if reading in elements:
                first, x = elements[reading]
                asked.append(f"{first}({' or '.join(self._each(tables, x, bind))})")
        return " or ".join(asked) or "False"

    def _each(self, tables: Sequence[_Table], x: str, bind: Bind) -> Iterable[str]:
        """The tests of the tables. Where these are large, a few first characters, whose table is small, turn most texts away before."""
        looked_up = [table for table in tables if isinstance(table, (_Equal, _Prefixes))]
        keys = [key for table in looked_up for key in table.keys]
        size = min((len(key) for key in keys if isinstance(key, str)), default=0)
        if len(keys) >= _MANY and size >= _HEAD and all(isinstance(key, str) for key in keys):
            size = min(size, 2 * _HEAD)
            heads = bind(frozenset(key[:size] for key in keys))
            yield f"({x}[:{size}] in {heads} and ({' or '.join(table.asked(x, bind) for table in looked_up)}))"
            tables = [table for table in tables if table not in looked_up]
        yield from (table.asked(x, bind) for table in tables)


def _of_text(value: str, bind: Bind) -> dict[Reading, tuple[str, str]]:
    unusual = f'({value}[:1] == "0" or not {value}.isdigit()) and {value}[:1] in {bind(_SIGNS)} and '
    return {
        "exact": ("", value),
        "folded": (f"({value}_ := {value}.lower()) is not None and ", f"{value}_"),
        "number": (unusual, f"{bind(views.number)}({value})"),  # the usual spellings are found as texts
        "address": (f'":" in {value} and ', f"{bind(views.address)}({value})"),
    }


def _of_integer(value: str, bind: Bind) -> dict[Reading, tuple[str, str]]:
    text = f"({value}_ := {bind(str)}({value})) is not None and ", f"{value}_"
    return {"exact": text, "folded": text, "number": ("", value)}


_SIGNS = frozenset("+-.0123456789")
"""What a number may begin with."""


def _respelled(value: Any) -> bool:
    return any(":" in text for text in views.exact(values(value)))


# --- tables: what one shape of atoms is looked up in ---

_MANY = 64
"""Keys from which on their first characters are looked at before they are."""

_HEAD = 4
"""Characters that tell enough of a text."""

_FAST = 20_000
"""Characters up to which an automaton is a table of all transitions: a quarter faster, at about 300 bytes a character."""


class _Table(Protocol):
    """Atoms of one field, reading and shape."""

    def asked(self, x: str, bind: Bind) -> str:
        """The boolean expression over the element that the expression `x` is."""
        ...

    def find(self, x: Any) -> Iterable[Rules]:
        """The rules of each atom that `x` satisfies."""
        ...


class _Equal:
    """Elements that are one of many."""

    def __init__(self, rules: dict[Any, Rules]) -> None:
        self._rules = self.keys = rules

    def asked(self, x: str, bind: Bind) -> str:
        return f"{x} in {bind(self._rules)}"

    def find(self, x: Any) -> Iterable[Rules]:
        rules = self._rules.get(x)
        return () if rules is None else (rules,)


class _Prefixes:
    """Texts that begin with one of many: by their first 1, 2, 4, 8 … characters, the rest of the few that have those by comparison."""

    def __init__(self, rules: dict[str, Rules]) -> None:
        self._rules = self.keys = rules
        heads: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for prefix in rules:
            size = 1 << len(prefix).bit_length() - 1
            heads[size][prefix[:size]].append(prefix)
        self._heads = [(size, {head: tuple(prefixes) for head, prefixes in found.items()}) for size, found in sorted(heads.items())]

    def asked(self, x: str, bind: Bind) -> str:
        bound = [(f"{x}[:{size}]", bind(found)) for size, found in self._heads]
        return " or ".join(f"{head} in {found} and {x}.startswith({found}[{head}])" for head, found in bound)

    def find(self, x: str) -> Iterable[Rules]:
        return [self._rules[prefix] for size, found in self._heads for prefix in found.get(x[:size], ()) if x.startswith(prefix)]


class _Parts:
    """Texts that contain one of many."""

    def __init__(self, rules: dict[str, Rules]) -> None:
        self._rules = list(rules.values())
        small = sum(map(len, rules)) <= _FAST
        kind = Implementation.DFA if small else Implementation.ContiguousNFA
        self._search = AhoCorasick(rules, implementation=kind, store_patterns=False).find_matches_as_indexes

    def asked(self, x: str, bind: Bind) -> str:
        return f"{bind(self._any)}({x})"

    def _any(self, x: str) -> bool:
        try:
            return bool(self._search(x))
        except UnicodeEncodeError:  # half a surrogate pair: rare enough to be asked of every rule
            return True

    def find(self, x: str) -> Iterable[Rules]:
        try:
            found = self._search(x, overlapping=True)
        except UnicodeEncodeError:
            return self._rules
        return [self._rules[number] for number in {number for number, _, _ in found}]

_TABLES: dict[str, Callable[[Any], _Table]] = {"equal": _Equal, "prefix": _Prefixes, "part": _Parts}
_ORDER: list[tuple[Reading, str]] = [(reading, shape) for shape in _TABLES for reading in ("exact", "number", "address", "folded")]
"""What is looked up first: the cheap."""
