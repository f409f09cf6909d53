"""A risk as the command line and whoever else asks is told it: as of now, with what an analyst says, as plain data."""

from __future__ import annotations

from typing import Any

import msgspec

from ..alerts.risk import ENTITIES, LEVELS, Scale, Score, mark
from ..problem import Problem
from ..store.risks import Override, Risk

__all__ = ["kind_of", "override", "risk_of"]

_LONGEST = 1000  # characters of a note


def risk_of(one: Risk, scale: Scale | None, now: int) -> dict[str, Any]:
    """The risk of an entity at `now` (ns): score, the level that holds, what an analyst says while it does, the latest alerts."""
    if scale is None:
        raise Problem("risk.off", "no risk is reckoned", todo="set `risk.entities` to how many are to be remembered")
    score = msgspec.msgpack.decode(one.state, type=Score) if one.state else Score()
    said = one.override if one.override is not None and one.override.until > now else None
    told = mark(score, now, scale)
    return {
        "name": one.name, "score": told["calculated_score"], "level": said.level if said else told["calculated_level"],
        "calculated_level": told["calculated_level"], "last": one.at, "override": msgspec.to_builtins(said),
        "alerts": [msgspec.structs.asdict(cause) for cause in score.causes],
    }  # fmt: skip


def override(level: str, seconds: float, author: str, note: str, now: int) -> Override:
    """What an analyst says at `now` (ns), for so many seconds; `TypeError` if it cannot be said."""
    if level not in LEVELS or not 0 < seconds < 1e9:
        raise TypeError(f"a level is one of {', '.join(LEVELS)}, and holds for less than 30 years")
    return Override(level, now + round(seconds * 1e9), now, author[:_LONGEST], note[:_LONGEST])


def kind_of(kind: str) -> str:
    """The kind, if there is such a one."""
    if kind not in ENTITIES:
        raise TypeError(f"a kind is one of {', '.join(ENTITIES)}")
    return kind
