"""Splunk's HTTP Event Collector: envelopes around events, one after another → one JSON record for each event.

The keys of an event that is an object stand at the top of the record; any other event is its `message`. What the envelope says is added
where the event does not say it: its `fields`, `host.name`, `splunk.source`, `splunk.sourcetype`, `splunk.index`. The envelope's time is
the record's. The tag is the source type, unless the request names one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import jsons, records
from .bodies import Unreadable, opened
from .bundle import Bundles
from .chunk import Chunk
from .sieve import TIME_FIELDS, Limits, Sieve, event_time

__all__ = ["read_events"]

_NAMES = ("source", "sourcetype", "index")
_encode = msgspec.json.Encoder().encode


def read_events(body: bytes, *, content_encoding: str, tag: str, default: str, limits: Limits) -> list[Chunk]:
    """The events in `body`, a chunk for each tag. `tag` is for all, "" gives each its source type for one, or `default`.

    Raises `PeerError` with reason `too_large` when a limit on the whole body is broken, `Unreadable` if no event is in it.
    """
    _, data = opened(body, content_encoding, default, limits)
    sieve, bundles, good = Sieve(data, limits), Bundles(default, "json"), 0
    jsons.objects(sieve)
    columns = sieve.columns
    for start, end in zip(columns.starts, columns.ends, strict=True):
        envelope = records.decode("json", data[start:end])
        if (record := _record(envelope)) is None:
            bundles.under(tag).bad("no_event", data[start:end])
        else:
            good += 1
            bundles.under(tag or _text(envelope.get("sourcetype"))).good(_encode(record), _time(envelope))
    for one in sieve.rejected:
        bundles.under(tag).bad(one.reason, data[one.start : one.end])
    chunks = list(bundles.chunks())
    if chunks and not good:
        raise Unreadable(chunks[0].rejected[0].reason, "no event is in it", tag=default, body=data)
    return chunks


def _record(envelope: dict[str, Any]) -> dict[str, Any] | None:
    """The record of an envelope; None if there is no event in it."""
    event = envelope.get("event")
    if event is None or event in ("", {}):
        return None
    record = dict(event) if isinstance(event, dict) else {"message": event if isinstance(event, str) else _encode(event).decode()}
    fields = envelope.get("fields")
    said = dict(fields) if isinstance(fields, dict) else {}
    said |= {f"splunk.{name}": text for name in _NAMES if (text := _text(envelope.get(name)))}
    if (host := _text(envelope.get("host"))) and "host" not in record:
        said["host.name"] = host
    return record | {name: value for name, value in said.items() if name not in record}


def _time(envelope: dict[str, Any]) -> int:
    """Epoch seconds as a number or as text, to the digit; else what the event says of itself."""
    time, event = envelope.get("time"), envelope["event"]
    said = str(time) if isinstance(time, float) else time
    return event_time((said, *(map(event.get, TIME_FIELDS) if isinstance(event, dict) else ())))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
