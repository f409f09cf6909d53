from __future__ import annotations

import random
from math import log
from types import SimpleNamespace

import pytest

from pluginhost.detect.markov import Pace, PageOrder, normalised


def at(seconds: float) -> SimpleNamespace:
    return SimpleNamespace(time=round((10**6 + seconds) * 10**9))


@pytest.mark.parametrize(("path", "page"), [
    ("/user/7/cart?x=1#top", "/user/*/cart"), ("/user/12/cart", "/user/*/cart"), ("/a/123e4567-e89b-12d3-a456-426614174000", "/a/*"),
    ("/static/app.3f2a1b9c0d.js", "/static/app.*.js"), ("/v2/list", "/v2/list"), ("/deadbeef", "/deadbeef"),
    ("/report-20240102.pdf", "/report-*.pdf"), ("/abcdefghij-abcdefghij1/x", "/*/x"), ("", "/"), (None, "/"), (5, "/"),
    ("/" + "a/" * 500, "/" + "/".join("a" * 12)), ("/\ud800", "/\\ud800"),
])  # fmt: skip
def test_ids_and_hashes_are_replaced(path, page):
    assert normalised(path) == page


def test_the_surprise_of_a_step_is_by_counts_with_smoothing():
    order = PageOrder()
    for pages in (["/a", "/b", "/c"], ["/a", "/b"], ["/a", "/c"]):
        order.learn(pages)
    assert order.surprise("/a", "/b") == pytest.approx(-log((2 + 0.1) / (3 + 0.1 * 4)))
    assert order.surprise("/a", "/new") == pytest.approx(-log(0.1 / (3 + 0.1 * 4)))
    assert order.surprise("/new", "/a") == pytest.approx(-log(0.1 / (0.1 * 4)))


def site(order: PageOrder, visits: int, kind: str = "person", start: float = 0, chance: random.Random | None = None) -> list:
    chance = chance or random.Random(3)
    found = []
    for visit in range(visits):
        page = 0
        for step in range(12):
            found.append(order.score(at(start + visit * 4000 + step), f"c{visit % 3}", f"/p{page}x"))
            page = chance.choice((page * 2 % 30, page * 2 % 30 + 1)) if kind == "person" else chance.randrange(30)
    return found


def test_a_visit_in_no_order_is_graded_and_teaches_nothing():
    order = PageOrder(warmup=50)
    assert {one.grade for one in site(order, 200)} == {0.0}
    order.score(at(200 * 4000), "x", "/")  # ends the last of them
    before = order.dump()[1]
    odd = site(order, 2, "random", 210 * 4000)
    assert [odd[11].grade > 0, odd[23].grade > 0] == [True, True]
    assert [one.grade for one in odd[:7]] == [0.0] * 7  # from eight pages on
    order.score(at(220 * 4000), "x", "/")
    assert order.dump()[1] == before
    assert odd[11].score > odd[11].threshold > odd[11].expected


def test_a_late_page_changes_nothing():
    order = PageOrder()
    for second, page in ((0, "/a"), (10, "/b")):
        order.score(at(second), "x", page)
    before = order.dump()
    order.score(at(5), "x", "/c")
    assert order.dump() == before


def test_the_most_visited_pages_are_told_apart_and_old_steps_are_forgotten():
    order = PageOrder(paths=10, memory=500)
    for n in range(2000):
        order.learn(["/home", f"/rare/{chr(97 + n % 26)}{n}x", "/home", "/list"])
    pages, rows, _, _ = order.dump()
    assert len(pages) <= 20
    assert {"/home", "/list"} <= set(pages)
    assert sum(sum(row.values()) for row in rows.values()) <= 503
    assert order.surprise("/home", "/list") < order.surprise("/list", "/list")


def test_visits_are_bounded_and_end_a_few_at_a_time():
    order = PageOrder(visits=100)
    for n in range(1000):
        order.score(at(n / 1000), f"c{n}", "/")
    assert len(order.dump()[2]) == 100
    order.score(at(10**5), "new", "/")
    assert len(order.dump()[2]) == 81


def gaps(pace: Pace, times: list[float]) -> list:
    return [pace.score(at(one)) for one in times]


def test_the_pace_is_the_spread_of_the_gaps_through_their_mean():
    found = gaps(Pace(), [0, 1, 4, 5, 9, 11, 30, 32, 33])[-1]
    each = [1, 3, 1, 4, 2, 19, 2, 1]
    mean = sum(each) / 8
    assert found.actual == pytest.approx((sum((one - mean) ** 2 for one in each) / 8) ** 0.5 / mean)
    assert (found.score, found.grade) == (pytest.approx(max(-log(found.actual), 0)), 0)


def test_a_fixed_beat_is_graded_from_the_eighth_request_on():
    found = gaps(Pace(), [3 * n for n in range(10)])
    assert [one.grade for one in found] == [0.0] * 7 + [1.0] * 3
    jitter = random.Random(1)
    assert gaps(Pace(), [10 * n + jitter.gauss(0, 0.3) for n in range(30)])[-1].grade > 0
    assert gaps(Pace(), [10 * n + jitter.gauss(0, 3) for n in range(30)])[-1].grade == 0


def test_a_pause_begins_anew_and_late_or_equal_times_count_nothing():
    pace = Pace()
    gaps(pace, [3 * n for n in range(10)])
    before = pace.dump()
    gaps(pace, [27, 5, 20])
    assert pace.dump() == before
    assert gaps(pace, [27 + 1801])[0].score == 0
    assert pace.dump()[1:] == [0, 0.0, 0.0]


def test_visits_from_before_anything_was_known_are_no_measure():
    """A busy site: hundreds of visits are over before the first of them may teach. What they met on their way cost nothing."""
    rng, order, flagged = random.Random(3), PageOrder(warmup=50), 0
    steps = {"/": ("/list",) * 8 + ("/about", "/"), "/list": ("/item/7",) * 8 + ("/", "/list"), "/about": ("/",),
             "/item/7": ("/list",) * 7 + ("/basket", "/"), "/basket": ("/", "/list")}  # fmt: skip
    for number in range(900):
        page = "/"
        for n in range(14):
            graded = order.score(at(number * 2 + n * 10), f"v{number}", page).grade
            page = rng.choice(steps[page])
        flagged += number >= 450 and graded > 0
    for number in range(900, 1800):
        page = "/"
        for n in range(14):
            graded = order.score(at(number * 4 + n * 10), f"v{number}", page).grade
            page = rng.choice(steps[page])
        flagged += graded > 0
    assert flagged <= 20
