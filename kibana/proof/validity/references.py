"""Whether what an object names by a reference is there: each name has its reference, each reference its use and its object.

Products check the references of data views and saved searches only; any other that leads nowhere is found by whoever opens the dashboard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...saved import SavedObject
from .board_shapes import Board
from .classic_shapes import Vis
from .contents import Opened, name_of
from .lens_shapes import Lens
from .map_shapes import Map, Tiles
from .shapes import DataView, Filter, Search, SearchSource

__all__ = ["SOURCE_REFERENCE", "layer_reference", "map_reference", "references"]

_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON"
SOURCE_REFERENCE = f"{_SOURCE}.index"
"""What the data view of a search or a classic visualization is called."""

_NEED_NO_INDEX = {"markdown", "vega", "input_control_vis"}
_LINK = re.compile(r"\]\(#/view/([^)?]*)")
_VIEW = frozenset({"index-pattern"})
_SHOWN = frozenset({"visualization", "search", "lens", "map"})


class _Named(NamedTuple):
    """A name that is used at a path for an object of one of these types; `right` is what it should be, "" if anything goes."""

    path: str
    name: str
    types: frozenset[str]
    right: str = ""


def layer_reference(layer: str) -> str:
    """What the data view of a Lens layer is called."""
    return f"indexpattern-datasource-layer-{layer}"


def map_reference(place: int) -> str:
    """What the data view of a map's layer is called, by its place in the list."""
    return f"layer_{place}_source_index_pattern"


def references(objects: Sequence[SavedObject], found: Sequence[Opened]) -> Iterator[str]:
    """What is wrong with them."""
    there = set(map(name_of, objects))
    for one in found:
        yield from _links(one, there)
        named = list(_named(one))
        for each in named:
            yield from _wrong(one, each)
        used = {each.name for each in named}
        counts = Counter(reference.name for reference in one.envelope.references)
        for place, reference in enumerate(one.envelope.references):
            path = f"references[{place}]"
            if reference.name not in used:
                yield one.said(path, f"{reference.name} is used by nothing")
            if counts[reference.name] > 1:
                yield one.said(path, f"{reference.name} is given {counts[reference.name]} times")
            if f"{reference.type}/{reference.id}" not in there:
                yield one.said(path, f"{reference.name} leads to {reference.type}/{reference.id}, which is not in the file")


def _links(one: Opened, there: set[str]) -> Iterator[str]:
    """Links of a text to dashboards."""
    if isinstance(one.content, Vis):
        for id_ in _LINK.findall(str(one.content.params.get("markdown"))):
            if f"dashboard/{id_}" not in there:
                yield one.said("visState.params.markdown", f"leads to dashboard/{id_}, which is not in the file")


def _wrong(one: Opened, each: _Named) -> Iterator[str]:
    reference = one.references.get(each.name)
    if each.right and each.name != each.right:
        yield one.said(each.path, f"is {each.name!r}, not {each.right!r}")
    elif reference is None:
        yield one.said(each.path, f"no reference is called {each.name!r}")
    elif reference.type not in each.types:
        yield one.said(each.path, f"{each.name} is a reference to a {reference.type}, not to {' or '.join(sorted(each.types))}")


def _named(one: Opened) -> Iterator[_Named]:
    match one.content:
        case DataView():
            pass
        case Search() as search:
            yield from _of_source(search.source, needed=True)
        case Vis() as vis:
            yield from _of_vis(vis)
        case Lens() as lens:
            for layer in lens.layers:
                yield _Named(f"state.datasourceStates.formBased.layers.{layer}", layer_reference(layer), _VIEW)
            yield from _of_filters(lens.attributes.state.filters, "state.filters", "")
        case Map() as map_:
            for place, each in enumerate(map_.layers):
                if not isinstance(each.source, Tiles):
                    yield _Named(f"layerListJSON[{place}].sourceDescriptor.indexPatternRefName", each.source.index_pattern_ref_name, _VIEW,
                                 map_reference(place))  # fmt: skip
            yield from _of_filters(map_.state.filters, "mapStateJSON.filters", "")
        case Board() as board:
            yield from _of_board(board, old=isinstance(one.envelope.migration_version, dict))


def _of_board(board: Board, *, old: bool) -> Iterator[_Named]:
    for place, panel in enumerate(board.panels):
        prefix = "" if old else f"{panel.panel_index}:"
        types = frozenset({panel.type}) if panel.type else _SHOWN
        yield _Named(f"panelsJSON[{place}].panelRefName", f"{prefix}{panel.panel_ref_name}", types,
                     "" if old else f"{prefix}panel_{panel.panel_index}")  # fmt: skip
    for key in board.controls:
        yield _Named(f"controlGroupInput.panelsJSON.{key}", f"controlGroup_{key}:optionsListDataView", _VIEW)
    yield from _of_source(board.source, needed=False)


def _of_vis(vis: Vis) -> Iterator[_Named]:
    searched = vis.attributes.saved_search_ref_name
    if searched:
        yield _Named("savedSearchRefName", searched, frozenset({"search"}), "search_0")
    yield from _of_source(vis.source, needed=vis.type not in _NEED_NO_INDEX and not searched)
    if vis.type == "input_control_vis":
        for place, control in enumerate(vis.controls):
            yield _Named(f"visState.params.controls[{place}].indexPatternRefName", control.index_pattern_ref_name, _VIEW,
                         f"control_{place}_index_pattern")  # fmt: skip


def _of_source(source: SearchSource, *, needed: bool) -> Iterator[_Named]:
    if needed or source.index_ref_name:
        yield _Named(f"{_SOURCE}.indexRefName", source.index_ref_name, _VIEW, SOURCE_REFERENCE)
    yield from _of_filters(source.filter, f"{_SOURCE}.filter", f"{_SOURCE}.filter")


def _of_filters(filters: Sequence[Filter], path: str, prefix: str) -> Iterator[_Named]:
    for place, each in enumerate(filters):
        if name := each.meta.index_ref_name:
            yield _Named(f"{path}[{place}].meta.indexRefName", name, _VIEW, f"{prefix}[{place}].meta.index" if prefix else "")
