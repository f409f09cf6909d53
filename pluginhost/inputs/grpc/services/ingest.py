"""`pluginhost.v1.Ingest/Send`: batches in, an acknowledgement for each once it is durable."""

from __future__ import annotations

import grpc

from ....wire.v1 import ingest_pb2 as pb
from ...port import Receipt
from ..call import Door
from .batches import Batches

__all__ = ["Ingest"]


class Ingest:
    """The service."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Its only method."""
        return {"pluginhost.v1.Ingest": {"Send": self._door.method(Batches(self._door, _acknowledged))}}


async def _acknowledged(ack: pb.Ack, _: Receipt) -> bytes:
    return ack.SerializeToString()
