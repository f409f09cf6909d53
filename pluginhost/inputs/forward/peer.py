"""One connection of the forward door: reads frames, hands their chunks on, writes each ack when its turn has come.

Invariants: an ack goes out only after its chunk is durable, in the order of the frames, in one write of its own; a frame
that asks for an ack is either acked or its connection closed, never left waiting; several chunks may be on their way at
once, so that one sync serves them all. What the bytes mean is not known here, nor how one listens.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections import deque
from typing import cast

import msgspec

from ...problem import Busy, PeerError
from ...wire.chunk import Chunk
from ...wire.forward import Connection, Frame
from ..access import Caller
from ..arrivals import Arrival
from ..port import Carried, Line
from .door import Door, Member

__all__ = ["Peer"]

_LOG = logging.getLogger(__name__)
_LINGER = 1.0  # seconds that a peer gets to read the last answer and to close its side
_SILENCE = 0.1  # seconds of it after which a peer over TLS is taken to have sent all that was on its way
_PAUSES = (0.01, 1.0)  # the shortest and the longest pause between two tries while the host is busy
_ANYBODY = Caller()


class _Owed(msgspec.Struct, frozen=True):
    """A frame on its way: the task that makes it durable (None: nothing to store), the answer then (None: none), and its way in."""

    stored: asyncio.Task[bool] | None
    ack: bytes | None
    carried: Carried


class Peer(asyncio.Protocol):
    """One connection. It goes from open to ending (reads no more, answers what was read) to closing (only waits for the peer).

    Where it had to be let in, it goes on for the member `before` it.
    """

    def __init__(self, door: Door, arrival: Arrival, caller: Caller = _ANYBODY, before: Member | None = None) -> None:
        self._door, self._manners, self._loop = door, door.manners, asyncio.get_running_loop()
        self._prepare, self._arrival, self._before = door.prepares(caller), arrival, before
        self._connection = Connection(door.limits, door.counts)
        self._owed, self._line = deque[_Owed](), Line()
        self._waiting, self._half, self._busy = 0, 0, 0
        self._ending = self._closing = self._gone = self._paused = self._choked = self._served = self._heard_all = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection in."""
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.source = str(name[0]) if isinstance(name, tuple) else "unix"
        self._heard = self._begun = self._ended = self._loop.time()
        self._half_open = self._transport.can_write_eof()  # over TLS a side cannot be closed alone
        self._door.enter(self, self._before)
        self._watch()
        self.pace()
        self.end_at_boundary()

    def data_received(self, data: bytes) -> None:
        """Takes what came and hands on what is complete."""
        if self._ending:
            if not self._half_open:
                self._heard = self._loop.time()
            return
        self._heard = self._loop.time()
        if not self._half:
            self._begun = self._heard
        try:
            self._connection.receive_data(data)
            for frame in self._connection.frames():
                if not self._served:
                    self._arrival.heard()
                self._begun, self._served = self._heard, True
                self._take(frame)
            self._hold_half(self._connection.pending)
        except PeerError as error:
            self._fault(error)
        except Exception:  # noqa: BLE001 - one connection never harms another, not even by a bug
            _LOG.exception("a frame from %s could not be read, which is a bug; its connection is closed", self.source)
            self._finish()
        else:
            self.end_at_boundary()
            self._watch()
            self.pace()

    def eof_received(self) -> bool:
        """The peer will send no more, but may still read: true keeps the sending side open."""
        self._heard_all = True
        if self._half:
            self._door.counts["half_frames"] += 1
        if not self._half_open:
            self._close()  # nothing that is written from now on would be sent
        elif not self._closing:
            self._finish()
        return not self._closing

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets go. What was read is still made durable; who has no ack will send again."""
        self._ending = self._closing = self._gone = True
        self._line.ended, self._line.reset = True, exc is not None
        self._hold_half(0)
        self._owed.clear()
        self._watch()
        self._arrival.left()
        self._door.leave(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers."""
        self._choked = True
        self.pace()

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked = False
        self.pace()

    def pace(self) -> None:
        """Reads on, or stops reading so that the peer slows down: it is never told to wait in another way."""
        pause = not self._closing and (bool(self._busy) or self._choked or self._waiting >= self._manners.waiting or self._door.full)
        if pause == self._paused or self._gone:
            return
        self._paused = pause
        if pause:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._heard = self._begun = self._loop.time()  # it could not have sent more
            self._transport.resume_reading()

    def end_at_boundary(self) -> None:
        """Ends between two frames, if it is to end."""
        if (self._door.draining or (self._served and self._manners.once)) and not self._half:
            self._finish()

    def dismiss(self) -> None:
        """Ends without reading anything."""
        self._finish()

    def abort(self) -> None:
        """Ends at once."""
        self._transport.abort()

    def _hold_half(self, size: int) -> None:
        more, self._half = size - self._half, size
        self._door.hold(half=more)

    def _take(self, frame: Frame) -> None:
        stored, carried = None, Carried(self._line)
        if frame.hint:
            self._door.once.warn(frame.hint, f"{self.source}: a frame goes to the dead letters: {frame.hint}")
        if frame.chunk is not None:
            before = next((owed.stored for owed in reversed(self._owed) if owed.stored), None)
            size = len(frame.chunk.body)
            self._waiting += size
            self._door.hold(waiting=size)
            chunk = self._prepare(frame.chunk, self.source)
            stored = self._door.spawn(self._insist(chunk, before, carried, owes=frame.ack is not None))
            stored.add_done_callback(lambda _: self._stored(size))
        if stored or frame.ack is not None:
            self._owed.append(_Owed(stored, frame.ack, carried))
            self._answer()

    async def _insist(self, chunk: Chunk, before: asyncio.Task[bool] | None, carried: Carried, *, owes: bool) -> bool:
        """Whether the chunk became durable. While the host is busy it is tried again, in the order of the frames.

        A sender that waits for an ack has the chunk still: it is let go when the time is up, and will send it again.
        """
        deadline, refused = self._loop.time() + self._manners.busy, False
        try:
            while True:
                if refused and owes and self._hung_up():  # its sender has it still, and may have sent it again already
                    return False
                try:
                    await self._door.accept(chunk, source=self.source, carried=carried)
                except Busy as busy:
                    pause = min(max(busy.retry_after, _PAUSES[0]), _PAUSES[1])
                else:
                    return True
                if not refused:
                    refused = True
                    self._is_busy(1)
                if owes and (self._gone or self._loop.time() + pause > deadline):
                    self._door.counts["busy_timeouts"] += 1
                    return False
                if before and not before.done():
                    await asyncio.wait([before], timeout=deadline - self._loop.time() if owes else None)
                else:
                    await asyncio.sleep(pause)
        finally:
            if refused:
                self._is_busy(-1)

    def _hung_up(self) -> bool:
        """Whether the peer is gone, or sends no more: while nothing is read nobody else would tell."""
        if self._gone or self._transport.is_closing():
            return True
        asked = select.poll()
        asked.register(self._transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(asked.poll(0))

    def _is_busy(self, change: int) -> None:
        self._door.counts["busy"] += max(change, 0)
        self._busy += change
        self.pace()

    def _stored(self, size: int) -> None:
        self._waiting -= size
        self._door.hold(waiting=-size)
        self._answer()
        self.pace()

    def _answer(self) -> None:
        """Writes the acks whose turn has come. A chunk that was not taken ends the connection: its sender must not wait for ever."""
        while self._owed and not self._closing:
            first = self._owed[0]
            if first.stored and not first.stored.done():
                return
            self._owed.popleft()
            if first.stored and not _succeeded(first.stored):
                self._close()
            elif first.ack is not None and not self._transport.is_closing():
                self._transport.write(first.ack)
                first.carried.written = True
                self._door.counts["acks"] += 1
        if self._ending and not self._closing:
            self._close()

    def _fault(self, error: PeerError) -> None:
        self._door.counts["closed"] += 1
        self._door.once.warn(error.reason, f"{self.source}: connection closed: {error}")
        self._finish()

    def _finish(self) -> None:
        """Reads no more, answers what was read, closes."""
        self._ending = True
        self._hold_half(0)
        self._answer()

    def _close(self) -> None:
        """Shuts the sending side and waits a moment: closing at once, with bytes unread, could destroy an answer on its way."""
        self._ending = self._closing = self._line.ended = True  # what is unanswered stays so
        self._ended = self._loop.time()
        self._owed.clear()
        self._hold_half(0)
        self.pace()
        self._watch()
        if self._heard_all:
            self._transport.close()
        elif self._half_open and not self._transport.is_closing():
            self._transport.write_eof()

    def _due(self) -> tuple[float, str] | None:
        """Until when the connection is waited for, and what is wrong with it after that."""
        if self._gone:
            return None
        if self._closing and self._half_open:
            return self._heard + _LINGER, ""
        if self._closing:  # once it is closed, the listener bounds the goodbye
            return None if self._transport.is_closing() else (min(self._heard + _SILENCE, self._ended + _LINGER), "")
        if self._half:
            return min((self._heard + self._manners.progress, "stalled"), (self._begun + self._manners.frame, "too_slow"))
        return (self._heard + self._manners.idle, "") if self._manners.idle is not None else None

    def _watch(self) -> None:
        """Sets the one timer that a connection has, if it has none and needs one. It is not moved each time, but looks again."""
        due = self._due()
        if self._timer and (due is None or due[0] < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if due and not self._timer:
            self._timer = self._loop.call_at(due[0], self._look)

    def _look(self) -> None:
        self._timer = None
        due = self._due()
        if self._paused:
            self._heard = self._begun = self._loop.time()
        elif due and due[0] <= self._loop.time():
            self._give_up(due[1])
        self._watch()

    def _give_up(self, reason: str) -> None:
        if self._closing and self._half_open:
            self._transport.abort()
        elif self._closing:
            self._transport.close()  # with a close_notify
        elif reason:
            self._fault(PeerError(reason, f"{self._half} bytes of a frame came, the rest did not"))
        elif not self._ending:
            self._finish()


def _succeeded(stored: asyncio.Task[bool]) -> bool:
    if stored.cancelled():
        return False
    if error := stored.exception():
        _LOG.error("a chunk could not be stored, which is a bug; its connection is closed", exc_info=error)
    return not error and stored.result()
