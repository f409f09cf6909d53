"""`grpc.reflection.v1alpha.ServerReflection`: what the door serves, for tools such as grpcurl. Schemas only, for those let in only."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import ReflectionServicer
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from ....problem import PeerError
from ....wire.v1 import alerts_pb2, ingest_pb2
from ..call import Call, Door

__all__ = ["Reflection"]

_DESCRIBED = (ingest_pb2, alerts_pb2, logs_service_pb2)  # what is imported can be told of


class Reflection:
    """The service."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Its only method."""
        return {"grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": self._door.method(self._info)}}

    async def _info(self, call: Call) -> None:
        await call.while_open(self._told(call))

    async def _told(self, call: Call) -> None:
        servicer: Any = ReflectionServicer(self._door.names)
        while (message := await call.read()) is not None:
            try:
                question = pb.ServerReflectionRequest.FromString(message)
            except DecodeError:
                raise PeerError("garbage", "this is no ServerReflectionRequest") from None
            for answer in servicer.ServerReflectionInfo([question], None):
                await call.write(answer.SerializeToString())
