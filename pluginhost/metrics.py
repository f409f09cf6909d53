"""Counters as plain ints: `counts["received"] += 1` on the record path, one snapshot for whoever asks.

A part gets its own `Counts` once, at construction; the names it may count are those it was made with, so that a
misspelt counter is an error and a listing is complete at zero.
"""

from __future__ import annotations

__all__ = ["Counts", "Registry"]


class Counts(dict[str, int]):
    """The counters of one part. Counting an undeclared name raises `KeyError`."""

    __slots__ = ()

    def __init__(self, *names: str) -> None:
        super().__init__(dict.fromkeys(names, 0))


class Registry:
    """All counters of a process, by part: `registry.counts("input.forward", "frames", "rejected")`."""

    def __init__(self) -> None:
        self._parts: dict[str, Counts] = {}

    def counts(self, part: str, *names: str) -> Counts:
        """The counters of `part`, made on first use and extended by `names` after that."""
        counts = self._parts.setdefault(part, Counts())
        for name in names:
            counts.setdefault(name, 0)
        return counts

    def snapshot(self) -> dict[str, dict[str, int]]:
        """A copy of every counter, by part."""
        return {part: dict(counts) for part, counts in sorted(self._parts.items())}
