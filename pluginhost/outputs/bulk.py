"""The bulk interface of Elasticsearch in bytes: what goes into a request, and what each answer means. Pure.

Status first, type second: types differ between servers and versions, statuses do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..alerts.sanitise import clean
from ..problem import printable
from .port import DONE, Dead, Outcome, Retry

__all__ = ["create", "item_outcome", "reason_of"]


def create(event_id: str, document: Mapping[str, Any], time: str, ingested: str) -> bytes:
    """The two lines that create `document` as `event_id`, made acceptable. `ingested` is now: late alerts are found by it."""
    made = clean({"@timestamp": time, **document})
    event = made.setdefault("event", {})
    if isinstance(event, dict):
        event["ingested"] = ingested
    return b'{"create":{"_id":%b}}\n%b\n' % (msgspec.json.encode(event_id), msgspec.json.encode(made))


def item_outcome(item: Mapping[str, Any]) -> Outcome:
    """What the answer to one created document means for the alert."""
    status, error = item.get("status", 0), item.get("error")
    kind = str(error.get("type", "")) if isinstance(error, Mapping) else ""
    reason = f"{status} {reason_of(error)}".rstrip()
    if 200 <= status < 300:
        return Dead("rejected into the failure store") if item.get("failure_store") == "used" else DONE
    if status == 409:
        return DONE  # our own earlier attempt
    if status == 429:
        return Retry(reason, slow=kind == "cluster_block_exception")  # a full disk does not pass in seconds, a full queue does
    if status >= 500:
        return Retry(reason)
    if status in (401, 403, 404) or kind == "index_closed_exception":
        return Retry(reason, slow=True)
    return Dead(reason)


def reason_of(error: Any) -> str:
    """What a server says went wrong, in one safe line. It may quote the document, so it is text from outside."""
    if not isinstance(error, Mapping):
        return printable(str(error), 300) if error else ""
    cause = error.get("caused_by")
    deeper = f": {cause['reason']}" if isinstance(cause, Mapping) and cause.get("reason") else ""
    return printable(f"{error.get('type', '')}: {error.get('reason', '')}{deeper}".strip(": "), 500)
