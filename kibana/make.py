"""Writes the files to import from `content`: `make docs`, or `python -m kibana.make`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .content import DASHBOARDS
from .forms.classic import objects as classic
from .forms.kibana import objects as kibana
from .saved import SavedObject

__all__ = ["FOLDER", "files"]

FOLDER = Path(__file__).parent


def files() -> dict[Path, str]:
    """Each file with what should stand in it."""
    made = {"pluginhost-kibana.ndjson": kibana(DASHBOARDS), "pluginhost-classic.ndjson": classic(DASHBOARDS)}
    return {FOLDER / name: "".join(map(_line, objects)) for name, objects in made.items()}


def _line(one: SavedObject) -> str:
    return f"{json.dumps(one, ensure_ascii=False, separators=(',', ':'))}\n"


if __name__ == "__main__":
    for file, text in files().items():
        file.write_text(text, "utf-8")
        sys.stdout.write(f"{file.name}: {text.count(chr(10))} objects, {len(text.encode()):,} bytes\n")
