"""What our tills print, `till-3 refund 129.90 ann`, under the names that analyzers use."""

from __future__ import annotations

import re
from typing import Any

from pluginhost.events.aliases import message
from pluginhost.events.mapping import Example, Line, Mapping, Record

__all__ = ["MAPPINGS"]

_PRINTED = re.compile(r"(till-\d{1,4}) (sale|refund) (\d{1,9}\.\d\d) (\w{1,64})")


def _extract(record: Record) -> dict[str, Any] | None:
    found = _PRINTED.fullmatch(message(record))
    if found is None:
        return None  # not ours after all: the next mapping is asked
    till, action, amount, cashier = found.groups()
    return {"host.name": till, "event.action": action, "user.name": cashier, "sale.amount": float(amount)}


MAPPINGS = (
    Mapping(
        "till",
        "our tills' lines: sales and refunds",
        shape=Line(begins=("till-",)),
        tags=("till.*",),
        extract=_extract,
        reads=("message",),
        gives=frozenset({"host.name", "event.action", "user.name", "sale.amount"}),
        examples=(
            Example("till-3 refund 129.90 ann", {"event.action": "refund", "user.name": "ann", "sale.amount": 129.9}, tag="till.shop"),
            Example("till-3 out of paper", {}, absent=("event.action",), tag="till.shop"),
        ),
    ),
)
