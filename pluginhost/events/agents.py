"""A user agent → who it says it is: browser, version, operating system, device, as ECS names them.

The work is ua-parser's; the last answers are kept, because few agents come often. What is longer than any honest agent is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ua_parser import parse

__all__ = ["FIELDS", "agent"]

FIELDS = ("user_agent.name", "user_agent.version", "user_agent.os.name", "user_agent.os.version", "user_agent.device.name")
"""What `agent` may say."""

_LONGEST = 2048
_KEPT = 20_000


def agent(text: str) -> Mapping[str, Any]:
    """What the user agent `text` says of itself, by the names in `FIELDS`; nothing where ua-parser knows none of it."""
    return _parsed(text[:_LONGEST])


@lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> Mapping[str, Any]:
    found = parse(text)
    made = {"user_agent.name": found.user_agent and found.user_agent.family, "user_agent.version": _version(found.user_agent),
            "user_agent.os.name": found.os and found.os.family, "user_agent.os.version": _version(found.os),
            "user_agent.device.name": found.device and found.device.family}  # fmt: skip
    return {field: value for field, value in made.items() if value}


def _version(found: Any) -> str:
    """`17.4.1`, as far as it is known."""
    parts = [getattr(found, name, None) for name in ("major", "minor", "patch")] if found else []
    return ".".join(part for n, part in enumerate(parts) if part and all(parts[:n]))
