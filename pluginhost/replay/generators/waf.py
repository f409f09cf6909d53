"""A web application firewall's stream, nearly all of it alike, with shares of rare values that follow fixed weights or are forced.

A record has five fields of interest; each is bad by chance now and then, which nothing needs to find. In forced minutes one field is bad
far more often: those records are labelled, an incident for each minute and field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import cos, pi
from random import Random
from typing import Literal, NamedTuple

from .item import DAY, MINUTE, Incidents, Item, Label, Record, ordered, poisson

__all__ = ["FIELDS", "Field", "diurnal", "waf"]


class Field(NamedTuple):
    """A field: its everyday values with their common weight, the bad ones with theirs, and theirs where they are forced."""

    good: tuple[str, ...]
    bad: tuple[str, ...]
    good_weight: float
    bad_weight: float
    forced_weight: float

    def drawn(self, rng: Random, *, forced: bool) -> tuple[str, bool]:
        """A value, and whether it is a bad one."""
        weight = self.forced_weight if forced else self.bad_weight
        bad = rng.random() * (self.good_weight + weight) < weight
        values = self.bad if bad else self.good
        return values[int(rng.random() * len(values))], bad


FIELDS = {
    "action": Field(("ALLOW", "CAPTCHA", "Challenge", "Count"), ("BLOCK",), 1, 0.001, 5),
    "source": Field(("ALB", "APIGW", "APPSYNC", "CF"), ("-",), 1, 0.001, 5),
    "status": Field(("200", "201", "204", "301", "302"), ("403", "404", "502", "504"), 0.8, 0.004, 32),
    "country": Field(("US", "UK", "IN"), ("XX", "YY", "ZZ", "WW"), 0.99, 0.004, 40),
    "method": Field(("GET", "HEAD", "POST"), ("DELETE",), 0.99, 0.001, 4.4),
}
"""The fields by the name that `force` takes. Any of them is bad in about 1.2 % of the records; of forced ones, 82 to 98 %."""

_FORCED_MINUTES, _FORCED_SHARE, _BURST = 0.01, 0.04, 5
_LEAST, _MOST = 30, 300  # records a minute by night and by day
_PATHS = ("/", "/api/items", "/api/items/17", "/login", "/search", "/static/app.js", "/cart", "/api/orders")


def waf(rng: Random, start: int, minutes: int, *, rate: float = 5, force: str = "any", shape: Literal["steady", "diurnal"] = "steady",
        nested: bool = False) -> Iterator[Item]:  # fmt: skip
    """Items of `minutes` minutes from `start` (ns UTC) on, tagged `waf`.

    steady: `rate` records a minute, and 5 forced ones beside them in 1 % of the minutes. diurnal: 30 to 300 a minute in the course of a
    day, of which 4 % are forced in 1 % of the minutes. `force` is a field, or `any`: another one each time, or `none`. `nested` gives
    the record as JSON text inside a JSON text, in `message`.
    """
    if force not in (*FIELDS, "any", "none"):
        raise ValueError(f"expected one of {', '.join(FIELDS)}, any or none, got {force}")
    batches = _minutes(rng, Incidents(), start, minutes, rate if shape == "steady" else None, force)
    items = ordered(batches, start, start + minutes * MINUTE)
    return (item._replace(record={"message": json.dumps(json.dumps(item.record))}) for item in items) if nested else items


def diurnal(time: int) -> float:
    """Records a minute at `time` (ns UTC), on the average, in the course of a day."""
    return (_MOST + _LEAST) / 2 - (_MOST - _LEAST) / 2 * cos(2 * pi * (time % DAY) / DAY)


def _minutes(rng: Random, incidents: Incidents, start: int, minutes: int, rate: float | None,
             force: str) -> Iterator[tuple[int, list[Item]]]:  # fmt: skip
    for begin in range(start, start + minutes * MINUTE, MINUTE):
        field = None
        if force != "none" and rng.random() < _FORCED_MINUTES:
            field = rng.choice(tuple(FIELDS)) if force == "any" else force
        label = None if field is None else incidents.label(f"waf_{field}", field)
        if rate is None:
            forced = [field is not None and rng.random() < _FORCED_SHARE for _ in range(poisson(rng, diurnal(begin)))]
        else:
            forced = [False] * poisson(rng, rate) + [True] * (_BURST if field is not None else 0)
        times = (begin + int(rng.random() * MINUTE) for _ in forced)
        yield begin + MINUTE, [_item(rng, time, field if here else None, label) for time, here in zip(times, forced, strict=True)]


def _item(rng: Random, time: int, forced: str | None, label: Label | None) -> Item:
    """A record; it is labelled if the forced field came out bad."""
    drawn = {name: field.drawn(rng, forced=name == forced) for name, field in FIELDS.items()}
    source = drawn["source"][0]
    client = rng.getrandbits(16)
    request = {"clientIp": f"198.18.{client >> 8}.{client & 255}", "country": drawn["country"][0], "headers": [],
               "uri": _PATHS[client % len(_PATHS)], "args": "", "httpVersion": "HTTP/2.0", "httpMethod": drawn["method"][0],
               "requestId": f"{rng.getrandbits(64):016x}"}  # fmt: skip
    record: Record = {"timestamp": time // 10**6 / 1000, "formatVersion": 1, "action": drawn["action"][0], "httpSourceName": source,
                      "httpSourceId": source.lower(), "httpStatus": drawn["status"][0], "httpRequest": request}  # fmt: skip
    return Item("waf", time, record, label if forced is not None and drawn[forced][1] else None)
