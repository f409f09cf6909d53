"""Lists of strings, domains, networks and texts, compiled once and then asked where they lie.

`compiled` makes the file, which takes a second or two for a million entries and is done in a process of its own; `listing` maps it and is
ready at once, so that a list changes without a pause, and all workers share one copy in memory. Strings are found by a sorted
column of 64-bit hashes and compared in full, networks by sorted ranges that do not overlap (the most specific network wins). Lists of
`literals` and `patterns` are sought in longer texts by automata; these are built when the list is opened.

All comparison ignores ASCII and Unicode case. Nothing that is asked raises.
"""

from __future__ import annotations

import mmap
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import re2
from ahocorasick_rs import AhoCorasick, MatchKind

from ..address import network, packed

__all__ = ["KINDS", "Entry", "Listing", "compiled", "listing", "listing_of"]

KINDS = ("strings", "domains", "networks", "literals", "patterns")
"""What a list may hold: whole values; domains, which hold their subdomains; networks and addresses; texts that stand somewhere in a value;
regular expressions (RE2) that match somewhere in it."""

_MAGIC = b"phlist01"
_KEPT = 1 << 14  # answers at hand
_LONGEST = 4096  # characters of a value that a list can hold
_SEARCHED = 64 << 10  # characters of a value that automata are run over
_HALF = re.compile("[\ud800-\udfff]")

_Found = tuple[str, str]


class Entry(NamedTuple):
    """What a list says: the entry as it stands there, its note, and for texts where in the value it was found (characters)."""

    value: str
    note: str = ""
    at: int = 0


class Listing(Protocol):
    """A list that can be asked."""

    def find(self, value: str) -> Entry | None:
        """The entry that holds `value`, or None."""


def compiled(kind: str, entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    """(the file's parts, how many entries it holds, how many were left out because they are none of this kind)."""
    parts, kept, left_out = _COMPILERS[kind](_once(entries))
    return [_MAGIC, kind.encode().ljust(8), *parts], kept, left_out


def listing(file: Path) -> Listing:
    """The list in a file that `compiled` made; `ValueError` if it is none."""
    with file.open("rb") as opened:
        return _read(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)))


def listing_of(kind: str, values: Iterable[str]) -> Listing:
    """The list of these values, in this process' own memory: for examples and tests."""
    return _read(memoryview(b"".join(compiled(kind, ((value, "") for value in values))[0])))


def _read(content: memoryview) -> Listing:
    if bytes(content[:8]) != _MAGIC or (kind := bytes(content[8:16]).decode("ascii", "replace").strip()) not in _READERS:
        raise ValueError("this is no compiled list")
    return _READERS[kind](content[16:])


def _once(entries: Iterable[_Found]) -> Iterator[_Found]:
    """The entries, each value once: the first note counts."""
    seen = set[bytes]()
    for value, note in entries:
        if (key := _hash(value.casefold())) not in seen:
            seen.add(key)
            yield value, note


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


# --- columns of numbers, and behind them the entries themselves ---


def _file(columns: Sequence[array[int]], blob: bytes) -> list[bytes]:
    sizes = array("Q", [len(columns), *map(len, columns)])
    return [sizes.tobytes(), *(column.tobytes() for column in columns), blob]


class _Columns:
    """The columns of a compiled list, and its entries by their place in the blob."""

    def __init__(self, content: memoryview) -> None:
        count = content[:8].cast("Q")[0]
        sizes = list(content[8 : 8 + 8 * count].cast("Q"))
        at = 8 + 8 * count
        self.columns = []
        for size in sizes:
            self.columns.append(content[at : at + 8 * size].cast("Q"))
            at += 8 * size
        self._blob = content[at:]

    def entry(self, at: int) -> Entry:
        """The entry that begins at `at`."""
        middle = at + 4 + int.from_bytes(self._blob[at : at + 2], "little")
        end = middle + int.from_bytes(self._blob[at + 2 : at + 4], "little")
        return Entry(str(self._blob[at + 4 : middle], "utf-8", "surrogatepass"), str(self._blob[middle:end], "utf-8", "surrogatepass"))


class _Blob:
    """Collects entries."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def add(self, value: str, note: str) -> int:
        """Where the entry begins."""
        at = len(self.bytes)
        texts = [text.encode("utf-8", "surrogatepass") for text in (value, note)]
        self.bytes += b"".join([*(len(text).to_bytes(2, "little") for text in texts), *texts])
        return at


class _Remembering(dict[str, Entry | None]):
    """The last answers; whoever asks for ever new values pays with time only."""

    def __init__(self, ask: Callable[[str], Entry | None]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, value: str) -> Entry | None:
        if len(value) > _LONGEST:
            return None
        if len(self) >= _KEPT:
            self.clear()
        found = self[value] = self._ask(value)
        return found


# --- whole values ---


def _compiled_strings(entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    blob, hashed = _Blob(), []
    for value, note in entries:
        hashed.append((int.from_bytes(_hash(value.casefold())), blob.add(value, note)))
    hashed.sort()
    return _file([array("Q", [one for one, _ in hashed]), array("Q", [at for _, at in hashed])], bytes(blob.bytes)), len(hashed), 0


def _compiled_domains(entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    return _compiled_strings((value.strip(".").removeprefix("*."), note) for value, note in entries)


class _Strings:
    def __init__(self, content: memoryview) -> None:
        self._content = _Columns(content)
        self._hashes, self._starts = self._content.columns
        self._known = _Remembering(self._ask)

    def find(self, value: str) -> Entry | None:
        return self._known[value]

    def _ask(self, value: str) -> Entry | None:
        wanted = value.casefold()
        hashed = int.from_bytes(_hash(wanted))
        at = bisect_left(self._hashes, hashed)
        while at < len(self._hashes) and self._hashes[at] == hashed:
            found = self._content.entry(self._starts[at])
            if found.value.casefold() == wanted:
                return found
            at += 1
        return None


class _Domains(_Strings):
    def _ask(self, value: str) -> Entry | None:
        labels = value.strip(".").split(".")[-32:]
        return next((found for n in range(len(labels)) if (found := super(_Domains, self)._ask(".".join(labels[n:])))), None)


# --- networks: IPv4 by its 32 bits, IPv6 by its upper 64; the few that are smaller than that by their hash ---


def _compiled_networks(entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    blob, left_out = _Blob(), 0
    four, six, small, prefixes = [], [], [], set()
    for value, note in entries:
        try:
            base, prefix = network(value)
        except ValueError:
            left_out += 1
            continue
        at = blob.add(value, note)
        if len(base) == 4:
            four.append(_range(base, prefix, at))
        elif prefix <= 64:
            six.append(_range(base[:8], prefix, at))
        else:
            prefixes.add(prefix)
            small.append((_masked(base, prefix), at))
    small.sort()
    columns = [*_disjoint(four), *_disjoint(six), [one for one, _ in small], [at for _, at in small], sorted(prefixes, reverse=True)]
    return _file([array("Q", column) for column in columns], bytes(blob.bytes)), len(four) + len(six) + len(small), left_out


def _range(base: bytes, prefix: int, at: int) -> tuple[int, int, int]:
    first = int.from_bytes(base)
    return first, first | (1 << (8 * len(base) - prefix)) - 1, at


def _masked(address: bytes, prefix: int) -> int:
    kept = int.from_bytes(address) >> (128 - prefix)
    return int.from_bytes(blake2b(bytes([prefix]) + kept.to_bytes(16), digest_size=8).digest())


def _disjoint(ranges: list[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    """(firsts, lasts, entries) of ranges that do not overlap: where networks lie in each other, the innermost holds."""
    made: tuple[list[int], list[int], list[int]] = ([], [], [])
    around: list[tuple[int, int]] = []  # (last, entry) of the networks that are open, the innermost at the end
    at = 0

    def close(last: int) -> None:
        nonlocal at
        if at <= last:
            for column, value in zip(made, (at, last, around[-1][1]), strict=True):
                column.append(value)
            at = last + 1

    for first, last, entry in sorted(ranges, key=lambda one: (one[0], -one[1])):
        while around and around[-1][0] < first:
            close(around[-1][0])
            around.pop()
        if around:
            close(first - 1)
        at = first
        around.append((last, entry))
    while around:
        close(around[-1][0])
        around.pop()
    return made


class _Networks:
    def __init__(self, content: memoryview) -> None:
        self._content = _Columns(content)
        columns = self._content.columns
        self._four, self._six, self._small, self._prefixes = columns[0:3], columns[3:6], columns[6:8], list(columns[8])
        self._known = _Remembering(self._ask)

    def find(self, value: str) -> Entry | None:
        return self._known[value]

    def _ask(self, value: str) -> Entry | None:
        address = packed(value)
        if address is None:
            return None
        if len(address) == 4:
            return self._within(self._four, int.from_bytes(address))
        for prefix in self._prefixes:
            if (found := self._exactly(address, prefix)) is not None:
                return found
        return self._within(self._six, int.from_bytes(address[:8]))

    def _within(self, columns: Sequence[memoryview], number: int) -> Entry | None:
        firsts, lasts, entries = columns
        at = bisect_right(firsts, number) - 1
        return self._content.entry(entries[at]) if at >= 0 and number <= lasts[at] else None

    def _exactly(self, address: bytes, prefix: int) -> Entry | None:
        hashes, entries = self._small
        hashed = _masked(address, prefix)
        at = bisect_left(hashes, hashed)
        while at < len(hashes) and hashes[at] == hashed:
            found = self._content.entry(entries[at])
            base, bits = network(found.value)
            if bits == prefix and int.from_bytes(base) >> 128 - prefix == int.from_bytes(address) >> 128 - prefix:
                return found
            at += 1
        return None


# --- texts within a value ---


def _compiled_texts(entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    made = [(value.casefold(), value) for value in map(_searched, (value for value, _ in entries)) if value]
    return [msgspec.msgpack.encode(made)], len(made), 0


def _compiled_patterns(entries: Iterable[_Found]) -> tuple[list[bytes], int, int]:
    options, made, left_out = _options(), [], 0
    for value in map(_searched, (value for value, _ in entries)):
        try:
            re2.compile(value, options)
            made.append((value, value))
        except re2.error:
            left_out += 1
    return [msgspec.msgpack.encode(made)], len(made), left_out


def _options() -> Any:
    made = re2.Options()
    made.case_sensitive = False
    made.log_errors = False
    return made


def _searched(value: str) -> str:
    """What automata are run over; they take whole characters only, and JSON may hold half a surrogate pair."""
    part = value[:_SEARCHED]
    return part if part.isascii() else _HALF.sub("\ufffd", part)


class _Literals:
    def __init__(self, content: memoryview) -> None:
        self._texts: list[list[str]] = msgspec.msgpack.decode(content)
        self._automaton = AhoCorasick([folded for folded, _ in self._texts], matchkind=MatchKind.LeftmostLongest)

    def find(self, value: str) -> Entry | None:
        hits = self._automaton.find_matches_as_indexes(_searched(value).casefold())
        return Entry(self._texts[hits[0][0]][1], "", hits[0][1]) if hits else None


class _Patterns:
    _BYTES_EACH = 52_000  # of memory that RE2 may need for a pattern: below it a large set cannot be made

    def __init__(self, content: memoryview) -> None:
        self._texts: list[list[str]] = msgspec.msgpack.decode(content)
        options = _options()
        options.max_mem = max(64 << 20, len(self._texts) * self._BYTES_EACH)
        self._set = re2.Set.SearchSet(options)
        for pattern, _ in self._texts:
            self._set.Add(pattern)
        if self._texts:
            self._set.Compile()

    def find(self, value: str) -> Entry | None:
        hits = self._set.Match(_searched(value)) if self._texts else ()
        return Entry(self._texts[min(hits)][1]) if hits else None


_COMPILERS: dict[str, Callable[[Iterable[_Found]], tuple[list[bytes], int, int]]] = {
    "strings": _compiled_strings, "domains": _compiled_domains, "networks": _compiled_networks, "literals": _compiled_texts,
    "patterns": _compiled_patterns,
}  # fmt: skip
_READERS: dict[str, Callable[[memoryview], Listing]] = {
    "strings": _Strings, "domains": _Domains, "networks": _Networks, "literals": _Literals, "patterns": _Patterns,
}  # fmt: skip
