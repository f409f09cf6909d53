"""What doors are told of the newest offsets stays within its bounds."""

from __future__ import annotations

from pluginhost.engine.recent import Recent


def test_documents_are_kept_by_offset_in_order():
    recent = Recent(lambda: 0)
    for offset, document in ((1, b'{"n":1}'), (1, b'{"n":2}'), (2, b'{"n":3}')):
        recent.add(offset, 0, "", document)
    assert [document for _, _, document in recent.of(1)] == [b'{"n":1}', b'{"n":2}']
    assert (recent.of(2), recent.of(3)) == ([(0, "", b'{"n":3}')], [])


def test_the_oldest_offsets_go_by_number_by_bytes_and_by_age():
    now = 0
    recent = Recent(lambda: now, most=3, most_bytes=100, age=10)
    for offset in range(5):
        recent.add(offset, 0, "", b"{}")
    assert [bool(recent.of(offset)) for offset in range(5)] == [False, False, True, True, True]
    recent.add(5, 0, "", b'"%s"' % (b"x" * 95))
    assert [bool(recent.of(offset)) for offset in range(3, 6)] == [False, True, True]
    now = 11
    recent.trim()
    assert recent.of(5) == []
    assert (recent._bytes, recent._by_offset, len(recent._order)) == (0, {}, 0)
