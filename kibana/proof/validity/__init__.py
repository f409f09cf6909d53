"""Whether the files to import are right, as far as that can be known without a Kibana or OpenSearch Dashboards.

`problems` opens each object, which shows what is misshapen, and holds those that could be opened to everything that the products would
find out only when somebody looks at a dashboard: references, the agreement of columns, charts and aggregations, the grid, the fields and
their types. A line says which object and where in it. What panels show is not looked at: that is asked of a real cluster (`..meaning`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pluginhost.alerts.template import Kind

from ...saved import SavedObject
from .alerting import monitor_problems, rule_problems
from .boards import boards
from .classic import classic
from .contents import opened, views
from .envelopes import envelopes
from .fields import absent_fields, fields
from .lens import lens
from .references import references
from .targets import CLASSIC, KIBANA, Target

__all__ = ["CLASSIC", "KIBANA", "Target", "absent", "lines", "monitor_problems", "problems", "rule_problems"]


def lines(text: str) -> tuple[list[SavedObject], list[str]]:
    """The objects of a file, one a line, and what is wrong with lines that hold none."""
    objects: list[SavedObject] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            objects.append(msgspec.json.decode(line, type=dict[str, Any]))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            wrong.append(f"line {number}: no JSON object: {error}")
    return objects, wrong


def problems(objects: Sequence[SavedObject], target: Target) -> list[str]:
    """What a product would not take, or would show wrongly: a line each, without repetition; none if all is well."""
    found, wrong = opened(objects)
    known = views(found)
    return list(dict.fromkeys([
        *wrong, *envelopes(objects, found, target), *references(objects, found), *boards(found), *lens(found, known),
        *classic(found, known), *fields(found, known),
    ]))  # fmt: skip


def absent(objects: Sequence[SavedObject], documents: Mapping[Kind, Iterable[Mapping[str, Any]]]) -> list[str]:
    """The fields that a file asks for and none of these documents has: a line for each field and object."""
    found, _ = opened(objects)
    return absent_fields(found, views(found), documents)
