"""`pluginhost.v1.Analyze/Judge`: batches in, for each what the analyzers found in it.

The records are ordinary ones: journalled, counted in every window, and their alerts go out as always. A copy is judged anew, for who asks
twice must be answered twice.
"""

from __future__ import annotations

import grpc

from ....alerts.verdict import verdict
from ....wire.v1 import ingest_pb2 as pb
from ...port import Receipt
from ..call import Door
from .batches import Batches

__all__ = ["Analyze"]

_ACTIONS = {"allow": pb.ACTION_ALLOW, "step_up": pb.ACTION_STEP_UP, "deny": pb.ACTION_DENY}


class Analyze:
    """The service."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Its only method."""
        return {"pluginhost.v1.Analyze": {"Judge": self._door.method(Batches(self._door, self._judged, repeatable=True))}}

    async def _judged(self, ack: pb.Ack, receipt: Receipt) -> bytes:
        made = pb.Judgement(ack=ack)
        if ack.error:
            return made.SerializeToString()
        found = [] if receipt.offset < 0 else await self._door.context.verdict(receipt.offset, self._door.options.verdict_timeout)
        if found is None:
            made.pending = True
            return made.SerializeToString()
        told = verdict(found)
        made.action, made.risk_score = _ACTIONS[told["action"]], told["risk_score"]
        for one in told["alerts"]:
            made.verdicts.add(index=one["index"], action=_ACTIONS[one["action"]], severity=one["severity"], risk_score=one["risk_score"],
                              rule=one["rule"]["id"], rule_name=one["rule"]["name"], message=one["message"], reason=one["reason"],
                              id=one["id"])  # fmt: skip
        return made.SerializeToString()
