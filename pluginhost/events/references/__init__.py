"""What records are compared with and enriched from beside themselves: lists that an operator keeps, and databases of places.

A reference is a file of the operator's. It is compiled once, by a process of its own, into a form that every worker maps into memory
and asks without reading it (`listing`); a database of places is taken as it is (`places`). What runs holds on to the contents it
began with: a new content comes with a new generation, at one row of the journal, like new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from .listing import KINDS, Entry, Listing, compiled, listing, listing_of
from .places import Places

__all__ = ["KINDS", "NOTHING", "Content", "Entry", "Listing", "References", "compiled", "listing_of", "opened"]


class Content(msgspec.Struct, frozen=True):
    """One reference as a generation names it: `kind` is one of `KINDS` or `places`, `digest` the sha256 of its content, hex."""

    name: str
    kind: str
    digest: str
    entries: int = 0


class References(NamedTuple):
    """The references that records are read with: lists by name, and the databases of places in the operator's order; `contents` are
    what was opened for them."""

    lists: Mapping[str, Listing] = {}
    places: Places = Places(())
    contents: tuple[Content, ...] = ()


NOTHING = References()
"""No lists, no places."""


def opened(contents: Mapping[Content, Path], before: References = NOTHING) -> References:
    """The references with these contents, each in the file that holds it; what is open in `before` with the same content stays so."""
    open_ = {one: before.lists[one.name] for one in before.contents if one.kind != "places"}
    lists = {one.name: open_[one] if one in open_ else listing(file) for one, file in contents.items() if one.kind != "places"}
    databases = {one: file for one, file in contents.items() if one.kind == "places"}
    same = [*databases] == [one for one in before.contents if one.kind == "places"]
    return References(lists, before.places if same else Places(databases.values()), tuple(contents))
