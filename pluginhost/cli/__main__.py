"""`python -m pluginhost.cli`: the command without its script."""

from __future__ import annotations

from . import main

__all__: list[str] = []

if __name__ == "__main__":
    main(prog_name="pluginhost")
