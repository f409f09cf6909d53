from __future__ import annotations

import pytest
from moments import SECOND, at

from pluginhost.detect.table import Table


def test_a_table_is_read_until_a_value_expires_and_collects_what_is_put():
    rows, put = {"a": (1, at(10).time)}, []
    table = Table("t", "1h").bound(rows, put)
    assert [table.get("a", at(9)), table.get("a", at(10)), table.get("a", at(10), "-"), table.get("b", at(0))] == [1, None, "-", None]
    table.put("b", [1])
    table.put(7)
    assert put == [("b", [1]), ("7", True)]
    assert (table.name, table.expire) == ("t", 3600 * SECOND)
    assert table.get("b", at(0)) is None  # the next tick makes it visible


@pytest.mark.parametrize("value", [object(), 1 << 70, "\ud800", {"a": [object()]}])
def test_a_value_that_cannot_travel_is_refused_at_the_authors_line(value):
    put: list = []
    with pytest.raises((TypeError, ValueError, OverflowError)):
        Table("t").bound({}, put).put("a", value)
    assert put == []
