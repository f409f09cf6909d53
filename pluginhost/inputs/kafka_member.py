"""A member of a consumer group, in a thread of its own: polls, hands messages over, commits what became durable.

One round at a time: what was polled is handed over, and while it is made durable the group is still answered, with all partitions
paused. A partition is let go only after its round has ended and was committed; one that was lost is not committed, for it is another's
already. A member that cannot go on leaves, waits, and joins anew. Nothing here reads a message.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from ..metrics import Counts

__all__ = ["COUNTERS", "Member", "Share"]

_LOG = logging.getLogger(__name__)
COUNTERS = ("messages", "records", "rejected", "unreadable", "skipped", "busy", "commits", "rebalances", "lost", "rejoins")
_WAIT = 0.2  # seconds that a poll waits for messages
_PATIENCE = 1.0  # seconds that a round may take before the partitions are paused and the group is answered meanwhile
_LETTING_GO = 30.0  # seconds that a round may still take when its partitions are wanted elsewhere
_ASKING = 10.0  # seconds for an answer of the broker
_COMMITS = 1.0  # seconds between two commits
_LONGEST = 30.0  # seconds between two attempts to join


class Share:
    """One partition's messages of a round. `durable` is told how far they are kept; `leave` says to wait for room no longer."""

    __slots__ = ("durable", "leave", "messages", "source", "topic")

    def __init__(self, topic: str, source: str, leave: threading.Event, durable: Callable[[int], None]) -> None:
        self.topic, self.source, self.leave, self.durable = topic, source, leave, durable
        self.messages: list[Any] = []


_Partition = tuple[str, int]
_Known = tuple[int, str]  # the next offset, and the life of the process that made the row before it


class Member:
    """`connect` makes the library's consumer, `keep` takes a round, `last` names the newest offsets the journal holds of a source.

    The names end with the `life` of the process that made the row: by it offsets are told apart that were read twice because an operator
    wanted it.
    """

    def __init__(self, library: Any, connect: Callable[[], Any], topics: Sequence[str], *, start: str, batch: int, mark: str, life: str,
                 counts: Counts, keep: Callable[[Sequence[Share]], Future[None]], last: Callable[[str], bytes | None],
                 say: Callable[[str, str], None]) -> None:  # fmt: skip
        self._library, self._connect, self._topics, self._start, self._batch = library, connect, list(topics), start, batch
        self._mark, self._life, self._counts, self._keep, self._last, self._say = mark, life, counts, keep, last, say
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)  # a broker that hangs must not hold up the end
        self._stopping, self._until = threading.Event(), 0.0
        self._leave = threading.Event()
        self._round: Future[None] | None = None
        self._held: dict[_Partition, int] = {}  # the next offset, by what is durable
        self._next: dict[_Partition, int] = {}  # the next offset to take, of the partitions that are ours
        self._committed: dict[_Partition, int] = {}
        self._commit_at = 0.0
        self._spare: list[Any] = []

    def begin(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def end(self, grace: float) -> None:
        """Finishes what was handed over, commits, leaves the group; returns within about `grace` seconds."""
        self._until = time.monotonic() + grace
        self._leave.set()
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(grace)

    def _run(self) -> None:
        pause = 1.0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._belong()
            except Exception as error:  # noqa: BLE001  # of a package that may not be imported above; and our own bugs
                if not isinstance(error, self._library.KafkaException):
                    _LOG.exception("a member of a consumer group fails")
                self._counts["rejoins"] += 1
                self._say("rejoin", f"leaves the group and joins it anew in {pause:.0f} s: {error}")
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST) if time.monotonic() - began < _LONGEST * 2 else 1.0

    def _belong(self) -> None:
        """Reads as a member of the group until told to stop; raises what it could not live with."""
        consumer = self._connect()
        try:
            consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
            while not self._stopping.is_set():
                self._turn(consumer)
        finally:
            with contextlib.suppress(self._library.KafkaException, RuntimeError):
                consumer.close()  # lets go of the partitions, hence ends their round and commits
            self._next.clear()
            self._spare.clear()

    def _turn(self, consumer: Any) -> None:
        messages, self._spare = self._spare or consumer.consume(self._batch, _WAIT), []
        shares = self._shared(messages)
        if shares:
            self._leave.clear()
            self._round = self._keep(shares)
            if not self._finished(_PATIENCE):
                self._idle(consumer)
            self._ended(consumer)
        now = time.monotonic()
        if now >= self._commit_at:
            self._commit_at = now + _COMMITS
            self._commit(consumer, list(self._next), asynchronous=True)

    def _shared(self, messages: Iterable[Any]) -> list[Share]:
        """The messages by partition. What is not ours any more, or was taken already, is left alone."""
        shares: dict[_Partition, Share] = {}
        for message in messages:
            if (error := message.error()) is not None:
                self._say(f"{error.code()} {message.topic()}", f"{message.topic() or 'the broker'}: {error.str()}")
                continue
            at, offset = (message.topic(), message.partition()), message.offset()
            if offset < self._next.get(at, offset + 1):
                continue
            if at not in shares:
                shares[at] = Share(at[0], _source(at), self._leave, functools.partial(self._held.__setitem__, at))
            shares[at].messages.append(message)
            self._next[at] = offset + 1
            self._counts["messages"] += 1
        return list(shares.values())

    def _idle(self, consumer: Any) -> None:
        """Answers the group while a round takes long; nothing is read meanwhile."""
        while True:
            consumer.pause(consumer.assignment())  # each time: partitions may have come
            if self._stopping.is_set() or self._finished(0.0):
                break
            if (message := consumer.poll(_WAIT)) is not None:
                self._spare.append(message)
        self._finished(max(self._until - time.monotonic(), 0.0) if self._stopping.is_set() else 0.0)
        consumer.resume(consumer.assignment())

    def _finished(self, patience: float) -> bool:
        """Whether the round has ended; waits for it."""
        if self._round is None:
            return True
        with contextlib.suppress(FutureTimeoutError):
            self._round.exception(patience)
        return self._round.done()

    def _ended(self, consumer: Any) -> None:
        """After a round: what of it was not kept is read again."""
        if self._stopping.is_set():
            return
        if self._round is not None and (error := self._round.exception()) is not None:
            _LOG.error("messages could not be kept", exc_info=error)
            time.sleep(_PATIENCE)
        self._round = None
        for at, position in list(self._next.items()):
            held = self._held.get(at, position)
            if held != position:
                consumer.seek(self._library.TopicPartition(*at, held))
                self._next[at] = held

    def _commit(self, consumer: Any, partitions: Iterable[_Partition], *, asynchronous: bool) -> None:
        due = [at for at in partitions if at in self._held and self._held[at] != self._committed.get(at)]
        if not due:
            return
        self._committing(consumer, [self._offset(at, self._held[at], self._known(at)) for at in due], asynchronous=asynchronous)

    def _offset(self, at: _Partition, offset: int, known: _Known) -> Any:
        """An offset to commit, and what the journal knew by then: if it knows of something newer later, that came behind this commit."""
        return self._library.TopicPartition(*at, offset, metadata=f"{self._mark} {known[0]}@{known[1]}")

    def _committing(self, consumer: Any, offsets: list[Any], *, asynchronous: bool) -> None:
        self._committed |= {(one.topic, one.partition): one.offset for one in offsets}
        try:
            consumer.commit(offsets=offsets, asynchronous=asynchronous)
            self._counts["commits"] += 1
        except self._library.KafkaException as error:
            self.uncommitted(error, offsets)

    def uncommitted(self, error: object, partitions: Iterable[Any]) -> None:
        """A commit came to nothing: it is tried again with the next. What is durable is not taken a second time here."""
        for one in partitions:
            self._committed.pop((one.topic, one.partition), None)
        self._say("commit", f"offsets cannot be committed: {error}")

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self._counts["rebalances"] += 1
        self._finished(_LETTING_GO)  # of an earlier membership: what it held becomes known only now
        starts, fresh = [], []
        for found in consumer.committed(partitions, timeout=_ASKING) if partitions else ():
            at, known = (found.topic, found.partition), self._known((found.topic, found.partition))
            ours, offset = self._begun(consumer, found, known)
            starts.append(self._library.TopicPartition(*at, offset))
            if not ours:
                fresh.append(self._offset(at, offset, known))
            self._next[at] = self._held[at] = offset
            self._committed[at] = found.offset
        if fresh:
            self._committing(consumer, fresh, asynchronous=False)
        consumer.assign(starts)

    def _begun(self, consumer: Any, found: Any, newest: _Known) -> tuple[bool, int]:
        """Whether the group's offset of a partition is our own, and where to begin: there, and behind what was made durable since.

        An offset that somebody else set is obeyed, be it another member's or that of an operator who wants records read again.
        """
        mark, _, then = (found.metadata or "").rpartition(" ")
        known, life = newest
        if found.offset >= 0 and not (mark == self._mark and known > found.offset and then != f"{known}@{life}"):
            return mark == self._mark, found.offset
        low, high = consumer.get_watermark_offsets(self._library.TopicPartition(found.topic, found.partition), timeout=_ASKING)
        if found.offset < 0:
            return False, low if self._start == "earliest" else high
        if known > high:  # the journal speaks of a topic that was there before
            return True, found.offset
        self._counts["skipped"] += known - found.offset
        return True, known

    def _known(self, at: _Partition) -> _Known:
        """The next offset by what this process kept, or else by the journal of the one before; 0 if neither knows."""
        if at in self._held:
            return self._held[at], self._life
        span, _, life = (self._last(_source(at)) or b"").decode("ascii", "replace").partition("@")
        last = span.rpartition("-")[2]
        return (int(last) + 1, life) if last.isdecimal() else (0, "")

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:
        """Others want them: what was handed over is finished and committed before they are let go."""
        self._leave.set()
        if not self._finished(max(self._until - time.monotonic(), 0.0) if self._stopping.is_set() else _LETTING_GO):
            self._say("revoked", "partitions are let go before all that was read of them is durable: who reads them next may take it twice")
        self._commit(consumer, [(one.topic, one.partition) for one in partitions], asynchronous=False)
        self._gone(partitions)

    def _lost(self, _: Any, partitions: list[Any]) -> None:
        self._counts["lost"] += len(partitions)
        self._leave.set()
        self._gone(partitions)

    def _gone(self, partitions: list[Any]) -> None:
        for one in partitions:
            self._next.pop((one.topic, one.partition), None)


def _source(at: _Partition) -> str:
    return f"{at[0]}/{at[1]}"
