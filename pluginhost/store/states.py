"""The states that outputs have still to write: a queue beside the outbox of alerts, without documents, which are made when they are due.

The tables are made with those of the states themselves (`cases`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from .archive import OutboxRow, laden
from .bounds import Keep
from .database import Database
from .letters import Letter, bury

__all__ = ["States", "plainly"]

_AT_ONCE = 4 << 20
_DUE = """
    SELECT o.number, o.fingerprint, s.last, a.severity, a.analyzer, s.state, o.attempts, a.document
    FROM state_outbox AS o CROSS JOIN states AS s USING (fingerprint) LEFT JOIN alerts AS a ON a.id = s.alert
    WHERE o.output = ? AND o.due <= ? ORDER BY o.due, o.number LIMIT ?
"""


def plainly(state: bytes, document: bytes) -> bytes:
    """The document (`{}` where there is none) with the state as it is kept under `pluginhost.state`."""
    made = msgspec.json.decode(document or b"{}")
    return msgspec.json.encode({**made, "pluginhost": {**made.get("pluginhost", {}), "state": msgspec.json.decode(state)}})


class States:
    """The states that each output has still to write. An outbox as `AlertStore` is one: with `due`, `next_due`, `settle` and `expire`.

    A group is in it once for each output, however often it changes; what is sent is its state when it is due. A change while one is on
    its way takes another number, so that settling the one does not settle the other. `composed` makes the document of a state and its
    last alert's (JSON, empty if that is no longer kept).
    """

    def __init__(self, database: Database, *, clock: Callable[[], int], keep: Keep,
                 composed: Callable[[bytes, bytes], bytes] = plainly) -> None:  # fmt: skip
        self._database, self._clock, self._keep, self._composed = database, clock, keep, composed

    def add(self, fingerprints: Collection[str], outputs: Iterable[str]) -> None:
        """Has the states of these groups written by outputs. Inside a transaction."""
        now = self._clock()
        for output in outputs:
            rows = [(one, output) for one in fingerprints]
            self._database.many("DELETE FROM state_outbox WHERE fingerprint = ? AND output = ?", rows)
            self._database.many("INSERT INTO state_outbox (fingerprint, output, due) VALUES (?, ?, ?)", ((*row, now) for row in rows))

    def due(self, output: str, now: int, limit: int) -> tuple[OutboxRow, ...]:
        """What `output` is to write by `now` (ns), those first that wait longest: `limit` states, or about `_AT_ONCE` bytes."""
        rows = self._database.each(_DUE, output, now, limit)
        return laden(((number, print_, last, severity or "", analyzer or "", self._composed(state, document or b""), attempts)
                      for number, print_, last, severity, analyzer, state, attempts, document in rows), _AT_ONCE)  # fmt: skip

    def next_due(self, output: str) -> int | None:
        """When (ns) the next state is due for `output`; None if it has none."""
        found: int | None = self._database.rows("SELECT MIN(due) FROM state_outbox WHERE output = ?", output)[0][0]
        return found

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of states by number: written; to be tried again at (ns); never acceptable, and so a dead letter with the reason."""
        with self._database.transaction():
            self._gone(done)
            self._database.many("UPDATE state_outbox SET attempts = attempts + 1, due = ? WHERE number = ?",
                                ((due, number) for number, due, _ in retry))  # fmt: skip
            letters = [letter for number, reason in dead for letter in self._letter(output, number, reason)]
            bury(self._database, letters, self._clock(), self._keep)

    def _letter(self, output: str, number: int, reason: str) -> list[Letter]:
        rows = self._database.rows("""SELECT fingerprint, attempts, revision, state FROM state_outbox JOIN states USING (fingerprint)
                                      WHERE number = ?""", number)  # fmt: skip
        self._gone([number])
        return [Letter(f"{output}/{print_}/{revision}", "output", reason,
                       msgspec.json.encode({"output": output, "state": print_, "attempts": attempts + 1}), state)
                for print_, attempts, revision, state in rows]  # fmt: skip

    def _gone(self, numbers: Iterable[int]) -> None:
        self._database.many("DELETE FROM state_outbox WHERE number = ?", ((number,) for number in numbers))

    def expire(self, output: str, limit: int = 1000) -> int:
        """Always 0: what waits is no more than one row a group, and what is written in the end is how things are then."""
        del output, limit
        return 0

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Per output with states to write: how many, and their bytes, which are none: documents are made when they are due."""
        return {output: (held, 0) for output, held in self._database.rows("SELECT output, COUNT(*) FROM state_outbox GROUP BY output")}

    def awaken(self, now: int) -> None:
        """Makes everything that waits due by `now`. Inside a transaction."""
        self._database.run("UPDATE state_outbox SET due = ? WHERE due > ?", now, now)

    def drop(self, outputs: Collection[str], limit: int) -> int:
        """How many went, about `limit` at most, that wait for none of `outputs`."""
        gone = 0
        for output in self.waiting().keys() - set(outputs):
            with self._database.transaction():
                gone += self._database.run("DELETE FROM state_outbox WHERE number IN "
                                           "(SELECT number FROM state_outbox WHERE output = ? LIMIT ?)", output, limit)  # fmt: skip
        return gone
