"""The predicate tree, its query-string front end and its compiler: from `where` to one Python function.

Nothing here knows analyzers or alerts; nothing reads a clock.
"""

from __future__ import annotations

from .compiler import compile, source  # noqa: A004 - callers say `match.compile`
from .lucene import parse, parse_with_warnings
from .schema import DYNAMIC, ECS, Profile
from .tree import EVERYTHING, NOTHING, All, Any, AtLeast, Fields, Leaf, Node, Not, Range, Same, Test, fields, pack, simplify, unpack

__all__ = [
    "DYNAMIC", "ECS", "EVERYTHING", "NOTHING", "All", "Any", "AtLeast", "Fields", "Leaf", "Node", "Not", "Profile", "Range", "Same", "Test",
    "compile", "fields", "pack", "parse", "parse_with_warnings", "simplify", "source", "unpack",
]  # fmt: skip
