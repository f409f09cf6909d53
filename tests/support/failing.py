"""Peers that fail half of the time: a way to a real Elasticsearch, a webhook's receiver, and the handler of a real SMTP server.

Each counts what it took in, by id, and the failures it dealt. They fail in turns, one kind after another, until `Turns.over`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

from proxies import Answer as Told
from recording import CUT, Answer

__all__ = ["Desk", "Mailbox", "Turns", "search"]


class Turns:
    """Gives at every `each`-th call the next of `kinds`, else None; `dealt` counts them by kind, `last` is when (monotonic)."""

    def __init__(self, *kinds, each=2):
        self.dealt, self.last, self._kinds, self._each = Counter(), 0.0, kinds, each
        self._calls, self._over, self._alone = 0, False, threading.Lock()

    def __call__(self):
        with self._alone:
            self._calls += 1
            if self._over or self._calls % self._each:
                return None
            kind = self._kinds[self.dealt.total() % len(self._kinds)]
            self.dealt[kind] += 1
            self.last = time.monotonic()
            return kind

    def over(self):
        """Nothing fails from now on."""
        self._over = True


def search(writes, others, stall):
    """The rule of a `Gate` before Elasticsearch: `writes` are the turns of bulk requests, `others` of all else; `stall` is how long (s)."""
    busy = json.dumps({"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}).encode()
    answers = {"429": Told(429, busy, {"Content-Type": "application/json"}), "503": Told(503), "500": Told(500, b"<html>\xff\x00 oops")}

    def rule(request):
        kind = (writes if "_bulk" in request.path else others)()
        if kind == "cut":
            return None  # before the server has seen it
        if kind in answers:
            return answers[kind]
        answer = request.passed()
        if kind == "stall":
            time.sleep(stall)
        return None if kind == "lost" else answer  # lost: the server has done it, and nobody hears

    return rule


_REFUSALS = {"429": Answer(429, b"slow down", {"Retry-After": "1"}), "500": Answer(500, b"oops"), "garbage": Answer(raw=b"\x00\xff\r\n")}


class Desk:
    """Who receives a webhook: `taken` counts what was taken in by its `Idempotency-Key`, `counts` has of how many alerts it told."""

    def __init__(self, turns, stall):
        self.turns, self._stall, self.taken, self.counts = turns, stall, Counter(), {}

    def __call__(self, request):
        """The answer to a request, for `recording`."""
        kind = self.turns()
        if kind in _REFUSALS:
            return _REFUSALS[kind]
        told = json.loads(request.body)
        self.taken[request.headers["idempotency-key"]] += 1
        self.counts[told["id"]] = told["count"]
        return CUT if kind == "lost" else Answer(slow=self._stall) if kind == "stall" else Answer()


class Mailbox:
    """The handler of an aiosmtpd server: `taken` counts (recipient, Message-ID). `gone` is refused for good when it is the turn of that."""

    def __init__(self, turns, gone=""):
        self.turns, self.gone, self.taken, self._kind = turns, gone, Counter(), None

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - the names are the library's
        self._kind = self.turns()
        if self._kind == "dropped":
            server.transport.abort()
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self._kind == "550" and address == self.gone:
            return "550 no such user"
        if self._kind == "451":
            return "451 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        head = envelope.content.split(b"\r\n\r\n", 1)[0].decode()
        (name,) = (line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith("Message-ID:"))
        self.taken.update((who, name) for who in envelope.rcpt_tos)
        if self._kind == "lost":
            server.transport.abort()
        return "250 OK"
