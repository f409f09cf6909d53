"""OTLP over gRPC: `opentelemetry.proto.collector.logs.v1.LogsService/Export`, answered once all records of the request are durable."""

from __future__ import annotations

import asyncio
import functools
import hashlib

import grpc
import msgspec

from ....problem import Busy, PeerError
from ....wire import otlp
from ....wire.bodies import Unreadable
from ....wire.chunk import Chunk
from ...port import Carried, Receipt
from ..call import Call, Door, Refused

__all__ = ["Otlp"]

_PATIENCE = 30.0  # seconds that a request may take to come in
_HEAVY = 16 << 10  # requests above this are read in a thread: few bytes can mean many records
_AT_ONCE = 64  # chunks of a request at work at a time: it may name as many tags as it has records


class Otlp:
    """The service. What cannot be taken now is told at once: exporters keep it, and wait as long as they are told to."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Its only method."""
        return {"opentelemetry.proto.collector.logs.v1.LogsService": {"Export": self._door.method(self._export)}}

    async def _export(self, call: Call) -> None:
        if self._door.full:
            raise Busy("too much at work")
        message = await call.request(_PATIENCE)
        carried = Carried(call.line)
        size = len(message)
        self._door.hold(size)
        try:
            export = await self._read(message, call)
            self._door.hold(export.size)
            size += export.size
            await self._keep(export, call, carried, hashlib.blake2b(message, digest_size=16).digest())
        finally:
            self._door.hold(-size)
        await call.write(otlp.taken(False, export.rejected, export.reason))
        carried.written = True
        self._door.counts["records"] += sum(chunk.count for chunk in export.chunks)
        self._door.counts["rejected"] += export.rejected

    async def _read(self, message: bytes, call: Call) -> otlp.Export:
        """What the request holds; what can never be accepted is kept as a dead letter, then refused."""
        door = self._door
        door.counts["batches"] += 1
        read = functools.partial(otlp.read, message, json=False, tag=door.options.tag, limits=door.limits)
        try:
            return await asyncio.to_thread(read) if len(message) > _HEAVY else read()
        except PeerError as error:
            if isinstance(error, Unreadable):
                await door.context.accept(error.chunk, source=call.source)
            door.counts["unreadable" if isinstance(error, Unreadable) else "too_large"] += 1
            door.once.warn(f"otlp {call.source}", f"a request of {call.caller.name or call.source} can never be accepted: {error}")
            raise

    async def _keep(self, export: otlp.Export, call: Call, carried: Carried, identity: bytes) -> None:
        """Makes all chunks durable, or none of them where the peer may not use one of the tags."""
        for chunk in export.chunks:
            if not call.caller.may(chunk.tag):
                self._forbidden(call, chunk.tag)
        chunks = [msgspec.structs.replace(chunk, chunk_id=identity) for chunk in export.chunks]

        async def kept(chunk: Chunk) -> Receipt:
            return await self._door.context.accept(chunk, source=call.source, carried=carried)

        for start in range(0, len(chunks), _AT_ONCE):
            for done in await asyncio.gather(*map(kept, chunks[start : start + _AT_ONCE]), return_exceptions=True):  # one sync for all
                if isinstance(done, BaseException):
                    raise done

    def _forbidden(self, call: Call, tag: str) -> None:
        self._door.counts["forbidden"] += 1
        name = call.caller.name
        told = f"{name} at {call.source} may not send records under the tag {tag}: they wait there, or are lost"
        self._door.once.warn(f"403 {name}", told)
        raise Refused(grpc.StatusCode.PERMISSION_DENIED, f"this key may not use the tag {tag}")
