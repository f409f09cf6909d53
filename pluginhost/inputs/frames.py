"""An error without the frames it came through.

Who keeps an error, be it only a future, keeps its traceback, with it all that the functions on the way had in hand, and often
itself: then nothing of that is freed before the garbage collector runs, which counts objects and not bytes. From a few dozen objects
may hang a body of 64 MiB that was cut off, or the 300 KiB of a TLS handshake. So errors that a peer can cause at will lose their frames
where they are dealt with.
"""

from __future__ import annotations

__all__ = ["frameless"]


def frameless(error: BaseException) -> None:
    """Takes the frames off an error, and off those that led to it."""
    one: BaseException | None = error
    while one is not None and one.__traceback__ is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
