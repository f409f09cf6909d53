"""Network addresses as bytes, and back in their shortest form. The one place that asks the C library about them.

Nothing here resolves names, and nothing but `network` raises: addresses come from records, networks from authors. The last few
thousand answers are kept, because one address comes many times; whoever floods us with others pays with time only, as both
the number and the length of what is kept are bounded.
"""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

__all__ = ["canonical", "contains", "network", "packed"]

_MAPPED = bytes(10) + b"\xff\xff"
_LONGEST = 128  # an IPv6 address has at most 45 characters; the rest is room for a zone
_KEPT = 4096


def packed(text: str) -> bytes | None:
    """The 4 or 16 bytes of the address `text`, or `None`. IPv4 mapped into IPv6 is IPv4; an IPv6 zone (`%eth0`) is dropped."""
    return _packed(text) if len(text) <= _LONGEST else None


def canonical(text: str) -> str | None:
    """The address `text` in its shortest form (RFC 5952), or `None` if it is none."""
    return _canonical(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=_KEPT)
def _packed(text: str) -> bytes | None:
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        found = inet_pton(AF_INET6, text.partition("%")[0] if "%" in text else text)
    except (OSError, ValueError):
        return None
    return found[12:] if found.startswith(_MAPPED) else found


@lru_cache(maxsize=_KEPT)
def _canonical(text: str) -> str | None:
    found = _packed(text)
    if found is None:
        return None
    if len(found) == 4:
        return inet_ntop(AF_INET, found) if ":" in text else text  # dotted decimal has only one spelling
    if not any(found[:12]) and any(found[12:14]):
        # The C library writes these as `::1.2.3.4`, a form that is no longer in use; ids must not hang on the library.
        return f"::{int.from_bytes(found[12:14]):x}:{int.from_bytes(found[14:]):x}"
    return inet_ntop(AF_INET6, found)


def network(text: str) -> tuple[bytes, int]:
    """The network `text` as (its first address, bits); a plain address is a network of one. `ValueError` if it is neither.

    Bits behind the prefix are cleared. A network inside the IPv4-mapped range is the IPv4 network.
    """
    address, slash, bits = text.strip().partition("/")
    try:
        base = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except (OSError, ValueError):
        raise ValueError(f"expected a network such as `10.0.0.0/8`, got `{text}`") from None
    size = len(base) * 8
    if slash and not (bits.isascii() and bits.isdigit() and len(bits) <= 3 and int(bits) <= size):
        raise ValueError(f"expected a prefix length from 0 to {size} after the `/`, got `{text}`")
    prefix = int(bits) if slash else size
    if len(base) == 16 and base.startswith(_MAPPED) and prefix >= 96:
        base, prefix, size = base[12:], prefix - 96, 32
    spare = size - prefix
    return (int.from_bytes(base) >> spare << spare).to_bytes(size // 8), prefix


def contains(network: tuple[bytes, int], packed: bytes) -> bool:
    """Whether the packed address lies in the network; IPv4 and IPv6 never lie in each other."""
    base, prefix = network
    if len(base) != len(packed):
        return False
    spare = len(base) * 8 - prefix
    return int.from_bytes(packed) >> spare == int.from_bytes(base) >> spare
