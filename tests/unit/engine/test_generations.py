from __future__ import annotations

import pytest

from pluginhost.engine.generations import Generations, Manifest, describe, ready
from pluginhost.engine.loader import Bundle
from pluginhost.problem import Problem

SOURCE = """\
from pluginhost import Timers, analyzer
import _rules

@analyzer(where="a:1", key="k", tags=["x.*"], group="g")
class Probe:
    \"\"\"A probe.

    More.
    \"\"\"
    timers: Timers = Timers()
    limit: int = 5
    def on_event(self, event): ...
    def on_timer(self, timer): ...
"""


def entry(source=SOURCE, helper="X = 1\n", name="probe", options=None):
    made = Bundle(name, f"/x/{name}.py", source, {"_rules": helper})
    return describe(made, ready(made, options or {}), options or {}), made


@pytest.fixture
def generations(tmp_path):
    return Generations(tmp_path / "generations")


def test_what_is_known_of_an_analyzer_without_running_it():
    module, made = entry(options={"probe": {"limit": 7}, "other": {}})
    assert (module.name, module.file, module.digest, module.options) == ("probe", "/x/probe.py", made.digest, {"probe": {"limit": 7}})
    (info,) = module.analyzers
    assert (info.name, info.title, info.where, info.key, info.group, info.tags) == ("probe", "A probe", "a:1", ("k",), ("g",), ("x.*",))
    assert (info.shape, info.ticks, info.pinned, info.migrates, info.options, info.line) == (
        "timers:Timers/1", True, False, False, {"limit": 7}, 4,
    )  # fmt: skip


def test_a_generation_comes_back_as_it_was(generations):
    module, made = entry()
    manifest = Manifest(1, (module,))
    generations.write(manifest, [made])
    again = Generations(generations.folder)
    assert again.latest() == again.manifest(1) == manifest
    assert again.bundle(module) == made
    assert [one.name for one in ready(again.bundle(module), module.options)] == ["probe"]
    assert manifest.infos() == list(module.analyzers)


def test_the_newest_generation_is_that_of_the_highest_number(generations):
    assert generations.latest() is None
    for number in (2, 10, 9):
        generations.write(Manifest(number, ()), [])
    (generations.folder / "notes.json").write_text("{}")
    assert generations.latest() == Manifest(10, ())


def test_nothing_is_left_aside_and_only_we_may_read_it(generations):
    module, made = entry()
    generations.write(Manifest(1, (module,)), [made])
    names = sorted(path.name for path in generations.folder.iterdir())
    assert names == sorted(["1.json", f"{module.source}.py", f"{module.helpers['_rules']}.py"])
    assert {path.stat().st_mode & 0o777 for path in generations.folder.iterdir()} == {0o600}
    assert generations.folder.stat().st_mode & 0o777 == 0o700


def test_old_generations_go_with_the_sources_that_nothing_needs(generations):
    (one, first), (two, second) = entry(helper="X = 1\n"), entry(helper="X = 2\n")
    generations.write(Manifest(1, (one,)), [first])
    generations.write(Manifest(2, (two,)), [second])
    (generations.folder / "notes.json").write_text("{}")
    generations.prune(1)
    assert generations.bundle(one) == first
    generations.prune(2)
    assert generations.bundle(two) == second
    with pytest.raises(Problem, match=r"generation\.unreadable"):
        generations.manifest(1)
    assert not (generations.folder / f"{one.helpers['_rules']}.py").exists()
    assert (generations.folder / f"{one.source}.py").exists()
    assert (generations.folder / "notes.json").exists()


@pytest.mark.parametrize("which", ["source", "helper"])
def test_a_source_that_was_changed_is_refused(generations, which):
    module, made = entry()
    generations.write(Manifest(1, (module,)), [made])
    path = generations.folder / f"{module.source if which == 'source' else module.helpers['_rules']}.py"
    path.write_text(path.read_text() + "#")
    with pytest.raises(Problem) as caught:
        generations.bundle(module)
    assert (caught.value.code, caught.value.where) == ("generation.unreadable", str(path))
    path.unlink()
    with pytest.raises(Problem, match="cannot read a source"):
        generations.bundle(module)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": "x", "modules": []}', "\xff"])
def test_a_damaged_manifest_is_told(generations, text):
    (generations.folder / "3.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Problem, match=r"(?s)cannot read generation 3: .*restore the data folder"):
        generations.latest()
