"""Messages to people in the store: what one may be composed of, and what becomes of them when the clock is put back between two runs."""

from __future__ import annotations

import pytest

from pluginhost.store.alerts import AlertStore, Commit, NewAlert
from pluginhost.store.notifications import NewNotification

S = 10**9
NOW = 10**18


@pytest.fixture
def made():
    """What messages were composed of: how many documents, of how many alerts."""
    return []


@pytest.fixture
def opened(tmp_path, made):
    """Opens the store with a clock that stands at a moment (ns)."""
    stores = []

    def open_(now):
        def composed(id_, kind, documents, count, why, fields):
            made.append((len(documents), count))
            return b"{}"

        stores.append(AlertStore(tmp_path / "alerts.db", clock=lambda: now, composed=composed))
        return stores[-1]

    yield open_
    for one in stores:
        one.close()


def tell(store, count, *, due, key="gather", size=10):
    """Has so many alerts told in one message, or each alone where there is no key."""
    ids = [f"a{n}" for n in range(count)]
    alerts = [NewAlert(one, NOW, "low", "x", "f", 1, one, b"{}" + b" " * size) for one in ids]
    store.commit(Commit(alerts=alerts, notifications=[NewNotification("soc", one, f"n{one}", "alert", due, key) for one in ids]))


def test_a_message_is_composed_of_as_much_as_memory_should_hold_and_counts_the_rest(opened, made):
    store = opened(NOW)
    tell(store, 40, due=NOW, size=1 << 20)
    (row,) = store.notifications.due("soc", NOW, 10)
    assert made == [(16, 40)]
    store.notifications.settle("soc", done=[row.seq])
    assert store.waiting() == {}


@pytest.mark.parametrize(("key", "due"), [("gather", 60), ("limit", 60), ("hours", 3660), (None, 0)])
def test_what_was_gathered_by_a_clock_that_was_ahead_waits_as_long_as_it_was_to(opened, key, due):
    before = opened(NOW + 3600 * S)
    tell(before, 1, due=NOW + 3660 * S, key=key)
    store = opened(NOW)
    store.awaken(NOW)
    assert store.notifications.next_due("soc") == NOW + due * S
    assert store.notifications.taken("soc", 5) == ([NOW + 60 * S] if key in ("gather", "limit") else [])
    store.awaken(NOW)
    assert store.notifications.next_due("soc") == NOW + due * S


def test_what_is_gathered_keeps_its_time_over_a_start(opened):
    before = opened(NOW)
    tell(before, 1, due=NOW + 60 * S)
    store = opened(NOW + 30 * S)
    store.awaken(NOW + 30 * S)
    assert store.notifications.next_due("soc") == NOW + 60 * S
    assert store.notifications.taken("soc", 5) == [NOW + 60 * S]
