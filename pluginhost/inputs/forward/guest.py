"""A connection of the forward door that is still to be let in: the handshake, and the rules about addresses.

Once it is let in, the connection belongs to a `Peer`, together with what was sent behind the PING; so the way of the records knows
nothing of all this. Who is turned away is told why, as far as the protocol allows, and the log says who it claimed to be.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import cast

from ...tls import names_of
from ...wire.forward import other_protocol
from ...wire.handshake import INVALID, ServerHandshake, Verdict
from ..access import Caller
from ..arrivals import Arrival
from .door import Door
from .peer import Peer
from .rules import Rules

__all__ = ["Guest"]

_LENGTH = 16  # bytes of chance, in the nonce and for the passwords


class Guest(asyncio.Protocol):
    """See the head of this file. A PING is waited for so many seconds."""

    def __init__(self, door: Door, arrival: Arrival, rules: Rules, patience: float) -> None:
        self._door, self._arrival, self._rules, self._patience = door, arrival, rules, patience
        self._timer: asyncio.TimerHandle | None = None
        self._opening = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets the peer, or decides by its address alone."""
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self._address = str(name[0]) if isinstance(name, tuple) else ""
        self._door.enter(self)
        terms = self._rules.terms(self._address)
        if self._rules.handshakes:
            self._handshake = ServerHandshake(terms, nonce=secrets.token_bytes(_LENGTH), auth=secrets.token_bytes(_LENGTH))
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._too_slow)
            self._transport.write(self._handshake.hello)
        elif terms.refusal:
            self._turn_away(terms.refusal)
        else:
            self._let_in(Caller(), b"")
        self.end_at_boundary()

    def data_received(self, data: bytes) -> None:
        """Takes what came of a PING, and answers it once it is whole."""
        self._opening = (self._opening + data)[:8] if len(self._opening) < 8 else self._opening
        verdict = self._handshake.receive_data(data)
        if verdict is None:
            return
        self._transport.write(verdict.answer)
        if verdict.reason:
            self._turn_away(verdict.reason, verdict)
        else:
            self._door.counts["handshakes"] += 1
            self._arrival.heard()
            self._let_in(self._rules.caller(verdict.user), verdict.rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """It went by itself, which a heartbeat does all day."""
        self._stop()
        self._arrival.left()
        self._door.leave(self)

    def pace(self) -> None:
        """Of a peer that may only send a PING nothing needs to be held back."""

    def end_at_boundary(self) -> None:
        """Ends, if the door does."""
        if self._door.draining:
            self._transport.close()

    def abort(self) -> None:
        """Ends at once."""
        self._transport.abort()

    def _let_in(self, caller: Caller, rest: bytes) -> None:
        peer = self._hand_over(caller)
        if rest:
            peer.data_received(rest)

    def _turn_away(self, reason: str, verdict: Verdict | None = None) -> None:
        self._door.counts["handshakes_failed" if reason == INVALID else "unauthorized"] += 1
        if reason == INVALID:
            other = other_protocol(self._opening)
            reason += f" ({other.hint if other else 'has the sender a shared key?'})"
        certificate = names_of(self._transport.get_extra_info("peercert"))
        claims = [verdict.hostname, f"user {verdict.user}" if verdict.user else ""] if verdict else []
        known = ", ".join(filter(None, [*claims, f"certificate {certificate[0]}" if certificate else ""]))
        source = self._address or "unix"
        self._door.once.warn(f"{source} {reason}", f"{source} is turned away: {reason}{f'; it says it is {known}' if known else ''}")
        self._hand_over(Caller()).dismiss()

    def _hand_over(self, caller: Caller) -> Peer:
        self._stop()
        peer = Peer(self._door, self._arrival, caller, before=self)
        self._transport.set_protocol(peer)
        peer.connection_made(self._transport)
        return peer

    def _too_slow(self) -> None:
        self._door.counts["handshakes_failed"] += 1
        source = self._address or "unix"
        self._door.once.warn(f"{source} no ping", f"{source}: no PING within {self._patience:g} s: has the sender a shared key?")
        self._hand_over(Caller()).dismiss()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
