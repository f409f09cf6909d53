"""Which alerts a rule of the desk is about: by analyzer, by group, by a query over the document. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from ..events.fields import Document
from ..match.tree import Test

__all__ = ["EVERY", "Scope", "named"]


class Scope(msgspec.Struct, frozen=True):
    """Alerts of these analyzers (globs; none: any), of this group ("": any), that pass `test` (None: all)."""

    test: Test | None = None
    analyzers: tuple[str, ...] = ()
    fingerprint: str = ""

    def holds(self, analyzer: str, fingerprint: str, document: Document) -> bool:
        """Whether an alert of `analyzer` is meant."""
        return (
            (not self.fingerprint or fingerprint == self.fingerprint)
            and named(analyzer, self.analyzers)
            and (self.test is None or self.test(document))
        )


EVERY = Scope()
"""All alerts there are."""


def named(analyzer: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the globs means the analyzer; where there are none, all are meant."""
    return not globs or any(fnmatchcase(analyzer, glob) for glob in globs)
