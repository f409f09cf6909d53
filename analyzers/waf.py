from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from pluginhost import Alert, CountSurprise, Event, Interval, Intervals, Score, Scored, Unjudged, analyzer

from ._generic import scored

_KNOWN, _SHORT = 1000, 64  # values whose kind is at hand, and their most characters
_KINDS = ("unusual", "usual")


class Watched(msgspec.Struct):
    """A field that is watched: its name, and which of its values are `good` and which `bad`.

    If only one of the two is given, all other values are of the other kind; if both are, values in neither count as none. `*` at the end
    of one stands for any end.
    """

    field: str
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    _known: dict[str, int] = msgspec.field(default_factory=dict)

    def kind(self, value: Any) -> int:
        """1 for a good value, -1 for a bad one, 0 for one that is neither."""
        told = value if value.__class__ is str else str(value) if value.__class__ is int else ""
        found = self._known.get(told)
        if found is None:
            found = self._kind(told)
            if len(self._known) < _KNOWN and len(told) <= _SHORT:
                self._known[told] = found
        return found

    def _kind(self, told: str) -> int:
        if _among(told, self.bad):
            return -1
        if _among(told, self.good):
            return 1
        return 0 if self.good and self.bad else -1 if self.good else 1


def _among(value: str, values: tuple[str, ...]) -> bool:
    return any(value.startswith(one[:-1]) if one.endswith("*") else value == one for one in values)


FIELDS = {
    "action": Watched("action", good=("ALLOW", "CAPTCHA", "Challenge", "Count"), bad=("BLOCK",)),
    "source": Watched("httpSourceName", good=("ALB", "APIGW", "APPSYNC", "CF")),
    "status": Watched("httpStatus", good=("2*", "3*"), bad=("4*", "5*")),
    "country": Watched("httpRequest.country", good=("US", "UK", "IN")),
    "method": Watched("httpRequest.httpMethod", bad=("DELETE",)),
}


@analyzer(where="_exists_:httpSourceName OR _exists_:httpRequest.httpMethod", pinned=True)
def waf(event: Event, minutes: Intervals = Intervals("1m", delay="10s"), model: CountSurprise = CountSurprise(threshold=1.0),
                fields: dict[str, Watched] = FIELDS, threshold: float = 4.0) -> list[Alert | Scored | Unjudged] | Unjudged | None:
    """Far more unusual requests at the web application firewall than its traffic has.

    Sums up, minute by minute, how many requests were usual and how many unusual by five fields: the action, the source, the status, the
    country and the method. Each field is compared with its own share of unusual ones so far, so that neither night nor rush hour matter;
    the score is how unlikely so many are (4: one in ten thousand, 6: one in a million), of all fields the highest. From `threshold` on the
    minute is told, with the first request that comes later than ten seconds after its end, and how much each field had to do with it. On
    made-up traffic of 30 to 300 requests a minute 4 gives a false alert in two weeks or so, 5 hardly ever one, 3 one every second or third
    day; each step finds about a tenth more.

    `fields` says which values are usual; add any other field to it. A field that a record does not have is counted as neither and the
    record under `no_…`. AWS does not write the status itself: streams that have it in `httpStatus` are judged by it, too. Where scores
    are written, each minute with requests has one, with the counts as its parts.
    """
    amounts: dict[str, int] = {}
    absent = None
    for name, watched in fields.items():
        value = event.get(watched.field)
        if value is None:
            absent = name
        elif kind := watched.kind(value):
            amounts[f"+{name}" if kind > 0 else f"-{name}"] = 1
    over = minutes.add(event, amounts)
    unjudged = None if absent is None else Unjudged(f"no_{absent}")
    if not over:
        return unjudged
    told = [found for one in over for found in _judged(one, model, fields, threshold, minutes.every)]
    return [*told, unjudged] if unjudged else told


def _judged(minute: Interval, model: CountSurprise, fields: dict[str, Watched], threshold: float, span: int) -> Iterator[Alert | Scored]:
    """The score of a finished minute that had requests, and the alert about it, if it is one."""
    totals = minute.totals
    counts = {name: (totals.get(f"-{name}", 0), totals.get(f"+{name}", 0)) for name in fields}
    found = model.score(counts)
    grade = min(found.score / (2 * threshold), 1.0) if found.grade and found.score >= threshold else 0.0
    if minute.events:
        parts = {f"{kind}_{name}": count for name, pair in counts.items() for kind, count in zip(_KINDS, pair, strict=True)}
        yield Scored.by(found, at=minute.start, span=span, threshold=threshold, grade=grade, of="", parts=dict(islice(parts.items(), 32)))
    if grade:
        yield _alert(minute, found, counts, threshold, grade)


def _alert(minute: Interval, found: Score, counts: dict[str, tuple[float, float]], threshold: float, grade: float) -> Alert:
    score, name = round(found.score, 2), found.of
    return Alert(
        "high" if score >= 1.5 * threshold else "medium",
        f"unusual {name} at the web application firewall: {found.actual:g} requests in a minute",
        technique="T1595", count=minute.events, since=minute.start,
        reason=f"{found.actual:g} requests of unusual {name} within a minute of {minute.events}, {found.expected:.2f} were to be expected; "
               f"score {score:g} (limit {threshold:g})",
        fields=scored(found, of=name, grade=grade, threshold=threshold,
                      attribution={one: round(share, 3) for one, share in found.attribution.items()},
                      counts={one: {"unusual": bad, "usual": good} for one, (bad, good) in counts.items()}))


def record(n=0, status="200", request=None, **other):
    asked = {"clientIp": f"198.18.0.{n % 250}", "country": ("US", "UK", "IN")[n % 3], "uri": "/", "httpMethod": "GET", **(request or {})}
    return {"action": "ALLOW", "httpSourceName": "CF", "httpStatus": status, "httpRequest": asked, **other}


HOUR = [record(n, "404" if n % 100 == 0 else "200") for n in range(1200)]  # three seconds apart
LATER = [record(n) for n in range(30)]
waf.fires_on([*HOUR, *(record(n, "502") for n in range(15)), *LATER], every="3s", alerts=1)
waf.fires_on([*HOUR, *(record(n, action="BLOCK") for n in range(10)), *LATER], every="3s", alerts=1)
waf.fires_on([*HOUR, *(record(n, request={"country": "XX"}) for n in range(10)), *LATER], every="3s", alerts=1)
waf.fires_on([*HOUR, *(record(n, tenant="other") for n in range(10)), *LATER], every="3s", alerts=1,
             fields={"tenant": {"field": "tenant", "bad": ["other"]}})
waf.quiet_on([*HOUR, *HOUR, *LATER], every="3s")
waf.quiet_on([*HOUR, *(record(n, "502") for n in range(2)), *LATER], every="3s")
waf.quiet_on([*HOUR[:400], *(record(n, "502") for n in range(15)), *LATER], every="3s")  # too little is known
waf.survives([record(n, status, action=action, httpSourceName=action, request={"country": status, "httpMethod": action})
              for n, (status, action) in enumerate((one, two) for one in (None, 7, [], {}, "x" * 5000, "") for two in (None, [], 404))],
             every="1m")
