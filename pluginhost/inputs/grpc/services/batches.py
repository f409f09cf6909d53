"""A stream of `pluginhost.v1.Batch`, each answered in order once it is durable: what `Ingest` and `Analyze` have in common.

Several batches of a stream are at work at a time, so that they share a disk sync; more are not read, and HTTP/2 flow control slows the
sender down. A batch that cannot be read, or has a tag that the peer may not use, is acknowledged with its error, and harms no other. The
stream itself ends only when the sender must come back later: overload or shutdown.

The protocol has no ids: a batch that comes again is known by its content. Only an ack that was not written counts as lost: that a call
was cancelled says nothing, for many senders end theirs so.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable

import msgspec
from google.protobuf.message import DecodeError

from ....problem import Busy, PeerError, printable
from ....wire import structs
from ....wire.bodies import Unreadable, decode_body
from ....wire.chunk import Chunk
from ....wire.v1 import ingest_pb2 as pb
from ...frames import frameless
from ...port import Carried, Receipt
from ..call import HEAVY, Call, Door

__all__ = ["Answer", "Batches"]

_LOG = logging.getLogger(__name__)
_TYPES = {pb.ENCODING_MSGPACK: "application/msgpack", pb.ENCODING_JSON: "application/json"}
_Owed = asyncio.Queue[tuple[Carried, asyncio.Task[bytes]] | None]
Answer = Callable[[pb.Ack, Receipt], Awaitable[bytes]]


class Batches:
    """Serves streams. `answer` words what is said of a batch that is durable; with `repeatable` no copy is ever recognised."""

    def __init__(self, door: Door, answer: Answer, *, repeatable: bool = False) -> None:
        self._door, self._answer, self._repeatable = door, answer, repeatable

    async def __call__(self, call: Call) -> None:
        """Answers until the sender is done, or raises why it must stop; what is unacknowledged then comes again."""
        owed: _Owed = asyncio.Queue()
        slots = asyncio.Semaphore(self._door.options.in_flight)
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(call, group, owed, slots))
                call.reads(reader)
                while (one := await owed.get()) is not None:
                    carried, answer = one
                    await call.write(await answer)
                    carried.written = True
                    slots.release()
        except ExceptionGroup as failures:
            frameless(failures)  # among its frames is one that holds it, and beside it the tasks with their batches
            _, bug = failures.split((Busy, PeerError))
            failure = bug or failures.exceptions[0]
        if failure or reader.cancelled():
            raise failure or Busy("draining")

    async def _read(self, call: Call, group: asyncio.TaskGroup, owed: _Owed, slots: asyncio.Semaphore) -> None:
        """Reads ahead and starts each batch in its order; ends with the stream, or when the door closes."""
        try:
            while True:
                await slots.acquire()
                await self._door.room()
                if (message := await call.read()) is None:
                    break
                chunk, ack = await self._decoded(message, call)
                carried = Carried(call.line)
                owed.put_nowait((carried, group.create_task(self._answered(chunk, ack, call, carried))))
        finally:
            owed.put_nowait(None)

    async def _decoded(self, message: bytes, call: Call) -> tuple[Chunk | None, pb.Ack]:
        """What to keep of a batch, if anything, and what to say once it is kept."""
        counts, heavy = self._door.counts, len(message) > HEAVY
        try:
            rest, records = await asyncio.to_thread(structs.parted, message, self._door.limits) if heavy else structs.parted(message)
            batch = pb.Batch.FromString(rest)
        except (DecodeError, ValueError):
            counts["garbage"] += 1
            raise PeerError("garbage", "this is no pluginhost.v1.Batch") from None
        counts["batches"] += 1
        try:
            chunk = await asyncio.to_thread(self._chunk, batch, records, call) if heavy else self._chunk(batch, records, call)
        except PeerError as error:
            counts[_counter(error)] += 1
            peer = call.caller.name or call.source
            self._door.once.warn(f"{error.reason} {call.source}", f"a batch of {peer} can never be accepted: {error}")
            return error.chunk if isinstance(error, Unreadable) else None, pb.Ack(sequence=batch.sequence, rejected=1, error=str(error))
        return chunk, pb.Ack(sequence=batch.sequence, accepted=chunk.count, rejected=len(chunk.rejected))

    def _chunk(self, batch: pb.Batch, records: list[bytes], call: Call) -> Chunk:
        tag = printable(batch.tag, 256) or self._door.options.tag
        if not call.caller.may(tag):
            raise Unreadable("forbidden", f"this key may not use the tag {tag}", tag=tag, body=batch.payload or b"".join(records))
        if records and batch.payload:
            raise Unreadable("ambiguous", "a batch holds a payload or records, not both", tag=tag, body=batch.payload)
        if records:
            chunk = structs.read(records, tag, self._door.limits)
        else:
            chunk = decode_body(batch.payload, content_type=_TYPES.get(batch.encoding, ""), content_encoding=batch.compression,
                                tag=tag, limits=self._door.limits)  # fmt: skip
        return msgspec.structs.replace(chunk, chunk_id=b"" if self._repeatable else hashlib.blake2b(chunk.body, digest_size=16).digest())

    async def _answered(self, chunk: Chunk | None, ack: pb.Ack, call: Call, carried: Carried) -> bytes:
        """The answer, once it is true."""
        receipt = Receipt(-1)
        if chunk and (chunk.count or chunk.rejected):
            size = len(chunk.data)
            self._door.hold(size)
            try:
                receipt = await self._kept(chunk, call.source, None if self._repeatable else carried)
            finally:
                self._door.hold(-size)
            self._door.counts["records"] += chunk.count
            self._door.counts["rejected"] += len(chunk.rejected)
        return await self._answer(ack, receipt)

    async def _kept(self, chunk: Chunk, source: str, carried: Carried | None) -> Receipt:
        """Waits while nothing more can be taken: unread messages slow the sender down. Raises the last `Busy` in the end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._door.options.busy_timeout
        while True:
            try:
                return await self._door.context.accept(chunk, source=source, carried=carried)
            except Busy as busy:
                if self._door.draining or loop.time() + busy.retry_after > until:
                    raise
                await asyncio.sleep(busy.retry_after)


def _counter(error: PeerError) -> str:
    if error.reason == "forbidden":
        return "forbidden"
    return "unreadable" if isinstance(error, Unreadable) else "too_large"
