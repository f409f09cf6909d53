"""Which outputs an alert goes to: what each says it wants, by the names of analyzers and by a query over the alert's document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..alerts.scope import named
from ..engine.items import Finding
from ..events.fields import Document
from ..match import compile as compile_predicate
from .config import Part

__all__ = ["routing"]


def routing(outputs: Iterable[Part]) -> Callable[[Finding, Mapping[str, Any]], list[str]]:
    """A function that gives the names of those that want the alert of a finding."""
    wants = [(part.name, part.route.analyzers, compile_predicate(part.when) if part.when is not None else None) for part in outputs]

    def route(finding: Finding, document: Mapping[str, Any]) -> list[str]:
        view = Document(document)
        return [name for name, analyzers, wanted in wants if named(finding.analyzer, analyzers) and (wanted is None or wanted(view))]

    return route
