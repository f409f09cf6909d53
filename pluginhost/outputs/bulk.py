"""The bulk interface of Elasticsearch in bytes: what goes into a request, and what each answer means. Pure.

Status first, type second: types differ between servers and versions, statuses do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..alerts.sanitise import clean
from ..alerts.sending import stamped, with_lag
from ..problem import printable
from ..wire.times import iso
from .port import DONE, Dead, Outcome, Retry

__all__ = ["create", "item_outcome", "reason_of", "replace"]

_MISPLACED = ("only write ops with an op_type of create", "no write index is defined", "pipeline with id [")
"""How the reasons begin that are about where is written, and not about what. None of them begins with anything of the document."""


def create(event_id: str, document: Mapping[str, Any], time: int, now: int) -> bytes:
    """The two lines that create `document` of `time` as `event_id` at `now` (both ns), made acceptable."""
    made = with_lag(_acceptable(document, time), time, now)
    return b'{"create":{"_id":%b}}\n%b\n' % (msgspec.json.encode(event_id), msgspec.json.encode(stamped(made, now)))


def replace(name: str, revision: int, document: Mapping[str, Any], time: int, now: int) -> bytes:
    """The two lines that write `document` as `name`, unless `revision` or a later one is there already; times as in `create`."""
    action = {"index": {"_id": name, "version": revision, "version_type": "external"}}
    made = stamped(_acceptable(document, time), now)
    return b"%b\n%b\n" % (msgspec.json.encode(action), msgspec.json.encode(made))


def _acceptable(document: Mapping[str, Any], time: int) -> dict[str, Any]:
    return clean({"@timestamp": iso(time, 3), **document})


def item_outcome(item: Mapping[str, Any]) -> Outcome:
    """What the answer to one document means for it."""
    status, error = item.get("status", 0), item.get("error")
    kind = str(error.get("type", "")) if isinstance(error, Mapping) else ""
    reason = f"{status} {reason_of(error)}".rstrip()
    if 200 <= status < 300:
        return Dead("rejected into the failure store") if item.get("failure_store") == "used" else DONE
    if status == 409:
        return DONE  # our own earlier attempt, or a later state
    if status == 429:
        return Retry(reason, slow=kind == "cluster_block_exception")  # a full disk does not pass in seconds, a full queue does
    if status >= 500:
        return Retry(reason)
    if status in (401, 403, 404) or kind == "index_closed_exception" or _misplaced(error):
        return Retry(reason, slow=True)
    return Dead(reason)


def _misplaced(error: Any) -> bool:
    return isinstance(error, Mapping) and str(error.get("reason", "")).startswith(_MISPLACED)


def reason_of(error: Any) -> str:
    """What a server says went wrong, in one safe line. It may quote the document, so it is text from outside."""
    if not isinstance(error, Mapping):
        return printable(str(error), 300) if error else ""
    cause = error.get("caused_by")
    deeper = f": {cause['reason']}" if isinstance(cause, Mapping) and cause.get("reason") else ""
    return printable(f"{error.get('type', '')}: {error.get('reason', '')}{deeper}".strip(": "), 500)
