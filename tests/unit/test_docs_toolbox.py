"""The page of the toolbox in step with the primitives: made anew it is the same, and no primitive is missing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import xml.etree.ElementTree as ET

import pytest
from docs_scripts import DOCS, script, stale

import pluginhost.detect
from pluginhost.detect.state import State

MODELS = ("average", "surprise", "seasonal", "rare", "markov", "forest", "geo")


@pytest.fixture(scope="module")
def toolbox():
    with script("toolbox") as module:
        yield module


@pytest.fixture(scope="module")
def pages(toolbox):
    return toolbox.pages()


def test_page_and_plots_are_up_to_date(pages):
    assert stale(pages) == [], "run: python docs/toolbox.py"
    assert {file.stem for file in (DOCS / "plots").glob("*.svg")} == {file.stem for file in pages if file.suffix == ".svg"}


def test_every_primitive_has_its_section_with_an_example(pages):
    modules = [importlib.import_module(f"pluginhost.detect.{one.name}") for one in pkgutil.iter_modules(pluginhost.detect.__path__)]
    kinds = {one for module in modules for one in vars(module).values() if inspect.isclass(one) and issubclass(one, State) and one.shape}
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", pages[DOCS / "toolbox.md"], re.MULTILINE | re.DOTALL))
    assert len(kinds) >= 15
    assert [kind.__name__ for kind in kinds if kind.__name__ not in sections] == []
    models = [kind for kind in kinds if kind.__module__.rpartition(".")[2] in MODELS]
    told = [sections[kind.__name__] for kind in models if kind.__name__ != "WindowAverage"]  # which looks as MovingAverage does
    assert len(told) == 11
    assert all(">>>" in one and ".svg" in one for one in told)


def test_every_plot_is_well_formed_and_inside_its_frame(pages):
    for file, text in pages.items():
        if file.suffix == ".svg":
            root = ET.fromstring(text)
            _, _, width, height = map(float, root.attrib["viewBox"].split())
            paths = [path.attrib["d"] for path in root.iter("{http://www.w3.org/2000/svg}path")]
            drawn = [float(number) for path in paths for number in re.findall(r"[\d.]+", path)]
            assert 0 <= min(drawn) <= max(drawn) <= max(width, height), file.name
            assert root[0].text, file.name


def test_text_in_a_plot_is_escaped():
    with script("plots") as plots:
        made = plots.svg(plots.Panel("a<b").line([(0, 1), (1, 2)]).rule(1.5, "</svg>"), x="x & y", about="<script>")
    assert "<script>" not in made
    assert ET.fromstring(made)[0].text == "<script>"
