"""Ways to damage the files for Kibana and OpenSearch Dashboards, each with what must be said of it; as a script a table of them.

    python tests/support/kibana_mutations.py
"""

from __future__ import annotations

import sys

import kibana_damage
import kibana_damage_classic
import kibana_damage_lens
from kibana_copies import ROOT, TARGETS, Mutation, said, shipped

__all__ = ["MUTATIONS", "ROOT", "TARGETS", "said", "shipped", "table"]

MUTATIONS = (*kibana_damage.MUTATIONS, *kibana_damage_lens.MUTATIONS, *kibana_damage_classic.MUTATIONS)


def table() -> str:
    """The mutations as a table: what is damaged, in which file, the object that is blamed, what is said."""
    rows = [f"| {one.apply.__name__.replace('_', ' ')} | {one.file} | `{one.blamed}` | {_cell(one)} |" for one in MUTATIONS]
    return "\n".join(["| mutation | file | caught by | said |", "| --- | --- | --- | --- |", *rows])


def _cell(one: Mutation) -> str:
    line = one.caught() or "NOT CAUGHT"
    said = line.removeprefix(f"{one.blamed} ")
    return (said if len(said) <= 160 else f"{said[:159]}…").replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
