"""The pages of the shipped analyzers in step with the analyzers, and the configured detectors of the docs at work."""

from __future__ import annotations

import re

import msgspec
import pytest
import yaml
from docs_scripts import DOCS, script, stale

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START, references, rows, ticking
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.loader import load as load_analyzers
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import slices
from pluginhost.engine.state import ShardState
from pluginhost.options import Duration

DETECTORS = (DOCS / "generic-detectors.md").read_text("utf-8")
KNOWN = mappings()


@pytest.fixture(scope="module")
def made():
    with script("analyzers_pages") as module:
        yield module


@pytest.fixture(scope="module")
def pages(made):
    return made.pages()


def test_pages_are_up_to_date(pages):
    assert stale(pages) == [], "run: python docs/analyzers_pages.py"
    assert {file.name for file in (DOCS / "analyzers").glob("*.md")} == {file.name for file in pages} - {"analyzers.md"}


def test_every_analyzer_has_a_row_a_section_and_what_it_tells(made, pages):
    files = list(shipped_analyzers().glob("[!_]*.py"))
    assert len(files) >= 13
    for file in files:
        page = pages[DOCS / "analyzers" / f"{file.stem}.md"]
        for unit in made._units(file):
            assert f"| [{unit.name}](analyzers/{file.stem}.md" in pages[DOCS / "analyzers.md"]
            assert made._doc(unit) in page
            alerts = [finding for _, found in made._told(unit) for finding in found]
            assert all(finding.id in page for finding in alerts[:1])
            assert all(f"| `{name}` |" in page for name in (*unit.analyzer.options, *unit.analyzer.states))


def test_families_name_files_that_are_there(made):
    named = [name for names in made.FAMILIES.values() for name in names]
    assert [name for name in named if not (shipped_analyzers() / f"{name}.py").exists()] == []
    assert len(named) == len(set(named))


def test_a_line_of_an_example_ends_no_block_and_is_short(made):
    assert made._line("a\n```\n" + "x" * 500) == "a\\nʼʼʼ\\n" + "x" * 151 + "…"
    assert list(made._lines(("a", "a", "b"))) == ["a   × 2\n", "b\n"]
    assert list(made._lines(tuple("abcdefg"))) == ["a\n", "b\n", "c\n", "… (7 records in all)\n", "g\n"]


# --- the detectors of docs/generic-detectors.md ---

CONFIGURED = {name: told for text in re.findall(r"^```yaml detectors\n(.*?)^```$", DETECTORS, re.DOTALL | re.MULTILINE)
              for name, told in yaml.safe_load(text).items()}  # fmt: skip


def web(agent="Firefox"):
    return {"event": {"category": ["web"]}, "host": {"name": "web1"}, "user_agent": {"original": agent}}


def program(name):
    return {"event": {"category": ["process"]}, "host": {"name": "db1"}, "process": {"name": name, "parent": {"name": "init"}}}


def login(country="NL", outcome="success"):
    return {"event": {"category": ["authentication"], "outcome": outcome}, "user": {"name": "alice"}, "service": {"name": "shop"},
            "source": {"geo": {"country_iso_code": country}}}  # fmt: skip


def load(value):
    return {"host": {"name": "web1"}, "system": {"load": {"norm": {"5": value}}}}


def sized(count):
    return {"user": {"name": "alice"}, "source": {"bytes": count}}


def answer(size, duration):
    return {"event": {"category": ["web"], "duration": duration}, "http": {"response": {"body": {"bytes": size}}}}


def looked_up(name):
    return {"source": {"ip": "192.0.2.7"}, "dns": {"question": {"name": name}}}


OTHER = {"tick": True}
ALIVE = {"host": {"name": "web1"}}
STREAMS = {
    "rare_agents": ("1s", [*[web()] * 1500, web("sqlmap/1.8")]),
    "rare_programs": ("1s", [*[program("postgres")] * 6000, program("nc")]),
    "new_countries": ("1d", [*[login()] * 10, login("BR")]),
    "login_count": ("3m", [*[login() if n % 480 in range(160, 360) else OTHER for n in range(480 * 9)], *[login()] * 20, *[OTHER] * 2]),
    "failure_share": ("2s", [*[login() for _ in range(31 * 150)], *[login(outcome="failure")] * 30, *[login()] * 150]),
    "silent_source": ("10s", [*[ALIVE] * 60 * 18, *[OTHER] * 130]),
    "load": ("1m", [*[load(0.3 + n % 3 / 100) for n in range(60)], load(2.5)]),
    "bytes_out": ("1h", [*[sized(2_000_000 + n % 3) for n in range(72)], sized(900_000_000)]),
    "latency_and_size": ("1s", [*[answer(n * 37 % 100, n * 61 % 100) for n in range(600)], answer(900, 3)]),
    "bad_domains": ("1s", [looked_up("www.example"), looked_up("cdn.evil.example")]),
}  # fmt: skip


def alerts(name):
    """What the configured detector tells of its stream, as the docs show it."""
    made = bundle(shipped_analyzers() / f"{CONFIGURED[name]['use']}.py")
    every, records = STREAMS[name]
    step = Duration.of(every).ns
    items = ticking(slices(rows(records, START, step, "t")), START + len(records) * step)
    known = KNOWN.beside(references({"threat_feed": ("domains", ["evil.example"])}))
    result = Pipeline(ready(made, {name: CONFIGURED[name]}), known).run(ShardState(), items)
    assert not result.failures
    documents = [msgspec.json.decode(finding.document) for finding in result.findings]
    return [f"{one['log']['level']}  {one['message']}\n  {one['event']['reason']}\n" for one in documents]


def test_every_configured_detector_of_the_docs_is_tried():
    assert CONFIGURED.keys() == STREAMS.keys()
    assert {one["use"] for one in CONFIGURED.values()} == {"rare_value", "new_value", "count_anomaly", "numeric_anomaly", "list_hit"}


@pytest.mark.parametrize("name", CONFIGURED)
def test_it_tells_what_the_docs_show(name):
    (told,) = alerts(name)
    assert f"```\n{name}  {told}```\n" in DETECTORS


@pytest.mark.parametrize("use", sorted({one["use"] for one in CONFIGURED.values()}))
def test_every_option_is_told(use):
    (one,) = load_analyzers(bundle(shipped_analyzers() / f"{use}.py"))
    section = DETECTORS.split(f"## {use}\n")[1].split("\n## ")[0] + "`severity` `technique`"
    assert [option for option in one.options if f"`{option}`" not in section] == []
