"""`grpc.health.v1.Health`: whether the door takes records, for probes and balancers; anybody may ask."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2 as pb

from ....problem import PeerError
from ..call import Call, Door, Refused

__all__ = ["Health"]

_PATIENCE = 10.0  # seconds that a request may take to come in
_Status = pb.HealthCheckResponse


class Health:
    """The service: SERVING from the start on, NOT_SERVING as soon as the door begins to close."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Asks once; asks to be told of each change."""
        check, watch = self._door.method(self._check, public=True), self._door.method(self._watch, public=True)
        return {"grpc.health.v1.Health": {"Check": check, "Watch": watch}}

    async def _check(self, call: Call) -> None:
        if not self._known(await call.request(_PATIENCE)):
            raise Refused(grpc.StatusCode.NOT_FOUND, "no such service here")
        await self._say(call, pb.HealthCheckResponse.NOT_SERVING if self._door.draining else pb.HealthCheckResponse.SERVING)

    async def _watch(self, call: Call) -> None:
        known = self._known(await call.request(_PATIENCE))
        await self._say(call, pb.HealthCheckResponse.SERVING if known else pb.HealthCheckResponse.SERVICE_UNKNOWN)
        closed = asyncio.ensure_future(asyncio.Event().wait())  # nothing changes before the door closes
        call.reads(closed)
        try:
            await asyncio.wait([closed])
        finally:
            closed.cancel()
        if known:
            await self._say(call, pb.HealthCheckResponse.NOT_SERVING)

    def _known(self, message: bytes) -> bool:
        try:
            name = pb.HealthCheckRequest.FromString(message).service
        except DecodeError:
            raise PeerError("garbage", "this is no HealthCheckRequest") from None
        return not name or name in self._door.names

    async def _say(self, call: Call, status: int) -> None:
        await call.write(pb.HealthCheckResponse(status=status).SerializeToString())
