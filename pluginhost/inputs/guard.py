"""Who may come in: what the doors have in common. A token, an address that is safe without one, and a log that nobody floods.

Nothing here knows a protocol.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable

from ..problem import Problem, printable

__all__ = ["Once", "admitted", "require_token"]

_SUBJECTS = 256  # remembered at a time


def require_token(name: str, bind: str, *, token: str | None, allowed: bool) -> None:
    """Raises a `Problem` if the input would take records from other machines without asking who they are."""
    if token or allowed or _loopback(bind):
        return
    raise Problem(
        "input.unauthenticated",
        f"input {name} listens on {bind} and asks for no token: whoever reaches it may send records",
        todo="set `token`, or `bind: 127.0.0.1`; if the network keeps strangers out, `allow_unauthenticated: true`",
    )


def _loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def admitted(token: str | None, *, authorization: str = "", key: str = "") -> bool:
    """Whether the peer knows the token: as `Bearer`, as the password of `Basic` (any user name), or as a plain `key`."""
    if not token:
        return True
    scheme, _, said = authorization.partition(" ")
    offers = [key, said.strip() if scheme.lower() == "bearer" else "", _password(said) if scheme.lower() == "basic" else ""]
    wanted = token.encode()
    found = [hmac.compare_digest(offer.encode("utf-8", "surrogateescape"), wanted) for offer in offers]
    return any(found)  # after all were compared


def _password(said: str) -> str:
    try:
        return base64.b64decode(said.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


class Once:
    """Says a thing once in `every` seconds per subject, and how often it was kept back; loud, but never a flood."""

    def __init__(self, logger: logging.Logger, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._every, self._clock = logger, every, clock
        self._said: dict[str, tuple[float, int]] = {}

    def warn(self, subject: str, text: str) -> None:
        """Logs `text` as a warning unless `subject` was heard of lately."""
        now = self._clock()
        at, held = self._said.pop(subject, (float("-inf"), 0))
        if now - at < self._every:
            self._said[subject] = (at, held + 1)
            return
        if len(self._said) >= _SUBJECTS:
            del self._said[next(iter(self._said))]
        self._said[subject] = (now, 0)
        self._logger.warning("%s%s", printable(text, 500), f" ({held} more like it)" if held else "")
