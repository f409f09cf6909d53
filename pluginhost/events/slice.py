"""What a worker gets of a record: a small header and the raw bytes as the shipper sent them."""

from __future__ import annotations

import msgspec

__all__ = ["Slice"]


class Slice(msgspec.Struct, gc=False):
    """One record: (`offset`, `index`) is its place in the journal, `time` and `arrival` are ns UTC.

    `own` and `group` are the raw bytes of what the shipper said beside the record: its metadata map, and the group header
    entry `[[time, metadata], record]` it stood under; b"" where absent. `keys` maps a key's fields to its key bytes as the
    splitter read them; a worker reads those that are missing itself. `id` is given for chained records only.
    """

    offset: int
    index: int
    time: int
    arrival: int
    tag: str
    codec: str
    raw: bytes
    input: str = ""
    source: str = ""
    own: bytes = b""
    group: bytes = b""
    keys: dict[tuple[str, ...], bytes | None] | None = None
    id: str = ""
    hop: int = 0
