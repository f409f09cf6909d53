"""Every configuration of an input that the docs show is not only read but run: the door opens with it, on a free port, with real files."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
import yaml
from certificates import Authority

from pluginhost.host.config import configure
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs" / "inputs").glob("*.md")), *(ROOT / "docs" / name for name in ("inputs.md", "security.md", "verdicts.md"))]
BLOCK = re.compile(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = [pytest.param(text, id=f"{page.stem}-{number}") for page in PAGES
         for number, text in enumerate(BLOCK.findall(page.read_text("utf-8")))]  # fmt: skip


def made_real(value, name, folder, files):
    """The configuration with ports that are free and files that are there."""
    if isinstance(value, dict):
        return {key: made_real(one, key, folder, files) for key, one in value.items()}
    if isinstance(value, list):
        return [made_real(one, name, folder, files) for one in value]
    if name == "port" and isinstance(value, int):
        return 0
    if name in files:
        return files[name]
    return str(folder / Path(value).name) if name in ("path", "paths") else value


@pytest.mark.parametrize("text", SHOWN)
def test_the_doors_that_are_shown_open(text, tmp_path):
    authority = Authority(tmp_path / "tls")
    files = {**authority.issue("server"), "client_ca": str(authority.ca), "ca": str(authority.ca)}
    shown = made_real({"inputs": yaml.safe_load(text.replace(":-}", ":-secret}")).get("inputs", [])}, "", tmp_path, files)
    (tmp_path / "pluginhost.yaml").write_text(json.dumps(shown))
    configured = configure(tmp_path / "pluginhost.yaml")

    async def accept(chunk, *, source, carried=None):
        return Receipt(0)

    async def run():
        for part in configured.inputs:
            (tmp_path / part.name).mkdir()
            one = part.type(part.options, Context(part.name, accept, Registry(), folder=tmp_path / part.name))
            async with asyncio.timeout(30):
                await one.start()
                await one.drain(1)
            assert one.address

    asyncio.run(run())
    assert configured.inputs


def test_each_page_shows_one():
    assert {param.id.rpartition("-")[0] for param in SHOWN} == {page.stem for page in PAGES}
