"""The tables of the docs that come from mappings and advice are up to date, and tell of every one."""

import importlib.util
import re
from pathlib import Path

import pytest

from pluginhost.engine.parts import mappings
from pluginhost.events.advice import KINDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generated():
    spec = importlib.util.spec_from_file_location("docs_mappings_table", DOCS / "mappings_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_up_to_date(generated) -> None:
    made = generated.tables()
    for page in generated.PAGES:
        text = (DOCS / page).read_text("utf-8")
        assert generated.filled(text, made) == text, "run: python docs/mappings_table.py"


def test_every_table_stands_somewhere_and_a_stale_one_is_noticed(generated) -> None:
    told = {name for page in generated.PAGES for name in re.findall(r"<!-- table: ([a-z ]+) -->", (DOCS / page).read_text("utf-8"))}
    assert told == set(generated.tables())
    assert generated.filled("a\n<!-- table: x -->\nold\n<!-- end -->\nb", {"x": "new\n"}) == "a\n<!-- table: x -->\nnew\n<!-- end -->\nb"


def test_every_mapping_and_every_kind_is_told(generated) -> None:
    made = generated.tables()
    assert [one.name for one in mappings() if f"| `{one.name}` |" not in made["mappings"]] == []
    assert [kind.name for kind in KINDS if f"| {kind.name} | {kind.what} | {kind.advice} |" not in made["what to log"]] == []
