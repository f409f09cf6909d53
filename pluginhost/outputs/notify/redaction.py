"""Keeps secrets out of what is shown: logs, status, reasons of dead letters. Pure.

Secret is every `Secret` among an output's options, whole and, where it is an address, its path, query and user, in pieces, too: a
service may quote any of them in its answer.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from ...options import Secret

__all__ = ["hider", "origin", "secrets_of"]

_PIECE = 6  # shorter pieces of a path are words such as `in`
_SECRET = 4  # what is shorter is none, and stands in every other word
_AT = re.compile(r"[/?&=;,:@#]")


def secrets_of(options: Any) -> Iterator[str]:
    """Every secret in `options`, at any depth."""
    if isinstance(options, Secret):
        yield options
    elif isinstance(options, msgspec.Struct):
        yield from secrets_of(msgspec.structs.astuple(options))
    elif isinstance(options, Mapping):
        yield from secrets_of(tuple(options.values()))
    elif isinstance(options, (tuple, list)):
        for one in options:
            yield from secrets_of(one)


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that gives a text with every one of `secrets`, and every piece of one by which it could be known, as `…`."""
    pieces = {form for secret in secrets for piece in _pieces(secret) for form in _forms(piece) if len(form) >= _SECRET}
    if not pieces:
        return str
    found = re.compile("|".join(re.escape(piece) for piece in sorted(pieces, key=lambda piece: (-len(piece), piece))))
    return lambda text: found.sub("…", text)


def origin(url: str) -> str:
    """The scheme, host and port of an address: what of it may be shown. Empty if it is none of http."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}" if parts.scheme in ("http", "https") and host else ""


def _pieces(secret: str) -> Iterator[str]:
    if not (shown := origin(secret)):
        yield secret
        return
    parts = urlsplit(secret)
    user, _, _ = parts.netloc.rpartition("@")
    behind = secret.partition("://")[2].partition("/")[2]
    yield from (part for part in (user, *user.split(":"), behind) if part)
    yield from (part for part in _AT.split(behind) if len(part) >= _PIECE)
    if user and shown:
        yield b64encode(unquote(user).encode()).decode()


def _forms(piece: str) -> Iterator[str]:
    """As it stands, quoted for an address, without such quotes, and as JSON has it."""
    plain = json.dumps(piece, ensure_ascii=False)[1:-1]
    yield from (piece, quote(piece, safe=""), quote(piece), unquote(piece), plain, plain.replace("/", "\\/"))
