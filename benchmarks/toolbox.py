"""What the primitives of `pluginhost/detect/` cost an event, and what they keep of a key.

`python benchmarks/toolbox.py`. A hundred thousand events, a millisecond apart, go round a thousand keys (those that are meant to be
pinned have one state); a tenth comes up to five seconds late. Medians of alternating rounds. Bytes are those that tracemalloc counts
for the live copies at the end, divided by the keys.
"""

from __future__ import annotations

import gc
import statistics
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
from common import SEED, alternate, as_worker, conditions, timed

from pluginhost import (
    Absence,
    ClientCounts,
    Cuckoo,
    DecayCount,
    Distinct,
    FirstSeen,
    LastSeen,
    LeakyBucket,
    MinuteCounts,
    Recent,
    Sequence,
    SlidingCount,
    SlidingDistinct,
    Streak,
    TopK,
    TumblingCount,
)  # fmt: skip
from pluginhost.detect.state import State

EVENTS, KEYS, ROUNDS = 100_000, 1000, 7
START = 1_767_225_600 * 10**9
Use = Callable[[Any, Any, str], object]


class Moment(msgspec.Struct, frozen=True):
    """An event as far as a primitive looks at it."""

    time: int


PRIMITIVES: dict[str, tuple[State, bool, Use]] = {
    "SlidingCount(10m)": (SlidingCount("10m"), False, lambda state, event, _: state.add(event)),
    "TumblingCount(1m, wait 10s)": (TumblingCount("1m", "10s"), False, lambda state, event, _: state.add(event)),
    "MinuteCounts(1m, 8m)": (MinuteCounts(), False, lambda state, event, _: state.add(event)),
    "ClientCounts(1m, 8m), pinned": (ClientCounts(), True, lambda state, event, value: state.add(value, event)),
    "DecayCount(1h)": (DecayCount("1h"), False, lambda state, event, _: state.add(event)),
    "LeakyBucket(10, 10s)": (LeakyBucket(10, "10s"), False, lambda state, event, _: state.pour(event)),
    "Distinct, ≤ 100 values": (Distinct(), False, lambda state, event, value: state.add(value, event)),
    "Distinct, sketch, pinned": (Distinct(exact=0), True, lambda state, event, value: state.add(value, event)),
    "SlidingDistinct(10m), ≤ 100": (SlidingDistinct("10m"), False, lambda state, event, value: state.add(value, event)),
    "SlidingDistinct, sketch, pinned": (SlidingDistinct("10m", exact=0), True, lambda state, event, value: state.add(value, event)),
    "Cuckoo(100000).add, pinned": (Cuckoo(100_000), True, lambda state, _, value: state.add(value)),
    "TopK(size 100), pinned": (TopK("1h", 100), True, lambda state, event, value: state.add(value, event)),
    "FirstSeen(90d)": (FirstSeen(), False, lambda state, event, value: state.first(value, event)),
    "LastSeen": (LastSeen(), False, lambda state, event, _: state.gap(event)),
    "Recent(8)": (Recent(8), False, lambda state, event, value: state.insert(event, (value, 52.5, 13.4))),
    "Sequence of 3": (Sequence(("0", "1", "2"), gap="5m", unless=("3",)), False, lambda state, event, value: state.take(value[-1], event)),
    "Streak(10m)": (Streak("10m"), False, lambda state, event, value: state.end(event) if value[-1] == "9" else state.add(event)),
    "Absence(1h)": (Absence("1h"), False, lambda state, event, _: (state.heard(event), state.moved())),
}  # fmt: skip


def stream() -> list[tuple[Moment, int, str]]:
    """(event, key, value): every value comes twice on the average, most of them at few keys."""
    made, number = [], SEED
    for n in range(EVENTS):
        number = (number * 1_103_515_245 + 12_345) % (1 << 31)
        late = number % 5000 * 10**6 if number % 10 == 0 else 0
        made.append((Moment(START + n * 10**6 - late), (number >> 8) % KEYS, f"user{(number >> 6) % (EVENTS // 2)}"))
    return made


def fed(state: State, pinned: bool, use: Use, events: list[tuple[Moment, int, str]]) -> list[State]:
    """The live copies after the events."""
    live = [state.fresh() for _ in range(1 if pinned else KEYS)]
    for event, key, value in events:
        use(live[0 if pinned else key], event, value)
    return live


def kept(state: State, pinned: bool, use: Use, events: list[tuple[Moment, int, str]]) -> int:
    """The bytes that a key keeps."""
    gc.collect()
    tracemalloc.start()
    live = fed(state, pinned, use, events)
    gc.collect()
    found = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return found // len(live)


def main() -> None:
    as_worker()
    conditions(f"{EVENTS} events, {KEYS} keys (pinned: one), 10 % late; the loop around it and the making of copies count, too", ROUNDS)
    events = stream()

    def run(state: State, pinned: bool, use: Use) -> Callable[[], float]:
        return lambda: timed(lambda: fed(state, pinned, use, events), EVENTS)

    costs = alternate({name: run(*one) for name, one in PRIMITIVES.items()}, ROUNDS)
    print(f"{'primitive':<34} {'µs/event':>9} {'events/s':>11} {'bytes/key':>10}")
    for name, one in PRIMITIVES.items():
        cost = statistics.median(costs[name])
        print(f"{name:<34} {cost:>9.2f} {1e6 / cost:>11,.0f} {kept(*one, events):>10,}")


if __name__ == "__main__":
    main()
