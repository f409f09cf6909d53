"""Whether the panels of a dashboard lie well: side by side on its grid, each once, and its controls in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from ...saved import GRID
from .board_shapes import Board, Grid
from .contents import Opened

__all__ = ["boards"]


def boards(found: Sequence[Opened]) -> Iterator[str]:
    """What is wrong with the dashboards."""
    for one in found:
        if isinstance(one.content, Board):
            yield from _names(one, one.content)
            yield from _places(one, one.content)
            yield from _controls(one, one.content)
            yield from _time(one, one.content)


def _names(one: Opened, board: Board) -> Iterator[str]:
    for place, panel in enumerate(board.panels):
        if panel.grid.i != panel.panel_index:
            yield one.said(f"panelsJSON[{place}].gridData.i", f"is {panel.grid.i!r}, the panel's own panelIndex {panel.panel_index!r}")
    for index, count in Counter(panel.panel_index for panel in board.panels).items():
        if count > 1:
            yield one.said("panelsJSON", f"{count} panels have the panelIndex {index!r}")
    shown = Counter((each.type, each.id) for each in one.envelope.references if each.type != "index-pattern")
    for (type_, id_), count in shown.items():
        if count > 1:
            yield one.said("panelsJSON", f"{type_}/{id_} is shown {count} times")


def _places(one: Opened, board: Board) -> Iterator[str]:
    grids = {f"panelsJSON[{place}].gridData": panel.grid for place, panel in enumerate(board.panels)}
    for path, grid in grids.items():
        if grid.x + grid.w > GRID:
            yield one.said(path, f"ends at column {grid.x + grid.w} of {GRID}")
    for (path, grid), (other, another) in combinations(grids.items(), 2):
        if _overlap(grid, another):
            yield one.said(other, f"overlaps {path}")
    for row in sorted({grid.y for grid in grids.values()}):
        filled = {column for grid in grids.values() if grid.y <= row < grid.y + grid.h for column in range(grid.x, grid.x + grid.w)}
        if free := set(range(GRID)) - filled:
            yield one.said("panelsJSON", f"nothing stands at column {min(free)} of row {row}")
    bottoms = {0, *(grid.y + grid.h for grid in grids.values())}
    yield from (one.said(path, f"nothing stands above row {grid.y}") for path, grid in grids.items() if grid.y not in bottoms)


def _overlap(one: Grid, other: Grid) -> bool:
    return one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h


def _controls(one: Opened, board: Board) -> Iterator[str]:
    for key, control in board.controls.items():
        if control.explicit_input.id != key:
            yield one.said(f"controlGroupInput.panelsJSON.{key}.explicitInput.id", f"is {control.explicit_input.id!r}")
    orders = sorted(control.order for control in board.controls.values())
    if orders != list(range(len(orders))):
        yield one.said("controlGroupInput.panelsJSON", f"the controls' order is {orders}")
    for field, count in Counter(control.explicit_input.field_name for control in board.controls.values()).items():
        if count > 1:
            yield one.said("controlGroupInput.panelsJSON", f"{count} controls are for {field}")


def _time(one: Opened, board: Board) -> Iterator[str]:
    kept = board.attributes
    if kept.time_restore and not (kept.time_from and kept.time_to):
        yield one.said("timeRestore", "there is no timeFrom and timeTo to restore")
