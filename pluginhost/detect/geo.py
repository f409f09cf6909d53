"""Places on the globe: how far apart, where an event comes from, and where somebody usually is.

All means are taken of unit vectors, so the date line and the poles are places like any other; so is latitude 0, longitude 0. The earth is a
sphere of 6,371 km here, which is wrong by 0.5 % at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, atan2, cos, degrees, radians, sin, sqrt
from typing import Any, ClassVar, Literal

import msgspec

from ..events.event import Event
from ..wire.times import iso
from .series import Model, number
from .state import span_of

__all__ = ["GeoProfile", "Standing", "haversine_km", "place"]

_EARTH = 6371.0  # km
_DAY = 86_400  # s
Place = tuple[float, float]


def haversine_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """The distance in km between two places given in degrees, on the sphere of 6,371 km.

    a = sin²(Δφ/2) + cos φ1·cos φ2·sin²(Δλ/2), d = 2R·asin(min(1, √a)).

        >>> round(haversine_km(52.52, 13.405, 48.8566, 2.3522))
        877
    """
    phi1, phi2 = radians(lat1), radians(lat2)
    a = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * _EARTH * asin(min(1.0, sqrt(a)))


def place(event: Event) -> Place | None:
    """(latitude, longitude) in degrees of `source.geo.location`, None where it is missing, no place, or out of range.

    Read as an object (`lat` and `lon`, or `latitude` and `longitude`), a GeoJSON point, a list [lon, lat], or text: "lat,lon" or "POINT
    (lon lat)". Where there is none, `source.geo.lat` and `source.geo.lon` (or in full) are asked.
    """
    found = _read(event.get("source.geo.location"))
    if found is None:
        for lat, lon in _NAMES:
            if (found := _valid(event.get(f"source.geo.{lat}"), event.get(f"source.geo.{lon}"))) is not None:
                return found
            if (found := _valid(event.get(f"source.geo.location.{lat}"), event.get(f"source.geo.location.{lon}"))) is not None:
                return found
    return found


_NAMES = (("lat", "lon"), ("latitude", "longitude"))


def _read(value: Any) -> Place | None:
    if isinstance(value, dict):
        for lat, lon in _NAMES:
            if lat in value:
                return _valid(value[lat], value.get(lon))
        return _read(value["coordinates"]) if isinstance(value.get("coordinates"), list | tuple) else None
    if isinstance(value, list | tuple):
        return _valid(value[1], value[0]) if len(value) in (2, 3) else None
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    if text[:5].upper() == "POINT":
        lon, _, lat = text[5:].strip(" ()").partition(" ")
    else:
        lat, _, lon = text.partition(",")
    return _valid(lat.strip(), lon.strip())


def _valid(lat: Any, lon: Any) -> Place | None:
    found, other = (lat, lon) if lat.__class__ is lon.__class__ is float else (number(lat), number(lon))
    return (found, other) if found is not None and other is not None and -90 <= found <= 90 and -180 <= other <= 180 else None


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where a place stands in a profile.

    `standing`: `trusted` (within the inner circle of a centre with weight), `near` (within the outer circle), `candidate` (near a
    centre that was seen on one day only), `outside` of all, `learning` (outside, but too little is known). `score` is the distance
    through the outer circle's radius, so odd above 1; `grade` is 0 unless outside or candidate. `weight` is that of the nearest centre at
    the time, `actual` the place.
    """

    standing: Literal["trusted", "near", "candidate", "outside", "learning"]
    distance_km: float
    score: float
    grade: float
    actual: Place
    weight: float
    _centre: tuple[float, float, float] | None = None

    @property
    def expected(self) -> Place | None:
        """The nearest centre as it was before; None where there is none."""
        return _degrees(self._centre) if self._centre is not None else None


# A centre is a plain list, and these are its places: the mean direction as a unit vector; the weight, scaled; time of the newest
# login in s; mean distance in km; the days (since 1970) of the first login and of a login on any other day, 0 while there is none.
_X, _Y, _Z, _WEIGHT, _LAST, _SPREAD, _FIRST, _OTHER = range(8)
Centre = list[float]


class GeoProfile(Model, gc=False, eq=False):
    """Where somebody usually is: up to `limit` centres, each with a weight (its number of logins, halved every `half_life`) and a spread.

    A login within `radius` km of the nearest centre moves it, c += (p − c)/w and w += 1; elsewhere it begins a centre of weight 1, a
    candidate until seen on two days. Centres closer than half the radius become one; below weight 0.2 they go. With d the distance to
    the nearest centre and its spread the mean distance of its logins: trusted d ≤ max(50, spread) at weight ≥ 3, near d ≤ max(`radius`,
    3·spread), else outside, told from `known` logins on (total weight). A later login never makes an earlier one's place newer.
    Distances in km, weights in logins.

        >>> profile, berlin, sydney = GeoProfile(), (52.5, 13.4), (-33.9, 151.2)
        >>> [profile.score(at(86400 * day), berlin).standing for day in range(8)][-1]
        'trusted'
        >>> profile.score(at(86400 * 8), sydney).standing
        'outside'
    """

    shape: ClassVar[str] = "GeoProfile/1"
    half_life: Any = "20d"
    radius: float = 150.0
    known: float = 5.0
    limit: int = 8
    keep: Any = "180d"
    _base: float = 0.0  # s: weights are kept as they would have been worth then, so all of them decay without being touched
    _centres: list[Centre] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.half_life = span_of(self.half_life)

    def load(self, plain: Any) -> None:
        """Takes over [base, *centres]."""
        self._base, *centres = plain or (0.0,)
        self._centres = [list(one) for one in centres]

    def dump(self) -> Any:
        """[time in s, then each centre as x, y, z, weight at that time, last, spread, first day, another day]."""
        return [self._base, *self._centres]

    def score(self, event: Event, at: Place, *, learn: bool = True) -> Standing:
        """Where the place stands; then it is learned, unless `learn` is false: for what is known to be bad, or is no place of the
        user's."""
        seconds, point = event.time / 1e9, _vector(at)
        scale = self._scale(seconds)
        nearest, chord = self._nearest(point)
        found = self._standing(at, nearest, 2 * _EARTH * asin(min(1.0, sqrt(chord) / 2)), scale)
        if learn:
            self._learn(seconds, point, nearest, found.distance_km, scale)
        return found

    def learn(self, event: Event, at: Place) -> None:
        """Takes in a place that was scored without, once it proves to be the user's."""
        self.score(event, at)

    def as_geojson(self) -> dict[str, Any]:
        """The centres as a GeoJSON FeatureCollection of points, the heaviest first, with weight, circles, last time and whether
        candidate."""
        shown = sorted(self._centres, key=lambda one: -one[_WEIGHT])
        scale = self._scale(max((one[_LAST] for one in shown), default=0.0))
        return {"type": "FeatureCollection", "features": [self._feature(one, scale) for one in shown]}

    def _feature(self, one: Centre, scale: float) -> dict[str, Any]:
        lat, lon = _degrees(one)
        about = {
            "weight": round(one[_WEIGHT] * scale, 3), "inner_km": round(max(_INNER, one[_SPREAD]), 1),
            "outer_km": round(max(self.radius, 3 * one[_SPREAD]), 1), "last": iso(int(one[_LAST] * 1e9)), "candidate": not one[_OTHER],
        }  # fmt: skip
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [round(lon, 5), round(lat, 5)]}, "properties": about}

    def _scale(self, seconds: float) -> float:
        """What a kept weight is multiplied with to be that of the time; the base moves up before numbers get out of hand."""
        halvings = (seconds - self._base) * 1e9 / self.half_life
        if halvings > _HALVINGS:
            factor = 2.0 ** -min(halvings, 1000.0)
            for one in self._centres:
                one[_WEIGHT] *= factor
            self._base, halvings = seconds, 0.0
        return float(2.0 ** -max(halvings, -_HALVINGS))

    def _nearest(self, point: tuple[float, float, float]) -> tuple[Centre | None, float]:
        """The nearest centre and the square of the chord to it."""
        x, y, z = point
        nearest, least = None, 4.0
        for one in self._centres:
            chord = (one[0] - x) ** 2 + (one[1] - y) ** 2 + (one[2] - z) ** 2
            if chord < least:
                nearest, least = one, chord
        return nearest, least

    def _standing(self, at: Place, nearest: Centre | None, distance: float, scale: float) -> Standing:
        if nearest is None:
            return Standing("learning", distance, 0.0, 0.0, at, 0.0)
        weight, spread = nearest[_WEIGHT] * scale, nearest[_SPREAD]
        outer = max(self.radius, 3 * spread)
        enough = sum([one[_WEIGHT] for one in self._centres]) * scale >= self.known
        score, graded = distance / outer, 0.0
        standing: Literal["trusted", "near", "candidate", "outside", "learning"]
        if distance > outer:
            standing, graded = ("outside", min(score / 2, 1.0)) if enough else ("learning", 0.0)
        elif not nearest[_OTHER]:
            standing, graded = ("candidate", 0.25) if enough and len(self._centres) > 1 else ("learning", 0.0)
        else:
            standing = "trusted" if distance <= max(_INNER, spread) and weight >= _TRUSTED else "near"
        return Standing(standing, distance, score, graded, at, weight, (nearest[_X], nearest[_Y], nearest[_Z]))

    def _learn(self, seconds: float, point: tuple[float, float, float], nearest: Centre | None, distance: float, scale: float) -> None:
        gained, day = 1 / scale, float(seconds // _DAY)
        if nearest is None or distance > self.radius:
            self._begin([*point, gained, seconds, 0.0, day, 0.0], scale)
            return
        whole = nearest[_WEIGHT] + gained
        share = gained / whole
        _move(nearest, point, share)
        nearest[_WEIGHT] = whole
        nearest[_SPREAD] += (distance - nearest[_SPREAD]) * share
        nearest[_LAST] = max(nearest[_LAST], seconds)
        if not nearest[_OTHER] and day != nearest[_FIRST]:
            nearest[_OTHER] = day
        if len(self._centres) > 1:
            self._merge(nearest)

    def _begin(self, centre: Centre, scale: float) -> None:
        kept = [one for one in self._centres if one[_WEIGHT] * scale >= _FAINT]
        while len(kept) >= self.limit:
            kept.remove(min(kept, key=lambda one: (one[_OTHER] > 0, one[_WEIGHT], one[_LAST])))
        self._centres = [*kept, centre]

    def _merge(self, moved: Centre) -> None:
        near = (self.radius / 2 / _EARTH) ** 2  # the square of the chord, which at such a distance is as good as the arc
        for other in self._centres:
            if other is not moved and sum((one - two) ** 2 for one, two in zip(moved[:3], other[:3], strict=True)) < near:
                whole = moved[_WEIGHT] + other[_WEIGHT]
                share = other[_WEIGHT] / whole
                _move(moved, (other[_X], other[_Y], other[_Z]), share)
                days = {moved[_FIRST], moved[_OTHER], other[_FIRST], other[_OTHER]} - {0.0}
                moved[_WEIGHT], moved[_LAST] = whole, max(moved[_LAST], other[_LAST])
                moved[_SPREAD] += (other[_SPREAD] - moved[_SPREAD]) * share
                moved[_FIRST], moved[_OTHER] = min(days), max(days) if len(days) > 1 else 0.0
                self._centres = [one for one in self._centres if one is not other]
                return


_INNER, _TRUSTED, _FAINT = 50.0, 3.0, 0.2
_HALVINGS = 500.0


def _vector(at: Place) -> tuple[float, float, float]:
    phi, lam = radians(at[0]), radians(at[1])
    flat = cos(phi)
    return flat * cos(lam), flat * sin(lam), sin(phi)


def _degrees(one: Sequence[float]) -> Place:
    return degrees(atan2(one[_Z], sqrt(one[_X] ** 2 + one[_Y] ** 2))), degrees(atan2(one[_Y], one[_X]))


def _move(one: Centre, point: tuple[float, float, float], share: float) -> None:
    """Moves the centre by a share of the way towards the point; it stays on the sphere."""
    x, y, z = one[_X] + (point[0] - one[_X]) * share, one[_Y] + (point[1] - one[_Y]) * share, one[_Z] + (point[2] - one[_Z]) * share
    length = sqrt(x * x + y * y + z * z)
    if length > 0:
        one[:3] = x / length, y / length, z / length
