"""The page of a backtest: what attackers write into logs is text in it, and no more; many alerts are counted, some shown."""

from __future__ import annotations

import html.parser
import json

import msgspec

from pluginhost.replay.comparing import compared
from pluginhost.replay.report import Gathered, page
from pluginhost.store.alerts import AlertStore, Commit, NewAlert, StoredAlert

SECOND = 10**9
EVIL = "</script><img src=x onerror=alert(1)>\u2028{{data}}{{title}}<!--"


def alert(n, headline="h", analyzer="a", time=None, **fields):
    document = {"message": headline, "event": {"reason": headline, "original": headline}, **fields}
    when = (1_767_225_600 + n if time is None else time) * SECOND
    return StoredAlert(n, f"{n:064x}", when, 0, "high", analyzer, "f", 1, "open", headline, msgspec.json.encode(document))


class Seen(html.parser.HTMLParser):
    """Which elements there are, and what stands in the data."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.data, self._inside = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes)
        self._inside = ("id", "data") in attributes

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        self.data += data if self._inside else ""


def seen(*alerts, title="t"):
    gathered = Gathered()
    for one in alerts:
        gathered.add(one)
    return Seen(page(gathered, title=title, told=[EVIL]))


class TestPage:
    def test_what_attackers_write_is_text(self):
        plain = seen(alert(1))
        evil = seen(alert(1, EVIL, EVIL, user={"name": EVIL}, source={"ip": EVIL}, pluginhost={"events": [{"message": EVIL}]}), title=EVIL)
        assert evil.tags == plain.tags
        data = json.loads(evil.data)
        assert data["alerts"][0]["headline"] == EVIL
        assert data["alerts"][0]["evidence"] == [EVIL]
        assert data["keys"]["user.name"] == [[EVIL, 1]]
        assert data["told"] == [EVIL]

    def test_it_asks_for_nothing(self):
        text = page(Gathered(), title="t", told=[])
        assert "default-src 'none'" in text
        assert not any(sign in text.replace("http://www.w3.org/2000/svg", "") for sign in ("http:", "https:", "src=", "import(", "url("))

    def test_places_and_scores_are_read_in_any_form(self):
        forms = [{"lat": 52.4, "lon": 4.9}, "52.4,4.9", [4.9, 52.4]]
        travel = {"travel": {"from": {"location": [0, 0]}}, "score": 3.5, "threshold": 2, "record": {"location": [1, 1]}}
        many = [alert(n, source={"geo": {"location": form}}, pluginhost=travel) for n, form in enumerate(forms)]
        odd = [None, "x", [1], {"lat": None}, [999, 999], {"lat": "NaN", "lon": 0}, True]
        data = json.loads(seen(*many, *(alert(9, source={"geo": {"location": one}}) for one in odd)).data)
        assert [(one["to"], one["from"]) for one in data["travels"]] == [([52.4, 4.9], [0.0, 0.0])] * 3
        assert data["scores"][0] == [1_767_225_600_000, 3.5, 2, "a"]

    def test_odd_documents_raise_nothing(self):
        for odd in (None, 7, "x", [], [{"events": 1}]):
            seen(alert(1, event=odd, user=odd, source=odd, pluginhost={"events": odd, "score": odd, "travel": odd}))

    def test_many_alerts_take_bounded_room(self):
        gathered = Gathered()
        for n in range(30_000):
            gathered.add(alert(n, time=n * 3600, user={"name": f"u{n}"}, analyzer=f"a{n % 3}"))
        data = gathered.data()
        assert data["total"] == sum(count for series in data["series"].values() for _, count in series) == 30_000
        assert len(data["alerts"]) == 1000
        assert max(len(series) for series in data["series"].values()) <= 600
        assert len(page(gathered, title="t", told=[])) < 1_000_000


class TestCompared:
    def test_what_comes_and_goes(self, tmp_path):
        def store(name, ids):
            made = AlertStore(tmp_path / name, clock=lambda: 1)
            alerts = [NewAlert(f"{n:064x}", n, "low", analyzer, "f", 1, f"{analyzer} {n}", b"{}") for analyzer, n in ids]
            made.commit(Commit(alerts=alerts))
            return made

        new = store("new", [("a", 1), ("a", 2), *(("b", n) for n in range(10, 15))])
        old = store("old", [("a", 2), ("a", 3), ("c", 4)])
        found = compared(new, old, 3)
        assert (found.come, found.go, found.stay) == ({"a": 1, "b": 5}, {"a": 1, "c": 1}, {"a": 1})
        assert [one.headline for one in found.first_come["b"]] == ["b 10", "b 11", "b 12"]
        assert [one.headline for one in found.first_go["a"]] == ["a 3"]
