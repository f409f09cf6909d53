"""Code is kept as long as the journal holds a row that it judged."""

from __future__ import annotations

from pluginhost.engine.splitter import Control, control_row, tick_row
from pluginhost.engine.swaps import Swaps


def row(made, offset):
    made.offset = offset
    return made


def test_the_generation_in_force_at_the_first_row_is_the_oldest_needed():
    swaps = Swaps()
    assert swaps.oldest(0) == 0
    for offset, number in ((0, 3), (10, 4), (20, 5)):
        swaps.seen(row(control_row(Control(swap=number)), offset))
        swaps.seen(row(control_row(Control(quarantine=("a",))), offset + 1))
        swaps.seen(row(tick_row(1), offset + 2))
    assert [swaps.oldest(start) for start in (0, 9, 10, 19, 25)] == [3, 3, 4, 4, 5]


def test_what_was_in_force_before_the_first_swap_that_is_left_is_needed_too():
    swaps = Swaps()
    swaps.seen(row(control_row(Control(swap=7)), 50))
    assert (swaps.oldest(40), swaps.oldest(50)) == (6, 7)
