"""Memory that is free but held by the C library is given back to the system.

glibc returns what lies at the end of its heaps and little below. Ten thousand connections that came and went leave 200 MiB of free memory
under the few small things that stayed, and an operator who looks at the resident size cannot tell it from a leak. `malloc_trim` gives
back every whole page of it, in about a third of a millisecond for each MiB; where there is little to give, in a few milliseconds at
most. (Mapping large blocks one by one, as `mallopt` can have it, would give most back at once, but makes large reads from sockets nearly
twice as dear.)

No size is looked at before: how much of the memory is free cannot be told from how much there is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

__all__ = ["give_back"]


def give_back() -> bool:
    """Whether anything was given back; never, where the C library cannot do it."""
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1
