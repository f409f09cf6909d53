"""The page of a backtest: what attackers write into logs is text in it, and no more; many alerts are counted, some shown."""

from __future__ import annotations

import html.parser
import json

import msgspec
import pytest

from pluginhost.replay.comparing import compared
from pluginhost.replay.report import Gathered, page
from pluginhost.store.alerts import AlertStore, Commit, NewAlert, StoredAlert

SECOND = 10**9
DAY = 86_400
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
        shown = EVIL.replace("\u2028", "\\u2028")
        assert data["alerts"][0]["headline"] == shown
        assert data["alerts"][0]["evidence"] == [[None, shown]]
        assert data["keys"]["user.name"] == [[shown, 1]]
        assert data["told"] == [shown]

    def test_what_would_act_on_a_screen_is_written_out(self):
        bad, told = "a\u202egpj.exe\x1b[2J\r\nb", "a\\u202egpj.exe\\x1b[2J\\x0d\\x0ab"
        own = {"record": {bad: bad}, "events": [{"message": bad}], bad: {bad: [bad]}}
        one = json.loads(seen(alert(1, bad, user={"name": bad}, pluginhost=own)).data)
        row = one["alerts"][0]
        assert (row["headline"], row["reason"], row["evidence"], one["keys"]["user.name"]) == (told, told, [[None, told]], [[told, 1]])
        assert row["record"] == "a\\u202egpj.exe\\x1b[2J\\x0d\nb"  # a record keeps its lines
        assert dict(row["facts"]) == {"user.name": told, f"{told}.{told}": told}

    def test_it_asks_for_nothing(self):
        text = page(Gathered(), title="t", told=[])
        assert "default-src 'none'" in text
        assert not any(sign in text.replace("http://www.w3.org/2000/svg", "") for sign in ("http:", "https:", "src=", "import(", "url("))

    def test_places_and_scores_are_read_in_any_form(self):
        forms = [{"lat": 52.4, "lon": 4.9}, "52.4,4.9", [4.9, 52.4]]
        travel = {"travel": {"from": {"location": [0, 0], "city_name": "Null"}}, "score": {"value": 3.5, "threshold": 2},
                  "record": {"location": [1, 1]}}  # fmt: skip
        many = [alert(n, source={"geo": {"location": form}}, pluginhost=travel) for n, form in enumerate(forms)]
        odd = [None, "x", [1], {"lat": None}, [999, 999], {"lat": "NaN", "lon": 0}, True]
        data = json.loads(seen(*many, *(alert(9, source={"geo": {"location": one}}) for one in odd)).data)
        assert data["places"] == [[52.4, 4.9, "", "high", 3]]
        assert data["journeys"] == [[[0.0, 0.0, "Null"], [52.4, 4.9, ""], "high", 3]]
        assert data["alerts"][0]["map"] == {"here": [52.4, 4.9, ""], "before": [0.0, 0.0, "Null"], "usual": []}
        assert data["scores"] == {"a": [[1_767_225_600_000 + 1000 * n, 3.5, 2] for n in range(3)]}
        assert len(data["coasts"]) > 50

    def test_a_profile_is_drawn_without_what_is_only_a_candidate(self):
        def centre(lon, candidate):
            about = {"weight": 3, "inner_km": 50.0, "outer_km": 150.0, "candidate": candidate}
            return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, 52]}, "properties": about}

        places = {"type": "FeatureCollection", "features": [centre(5, False), centre(10, True)]}
        krakow = {"geo": {"location": [20, 50], "city_name": "Krakow"}}
        own = {"geoprofile": {"distance_km": 900.1, "places": places}}
        row = json.loads(seen(alert(1, source=krakow, pluginhost=own)).data)["alerts"][0]
        assert row["map"] == {"here": [50.0, 20.0, "Krakow"], "before": None, "usual": [[52.0, 5.0, 50.0, 150.0]]}
        assert row["facts"] == [["source.geo.city_name", "Krakow"], ["geoprofile.distance_km", "900.1"]]

    def test_those_that_nobody_was_told_of_are_apart(self):
        told, quiet = alert(1, user={"name": "u"}), msgspec.structs.replace(alert(2, user={"name": "u"}), suppressed="learning vip")
        data = json.loads(seen(told, quiet).data)
        assert (data["total"], data["suppressed"], data["by_level"], data["keys"]["user.name"]) == (1, 1, {"high": 1}, [["u", 1]])
        assert [one["suppressed"] for one in data["alerts"]] == ["", "learning vip"]

    def test_odd_documents_raise_nothing(self):
        for odd in (None, 7, "x", [], [{"events": 1}]):
            seen(alert(1, event=odd, user=odd, source=odd, pluginhost={"events": odd, "score": odd, "travel": odd}))

    def test_scores_are_drawn_by_the_highest_of_each_stretch(self):
        gathered = Gathered()
        for n in range(5000):
            value = 99.0 if n == 3333 else n % 7
            gathered.draw("a", n * SECOND, msgspec.json.encode({"pluginhost": {"score": {"value": value, "threshold": 50}}}))
        for odd in (b"null", b"{}", b'{"pluginhost":{"score":{"value":"x"}}}'):
            gathered.draw("b", 0, odd)
        trends = gathered.data()["trends"]
        assert trends.keys() == {"a"}
        assert 400 < len(trends["a"]) <= 1000
        assert (3_333_000, 99.0, 50) in trends["a"]
        assert trends["a"] == sorted(trends["a"])

    def test_many_alerts_take_bounded_room(self):
        gathered = Gathered()
        for n in range(8000):
            geo = {"location": [n % 360 - 180, n % 80]}
            one = alert(n, time=n * 3600, user={"name": f"u{n}"}, analyzer=f"a{n % 3}", source={"geo": geo})
            gathered.add(msgspec.structs.replace(one, severity=("low", "low", "high", "low", "critical")[n % 5] if n >= 3000 else "low"))
        data = gathered.data()
        assert data["total"] == sum(one[-1] for one in data["counts"]) == sum(one[-1] for one in data["analyzers"]) == 8000
        assert len({one[0] for one in data["counts"]}) <= 200
        assert data["unit"] == 7 * 86_400_000
        assert [one["severity"] for one in data["alerts"]] == ["critical"] * 1000
        assert len(data["places"]) <= 2000
        assert len(page(gathered, title="t", told=[])) < 1_000_000

    @pytest.mark.parametrize(("days", "unit"), [(0, 60), (0.2, 300), (1, 900), (30, 6 * 3600), (56 * 365, 4 * 28 * DAY)])
    def test_the_steps_of_time_are_those_of_a_clock(self, days, unit):
        first = 1_767_225_600
        data = json.loads(seen(alert(1, time=first), alert(2, time=first + int(days * DAY)), alert(3, time=first)).data)
        assert data["unit"] == unit * 1000
        assert [one[0] % data["unit"] for one in data["counts"]] == [0] * len(data["counts"])
        assert sum(one[3] for one in data["counts"]) == 3


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
