from pluginhost import Alert, Event, FirstSeen, Resolved, Streak, Timer, Timers, analyzer
from pluginhost.options import Duration

from ._hosts import said

SLOT = 900_000_000_000  # ns: a quarter of an hour
MINUTE = 60_000_000_000  # ns
WEEK = 604_800_000_000_000  # ns


class Watch:
    """Hears a key and tells when it stays silent that was heard steadily. Not an analyzer: what the two below have in common."""

    timers: Timers
    slots: FirstSeen
    names: FirstSeen
    after: Duration
    learning: int

    def heard(self, event: Event, field: str) -> None:
        """Moves the timer, and remembers the quarter of an hour and what the key is called: once a minute, as a host may write a
        thousand lines in one. So the timer lies up to a minute too far."""
        due, known = event.time + self.after.ns + MINUTE, self.timers.due("silent")
        if known is None or due >= known + MINUTE:
            self.timers.set("silent", due)
            self.slots.first(event.time // SLOT, event)
            self.names.first(said(event, field, "nameless"), event)

    def silent(self, timer: Timer) -> bool:
        """Whether it is to be told that it has fallen silent; then that is remembered for a week, so that its return can be told."""
        if timer.name != "silent" or not self.steady():
            return False
        self.timers.set("told", timer.due + WEEK)
        return True

    def back(self) -> bool:
        """Whether its silence was told."""
        return self.timers.cancel("told")

    @property
    def name(self) -> str:
        """What the key is called."""
        return next(iter(self.names.dump()), "nameless")

    def last(self, timer: Timer) -> int:
        """When it was last heard, ns UTC, up to a minute too early."""
        return timer.due - self.after.ns - MINUTE

    def steady(self) -> bool:
        """Whether it was heard in each of the last `learning` quarters of an hour, and in three of four since the oldest remembered."""
        slots = sorted(map(int, self.slots.dump()))
        row = max(self.learning, 1)
        in_a_row = len(slots) >= row and slots[-1] - slots[-row] == row - 1
        return in_a_row and len(slots) >= 0.75 * (slots[-1] - slots[0] + 1)


@analyzer(where="_exists_:host.name", key="host.name")
class HostSilent(Watch):
    """A host of which nothing is heard any more.

    Any record that names a host counts, so it need not send heartbeats. It is over when the host is heard again. Fires once when a host
    was not heard for `after`, if it was heard steadily before: in each of `learning` quarters of an hour in a row, and in three of four of
    the last six hours. Where hosts come and go, put those that must be there on a list of names and give it as `expected`: then only
    these are watched.
    """

    timers: Timers = Timers()
    slots: FirstSeen = FirstSeen("6h", limit=24)
    names: FirstSeen = FirstSeen("7d", limit=1)
    after: Duration = Duration.of("15m")
    learning: int = 4
    expected: str = ""

    def on_event(self, event: Event) -> Resolved | None:
        if self.expected and event.listed("host.name", self.expected) is None:
            return None
        self.heard(event, "host.name")
        return Resolved(f"{self.name} is heard again") if self.back() else None

    def on_timer(self, timer: Timer) -> Alert | None:
        if not self.silent(timer):
            return None
        return Alert("medium", f"nothing was heard of {self.name} for {self.after}", technique="T1562", since=self.last(timer),
                     reason=f"it was heard steadily, in {len(self.slots)} quarters of an hour before, then not for {self.after}")


@analyzer(where="_exists_:monitor.status AND _exists_:monitor.id", key="monitor.id")
class HeartbeatMissing(Watch):
    """A monitor of Heartbeat that is checked no more.

    Whether it is up or down does not matter (see `monitor_down`): nobody looks any longer, so nobody would know. Fires once when a monitor
    that was checked steadily, as `host_silent` has it, was not checked for `after`; it is over with the next check.
    """

    timers: Timers = Timers()
    slots: FirstSeen = FirstSeen("6h", limit=24)
    names: FirstSeen = FirstSeen("7d", limit=1)
    after: Duration = Duration.of("15m")
    learning: int = 4

    def on_event(self, event: Event) -> Resolved | None:
        self.heard(event, "monitor.name")
        return Resolved(f"{self.name} is checked again") if self.back() else None

    def on_timer(self, timer: Timer) -> Alert | None:
        if not self.silent(timer):
            return None
        return Alert("low", f"{self.name} was not checked for {self.after}", since=self.last(timer), fields={"related.hosts": [self.name]},
                     reason=f"the monitor was checked steadily, then not for {self.after}: Heartbeat, or the way from it, is down")


@analyzer(where="_exists_:monitor.id AND monitor.status:(up OR down)", key="monitor.id")
def monitor_down(event: Event, downs: Streak = Streak("1d", limit=1000), checks: int = 2) -> Alert | Resolved | None:
    """A monitor of Heartbeat that is down.

    Fires once when `checks` checks in a row failed; with the first that succeeds it is over.
    """
    what = said(event, "monitor.name", said(event, "monitor.id", "a monitor"))
    if event.get("monitor.status") == "up":
        return Resolved(f"{what} is up again") if downs.end(event) >= checks else None
    if downs.add(event) != checks:
        return None
    return Alert("medium", f"{what} is down: {said(event, 'error.message', 'no reason is told')}", technique="T1499",
                 reason=f"{checks} checks in a row failed")


def line(host="web1"):
    return f"Nov 21 10:00:00 {host} CRON[42]: (root) CMD (/usr/local/bin/collect)"


def check(status="up", name="Shop"):
    return {"monitor": {"id": "shop", "name": name, "type": "http", "status": status, "ip": "203.0.113.9"}, "summary": {"up": 0, "down": 1},
            "url": {"full": "https://shop.example/", "domain": "shop.example", "port": 443}, "error": {"message": "connection refused"}}


HostSilent.fires_on([line()] * 8, every="10m", wait="20m", alerts=1)
HostSilent.fires_on([line(), line("web2")] * 8, every="5m", wait="20m", alerts=2)
HostSilent.fires_on([line()] * 8, every="10m", wait="20m", lists={"hosts": ["web1"]}, expected="hosts")
HostSilent.quiet_on([line()] * 8, every="10m", wait="4m")
HostSilent.quiet_on([line()] * 3, every="10m", wait="2h")  # too little is known
HostSilent.quiet_on([line()] * 9, every="40m", wait="2h")  # never heard steadily
HostSilent.quiet_on([line("web2")] * 8, every="10m", wait="20m", lists={"hosts": ["web1"]}, expected="hosts")
HostSilent.survives([{"host": {"name": name}} for name in (None, "", 7, [], ["a", "b"], "x" * 5000)], wait="1h")
HeartbeatMissing.fires_on([check()] * 8, every="10m", wait="20m", alerts=1)
HeartbeatMissing.quiet_on([check(), *[check("down")] * 7], every="10m", wait="4m")
HeartbeatMissing.survives([check(one, one) for one in (None, "", 7, [], {}, "x" * 5000)], wait="1h")
monitor_down.fires_on([check("down")] * 9, every="1m", alerts=1)
monitor_down.fires_on([*[check("down")] * 3, check(), *[check("down")] * 3], every="1m", alerts=2)
monitor_down.resolves_on([*[check("down")] * 3, check()], every="1m")
monitor_down.quiet_on([check("down"), check()] * 5, every="1m")
monitor_down.survives([check(one, one) for one in (None, "", 7, [], {}, "down")])
