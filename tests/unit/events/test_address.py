"""Addresses as bytes and in their shortest form."""

import pytest

from pluginhost.events import address
from pluginhost.events.address import canonical, contains, network, packed


@pytest.mark.parametrize(
    ("text", "data", "short"),
    [
        ("203.0.113.9", bytes([203, 0, 113, 9]), "203.0.113.9"),
        ("::ffff:203.0.113.9", bytes([203, 0, 113, 9]), "203.0.113.9"),
        ("::FFFF:CB00:7109", bytes([203, 0, 113, 9]), "203.0.113.9"),
        ("2001:0DB8:0:0:0:0:0:1", bytes.fromhex("20010db8" + "0" * 23 + "1"), "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", bytes.fromhex("20010db8000000010001000100010001"), "2001:db8:0:1:1:1:1:1"),
        ("fe80::1%eth0", bytes.fromhex("fe80" + "0" * 27 + "1"), "fe80::1"),
        ("::", bytes(16), "::"),
        ("::1", bytes(15) + b"\1", "::1"),
        ("::1.2.3.4", bytes(12) + bytes([1, 2, 3, 4]), "::102:304"),
        ("::1:0", bytes(13) + b"\1\0\0", "::1:0"),
    ],
)
def test_address(text, data, short) -> None:
    assert packed(text) == data
    assert canonical(text) == short
    assert packed(short) == data


@pytest.mark.parametrize(
    "text",
    ["", "-", "host", "1.2.3", "01.2.3.4", "1.2.3.4.5", "256.1.1.1", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4\0", "1.2.3.4%eth0",
     "1.2.3.4:80", "[::1]", ":::", "%", "::\udcff", "\udcff", "١.٢.٣.٤", "1" * 1_000_000, ":" * 1_000_000],
)  # fmt: skip
def test_no_address(text) -> None:
    assert packed(text) is None
    assert canonical(text) is None


def test_what_is_kept_of_a_flood_is_bounded_in_number_and_length() -> None:
    for number in range(10_000):
        assert packed(f"10.0.{number >> 8}.{number & 255}") == bytes([10, 0, number >> 8, number & 255])
    before = address._packed.cache_info().misses
    assert (packed("1" * 129), canonical("1" * 129)) == (None, None)
    assert (address._packed.cache_info().currsize, address._packed.cache_info().misses) == (4096, before)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255", "::a00:1"]),
        ("10.1.2.3/8", ["10.9.9.9"], ["11.1.2.3"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::"]),
        ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]),
        ("2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::", "10.0.0.1"]),
        ("::ffff:10.0.0.0/104", ["10.2.3.4"], ["11.0.0.0"]),
        (" fe80::/10 ", ["fe80::1%eth0", "febf::"], ["fec0::"]),
    ],
)
def test_network(text, inside, outside) -> None:
    found = network(text)
    assert [contains(found, packed(one)) for one in inside] == [True] * len(inside)
    assert [contains(found, packed(one)) for one in outside] == [False] * len(outside)


BAD = ["", "/8", "host/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "10.0.0.0/٨", "10.0/8"]


@pytest.mark.parametrize("text", BAD)
def test_no_network(text) -> None:
    with pytest.raises(ValueError, match=r"expected a (network|prefix length)"):
        network(text)
