"""Coverage-guided fuzzing of the forward protocol, by hand: `pip install atheris`, then
`PYTHONPATH=tests/support python tests/fuzz/forward_atheris.py CORPUS_FOLDER`. A crash is a bug.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pluginhost"]):
    from forwarding import captures, every_byte, tell

    from pluginhost.wire.forward import Limits

LIMITS = Limits(frame=5000, data=3000, entries=50, depth=8)


def one(data: bytes) -> None:
    """The same bytes whole and byte by byte must give the same."""
    assert tell(data, every_byte(data), LIMITS)[0] == tell(data, limits=LIMITS)[0]


def main() -> None:
    """Starts from the captures of real clients."""
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        folder = Path(sys.argv[1])
        folder.mkdir(exist_ok=True)
        for capture in captures():
            (folder / capture["name"]).write_bytes(capture["bytes"][:4000])
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
