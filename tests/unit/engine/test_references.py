"""An operator's lists: compiled aside, named by a generation, kept when the file breaks, let go with their generation."""

from __future__ import annotations

import asyncio

import pytest

from pluginhost.engine.generations import Generations, Manifest
from pluginhost.engine.references import File, Library, compile_file
from pluginhost.problem import Problem


@pytest.fixture
def generations(tmp_path):
    return Generations(tmp_path / "generations")


def look(library, current=()):
    return asyncio.run(library.look(current))


def test_a_list_is_compiled_and_asked(tmp_path, generations):
    (tmp_path / "tor.txt").write_text("203.0.113.0/24 # exit\nnonsense\n")
    library = Library([File("tor", "networks", tmp_path / "tor.txt")], generations)
    contents = look(library)
    assert [(one.name, one.kind, one.entries) for one in contents] == [("tor", "networks", 1)]
    manifest = Manifest(1, (), contents)
    generations.write(manifest, [])
    assert generations.references(manifest).lists["tor"].find("203.0.113.9") == ("203.0.113.0/24", "exit", 0)
    assert generations.latest() == manifest
    assert generations.references(manifest, lists=False).lists == {}


def test_only_what_changed_is_compiled_again_and_what_broke_goes_on(tmp_path, generations):
    file = tmp_path / "bad.txt"
    file.write_text("one\n")
    library = Library([File("bad", "strings", file)], generations)
    first = look(library)
    assert look(library, first) == first
    file.write_text("one\ntwo\n")
    second = look(library, first)
    assert second[0].entries == 2
    file.unlink()
    assert look(library, second) == second
    assert "the content it had before" in library.problems["bad"].still
    file.write_text("one\n")
    assert look(library, second) == first
    assert not library.problems


def test_what_is_there_at_a_start_is_compared_with_the_last_generation(tmp_path, generations):
    (tmp_path / "bad.txt").write_text("one\n")
    first = look(Library([File("bad", "strings", tmp_path / "bad.txt")], generations))
    (tmp_path / "bad.txt").write_text("two\n")
    assert look(Library([File("bad", "strings", tmp_path / "bad.txt")], generations), first) != first


@pytest.mark.parametrize(("kind", "content", "told"), [
    ("networks", "only\nwords\n", "none of its 2 entries"), ("strings", "{", "JSON"), ("places", "no database", "valid MaxMind DB"),
])  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path, generations, kind, content, told):
    (tmp_path / "file").write_text(content)
    with pytest.raises(Problem, match=told):
        asyncio.run(compile_file(File("it", kind, tmp_path / "file"), generations.folder))
    assert list(generations.folder.iterdir()) == []


def test_contents_go_with_the_last_generation_that_names_them(tmp_path, generations):
    file = tmp_path / "bad.txt"
    library = Library([File("bad", "strings", file)], generations)
    for number, text in enumerate(("one\n", "two\n"), 1):
        file.write_text(text)
        generations.write(Manifest(number, (), look(library)), [])
    assert len(list(generations.folder.glob("*.ref"))) == 2
    generations.prune(2)
    assert len(list(generations.folder.glob("*.ref"))) == 1
    assert generations.references(generations.manifest(2)).lists["bad"].find("two")
    (generations.folder / f"{generations.manifest(2).contents[0].digest}.ref").unlink()
    with pytest.raises(Problem, match="generation 2"):
        generations.references(generations.manifest(2))


def test_what_did_not_change_stays_open(tmp_path, generations):
    for name in ("bad", "good"):
        (tmp_path / name).write_text(f"{name}\n")
    library = Library([File(name, "literals", tmp_path / name) for name in ("bad", "good")], generations)
    first = Manifest(1, (), look(library))
    (tmp_path / "bad").write_text("worse\n")
    second = Manifest(2, (), look(library, first.contents))
    for manifest in (first, second):
        generations.write(manifest, [])
    before = generations.references(first)
    after = generations.references(second, before)
    assert after.lists["good"] is before.lists["good"]
    assert after.lists["bad"].find("even worse") == ("worse", "", 5)
    assert after.places is before.places
    assert after.contents == second.contents
    assert generations.references(Manifest(3, ()), after).lists == {}
