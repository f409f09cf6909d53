"""How much is kept, and for how long: the options of everything in the data folder that would grow without end.

Here are the numbers only. Who keeps to them says what happens at each bound; docs/operations.md has them in one table.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..options import Duration, Size, doc

__all__ = ["Buffer", "Keep"]


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What makes room for newer ones of its kind."""

    alerts_bytes: Annotated[Size, doc("how large `alerts.db` may grow; the oldest settled alerts go", ge=1)] = Size(8 << 30)
    alerts_age: Annotated[Duration, doc("how long an alert stays in the embedded store")] = Duration(365 * 86400)
    counts_age: Annotated[Duration, doc("how long the counts of `alerts summary` are kept")] = Duration(396 * 86400)
    groups: Annotated[int, doc("how many groups of alerts are remembered; the one idle longest goes", ge=1)] = 1_000_000
    groups_age: Annotated[Duration, doc("how long a group is remembered after its last alert, its state and an incident once resolved")] = (
        Duration(90 * 86400)
    )
    states: Annotated[int, doc("how many states of groups are kept; those resolved longest go, then those idle longest", ge=1)] = 200_000
    incidents: Annotated[int, doc("how many incidents are kept, with those resolved; of these the oldest go", ge=1)] = 20_000
    dead_letters: Annotated[int, doc("how many dead letters are kept; the oldest go", ge=1)] = 10_000
    dead_letters_bytes: Annotated[Size, doc("the most bytes of dead letters")] = Size(64 << 20)
    dead_letters_age: Annotated[Duration, doc("how long a dead letter is kept")] = Duration(30 * 86400)
    duplicates: Annotated[int, doc("how many ids of chunks are remembered, to know a copy; the oldest go", ge=1)] = 100_000
    duplicates_age: Annotated[Duration, doc("how long an id is remembered")] = Duration(600)


class Buffer(msgspec.Struct, frozen=True, kw_only=True):
    """What may wait for one output."""

    max_bytes: Annotated[Size, doc("the most bytes of alerts that wait for the output", ge=1)] = Size(1 << 30)
    max_age: Annotated[Duration, doc("how long an alert may wait: after that, and one more try, it is a dead letter")] = Duration(7 * 86400)
    when_full: Annotated[
        Literal["push_back", "dead_letter"] | None,
        doc("`push_back`: nothing more is committed, and senders wait in the end; `dead_letter`: what comes is one. Default: by type"),
    ] = None
