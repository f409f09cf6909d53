"""Windows and memories: our state primitives and analyzers beside the rule types of ElastAlert 2.

`python benchmarks/peers_elastalert.py`. Type against type both get ready events (ours read, theirs dicts with times) and keep one state
a key; "from bytes" is our whole engine on the msgpack of the same records against their type on ready dicts. Every run must find as
many matches as its peer. `cardinality` is measured as it is while no key is beyond its bound, and with one event in a hundred of a key
that is, for which theirs looks through all it remembers.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from common import BATCH, SEED, Engine, Record, Row, alternate, as_worker, conditions, journal, record, size, table, timed
from peer import Peer, cache

from pluginhost import Alert, Event, FirstSeen, SlidingCount, analyzer
from pluginhost.detect.state import State
from pluginhost.engine.gate import START
from pluginhost.engine.parts import mappings
from pluginhost.engine.splitter import slices
from pluginhost.engine.unit import Unit

ROUNDS, COUNT, MOST = 5, 25, 250
USERS, ADDRESSES, TERMS = 1000, 250, 50_000
TARGETS = {"frequency": 30, "change": 100, "cardinality": 100, "cardinality_beyond": 100, "new_term": 100}


def frequent(number: int) -> Record:
    """Twenty events of each user in twenty seconds, and 25 of each of eight attackers."""
    user = f"attacker{number // 100 % 8}" if number % 100 == 0 else f"user{number * 7919 % USERS}"
    return {**record(number), "user": user}


def moving(number: int) -> Record:
    """Users of whom one in a hundred comes from another address than the last time."""
    return {**record(number), "user": f"user{number % USERS}", "ip": f"10.0.0.{(number + number // USERS) % 100 == 0:d}"}


def spread(number: int, beyond: bool) -> Record:
    """Addresses that ask for the paths they are known for; with `beyond`, each hundredth event is of one that knows too many."""
    rng = random.Random(SEED * 10**6 + number)
    address = rng.randrange(ADDRESSES)
    if beyond and number % 100 == 0:
        return {**record(number), "ip": "scanner", "path": f"/scan/{number % MOST}"}
    return {**record(number), "ip": f"10.0.1.{address}", "path": f"/known/{address}/{rng.randrange(TERMS // ADDRESSES)}"}


def termed(number: int) -> Record:
    """Known terms, and one in a thousand that is not."""
    return {**record(number), "path": f"/new/{number}" if number % 1000 == 999 else f"/term/{random.Random(number).randrange(TERMS)}"}


MADE: dict[str, tuple[Callable[[int], Record], int]] = {
    "frequency": (frequent, 20), "change": (moving, 5), "cardinality": (partial(spread, beyond=False), 10),
    "cardinality_beyond": (partial(spread, beyond=True), 2), "new_term": (termed, 2),
}  # fmt: skip
"""What each run is given: its records, and how many rows of them."""


def terms() -> list[str]:
    return [f"/term/{number}" for number in range(TERMS)]


def cardinality_known() -> list[tuple[int, Record]]:
    """What is known before a round, an hour of it: the paths of every address, and too many of one."""
    known = [(f"10.0.1.{n % ADDRESSES}", f"/known/{n % ADDRESSES}/{n // ADDRESSES}") for n in range(TERMS)]
    return [(START, {"ip": ip, "path": path}) for ip, path in (*known, *(("scanner", f"/scan/{n}") for n in range(MOST + 1)))]


# --- ours, as an author would write them ---


@analyzer(key="user")
def frequency(event: Event, seen: SlidingCount = SlidingCount("5m"), count: int = COUNT) -> Alert | None:  # noqa: B008 - states are
    return Alert("low", "many") if seen.reaches(event, count) else None


@analyzer(key="user")
def change(event: Event, last: FirstSeen = FirstSeen("90d", limit=1)) -> Alert | None:  # noqa: B008 - declared so
    known = len(last)
    return Alert("low", "another") if last.first(event["ip"], event) and known else None


@analyzer(key="ip")
def cardinality(event: Event, terms: FirstSeen = FirstSeen("1h", limit=10_000), most: int = MOST) -> Alert | None:  # noqa: B008 - as above
    terms.first(event["path"], event)
    return Alert("low", "too many") if len(terms) > most else None


@analyzer(pinned=True)
def new_term(event: Event, terms: FirstSeen = FirstSeen("90d", limit=100_000)) -> Alert | None:  # noqa: B008 - as above
    return Alert("low", "new") if terms.first(event["path"], event) else None


OURS = {"frequency": frequency, "change": change, "cardinality": cardinality, "cardinality_beyond": cardinality, "new_term": new_term}


class Bodies:
    """Runs the body of an analyzer on ready events, with one state a key, as the engine would; `found` is what the last round gave."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self._name, self._analyzer = name, OURS[name]
        readings = mappings()
        self._events = [Event(one, readings) for row in rows for one in slices(row)]
        for event in self._events:
            for field in ("user", "ip", "path"):
                event.get(field)
        self.found = 0

    def round(self) -> float:
        """The µs of CPU time an event took."""
        states = self._filled()
        return timed(lambda: self._run(states), len(self._events))

    def _filled(self) -> dict[str, State]:
        """The states of the keys that are known beforehand."""
        known: dict[str, dict[str, int]] = {}
        if self._analyzer is cardinality:
            for when, one in cardinality_known():
                known.setdefault(one["ip"], {})[one["path"]] = when
        elif self._analyzer is new_term:
            known = {"": dict.fromkeys(terms(), START)}
        states = {}
        for key, plain in known.items():
            states[key] = self._fresh()
            states[key].load(plain)
        return states

    def _fresh(self) -> State:
        (template,) = self._analyzer.states.values()
        return template.fresh()

    def _run(self, states: dict[str, State]) -> None:
        body, field, found = self._analyzer.body, next(iter(self._analyzer.declared.key), ""), 0
        for event in self._events:
            key = event[field] if field else ""
            state = states.get(key)
            if state is None:
                state = states[key] = self._fresh()
            if body(event, state) is not None:
                found += 1
        self.found = found


class Whole:
    """The whole engine with `frequency` on rows of msgpack."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self.found = rows, 0

    def round(self) -> float:
        """The µs of CPU time a record took."""
        engine = Engine([Unit(frequency, {})])

        def run() -> None:
            self.found = engine.run(self._rows)

        return timed(run, len(self._rows) * BATCH)


def given(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """What the peer reads."""
    events = {name: [(START + n * 10**6, of(n)) for n in range(len(rows[name]) * BATCH)] for name, (of, _) in MADE.items()}
    return {"events": events, "count": COUNT, "most": MOST, "terms": terms(), "cardinality_known": cardinality_known()}


def main() -> None:
    as_worker()
    rows = {name: journal(0, count, made=made) for name, (made, count) in MADE.items()}
    bodies, whole = {name: Bodies(name, rows[name]) for name in MADE}, Whole(rows["frequency"])
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        Path(name, "elastalert-input.json").write_text(json.dumps(given(rows)))
        with Peer("elastalert", Path(name)) as peer:
            runs: dict[str, Callable[[], float]] = {"frequency, from bytes": whole.round}
            for one in MADE:
                runs |= {f"theirs {one}": partial(peer.run, one), one: bodies[one].round}
            costs = alternate(runs, ROUNDS)
            for one, ours in bodies.items():
                assert ours.found == peer.found[one], f"{one}: {ours.found} found, theirs {peer.found[one]}"
            assert whole.found == peer.found["frequency"]
            matches = ", ".join(f"{one} {found}" for one, found in peer.found.items())
            conditions(f"{peer.about}; {size(rows['frequency'])}-byte records, {BATCH:,} at once, journal off; {USERS:,} users, "
                       f"{TERMS:,} terms known; matches: {matches}", ROUNDS)  # fmt: skip
    for one, target in TARGETS.items():
        table(f"{one}, type against type", {name: costs[name] for name in (f"theirs {one}", one)}, {one: (f"theirs {one}", target)})
    both = {name: costs[name] for name in ("theirs frequency", "frequency, from bytes")}
    table("frequency, our whole engine from bytes", both, {"frequency, from bytes": ("theirs frequency", 5)})


if __name__ == "__main__":
    main()
