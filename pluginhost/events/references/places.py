"""Where an address lies and whose it is, by databases in MaxMind's format (MMDB) that the operator names.

Any schema of the usual ones: MaxMind's own (GeoLite2, GeoIP2: nested) and DB-IP's or ip-location-db's (flat keys); each database gives
what it has, the first that has something wins. Nothing is bundled. What was found is kept for the addresses seen last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import maxminddb

from ..address import packed

__all__ = ["FIELDS", "Places"]

_KEPT = 1 << 15  # addresses whose places are at hand

_PATHS: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "geo.country_iso_code": (("country", "iso_code"), ("country_code",), ("registered_country", "iso_code")),
    "geo.country_name": (("country", "names", "en"), ("country_name",)),
    "geo.continent_name": (("continent", "names", "en"), ("continent",)),
    "geo.region_name": (("subdivisions", 0, "names", "en"), ("state1",), ("region",), ("region_name",)),
    "geo.city_name": (("city", "names", "en"), ("city",), ("city_name",)),
    "as.number": (("autonomous_system_number",), ("traits", "autonomous_system_number"), ("asn",)),
    "as.organization.name": (("autonomous_system_organization",), ("traits", "autonomous_system_organization"), ("as_name",)),
}
_LATITUDE = (("location", "latitude"), ("latitude",), ("lat",))
_LONGITUDE = (("location", "longitude"), ("longitude",), ("lon",), ("lng",))

FIELDS = (*_PATHS, "geo.location")
"""What may be known of an address, as ECS names it below `source` or `destination`."""


class Places:
    """Databases, asked in order. `named` says which they are and of what day, for whoever reads an alert."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._readers = [maxminddb.open_database(file, maxminddb.MODE_MMAP) for file in files]
        told = [reader.metadata() for reader in self._readers]
        self.named = ", ".join(f"{one.database_type} {datetime.fromtimestamp(one.build_epoch, UTC):%Y-%m-%d}" for one in told)
        self._known: dict[str, Mapping[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._readers)

    def of(self, address: str) -> Mapping[str, Any]:
        """What is known of an address, by the names of `FIELDS`; empty for what is none or unknown."""
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[address] = self._asked(address)
        return found

    def _asked(self, address: str) -> Mapping[str, Any]:
        made: dict[str, Any] = {}
        if packed(address) is None:
            return made
        for reader in self._readers:
            try:
                told = reader.get(address)
            except Exception:  # noqa: BLE001, S112  # IPv6 in one of IPv4 is a ValueError; one that is damaged may raise anything
                continue
            if isinstance(told, dict):
                made = _read(told) | made
        return made


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    made = {field: value for field, paths in _PATHS.items() if (value := _first(told, paths)) is not None}
    lat, lon = (_number(_first(told, paths)) for paths in (_LATITUDE, _LONGITUDE))
    if lat is not None and lon is not None:
        made["geo.location"] = {"lat": lat, "lon": lon}
    return made


def _first(told: Any, paths: Iterable[tuple[str | int, ...]]) -> Any:
    for path in paths:
        value = told
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                value = None
                break
        if isinstance(value, (str, int, float)) and value != "":
            return value
    return None


def _number(value: Any) -> float | None:
    """Some databases write numbers as text."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
