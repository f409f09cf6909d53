"""Scores on their way to the outputs that take them: each waits here until its output settles it, and is kept no longer.

A score is worth less than the records and alerts it comes from, so it never makes anybody wait and takes no room from them: beyond the
bounds it is dropped, and the caller told how often. How many came of each analyzer in a minute is written down with them, so that the
bound holds over crashes and does not depend on how the work was cut into commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from ..metrics import Counts
from .archive import OutboxRow, laden
from .bounds import Buffer, Keep
from .database import Database
from .letters import Letter, bury

__all__ = ["COUNTS", "NewScore", "Scores"]

COUNTS = ("taken", "minute", "buffer", "age")
"""Scores that were taken; and dropped because there were more in their minute than may be, because the output's buffer is a quarter full,
because they waited too long."""

_MINUTE = 60 * 10**9
_MINUTES = 100_000  # whose counts are remembered
_SHARE = 4  # of a buffer's bytes scores may fill one part in so many, the rest is the alerts'
_AT_ONCE = 4 << 20
_DUE = "SELECT seq, id, time, '', analyzer, document, attempts FROM scores WHERE output = ? AND +due <= ? ORDER BY seq LIMIT ?"


class NewScore(msgspec.Struct, frozen=True):
    """A score of an interval that began at `time`, which its analyzer came to at the event time `reached` (both ns); JSON."""

    id: str
    time: int
    reached: int
    analyzer: str
    document: bytes


class Scores:
    """The scores in the desk's database. An outbox as `AlertStore` is one, for scores: with `due`, `next_due`, `settle` and `expire`."""

    def __init__(self, database: Database, *, clock: Callable[[], int], keep: Keep, buffers: Mapping[str, Buffer]) -> None:
        self._database, self._clock, self._keep, self._buffers = database, clock, keep, buffers
        self.counts = Counts(*COUNTS)

    def add(self, scores: Sequence[NewScore], outputs: Collection[str], per_minute: int) -> Counter[str]:
        """How many were taken and dropped, by the names in `COUNTS`; to be counted once the store's turn that this is in is durable."""
        told: Counter[str] = Counter()
        fresh = self._within(scores, per_minute)
        told["minute"] = len(scores) - len(fresh)
        now, held = self._clock(), self.waiting()
        for output in outputs:
            room = self._buffers.get(output, Buffer()).max_bytes // _SHARE - held.get(output, (0, 0))[1]
            for one in fresh:
                room -= len(one.document)
                told["taken" if room >= 0 else "buffer"] += 1
                if room >= 0:
                    self._database.run("""INSERT INTO scores (output, id, time, created, due, analyzer, document)
                                          VALUES (?, ?, ?, ?, ?, ?, ?)""",
                                       output, one.id, one.time, now, now, one.analyzer, one.document)  # fmt: skip
        return told

    def _within(self, scores: Sequence[NewScore], per_minute: int) -> list[NewScore]:
        """Those that their analyzer's minute still has room for, in their order."""
        wanted = {(one.reached // _MINUTE, one.analyzer) for one in scores}
        asked = "SELECT held FROM score_minutes WHERE minute = ? AND analyzer = ?"
        held = {key: rows[0][0] if (rows := self._database.rows(asked, *key)) else 0 for key in wanted}
        fresh = []
        for one in scores:
            key = one.reached // _MINUTE, one.analyzer
            if held[key] < per_minute:
                held[key] += 1
                fresh.append(one)
        self._database.many("INSERT OR REPLACE INTO score_minutes (minute, analyzer, held) VALUES (?, ?, ?)",
                            ((*key, count) for key, count in held.items()))  # fmt: skip
        return fresh

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Per output with scores to deliver: how many, and their bytes. Kept as a running sum, so cheap."""
        found = self._database.rows("SELECT output, held, bytes FROM scores_waiting WHERE held > 0")
        return {output: (held, size) for output, held, size in found}

    def due(self, output: str, now: int, limit: int) -> tuple[OutboxRow, ...]:
        """What `output` is to deliver by `now` (ns), in the order it came: `limit` scores, or about `_AT_ONCE` bytes of them."""
        return laden(self._database.each(_DUE, output, now, limit), _AT_ONCE)

    def next_due(self, output: str) -> int | None:
        """When (ns) the next score is due for `output`; None if it has none."""
        found: int | None = self._database.rows("SELECT MIN(due) FROM scores WHERE output = ?", output)[0][0]
        return found

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of scores by `seq`: delivered; to be tried again at (ns); never acceptable, and so a dead letter with the reason."""
        with self._database.transaction():
            self._gone(done)
            self._database.many("UPDATE scores SET attempts = attempts + 1, due = ? WHERE seq = ?", ((due, seq) for seq, due, _ in retry))
            found = [self._letter(output, seq, reason) for seq, reason in dead]
            bury(self._database, (letter for letters in found for letter in letters), self._clock(), self._keep)

    def _letter(self, output: str, seq: int, reason: str) -> list[Letter]:
        rows = self._database.rows("SELECT id, attempts, document FROM scores WHERE seq = ?", seq)
        self._gone([seq])
        return [Letter(f"{output}/{id_}", "output", reason,
                       msgspec.json.encode({"output": output, "score": id_, "attempts": attempts + 1}), document)
                for id_, attempts, document in rows]  # fmt: skip

    def _gone(self, seqs: Iterable[int]) -> None:
        self._database.many("DELETE FROM scores WHERE seq = ?", ((seq,) for seq in seqs))

    def expire(self, output: str, limit: int = 1000) -> int:
        """Drops and counts what has waited longer than the output's buffer allows; always 0, for none became a dead letter."""
        before = self._clock() - self._buffers.get(output, Buffer()).max_age.ns
        old = self._database.rows("SELECT seq FROM scores WHERE output = ? AND +created < ? ORDER BY seq LIMIT ?", output, before, limit)
        if old:
            with self._database.transaction():
                self._gone(seq for (seq,) in old)
            self.counts["age"] += len(old)
        return 0

    def awaken(self, now: int) -> None:
        """Makes everything that waits due by `now`. Inside a transaction."""
        self._database.run("UPDATE scores SET due = ? WHERE due > ?", now, now)

    def drop(self, outputs: Collection[str], limit: int) -> int:
        """How many scores went, about `limit` at most, that wait for none of `outputs`."""
        gone = 0
        for output in self.waiting().keys() - set(outputs):
            with self._database.transaction():
                gone += self._database.run("DELETE FROM scores WHERE seq IN (SELECT seq FROM scores WHERE output = ? LIMIT ?)",
                                           output, limit)  # fmt: skip
        return gone

    def trim(self, limit: int) -> int:
        """How many counts of old minutes went, at most `limit`. Inside a transaction."""
        more = self._database.rows("SELECT COUNT(*) FROM score_minutes")[0][0] - _MINUTES
        return self._database.run("DELETE FROM score_minutes WHERE (minute, analyzer) IN (SELECT minute, analyzer FROM score_minutes "
                                  "ORDER BY minute LIMIT ?)", max(min(more, limit), 0))  # fmt: skip
