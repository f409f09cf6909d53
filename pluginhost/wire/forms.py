"""A form (`application/x-www-form-urlencoded`) → one record in JSON; what Logstash sends under `format => form`.

Every value is text. What a sender could not put into a form it writes as text of its own kind (`{"original"=>"…"}`): such a value is
left out, for it would hide the fields that it was meant to hold.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import msgspec

__all__ = ["record_of"]

_FIELDS = 10_000
_PLAUSIBLE = re.compile(rb"[!-~]+=[!-~]*")  # no blank, no control character, nothing but ASCII: everything else is escaped in a form
_NESTED = re.compile(r"[{\[].*=>|\{\}$", re.DOTALL)


def record_of(body: bytes) -> bytes | None:
    """The record as JSON; None if the body is no form."""
    body = body.strip()
    if not _PLAUSIBLE.fullmatch(body):
        return None
    text = body.decode("ascii")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="backslashreplace", max_num_fields=_FIELDS)
    except ValueError:
        return None
    return msgspec.json.encode({key: value for key, value in pairs if not _NESTED.match(value)})
