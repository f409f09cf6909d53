"""The committed files are what the source makes, and a change of them raises the revision that `pluginhost setup` goes by."""

from __future__ import annotations

import hashlib

from docs_scripts import stale

from kibana.make import files
from kibana.saved import REVISION


def test_the_files_are_made_of_the_source_as_it_is():
    assert stale(files()) == [], "run: make docs"


def test_a_change_of_the_files_raises_their_revision():
    digest = hashlib.sha256("".join(files().values()).encode()).hexdigest()[:12]
    assert (REVISION, digest) == (1, "c3780e164a6d")
