"""Files change on disk; the real process tries them. What runs goes on running whatever a file does."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from pluginhost.engine.generations import Generations
from pluginhost.engine.reload import Checker, Reloader
from pluginhost.host.watch import changes, look

GOOD = """\
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="k")
def {name}(event, window: SlidingCount = SlidingCount("10s"), limit: int = 2):
    return Alert("low", "seen") if window.add(event) == limit else None

{name}.fires_on([{{"k": 1}}] * 2)
"""


def good(name="probe") -> str:
    return GOOD.format(name=name)


class Bench:
    """A folder, its reloader, and the loop they live on."""

    def __init__(self, tmp_path, patience=20.0, options=None):
        self.folder, self._tmp, self._patience, self._options = tmp_path / "analyzers", tmp_path, patience, options or {}
        self.folder.mkdir()
        self.runner = asyncio.Runner()
        self.open()

    def open(self):
        self.reloader = Reloader([self.folder], self._options, Generations(self._tmp / "generations"), Checker(self._patience))

    def write(self, **files):
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    def scan(self, *reset):
        return self.runner.run(self.reloader.scan(reset))

    @property
    def running(self):
        return [info.name for info in self.reloader.manifest.infos()]

    @property
    def pages(self):
        return {os.path.basename(file): problem.page() for file, problem in self.reloader.problems.items()}  # noqa: PTH119 - a key

    @property
    def pid(self):
        return self.reloader._checker._process.pid

    def close(self):
        self.runner.run(self.reloader.close())


@pytest.fixture
def bench(tmp_path, request):
    made = Bench(tmp_path, **getattr(request, "param", {}))
    yield made
    made.close()
    made.runner.close()


def test_what_passes_becomes_the_next_generation(bench):
    assert bench.scan() is None
    bench.write(a=good(), _helper="1/0", test_a="1/0", conftest="1/0")
    manifest = bench.scan()
    assert (manifest.number, bench.running, bench.pages) == (1, ["probe"], {})
    assert bench.scan() is None
    bench.write(a=good() + "# changed\n", b=good("other"))
    assert (bench.scan().number, bench.running) == (2, ["other", "probe"])


def test_a_broken_file_keeps_what_ran_and_says_so(bench):
    bench.write(a=good(), b=good("other"))
    bench.scan()
    bench.write(a="def f(:\n")
    assert bench.scan() is None
    page = bench.pages["a.py"]
    assert page.startswith("analyzer.syntax: ")
    assert page.endswith("  still: probe as it was before")
    assert bench.running == ["other", "probe"]
    assert {one["name"]: bool(one["problem"]) for one in bench.reloader.snapshot()} == {"other": False, "probe": True}
    bench.write(a=good())
    assert bench.scan() is None
    assert bench.pages == {}


def test_a_restart_on_a_broken_file_runs_the_last_good_one(bench):
    bench.write(a=good())
    bench.scan()
    bench.close()
    bench.write(a="1/0")
    bench.open()
    assert bench.scan() is None
    assert (bench.running, list(bench.pages)) == (["probe"], ["a.py"])
    (module,) = bench.reloader.manifest.modules
    assert bench.reloader._generations.bundle(module).source == good()


def test_a_failing_example_keeps_a_file_out(bench):
    bench.write(a=good().replace("* 2)", "* 1)"), b=good("other"))
    assert bench.scan().number == 1
    assert (bench.running, bench.pages["a.py"].split(";")[0]) == (["other"], "analyzer.example: probe: expected an alert, got none")
    assert bench.pages["a.py"].endswith("still: every other analyzer; nothing of this file runs")


EVIL = {
    "loops": ("while True: pass\n", "analyzer.slow"),
    "exits": ("import os\nos._exit(0)\n", "analyzer.died"),
    "grows": ("x = bytearray(4 << 30)\n", "analyzer.import"),
    "leaves": ("import sys\nsys.exit(0)\n", "analyzer.import"),
    "crashes": ("import ctypes\nctypes.string_at(0)\n", "analyzer.died"),
    "shouts": ("raise ValueError('\\ud800' * 10)\n", "analyzer.import"),
}


@pytest.mark.parametrize(
    ("name", "bench"), [(name, {"patience": 4.0} if name == "loops" else {}) for name in EVIL], indirect=["bench"], ids=EVIL,
)  # fmt: skip  # a process that takes the place of one that ended starts in that time too
def test_a_file_that_harms_the_process_is_refused_and_the_others_go_on(bench, name):
    text, code = EVIL[name]
    bench.write(a=good(), b=text + good("evil"), c=good("other"))
    assert bench.scan().number == 1
    assert (bench.running, list(bench.pages)) == (["other", "probe"], ["b.py"])
    assert bench.pages["b.py"].split(":")[0] == code
    pid = bench.pid
    assert bench.scan() is None
    assert bench.pid == pid  # a file that was refused is not tried again until it changes
    bench.write(b=good("mended"))
    assert (bench.scan().number, bench.running, bench.pages) == (2, ["mended", "other", "probe"], {})


def test_what_a_file_prints_goes_nowhere(bench, capfd):
    bench.write(a="print('hello', flush=True)\n" + good())
    assert bench.scan().number == 1
    assert capfd.readouterr().out == ""


def test_a_helper_that_changes_reloads_who_imports_it(bench):
    bench.write(a="from _rules import X\n" + good(), b=good("other"), _rules="X = 1\n")
    before = {module.name: module.digest for module in bench.scan().modules}
    bench.write(_rules="X = 2\n")
    after = {module.name: module.digest for module in bench.scan().modules}
    assert (before["a"] == after["a"], before["b"] == after["b"]) == (False, True)
    bench.write(_rules="1/0\n")
    assert bench.scan() is None
    assert (list(bench.pages), bench.running) == (["a.py"], ["other", "probe"])


def test_two_files_with_one_name_and_then_one(bench):
    bench.write(a=good(), b=good())
    assert bench.scan().number == 1
    assert bench.pages["b.py"].startswith(f"analyzer.twice: there is an analyzer probe already, in {bench.folder}/a.py")
    (bench.folder / "a.py").unlink()
    bench.scan()
    bench.scan()
    assert ([module.name for module in bench.reloader.manifest.modules], bench.pages) == (["b"], {})


def test_a_file_that_is_renamed_takes_its_analyzers_along(bench):
    bench.write(a=good())
    bench.scan()
    (bench.folder / "a.py").rename(bench.folder / "b.py")
    assert bench.scan() is None  # it may be in the middle of something
    assert bench.running == ["probe"]
    manifest = bench.scan()
    assert ([(module.name, [info.name for info in module.analyzers]) for module in manifest.modules], bench.pages) == ([("b", ["probe"])],
    {})


def test_a_file_that_is_gone_is_believed_the_second_time(bench):
    bench.write(a=good(), b=good("other"), c="1/0")
    bench.scan()
    text = (bench.folder / "a.py").read_text()
    for name in "ac":
        (bench.folder / f"{name}.py").unlink()
    assert bench.scan() is None
    bench.write(a=text)
    assert bench.scan() is None
    assert (bench.running, bench.pages) == (["other", "probe"], {})
    (bench.folder / "a.py").unlink()
    assert bench.scan() is None
    assert (bench.scan().number, bench.running) == (2, ["other"])


def test_a_file_removed_while_nothing_ran_is_gone_at_once(bench):
    bench.write(a=good(), b=good("other"))
    bench.scan()
    bench.close()
    (bench.folder / "a.py").unlink()
    bench.open()
    assert (bench.scan().number, bench.running) == (2, ["other"])


RESHAPED = good().replace("(event, ", "(event, seen: FirstSeen = FirstSeen(), ").replace("import Alert", "import Alert, FirstSeen")


def test_another_shape_of_state_waits_for_a_reset(bench):
    bench.write(a=good())
    bench.scan()
    bench.write(a=RESHAPED)
    assert bench.scan() is None
    assert bench.pages["a.py"] == (
        "analyzer.shape: probe keeps its state in another shape now: window:SlidingCount/2 → seen:FirstSeen/1,window:SlidingCount/2\n"
        f"  at {bench.folder}/a.py\n"
        "  still: probe as it was before\n"
        "  to do: give it migrate=…, or forget what it knows: pluginhost reload probe --reset-state"
    )
    assert (bench.scan("probe").number, bench.pages) == (2, {})


def test_another_shape_passes_with_a_migration_and_is_asked_for_in_another_file_too(bench):
    bench.write(a=good())
    bench.scan()
    (bench.folder / "a.py").unlink()
    bench.write(b=RESHAPED)
    bench.scan()
    assert bench.scan() is None or bench.running == []
    assert bench.pages["b.py"].startswith("analyzer.shape: ")
    bench.write(b=RESHAPED.replace("key=\"k\"", "key=\"k\", migrate=lambda old: old"))
    assert bench.scan() is not None
    assert (bench.running, bench.pages) == (["probe"], {})


@pytest.mark.parametrize("bench", [{"options": {"probe": {"limit": 3}}}, {"options": {"probe": {"limit": "x"}}}], indirect=True)
def test_configured_options_are_part_of_what_is_tried(bench):
    bench.write(a=good().replace("* 2)", "* 3)"))
    fits = bench._options["probe"]["limit"] == 3
    assert (bench.scan() is not None) is fits
    assert bench.pages.get("a.py", "").split("\n")[0] == ("" if fits else "config.value: $.options.probe.limit: expected `int`, got text")


def test_a_folder_behind_a_link_that_is_swapped_is_seen(tmp_path):
    """As Kubernetes updates a config map: `analyzers → ..data/analyzers`, and `..data` becomes another link at one stroke."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.py").write_text(f"# {version}")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "a.py").symlink_to("../..data/a.py")
    folder = tmp_path / "mount"
    before = look([folder])

    async def swapped() -> None:
        seen = changes((folder,), 0.1)
        task = asyncio.ensure_future(anext(seen))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.3)
        assert not task.done()  # nothing has changed yet
        (tmp_path / "..new").symlink_to("two")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await asyncio.wait_for(task, 10)
        await seen.aclose()

    asyncio.run(swapped())
    assert look([folder]) != before


def test_a_folder_that_comes_later_is_seen(tmp_path):
    async def comes() -> None:
        seen = changes((tmp_path / "later",), 0.05)
        task = asyncio.ensure_future(anext(seen))
        await asyncio.sleep(0)
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "a.py").write_text("")
        await asyncio.wait_for(task, 10)
        await seen.aclose()

    asyncio.run(comes())
