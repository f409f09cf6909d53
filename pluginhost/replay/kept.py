"""Which replays keep alerts in a data folder: detection tasks under `tasks/`, backtests that were to be kept under `backtests/`.

Each has a store of its own, in the form of the host's. What else a task keeps is `tasks`' to know.
"""

from __future__ import annotations

import contextlib
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from ..options import close
from ..problem import Problem, printable
from ..store.alerts import AlertStore, Archive

__all__ = ["Told", "made", "names", "note", "stored", "told"]

Kind: TypeAlias = Literal["task", "backtest"]

_STORE, _NOTE = "alerts.db", "backtest.json"


class Told(msgspec.Struct, frozen=True):
    """What a backtest that ended says of itself: what it read, how many records, and the times (ns) of the first and the last of them;
    `whole` is False where it was interrupted."""

    source: str
    records: int
    first: int
    last: int
    whole: bool


def names(data: Path, kind: Kind) -> list[str]:
    """The names of those that have a store, in order; a backtest's begins with the time when it was made."""
    return sorted(path.parent.name for path in (data / f"{kind}s").glob(f"*/{_STORE}"))


def stored(data: Path, kind: Kind, name: str) -> Archive:
    """The alerts of the one called `name`, opened to read; a `Problem` if there are none."""
    known = names(data, kind)
    if name not in known:
        raise Problem("alerts.absent", f"there are no alerts of a {kind} {printable(name, 80)} in {data}", todo=close(name, known))
    return AlertStore.readonly(data / f"{kind}s" / name / _STORE)


def made(data: Path, name: str) -> Path:
    """A new folder for a backtest, called `name`, or with a number behind it where another one of the same second is."""
    parent = data / "backtests"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise AssertionError


def note(folder: Path, told: Told) -> None:
    """Writes down beside its alerts what became of a backtest."""
    (folder / _NOTE).write_bytes(msgspec.json.encode(told))


def told(data: Path, name: str) -> Told | None:
    """What the backtest says of itself; None if it has not come to its end."""
    try:
        return msgspec.json.decode((data / "backtests" / name / _NOTE).read_bytes(), type=Told)
    except (OSError, msgspec.MsgspecError):
        return None
