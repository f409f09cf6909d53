"""An output's answer in the words of the delivery task: outputs and engine do not know each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..engine.delivery import Unreachable, Verdicts
from ..outputs.port import Dead, Done, Outgoing, Output, Retry, Unavailable
from ..store.alerts import OutboxRow

__all__ = ["sender"]


def sender(output: Output) -> Callable[[Sequence[OutboxRow]], Awaitable[Verdicts]]:
    """A function that delivers outbox rows through `output` and sorts its outcomes."""

    async def send(rows: Sequence[OutboxRow]) -> Verdicts:
        batch = [Outgoing(row.seq, row.id, row.time, row.severity, row.analyzer, row.document, row.attempts) for row in rows]
        try:
            outcomes = await output.deliver(batch)
        except Unavailable as error:
            raise Unreachable(error.reason, error.after, error.slow) from None
        verdicts = Verdicts()
        for row, outcome in zip(rows, outcomes, strict=True):
            match outcome:
                case Done():
                    verdicts.done.append(row.seq)
                case Retry(reason, after, slow):
                    verdicts.retry.append((row.seq, after, reason, slow))
                case Dead(reason):
                    verdicts.dead.append((row.seq, reason))
        return verdicts

    return send
