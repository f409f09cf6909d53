"""The names of things, so that the same journal gives the same alerts: live, after a crash, or replayed.

Nothing in them depends on offsets, arrival times, code versions, `hash()` or the order of a set.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["chained_id", "event_id", "fingerprint", "record_id", "score_id", "timer_event_id"]


def record_id(tag: str, time: int, raw: bytes) -> str:
    """The record's id, 64 hex digits: equal tag, time (ns) and bytes are one event."""
    return _digest(tag.encode("utf-8", "surrogatepass"), b"%d" % time, raw)


def chained_id(parent: str, analyzer: str, n: int) -> str:
    """The id of the n-th record that `analyzer` derived from the record `parent`."""
    return _digest(b"chained", parent.encode(), analyzer.encode(), b"%d" % n)


def event_id(rule: str, key: bytes, record: str, n: int) -> str:
    """`event.id` of the n-th finding that `rule` reached for the typed key at `record`."""
    return _digest(rule.encode(), key, record.encode(), b"%d" % n)


def timer_event_id(rule: str, key: bytes, timer: str, due: int, n: int) -> str:
    """`event.id` of the n-th finding that a timer due at `due` (ns) gave."""
    return _digest(b"timer", rule.encode(), key, timer.encode(), b"%d" % due, b"%d" % n)


def change_id(print_: str, sequence: int) -> str:
    """`event.id` of the change numbered `sequence` of a group, where no finding has made it."""
    return _digest(b"change", print_.encode(), b"%d" % sequence)


def score_id(rule: str, key: bytes, about: bytes, at: int) -> str:
    """`event.id` of the score that `rule` gave the typed key, and what it is `about` beside, for the interval that began `at` (ns)."""
    return _digest(b"score", rule.encode(), key, about, b"%d" % at)


def fingerprint(rule: str, group: bytes) -> str:
    """The id of what an analyst would mute: all alerts of `rule` for one typed group key."""
    return _digest(b"group", rule.encode(), group)


def _digest(*parts: bytes) -> str:
    """sha256 over the parts, each behind its length, so that no two lists of parts read alike."""
    made = sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.hexdigest()
