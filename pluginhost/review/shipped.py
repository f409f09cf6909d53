"""What comes along for Kibana and OpenSearch Dashboards: the objects of both files, the detection rule, the monitor.

An object that is ours ends its description with a mark, `(pluginhost N)`, in which N is the version of the files. Data views have no
description: they are known by their pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

__all__ = ["VIEW", "Form", "Key", "Object", "Reference", "marked", "monitor", "objects", "rule"]

Form = Literal["kibana", "classic"]
Key = tuple[str, str]
"""The type and the id of a saved object."""
VIEW = "index-pattern"
"""The type of data views."""
_MARK = re.compile(r"(?:^| )\(pluginhost ([0-9]{1,6})\)\Z")


class Reference(msgspec.Struct, frozen=True):
    """That an object needs another."""

    type: str = ""
    id: str = ""


class Object(msgspec.Struct, frozen=True):
    """A saved object as it is shipped; `line` is it as JSON."""

    type: str
    id: str
    attributes: dict[str, Any]
    references: tuple[Reference, ...] = ()
    line: bytes = b""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.type, self.id

    @property
    def title(self) -> str:
        """What people call it."""
        return str(self.attributes.get("name") or self.attributes.get("title") or self.id)


def objects(form: Form) -> tuple[Object, ...]:
    """The saved objects of one form: for Kibana 8.9 and newer, or those that older ones and OpenSearch Dashboards take."""
    lines = _read(f"pluginhost-{form}.ndjson").splitlines()
    return tuple(msgspec.structs.replace(msgspec.json.decode(line, type=Object), line=line) for line in lines if line.strip())


def rule() -> dict[str, Any]:
    """The detection rule for Elastic Security."""
    made: dict[str, Any] = msgspec.json.decode(_read("pluginhost-rule.ndjson"))
    return made


def monitor() -> dict[str, Any]:
    """The monitor for OpenSearch's alerting."""
    made: dict[str, Any] = msgspec.json.decode(_read("pluginhost-monitor.json"))
    return made


def marked(attributes: Mapping[str, Any]) -> int | None:
    """The version in the mark of a description; None if it is not ours."""
    told = attributes.get("description")
    found = _MARK.search(told[-40:]) if isinstance(told, str) else None
    return int(found[1]) if found else None


def _read(name: str) -> bytes:
    """A shipped file, from the installed package or from the folder beside it."""
    here = Path(__file__).parents[1]
    inside = here / "_shipped" / "kibana" / name
    return (inside if inside.is_file() else here.parent / "kibana" / name).read_bytes()
