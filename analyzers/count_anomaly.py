from collections.abc import Iterator
from typing import Any, Literal

from pluginhost import (
    Alert,
    CountSurprise,
    Duration,
    Event,
    FirstSeen,
    Intervals,
    LastSeen,
    Scored,
    SeasonalSlots,
    Timer,
    Timers,
    Unjudged,
    analyzer,
    by_options,
)

from ._generic import Fields, Severity, Side, fields, model_of, pausing, scored, stands_out

Model = Literal["seasonal", "holt", "ewma", "robust", "share"]


def counting(model, threshold, warmup, period, interval, share_of, share):
    if model == "share" and not (share_of and share):
        raise ValueError("the model share needs `share_of`, a field, and `share`, those of its values whose share is watched")
    return model_of(model, threshold, warmup, period, round(Duration.of(period) / max(interval, 1e-9)), "")


@analyzer(template=True, pinned=True, keys=10_000)
class CountAnomaly:
    """More or fewer events than usual.

    Counts events per `interval`, per key or for all records together, and compares each finished interval with the key's own history by
    the `model`: `seasonal` (the same time of the `period`, a day or `7d`), `holt` (level and trend), `ewma`, `robust` (moving average,
    median), or `share`: how many events had one of the values `share` in the field `share_of`, given how many events there were, so that
    mere traffic is no surprise. A key that falls silent has intervals of 0 for `watch`, so that silence is seen. `side` and `least` (a
    difference in events) choose what counts; a `threshold` or `warmup` of 0 is the model's own. While it goes on it is told once: again
    only after a `pause` of usual intervals. Where scores are written, each interval has one.
    """

    counts: Intervals = by_options(lambda interval, delay: Intervals(interval, delay=delay, limit=168))
    series: Any = by_options(counting)
    told: FirstSeen = by_options(lambda pause, interval: pausing(pause + interval, 1))
    heard: LastSeen = by_options(lambda watch: LastSeen(expire=watch))
    timers: Timers = Timers()
    interval: Duration = Duration.of("1h")
    model: Model = "seasonal"
    period: str = "1d"
    share_of: str = ""
    share: Fields = ()
    side: Side = "both"
    least: float = 10
    threshold: float = 0
    warmup: int = 0
    delay: Duration = Duration.of("1m")
    watch: Duration = Duration.of("1d")
    pause: Duration = Duration.of("6h")
    severity: Severity = "medium"
    technique: Fields = ()

    def on_event(self, event: Event) -> list[Alert | Scored | Unjudged]:
        late = self.counts.late
        watched = any(value in fields(self.share) for value in event.values(self.share_of)) if self.share_of else False
        over = self.counts.add(event, {"all": 1, "share": int(watched)})
        self.heard.gap(event)
        if self.timers.due("over") is None:
            self.timers.set("over", event.time - event.time % self.counts.every + self.counts.every + self.counts.delay)
        return [*self.judged(over), *([Unjudged("late")] if self.counts.late > late else [])]

    def on_timer(self, timer: Timer) -> list[Alert | Scored]:
        if self.heard.last is not None and timer.due - self.heard.last <= self.watch * 1e9:
            self.timers.set("over", timer.due + self.counts.every)
        return list(self.judged(self.counts.close(timer.due)))

    def judged(self, over) -> Iterator[Alert | Scored]:
        for one in over:
            count, watched = one.totals.get("all", 0.0), one.totals.get("share", 0.0)
            if isinstance(self.series, CountSurprise):
                score = self.series.score({"": (watched, count - watched)})
            elif isinstance(self.series, SeasonalSlots):
                score = self.series.score(one.start, count)
            else:
                score = self.series.score(count)
            yield Scored.by(score, at=one.start, span=self.counts.every)
            if stands_out(score, self.side, self.least) and self.told.first("", _At(one.start + self.counts.every)):
                yield self.alert(one, score)

    def alert(self, one, score) -> Alert:
        far = "more" if score.actual > score.expected else "fewer"
        what = f"events with {self.share_of} {' or '.join(fields(self.share))}" if self.model == "share" else "events"
        return Alert(self.severity, f"{far} {what} than usual: {score.actual:g} in {self.interval}, expected {score.expected:.3g}",
                     technique=self.technique, count=int(score.actual), since=one.start, fields=scored(score, model=self.model),
                     reason=f"the model {self.model} scores the interval {score.score:.6g}, odd from {score.threshold:.6g} on "
                            f"(grade {score.grade:.2f})")


class _At:
    """A time, where a state asks for an event's."""

    def __init__(self, time: int) -> None:
        self.time = time


def login(outcome="success", host="web1"):
    return {"event": {"category": ["authentication"], "outcome": outcome}, "host": {"name": host}}


OTHER = {"event": {"category": ["web"]}}
LOGINS = {"where": "event.category:authentication", "key": "host.name", "interval": "10s", "least": 5, "model": "ewma", "delay": 0,
          "watch": "5m", "pause": "1m"}
STEADY = [one for _ in range(200) for one in (login(), OTHER)]  # five in each interval of ten seconds
BURST = [login()] * 20
SHARE = {**LOGINS, "model": "share", "share_of": "event.outcome", "share": ["failure", "denied"]}
MIXED = [login("failure" if n % 20 == 0 else "success") for n in range(400)]
GUESSES = [login("failure")] * 10
DAILY = {**LOGINS, "interval": "1h", "model": "seasonal", "watch": "2d", "pause": "1h"}
DAYS = [login() if 80 <= n % 240 < 180 else OTHER for n in range(240 * 3)]  # ten logins an hour by day

CountAnomaly.fires_on([*STEADY, *BURST, OTHER], alerts=1, **LOGINS)
CountAnomaly.fires_on([*STEADY, *[OTHER] * 60], alerts=1, **LOGINS)  # silence
CountAnomaly.fires_on([*STEADY, *[OTHER] * 60], alerts=1, **{**LOGINS, "key": [], "model": "robust", "side": "low"})
CountAnomaly.fires_on([*MIXED, *GUESSES, OTHER], alerts=1, **SHARE)
CountAnomaly.fires_on([*DAYS, *[login()] * 10, OTHER], every="6m", alerts=1, **DAILY)  # at midnight
CountAnomaly.fires_on([*DAYS, *[OTHER] * 140], every="6m", alerts=1, **DAILY)  # none in the morning
CountAnomaly.quiet_on([*STEADY, *STEADY], **LOGINS)
CountAnomaly.quiet_on([*STEADY, *BURST, OTHER], **{**LOGINS, "side": "low"})
CountAnomaly.quiet_on([*STEADY, *BURST, OTHER], **{**LOGINS, "least": 6})
CountAnomaly.quiet_on([*STEADY, *[OTHER] * 60], **{**LOGINS, "side": "high"})
CountAnomaly.quiet_on([*STEADY[:200], *BURST, OTHER], **LOGINS)  # too little is known
CountAnomaly.quiet_on([*STEADY, *BURST, OTHER], **SHARE)  # twice the traffic, none of it failed
CountAnomaly.quiet_on([*DAYS, *DAYS[:200]], every="6m", **DAILY)
CountAnomaly.survives([login(odd) for odd in (None, "", [], {}, 7, True, "x" * 100_000)] * 20, **SHARE)
