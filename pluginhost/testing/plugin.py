"""The pytest plugin. `--analyzers` (which `pluginhost test` gives) makes every example of an analyzer file a test.

Without it the plugin collects nothing; the fixture `play` is there in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ..detect.declaration import Analyzer, Example, Lists
from ..engine.gate import START, judge, loaded, references, rows, ticking
from ..engine.generations import used
from ..engine.loader import bundle, is_analyzer_file
from ..engine.parts import mappings
from ..engine.pipeline import Pipeline
from ..engine.splitter import slices
from ..engine.state import ShardState
from ..engine.unit import Unit
from ..options import Duration
from ..problem import Problem

__all__ = ["play", "pytest_addoption", "pytest_collect_file"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--analyzers`."""
    parser.getgroup("pluginhost").addoption("--analyzers", action="store_true", help="collect the examples in analyzer files")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """An analyzer file, if examples are asked for; helpers, tests and conftest are not analyzer files."""
    if not parent.config.getoption("--analyzers") or not is_analyzer_file(file_path):
        return None
    made: pytest.Collector = _File.from_parent(parent, path=file_path)
    return made


class _File(pytest.File):
    """One analyzer file; collecting it loads it as a host would."""

    def collect(self) -> Iterator[pytest.Item]:
        for unit in chain(*loaded(bundle(self.path), {})):
            for number, example in enumerate(unit.analyzer.examples, 1):
                yield _Example.from_parent(self, name=f"{unit.name}:{example.want}:{number}", unit=unit, example=example)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # pytest's own looseness
        return excinfo.value.page() if isinstance(excinfo.value, Problem) else super().repr_failure(excinfo)


class _Example(pytest.Item):
    """One example of one analyzer."""

    def __init__(self, *, unit: Unit, example: Example, **given: Any) -> None:
        super().__init__(**given)
        self._unit, self._example = unit, example

    def runtest(self) -> None:
        problem = judge(self._unit, self._example, mappings())
        if problem is not None:
            raise problem

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return excinfo.value.page() if isinstance(excinfo.value, Problem) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._example.where.line - 1, self.name


@pytest.fixture
def play() -> Callable[..., list[dict[str, Any]]]:
    """`play(analyzer, records, every="1s", tag="test", wait="0s", lists={}, **options)` → the alert documents that come of the records."""

    def run(analyzer: Analyzer, records: Sequence[str | Mapping[str, Any]], *, every: str | float = "1s", tag: str = "test",
            wait: str | float = 0, lists: Mapping[str, Lists] | None = None, **options: Any) -> list[dict[str, Any]]:  # fmt: skip
        row = rows(records, START, Duration.of(every).ns, tag)
        end = START + len(records) * Duration.of(every).ns + Duration.of(wait).ns
        unit = used(analyzer, analyzer.name, {**options, "use": analyzer.name} if analyzer.declared.template else options, "", {})
        result = Pipeline([unit], mappings().beside(references(lists or {}))).run(ShardState(), ticking(slices(row), end))
        assert not result.failures, result.failures[0].error
        return [msgspec.json.decode(finding.document) for finding in result.findings]

    return run
