from typing import Any, Literal

from pluginhost import Alert, Duration, Event, FirstSeen, Peaks, Scored, SeasonalSlots, Unjudged, analyzer, by_options

from ._generic import Fields, Severity, Side, model_of, numbers, pausing, scored, stands_out

Model = Literal["ewma", "robust", "holt", "seasonal", "rcf"]


@analyzer(template=True, pinned=True, keys=10_000)
def numeric_anomaly(event: Event, series: Any = by_options(model_of), told: FirstSeen = by_options(lambda pause: pausing(pause, 1)),
                    peaks: Peaks = by_options(lambda interval: Peaks(every=interval)),
                    field: Fields = ..., model: Model = "ewma", threshold: float = 0, warmup: int = 0, period: str = "1d", slots: int = 24,
                    side: Side = "both", least: float = 0, pause: Duration = Duration.of("1h"), interval: Duration = Duration.of("5m"),
                    severity: Severity = "medium", technique: Fields = ()) -> list[Alert | Scored] | Alert | Scored | Unjudged | None:
    """A number that is far from what it usually is.

    Follows a numeric field, per key or for all records together, by the `model`: `ewma` (distance from the moving average in spreads; of
    several fields the one farthest off), `robust` (from the median of the last 256: rare bursts do not teach), `holt` (from where level
    and trend lead), `seasonal` (from the average of this slot of the `period`), `rcf` (a random cut forest over several fields together;
    needs the extra `rcf`, and room: for few keys). A `threshold` or `warmup` of 0 is the model's own. `side` and `least` choose which
    differences count. While it goes on it is told once: again only after a `pause` without. Where scores are written, each `interval` has
    one, the highest.
    """
    found = numbers(event, field)
    if not found:
        return Unjudged("no_number")
    if model in ("holt", "seasonal"):
        (value,) = found.values()
        score = series.score(event.time, value) if isinstance(series, SeasonalSlots) else series.score(value)
    else:
        score = series.score(found)
    peak = peaks.add(event, score)
    if not stands_out(score, side, least) or not told.first("", event):
        return peak
    of = score.of or next(iter(found))
    alert = Alert(severity, f"{of} is {score.actual:g}, usual is {score.expected:.6g}", technique=technique,
                 fields=scored(score, of=of, model=model),
                 reason=f"the model {model} scores it {score.score:.6g}, odd from {score.threshold:.6g} on (grade {score.grade:.2f})")
    return [peak, alert] if peak else alert


def metric(value, host="web1", name="cpu", **more):
    return {"event": {"category": ["host"]}, "host": {"name": host}, name: {"pct": value}, **more}


CPU = {"where": "event.category:host", "key": "host.name", "field": "cpu.pct"}
STEADY = [metric(0.2 + 0.01 * (n % 3)) for n in range(60)]
RISING = [metric(n + n % 2) for n in range(60)]
DAYS = [metric((900 if 8 <= n % 24 < 18 else 60) + n % 5) for n in range(24 * 3)]

numeric_anomaly.fires_on([*STEADY, metric(0.9), metric(0.9)], alerts=1, **CPU)
numeric_anomaly.fires_on([*STEADY, metric("0.9")], alerts=1, **{**CPU, "key": []})
numeric_anomaly.fires_on([*STEADY, metric(0.9)], alerts=1, **{**CPU, "model": "robust", "warmup": 30})
numeric_anomaly.fires_on([*STEADY, metric(0.2, load={"pct": 9}), metric(0.9, load={"pct": 9})], alerts=1,
                         **{**CPU, "field": ["cpu.pct", "load.pct"]})
numeric_anomaly.fires_on([*RISING, metric(30)], alerts=1, **{**CPU, "model": "holt"})
numeric_anomaly.fires_on([*DAYS, *DAYS[:3], metric(900)], every="1h", alerts=1, **{**CPU, "model": "seasonal"})  # at three in the night
numeric_anomaly.quiet_on([*STEADY, metric(0.21)], **CPU)
numeric_anomaly.quiet_on([*STEADY[:20], metric(0.9)], **CPU)  # too little is known
numeric_anomaly.quiet_on([*STEADY, metric(0.9)], **{**CPU, "side": "low"})
numeric_anomaly.quiet_on([*STEADY, metric(0.9)], **{**CPU, "least": 0.8})
numeric_anomaly.quiet_on([*RISING, metric(61)], **{**CPU, "model": "holt"})
numeric_anomaly.quiet_on([*DAYS, *DAYS[:9], metric(900)], every="1h", **{**CPU, "model": "seasonal"})
numeric_anomaly.quiet_on([*STEADY, metric(0.9, host="web2")], **CPU)
numeric_anomaly.survives([metric(odd) for odd in (None, "", [], {}, True, "1e999", "9" * 50, float("inf"), "x" * 100_000)] * 9, **CPU)
