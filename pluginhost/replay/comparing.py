"""Two sets of analyzers over the same records: which alerts only one of them gives. Alerts are the same if their ids are."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import msgspec

from ..problem import Problem, printable
from ..store.alerts import AlertStore, StoredAlert

__all__ = ["Compared", "compared", "folders_of"]

_PAGE = 500


class Compared(msgspec.Struct):
    """Alerts by analyzer that come, that go, and that stay; `first_come` and `first_go` are the first of each."""

    come: Counter[str]
    go: Counter[str]
    stay: Counter[str]
    first_come: dict[str, list[StoredAlert]]
    first_go: dict[str, list[StoredAlert]]


def compared(new: AlertStore, old: AlertStore, first: int) -> Compared:
    """What `new` holds beside `old`, keeping the `first` alerts of each analyzer; takes 100 bytes for an alert."""
    before = {_id(one) for one in _each(old)}
    now = {_id(one) for one in _each(new)}
    made = Compared(Counter(), Counter(), Counter(one.analyzer for one in _each(new) if _id(one) in before), {}, {})
    for store, others, counts, kept in ((new, before, made.come, made.first_come), (old, now, made.go, made.first_go)):
        for one in _each(store):
            if _id(one) in others:
                continue
            counts[one.analyzer] += 1
            if counts[one.analyzer] <= first:
                kept.setdefault(one.analyzer, []).append(one)
    return made


def _id(one: StoredAlert) -> bytes:
    return bytes.fromhex(one.id)


def _each(store: AlertStore) -> Iterator[StoredAlert]:
    seen = 0
    while page := store.since(seen, _PAGE):
        yield from page
        seen = page[-1].seq


def folders_of(against: str, folders: Sequence[Path], into: Path) -> tuple[Path, ...]:
    """The folder that is named, or `folders` as they were at a revision of git, put into `into`; a `Problem` if it is neither."""
    if Path(against).is_dir():
        return (Path(against).absolute(),)
    if against.startswith("-"):
        raise Problem("replay.against", f"{against} is no revision")
    git = shutil.which("git")
    made = []
    for number, folder in enumerate(folders):
        asked = [git or "git", "-C", str(folder), "archive", "--format=tar", against]
        found = subprocess.run(asked, capture_output=True, check=False) if git else None  # noqa: S603 - no shell, and no option
        if found is None or found.returncode:
            told = printable(found.stderr.decode("utf-8", "replace").strip(), 200) if found else "git is not installed"
            raise Problem("replay.against", f"{against} is no folder, and no revision of {folder}: {told}",
                          todo="name a folder, or a revision of the repository that the analyzers are in")  # fmt: skip
        made.append(into / f"{number}")
        with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
            archive.extractall(made[-1], filter="data")
    return tuple(made)
