"""Text into tokens, close to what Elasticsearch's standard analyzer does with log lines.

Words are letters, digits and `_`; `.` `:` `'` between two letters and `.` `,` `;` `'` between two digits join; everything
is lower-cased. Known differences: scripts written without spaces stay in one piece, emoji are no tokens.
"""

from __future__ import annotations

import re

__all__ = ["splits", "tokens"]

# at most 255 characters a token, as there; all look-arounds are one character wide, so that the time is linear
_TOKEN = re.compile(r"\w(?:\w|(?<=[^\W\d_])[.:'’·](?=[^\W\d_])|(?<=\d)[.,;'](?=\d)){0,254}")


def tokens(text: str) -> list[str]:
    """The tokens of `text`, in order."""
    found = _TOKEN.findall(text.lower())
    return found if "_" not in text else [token for token in found if token.strip("_")]


def splits(literal: str) -> bool:
    """Whether `literal` holds something that no token holds, so that a pattern with it can never match one."""
    return re.search(r"[^\w.:,;'’·]", literal) is not None
