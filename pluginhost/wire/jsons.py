"""Finds the records of a JSON or text body: one object, an array, objects one after another, lines.

Two ways lead to the same bounds. The fast one reads the whole body in two passes of C: one splits it, one reads the time
fields and thereby proves that every item is an object. When anything is amiss, the careful one walks from item to item by
brackets, so that an item which is broken costs only itself. Both run in time linear in the body, whatever it holds.
Times and limits of single records belong to the sieve.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

import msgspec

from .sieve import TIME_FIELDS, TOO_LARGE, Sieve, event_time

__all__ = ["objects", "objects_or_lines", "one"]


_NAMES = [f"t{n}" for n in range(len(TIME_FIELDS))]
_Stamps: Any = msgspec.defstruct("_Stamps", [(name, Any, None) for name in _NAMES], rename=dict(zip(_NAMES, TIME_FIELDS, strict=True)),
                                 gc=False)  # fmt: skip
"""The fields that may hold the time; nothing else is decoded."""
_stamps = attrgetter(*_NAMES)
_STAMPS, _STAMPS_ARRAY = msgspec.json.Decoder(_Stamps), msgspec.json.Decoder(list[_Stamps])
_RAW, _RAW_ARRAY = msgspec.json.Decoder(msgspec.Raw), msgspec.json.Decoder(list[msgspec.Raw])

# Strings end with their line: an unclosed one cannot hide what follows, and no scan sees a byte twice.
_STRING = rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'
_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_GAP = re.compile(rb"[ \t\r\n,]*")
_JUNK = re.compile(rb"[^\n{]+")
_SCALAR = re.compile(_STRING + rb'|[^\s,\[\]{}"]+|.')
# A newline before a brace ends an item that was cut off, unless JSON may go on there: after `[`, `,` or `:`.
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]|(?<![\[,:\s])\s*\n(?=\{)")
_OPENERS = {ord("}"): b"{", ord("]"): b"["}


def objects(sieve: Sieve) -> str:
    """Finds JSON objects, however they are strung together; whatever else stands there is rejected. Returns the codec."""
    start = _after(_START, sieve.data, 0)
    if not _whole(sieve, start):
        _by_item(sieve, start)
    return "json"


def one(sieve: Sieve, start: int, end: int) -> None:
    """Keeps or rejects the part as one object."""
    try:
        stamp = _STAMPS.decode(memoryview(sieve.data)[start:end])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        sieve.judge("json", start, end)
    else:
        if reason := sieve.excess("json", start, end):
            sieve.bad(reason, start, end)
        else:
            sieve.good(start, end, _time(stamp))


def objects_or_lines(sieve: Sieve) -> str:
    """Finds objects if the text holds nothing else, lines otherwise; blank lines are none. Returns the codec."""
    data, size = sieve.data, len(sieve.data)
    if _whole(sieve, _after(_START, data, 0)):
        return "json"
    start = 0
    while start < size:
        end = data.find(b"\n", start)
        end = size if end < 0 else end
        if line := data[start:end].strip():
            _line(sieve, line, data.index(line, start))
        start = end + 1
    return "line"


def _line(sieve: Sieve, line: bytes, start: int) -> None:
    if line.startswith(b"{"):
        sieve.judge("line", start, start + len(line))
    elif len(line) > sieve.limits.record:
        sieve.bad(TOO_LARGE, start, start + len(line))
    else:
        sieve.good(start, start + len(line), 0)


def _whole(sieve: Sieve, start: int) -> bool:
    """The fast way: all of it or nothing. Whether it was taken."""
    data = sieve.data
    if data.count(b"{") > 4 * sieve.limits.entries:
        return False  # a body of tiny objects would cost many times its size in memory
    rest = memoryview(data)[start:]
    try:
        if data[start : start + 1] == b"[":
            stamps, raws = _STAMPS_ARRAY.decode(rest), _RAW_ARRAY.decode(rest)
        else:
            stamps, raws = _STAMPS.decode_lines(rest), _RAW.decode_lines(rest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    end = start
    for stamp, raw in zip(stamps, raws, strict=True):
        begin = data.find(b"{", end)  # between two objects there is nothing but space and a comma
        end = begin + len(raw)
        if reason := sieve.excess("json", begin, end):
            sieve.bad(reason, begin, end)
        else:
            sieve.good(begin, end, _time(stamp))
    return True


def _time(stamp: Any) -> int:
    return event_time(_stamps(stamp))


def _by_item(sieve: Sieve, at: int) -> None:
    """The careful way."""
    data, size, inside = sieve.data, len(sieve.data), False
    for _ in range(3 * sieve.limits.entries):
        at = _after(_GAP, data, at)
        if at >= size:
            return
        kind = data[at : at + 1]
        if kind == b"{":
            end, closed = _close(data, at)
            if closed:
                sieve.judge("json", at, end)
            else:
                sieve.bad("malformed", at, end)
        elif kind == (b"]" if inside else b"["):
            inside, end = not inside, at + 1
        else:
            end = _reject(sieve, at, inside)
        at = end
    raise sieve.too_many()


def _reject(sieve: Sieve, at: int, inside: bool) -> int:
    """Rejects what stands at `at` and is no object: an item of an array, or text outside of any. Where it ends."""
    if sieve.data[at : at + 1] == b"[":
        end, _ = _close(sieve.data, at)
    else:
        end = _after(_SCALAR if inside else _JUNK, sieve.data, at)
    sieve.bad("not_a_record" if inside else "malformed", at, end)
    return end


def _close(data: bytes, at: int) -> tuple[int, bool]:
    """Where the bracket at `at` is closed; if it never is, where the next item may begin, and False."""
    stack = bytearray()
    for token in _TOKEN.finditer(data, at):
        kind = data[token.start()]
        if kind in b"{[":
            stack.append(kind)
        elif kind in _OPENERS:
            depth = stack.rfind(_OPENERS[kind])
            if depth < 0:
                return token.start(), False
            del stack[depth:]  # brackets left open inside are the item's own fault
            if not stack:
                return token.end(), True
        elif kind != ord('"'):
            return token.start(), False
    return len(data), False


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where the match at `at` ends; `at` if there is none."""
    found = pattern.match(data, at)
    return found.end() if found else at
