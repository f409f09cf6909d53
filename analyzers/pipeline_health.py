from datetime import UTC, datetime

from pluginhost import Alert, Event, FirstSeen, analyzer
from pluginhost.options import Duration

from ._hosts import HOUR

AGAIN = 6 * HOUR


@analyzer(where="_exists_:host.name", key="host.name")
def wrong_clock(event: Event, told: FirstSeen = FirstSeen("7d", limit=64), late: Duration = Duration.of("1d"),
                early: Duration = Duration.of("1h")) -> Alert | None:
    """A host whose events come with times that cannot be right.

    Either older than `late` on arrival (a wrong clock, or a shipper that was away and catches up), or lying in the future by more than
    `early`. Told for a host once in six hours of arrival. Such events are judged in the wrong place, or too late, by everything else. Of
    future times the record's own `@timestamp` is asked: the engine takes times too far ahead for the time of arrival.
    """
    behind = event.arrival - event.time
    ahead = in_ns(event.get("@timestamp")) - event.arrival if behind <= 0 else 0
    if behind < late.ns and ahead < early.ns:
        return None
    kind = "old" if behind > 0 else "future"
    if not told.first((kind, event.arrival // AGAIN), event):
        return None
    off = max(behind, ahead) / HOUR
    what = f"events of {event['host.name']} come {off:,.1f} hours late" if kind == "old" else \
        f"events of {event['host.name']} lie {off:,.1f} hours in the future"
    return Alert("low", what, technique="T1070.006" if kind == "future" else (),
                 reason=f"more than {late if kind == 'old' else early} between the event's time and its arrival")


def in_ns(told: object) -> int:
    """The record's own time in ns UTC; 0 if it says none that can be read."""
    if not isinstance(told, str) or len(told) > 40:
        return 0
    try:
        when = datetime.fromisoformat(told)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        return 0


def record(time, host="web1"):
    return {"@timestamp": time, "host": {"name": host}, "message": "…"}


wrong_clock.fires_on([record("2027-11-21T10:00:00Z")] * 5, alerts=1)
wrong_clock.quiet_on([record("2026-01-01T00:00:30Z")] * 5)
wrong_clock.survives([record(time, host) for time in (None, "", "soon", 7, [], "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00")
                      for host in (None, 7, [], "web1")])
