"""The docs in step with the source: what is generated is up to date, what is declared is mentioned, what is shown works."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

import pluginhost
from pluginhost.engine.gate import check, rows
from pluginhost.engine.loader import Bundle
from pluginhost.engine.parts import mappings, names
from pluginhost.engine.splitter import slices
from pluginhost.events.event import Event
from pluginhost.host.config import configure
from pluginhost.match import compile as compile_predicate
from pluginhost.match import parse_with_warnings

ROOT = Path(__file__).parents[2]
SAMPLES = ("fluentd", "logstash", "shippers")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *(ROOT / folder / "README.md" for folder in SAMPLES)]
CODE = re.compile(r"[a-z]+(?:\.[a-z_]+)+")


def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated():
    return generate()


@pytest.fixture(scope="module")
def made(generated):
    return generated.parts()


def page(name):
    return (ROOT / "docs" / name).read_text("utf-8")


def blocks(head):
    """(page, text) of every fenced block whose first line is ``` and `head`."""
    fence = re.compile(rf"^```{head}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [pytest.param(body, id=f"{file.parent.name}/{file.name}") for file in PAGES for body in fence.findall(file.read_text("utf-8"))]


def problem_codes():
    """Every code that a `Problem` in the source can have: of calls, and of tables of (code, what, cure)."""
    called, listed = set(), set()
    for file in (ROOT / "pluginhost").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if re.fullmatch(r"_*(problem|refusal)", name, re.IGNORECASE):
                    called |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            elif isinstance(node, ast.Tuple) and len(node.elts) == 3 and all(isinstance(one, ast.Constant) for one in node.elts) \
                    and " " in str(node.elts[1].value):
                listed.add(str(node.elts[0].value))
    families = {code.partition(".")[0] for code in called}
    return {code for code in called | listed if CODE.fullmatch(code) and code.partition(".")[0] in families}


def told_codes():
    return re.findall(r"^\| `([a-z._]+)` \|", page("problems.md"), re.MULTILINE)


class TestInStep:
    @pytest.mark.parametrize("file", PAGES, ids=lambda file: f"{file.parent.name}/{file.name}")
    def test_generated_parts_are_up_to_date(self, file, generated, made):
        text = file.read_text("utf-8")
        assert generated.filled(text, made) == text, "run: make docs"

    def test_every_generated_part_stands_somewhere(self, made):
        told = {name for file in PAGES for name in re.findall(r"<!-- generated: ([a-z_ ]+) -->", file.read_text("utf-8"))}
        assert told == set(made)

    def test_a_stale_part_is_noticed(self, generated):
        stale = "a\n<!-- generated: config -->\nold\n<!-- end -->\nb\n"
        assert generated.filled(stale, {"config": "new\n"}) == "a\n<!-- generated: config -->\nnew\n<!-- end -->\nb\n"

    def test_every_problem_is_told_once_and_no_other(self):
        told = told_codes()
        assert len(told) == len(set(told))
        assert set(told) == problem_codes()

    def test_problem_codes_are_found(self):
        found = problem_codes()
        assert {"analyzer.syntax", "query.quote", "config.value", "output.forward.tag", "conf.input", "journal.corrupt"} <= found
        assert not {"host.name", "source.ip", "user.name"} & found

    def test_every_command_is_told(self, generated):
        text = page("operations.md")
        found = [name for name, _ in generated.commands()]
        assert len(found) >= 14
        assert [name for name in found if f"**`{name}" not in text] == []

    def test_every_part_and_mapping_is_told(self):
        for group in ("inputs", "outputs"):
            assert [name for name in names(group) if f"<!-- generated: {group[:-1]} {name} -->" not in page(f"{group}/{name}.md")] == []
            assert {one.stem for one in (ROOT / "docs" / group).glob("*.md")} == set(names(group))
        assert [one.name for one in mappings() if f"`{one.name}`" not in page("mappings.md")] == []

    def test_everything_that_authors_import_is_told(self):
        text = page("writing-analyzers.md") + page("toolbox.md")
        assert [name for name in pluginhost.__all__ if name not in text] == []

    @pytest.mark.parametrize("file", PAGES, ids=lambda file: f"{file.parent.name}/{file.name}")
    def test_links_lead_somewhere(self, file):
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", file.read_text("utf-8")):
            assert "://" in target or (file.parent / target).exists(), target

    def test_counters_that_operators_are_told_to_watch_exist(self):
        from pluginhost.engine import committer, delivery, desk, guard, shards

        known = {"journal": committer.COUNTS, "desk": desk.COUNTS, "guard": guard.COUNTS}
        known |= {"worker.0": shards.COUNTS, "output.NAME": delivery.COUNTS}
        table = re.findall(r"^\| (`[a-z]+\.[A-Za-z0-9._`, ]+`) \|", page("operations.md"), re.MULTILINE)
        told = [name.rpartition(".") for cell in table for name in re.findall(r"`([^`]+)`", cell) if name.rpartition(".")[0] in known]
        assert len(told) == 11
        assert [f"{group}.{name}" for group, _, name in told if name not in known[group]] == []


class TestShown:
    @pytest.mark.parametrize("text", [one for one in blocks("yaml") if one.values[0].startswith("# pluginhost.yaml")])
    def test_configurations_load(self, text, tmp_path):
        file = tmp_path / "pluginhost.yaml"
        file.write_text(text)
        setup = configure(file)
        assert setup.inputs
        assert len(setup.inputs) == len(setup.config.inputs)
        assert len(setup.outputs) == len(setup.config.outputs)

    @pytest.mark.parametrize("text", blocks("python analyzer"))
    def test_analyzers_pass_the_gate(self, text):
        module = check(Bundle("shown", "shown.py", text, {}), {}, mappings())
        assert module.analyzers or module.templates
        assert all(one.examples for one in module.analyzers)

    def test_the_analyzer_in_ten_lines_has_ten(self):
        (text,) = re.findall(r"^```python analyzer\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
        assert len(text.splitlines()) == 10

    def test_the_configuration_in_the_readme_is_short(self):
        (text,) = re.findall(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
        assert len(text.splitlines()) <= 20

    def test_the_test_beside_the_first_analyzer_is_the_one_that_new_writes(self):
        from pluginhost.cli import new

        assert new._TEST.format(name="many_failures").split("\n", 1)[1] in page("writing-analyzers.md")

    def test_what_the_readme_shows_of_fluentd_stands_in_the_shipped_file(self):
        (text,) = re.findall(r"^Fluentd\n```\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
        shipped = [line.split(" #")[0].strip() for line in (ROOT / "fluentd/fluent.conf").read_text().splitlines()]
        assert [line for line in text.splitlines() if line.strip() not in shipped] == []


def where_rows():
    found = re.findall(r"^\| `(.+?)` \| (?:.+?) \| `(\{.*?\})` \| `(\{.*?\})` \|$", page("writing-analyzers.md"), re.MULTILINE)
    return [pytest.param(*row, id=row[0]) for row in found]


class TestWhere:
    def test_every_row_is_tried(self):
        table = page("writing-analyzers.md").split('<a id="where"></a>')[1].split("## State")[0]
        assert len(where_rows()) == len([line for line in table.splitlines() if line.startswith("| `")])

    @pytest.mark.parametrize(("query", "matching", "other"), where_rows())
    def test_queries_mean_what_the_table_says(self, query, matching, other):
        node, warnings = parse_with_warnings(query)
        assert warnings == []
        fits = compile_predicate(node)
        yes, no = (Event(next(iter(slices(rows([json.loads(record)], 10**18, 10**9, "t")))), mappings()) for record in (matching, other))
        assert fits(yes)
        assert not fits(no)
