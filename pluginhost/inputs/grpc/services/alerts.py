"""`pluginhost.v1.Alerts/Follow`: the alerts that are stored, as a stream that a reader may take up again where it stood.

A reader is served as fast as it reads: the next alerts are fetched from the store when those before are written. The token is the number
under which the store holds an alert.
"""

from __future__ import annotations

import contextlib

import grpc
import msgspec
from google.protobuf.message import DecodeError

from ....events.fields import Document
from ....match import EVERYTHING, parse
from ....match import compile as compile_predicate
from ....match.tree import Test
from ....problem import PeerError, Problem
from ....wire.v1 import alerts_pb2 as pb
from ..call import Call, Door, Refused

__all__ = ["Alerts"]

_PATIENCE = 30.0  # seconds that a request may take to come in
_LONGEST = 19  # digits of a token


class Alerts:
    """The service. A key that is bound to tags reads none: an alert may tell of records under other tags."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Its only method."""
        return {"pluginhost.v1.Alerts": {"Follow": self._door.method(self._follow)}}

    async def _follow(self, call: Call) -> None:
        if call.caller.tags:
            self._door.counts["forbidden"] += 1
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, "this key may use certain tags only, and alerts tell of all")
        await call.while_open(self._followed(call))

    async def _followed(self, call: Call) -> None:
        wanted, after = _asked(await call.request(_PATIENCE))
        async with contextlib.aclosing(self._door.context.alerts(after)) as alerts:
            async for number, document in alerts:
                if wanted(Document(document)):
                    await call.write(pb.Alert(token=str(number), document=msgspec.json.encode(document)).SerializeToString())
                    self._door.counts["alerts"] += 1


def _asked(message: bytes) -> tuple[Test, int | None]:
    """Which alerts a request wants, and behind which number; `PeerError` if it is none."""
    try:
        request = pb.FollowRequest.FromString(message)
        wanted = compile_predicate(parse(request.where) if request.where.strip() else EVERYTHING)
    except DecodeError:
        raise PeerError("garbage", "this is no pluginhost.v1.FollowRequest") from None
    except Problem as problem:
        raise PeerError(problem.code, problem.what) from None
    return wanted, _number(request.after) if request.after else None


def _number(token: str) -> int:
    if not (token.isascii() and token.isdecimal() and len(token) <= _LONGEST):
        raise PeerError("token", "`after` is none of our tokens")
    return int(token)
