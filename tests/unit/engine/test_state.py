"""What a shard remembers of what it has yet to save."""

from pluginhost import FirstSeen, analyzer
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit


@analyzer(key="user.name", keys=10)
def few(event, seen: FirstSeen = FirstSeen("1h")):
    """Remembers ten users."""


class Counting(list):
    """Counts how often it is gone through."""

    gone_through = 0

    def __setitem__(self, place, value):
        self.gone_through += 1
        super().__setitem__(place, value)


def test_keys_that_come_and_go_are_not_gone_through_at_each_other_one():
    memory = ShardState().memory(Unit(few, {}))
    memory.changed = Counting()
    for number in range(50_000):
        memory.wake(b"%d" % number, number)
    assert len(memory.cells) == 10
    assert len(memory.changed) == 50_000
    assert memory.changed.gone_through <= 4


def test_the_same_keys_again_and_again_take_no_room():
    memory = ShardState().memory(Unit(few, {}))
    memory.saved = 1 << 62  # each touch is noted
    for number in range(50_000):
        memory.wake(b"%d" % (number % 10), number)
    assert len(memory.changed) < 5000


def test_what_is_never_saved_is_not_remembered_as_unsaved():
    state = ShardState()
    memory = state.memory(Unit(few, {}))
    for number in range(100):
        memory.wake(b"%d" % number, number)
    state.dismiss()
    assert (memory.changed, memory.removed, len(memory.cells)) == ([], set(), 10)
    assert [row for part in state.changes() for rows in part for row in rows] == []
