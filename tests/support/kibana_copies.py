"""Copies of the files for Kibana and OpenSearch Dashboards, to be damaged, and what is said of them then.

A mutation is a function that changes a copy of a file in place; its name says what is wrong then. Beside it stand the file, the object that
is to blame and a part of what is said.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from kibana.proof import validity  # noqa: E402  # the checkout's own, wherever this is started

TARGETS = {"kibana": validity.KIBANA, "classic": validity.CLASSIC}


class Copy:
    """A copy of a file, to be damaged."""

    def __init__(self, file: str) -> None:
        self.objects = deepcopy(shipped(file))

    def __getitem__(self, name: str) -> dict:
        (one,) = (one for one in self.objects if f"{one['type']}/{one['id']}" == name)
        return one

    @contextmanager
    def inside(self, name: str, *path: str):
        """What stands as JSON in a text of an object's attributes, to be changed."""
        *way, last = path
        holder = self[name]["attributes"]
        for key in way:
            holder = holder[key]
        value = json.loads(holder[last])
        yield value
        holder[last] = json.dumps(value)

    def layer(self, name: str, layer: str = "layer1") -> dict:
        return self[name]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"][layer]

    def chart(self, name: str) -> dict:
        return self[name]["attributes"]["state"]["visualization"]


class Mutation(NamedTuple):
    apply: Callable[[Copy], None]
    file: str
    blamed: str
    says: str

    def caught(self) -> str:
        """The line that says it, "" if none does."""
        return next((line for line in said(self) if line.startswith(f"{self.blamed} ") and self.says in line), "")


@cache
def said(mutation: Mutation) -> list[str]:
    """What is said of a copy that it has damaged, for the first of the file's targets."""
    copy = Copy(mutation.file)
    mutation.apply(copy)
    return validity.problems(copy.objects, TARGETS[mutation.file][0])


@cache
def shipped(file: str) -> tuple[dict, ...]:
    """The objects of a file as it is shipped."""
    objects, wrong = validity.lines((ROOT / f"kibana/pluginhost-{file}.ndjson").read_text("utf-8"))
    assert not wrong
    return tuple(objects)


def into(mutations: list[Mutation]):
    """A decorator with file, blamed object and what is said, which adds a function to these mutations."""
    def mutation(file: str, blamed: str, says: str):
        def add(apply: Callable[[Copy], None]) -> Callable[[Copy], None]:
            mutations.append(Mutation(apply, file, blamed, says))
            return apply

        return add

    return mutation


BOARD, ALERTS = "dashboard/pluginhost-overview", "index-pattern/pluginhost-alerts"
TABLE, DONUT, NUMBER = "lens/pluginhost-panel-top-users", "lens/pluginhost-panel-severity", "lens/pluginhost-panel-alerts"
CHART, TWO = "lens/pluginhost-panel-rules-over-time", "lens/pluginhost-panel-waf-score"
POINTS, PATHS, SEARCH = "map/pluginhost-panel-source-map", "map/pluginhost-panel-travel-map", "search/pluginhost-panel-latest"
OLD = "visualization/pluginhost-panel-"
USER, RISK, COUNT = "layer1-by-1", "layer1-metric-1", "layer1-metric-2"
SOURCE = ("kibanaSavedObjectMeta", "searchSourceJSON")
