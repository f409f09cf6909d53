"""The products that our files are made for: the types of saved objects that each knows, their newest versions, their attributes.

A version that is newer than what a product knows makes it refuse the whole file, an unknown type only that object. Kibana checks attributes
against a schema; OpenSearch Dashboards keeps its objects in an index with a strict mapping, which refuses what it does not name.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["CLASSIC", "DASHBOARDS_2", "DASHBOARDS_3", "KIBANA", "KIBANA_8_9", "KIBANA_8_19", "KIBANA_9", "Target", "newer"]


class Target(msgspec.Struct, frozen=True):
    """A product of a version.

    `versions`: the newest form of each type that it certainly knows. `panel`: the newest form of a dashboard's panel. `core`: the newest
    `coreMigrationVersion`, "" where only the older envelope with `migrationVersion` is known. `attributes`: where a type has an entry,
    nothing else may be in its objects.
    """

    name: str
    versions: Mapping[str, str]
    panel: str
    core: str = ""
    attributes: Mapping[str, frozenset[str]] = {}


_KIBANA = {"dashboard": "8.9.0", "lens": "8.9.0", "index-pattern": "8.0.0", "search": "8.0.0", "map": "8.4.0", "visualization": "8.5.0"}
_OLD = {"dashboard": "7.9.3", "index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0"}
_META = {"title", "description", "version", "kibanaSavedObjectMeta"}
_STRICT = {
    "dashboard": frozenset(_META | {"hits", "optionsJSON", "panelsJSON", "refreshInterval", "timeFrom", "timeRestore", "timeTo"}),
    "search": frozenset(_META | {"columns", "hits", "sort"}),
    "visualization": frozenset(_META | {"savedSearchRefName", "uiStateJSON", "visState"}),
}

KIBANA_8_9 = Target("Kibana 8.9", _KIBANA, "8.9.0", "8.8.0")
KIBANA_8_19 = Target("Kibana 8.19", _KIBANA | {"dashboard": "10.1.0", "search": "10.1.0"}, "8.19.0", "8.8.0")
KIBANA_9 = Target("Kibana 9", _KIBANA | {"dashboard": "10.1.0", "lens": "10.1.0", "search": "10.5.0"}, "9.0.0", "8.8.0")
DASHBOARDS_2 = Target("OpenSearch Dashboards 2", _OLD, "7.10.0", attributes=_STRICT)
DASHBOARDS_3 = Target("OpenSearch Dashboards 3", _OLD, "7.10.0", attributes=_STRICT)

KIBANA = (KIBANA_8_9, KIBANA_8_19, KIBANA_9)
"""For `pluginhost-kibana.ndjson`."""
CLASSIC = (DASHBOARDS_2, DASHBOARDS_3, *KIBANA)
"""For `pluginhost-classic.ndjson`."""


def newer(version: str, than: str) -> bool:
    """Whether a version is newer than another; one that cannot be read is."""
    try:
        return tuple(map(int, version.split("."))) > tuple(map(int, than.split(".")))
    except ValueError:
        return True
