"""Events that are nothing but a time, for the primitives that ask for no more; and what a state must bear."""

from types import SimpleNamespace

import msgspec

SECOND = 1_000_000_000


def at(seconds):
    """An event at this second."""
    return SimpleNamespace(time=round((1000 + seconds) * SECOND))


def again(state):
    """The state as it comes back from the store."""
    made = state.fresh()
    made.load(msgspec.msgpack.decode(msgspec.msgpack.encode(state.dump())))
    return made
