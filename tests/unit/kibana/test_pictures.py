"""Pictures: each panel is there with what was found, hostile values do no harm, and those in the docs are of today's file and answers."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

from kibana.proof import drawing as draw
from kibana.proof.answers import Answer, Series
from kibana.proof.charts import NOTHING
from kibana.proof.figures import marks, shown, time_marks
from kibana.proof.looks import look
from kibana.proof.pictures import FILE, FOLDER, SAID, files, pictures
from kibana.proof.tables import table
from kibana.saved import REVISION

SVG = "{http://www.w3.org/2000/svg}"
HOURS = [f"2026-03-01T{hour:02}:00:00.000Z" for hour in range(6)]


def answer(kind, **told):
    return Answer(f"lens/{kind}", f"The {kind}", kind, **told)


STACKS = [Series("ssh", "bar", [1, 2, None, 4, 5, 6]), Series("web", "bar", [1, 0, 3, 0, 0, 1]),
          Series("score", "line", [0.5, None, 0.25, 1, 1, 1], right=True)]  # fmt: skip
ANSWERED = [
    answer("metric", columns=["Lag"], units=["seconds"], rows=[[5400]]),
    answer("chart", x=HOURS, series=STACKS),
    answer("table", columns=["User", "Alerts", "Last seen"], units=["", "", "date"], rows=[["ann", 1234, 1772368440000], ["bob", 5, None]]),
    answer("donut", columns=["Severity", "Alerts"], rows=[["high", 3], ["new", 1]]),
    answer("points", points=[[4.9, 52.4, 99], [4.9, 52.4, 21], [151.2, -33.9, None]]),
    answer("paths", points=[[4.9, 52.4, 151.2, -33.9, 2000]]),
    answer("rows", columns=["@timestamp", "rule.id", "event.type"], rows=[["2026-03-01T12:34:56.789Z", "ssh", ["info", "end"]]]),
    answer("text", text="[Overview](#/view/one) · plain"),
]


def file(answers, look=None, **config):
    """The lines of a file with one dashboard that shows these, two in a row, and one control."""
    state = {"visualization": look or {}}
    objects = [{"type": "lens", "id": one.kind, "attributes": {"title": one.title, "state": state}} for one in answers]
    panels = [{"type": "lens", "panelIndex": f"p{place}", "panelRefName": f"panel_p{place}", "embeddableConfig": config,
               "gridData": {"x": place % 2 * 24, "y": place // 2 * 12, "w": 24, "h": 12}} for place in range(len(answers))]  # fmt: skip
    group = {"c": {"order": 0, "explicitInput": {"fieldName": "user.name", "title": "User"}}}
    attributes = {"title": "A page", "description": f"Of tests. (pluginhost {REVISION})", "panelsJSON": json.dumps(panels),
                  "controlGroupInput": {"panelsJSON": json.dumps(group)}}  # fmt: skip
    references = [{"name": f"p{place}:panel_p{place}", "type": "lens", "id": one.kind} for place, one in enumerate(answers)]
    page = {"type": "dashboard", "id": "pluginhost-page", "attributes": attributes, "references": references}
    return [json.dumps(one) for one in (*objects, page)]


def drawn(answers, look=None, **config):
    made = pictures(file(answers, look, **config), answers)["pluginhost-page"]
    return made, ET.fromstring(made)


def texts(element):
    return ["".join(one.itertext()) for one in element.iter(f"{SVG}text")]


def panel(page, title):
    """What is drawn of the panel with this title."""
    return next(one for one in page.iter(f"{SVG}svg") if (said := one.find(f"{SVG}title")) is not None and said.text == title)


def test_each_kind_of_panel_says_what_was_found():
    _, page = drawn(ANSWERED)
    assert texts(panel(page, "The metric")) == ["The metric", "Lag", "1.5 h"]
    assert texts(panel(page, "The table")) == [
        "The table", "User", "ann", "bob", "Alerts", "1,234", "5", "Last seen", "2026-03-01 12:34", "–"]  # fmt: skip
    assert texts(panel(page, "The donut")) == ["The donut", "high", "75 %", "3", "new", "25 %", "1"]
    assert texts(panel(page, "The rows")) == ["The rows", "@timestamp", "2026-03-01 12:34", "rule.id", "ssh", "event.type", "info, end"]
    assert texts(panel(page, "The text")) == ["The text", "Overview · plain"]
    assert texts(panel(page, "The chart")) == ["The chart", "0", "2", "4", "6", "8", "0", "0.2", "0.4", "0.6", "0.8", "1", "03-01",
                                               "01:00", "02:00", "03:00", "04:00", "05:00", "06:00", "ssh", "web", "score"]  # fmt: skip
    assert {"A page", "Of tests.", SAID, "User", NOTHING} < set(texts(page))


def test_bars_stand_on_each_other_and_lines_have_gaps():
    _, page = drawn(ANSWERED)
    shapes = list(panel(page, "The chart").iter())
    stood = [one for one in shapes if one.tag == f"{SVG}rect" and one.get("class") in ("f-0", "f-1") and one.get("rx") is None]
    ssh, web = [one for one in stood if one.get("class") == "f-0"], [one for one in stood if one.get("class") == "f-1"]
    assert [len(ssh), len(web)] == [5, 3]
    assert [float(one.get("height")) / float(ssh[0].get("height")) for one in ssh] == pytest.approx([1, 2, 4, 5, 6], abs=0.02)
    assert float(web[0].get("y")) + float(web[0].get("height")) == pytest.approx(float(ssh[0].get("y")), abs=0.11)
    lines = [one.get("d").count("L") + 1 for one in shapes if one.get("class") == "curve s-2"]
    assert lines == [4]  # the first stands alone: it is a point
    assert len([one for one in shapes if one.tag == f"{SVG}circle"]) == 5
    _, page = drawn(ANSWERED, {"fittingFunction": "Linear"})
    assert [one.get("d").count("L") + 1 for one in panel(page, "The chart").iter() if one.get("class") == "curve s-2"] == [5]


def test_areas_stand_on_each_other():
    _, page = drawn([answer("chart", x=HOURS[:2], series=[Series("a", "area", [1, 2]), Series("b", "area", [1, 0])])])
    first, second = [[tuple(map(float, point.split())) for point in one.get("d")[1:-1].split("L")]
                     for one in page.iter(f"{SVG}path") if one.get("class", "").startswith("area")]  # fmt: skip
    assert first[:2] == second[:1:-1]  # the top of one is the foot of the other
    ground = first[2][1]
    one_up = ground - first[0][1]
    assert [(ground - y) / one_up for _, y in (first[1], *second[:2])] == pytest.approx([2, 2, 2], abs=0.01)


def test_what_the_object_says_of_its_look_is_heeded():
    asked = [{"body": {"query": {"bool": {"filter": [{"range": {"@timestamp": {"gte": since, "lte": "2026-03-02T00:00:00Z"}}}]}}}}
             for since in ("2026-02-23T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-23T00:00:00Z")]  # fmt: skip
    two = answer("table", columns=["User", "Alerts of theirs"], rows=[["ann", 1]], asked=asked)
    told = {"subtitle": "beneath", "columns": [{"columnId": "a"}, {"columnId": "b", "width": 90}], "legend": {"position": "bottom"},
            "axisTitlesVisibilitySettings": {"yRight": True}}  # fmt: skip
    _, page = drawn([ANSWERED[0], two, ANSWERED[1]], told, hidePanelTitles=True, description="Told.")
    assert texts(page)[:3] == ["A page", "Of tests.", "2026-02-23 00:00 – 2026-03-02 00:00"]  # what most were asked for
    assert texts(panel(page, "The metric · Told.")) == ["Lag", "beneath", "1.5 h"]
    assert texts(panel(page, "The table · Told.")) == ["User", "ann", "theirs", "Alerts of", "1"]  # the head is broken: 90 pixels
    number = next(one for one in panel(page, "The table · Told.").iter(f"{SVG}text") if one.text == "1")
    across = float(panel(page, "The table · Told.").get("width")) - 20
    assert float(number.get("x")) == pytest.approx(across - 16, abs=0.2)
    chart = panel(page, "The chart · Told.")
    assert "rotate(-90)" in ET.tostring(chart, "unicode")
    squares = [one for one in chart.iter(f"{SVG}rect") if one.get("rx") == "2"]
    assert len({one.get("y") for one in squares}) == 1  # side by side
    assert len({one.get("x") for one in squares}) == 3


def test_a_list_has_the_widths_of_its_search_and_the_links_of_its_data_view():
    formats = {"event.url": {"id": "url", "params": {"labelTemplate": "open"}}, "lag": {"id": "number", "params": {"pattern": "0"}}}
    view = {"type": "index-pattern", "id": "v", "attributes": {"fieldFormatMap": json.dumps(formats)}}
    search = {"type": "search", "references": [{"type": "index-pattern", "id": "v", "name": "index"}],
              "attributes": {"columns": ["rule.id", "event.url", "lag"], "grid": {"columns": {"rule.id": {"width": 170}}}}}  # fmt: skip
    how = look(search, {"index-pattern/v": view})
    assert (how.widths, how.links) == ((0, 170, 0, 0), ("", "", "open", ""))
    rows = [["now", "a", "https://x", 1], ["now", "b", None, 2]]
    made = table(answer("rows", columns=["@timestamp", "rule.id", "event.url", "lag"], rows=rows), 600, 300, how)
    assert [re.sub("<[^>]*>", "", one) for one in made if 'class="link"' in one] == ["open", "–"]
    assert "https" not in "".join(made)


def test_a_control_shows_what_there_is_to_choose_from():
    listed = Answer("control/pluginhost-page/user.name", "User", "control", rows=[["ann", 3], ["bob", 1]])
    page = ET.fromstring(pictures(file(ANSWERED), [*ANSWERED, listed])["pluginhost-page"])
    assert "Any of ann, bob" in texts(page)


def test_shares_take_their_part_of_the_ring_and_a_whole_is_a_ring():
    _, page = drawn([answer("donut", rows=[["critical", 7]])])
    assert "100 %" in texts(page)
    slices = [one.get("d") for one in page.iter(f"{SVG}path") if one.get("class") == "edge f-critical"]
    assert len(slices) == 1
    start, end = re.match(r"M(\S+ \S+)A\S+ \S+ 0 1 1 (\S+ \S+)L", slices[0]).groups()  # the long way round
    assert start != end  # an arc to where it begins is nothing


def test_points_are_where_they_should_be_with_the_worst_of_each_place():
    _, page = drawn(ANSWERED)
    dots = [(float(one.get("cx")), float(one.get("cy")), one.get("class")) for one in panel(page, "The points").iter(f"{SVG}circle")]
    assert [look for *_, look in dots] == ["edge f-low", "edge f-critical"]
    (east, south, _), (west, north, _) = dots
    room = float(panel(page, "The points").get("width")) - 20
    scale = (east - west) / (151.2 - 4.9)  # pixels a degree
    assert west - 4.9 * scale == pytest.approx(room / 2, abs=0.3)  # Greenwich is in the middle
    assert (south - north) / scale == pytest.approx(36.1 + 62.1, abs=0.5)  # Mercator's latitudes of Sydney and Amsterdam


def test_a_panel_without_results_or_answer_says_so():
    empty = [answer("metric", columns=["Lag"]), answer("chart", x=HOURS, series=[Series("a", "bar", [None] * 6)]), answer("table"),
             answer("donut", rows=[["a", 0]]), answer("points"), answer("rows")]  # fmt: skip
    _, page = drawn(empty)
    assert texts(panel(page, "The metric")) == ["The metric", "Lag", "–"]
    assert [texts(panel(page, f"The {kind}"))[1] for kind in ("chart", "table", "donut", "rows")] == [NOTHING] * 4
    unasked = ET.fromstring(pictures(file(ANSWERED), [])["pluginhost-page"])
    assert texts(unasked).count(NOTHING) == len(ANSWERED) + 1  # and the control


def test_the_same_answers_give_the_same_bytes():
    assert drawn(ANSWERED)[0] == drawn(ANSWERED)[0]
    assert not re.search(r"\d\.\d\d+(?!\))", re.sub(r"(?s)<style>.*?</style>|scale\([^)]*\)", "", drawn(ANSWERED)[0]))


HOSTILE = {
    "markup": "</text><script>alert(1)</script>", "attribute": '"><image href="//evil.example/x"/>', "entity": "&entity; ]]> <!-- -->",
    "direction": "\u202egnp.exe\u2066", "controls": "\0\x1b[31m\x7f\ud800\ufffe", "leftwards": "שלום עולם " * 40, "long": "W" * 10_000,
    "marks": "e" + "\u0301" * 5_000, "wide": "漢字" * 300, "lines": "a\nb\tc", "medium": "x" * 60}  # fmt: skip


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_harmless_and_stay_in_their_panel(evil):
    told = [
        Answer("lens/metric", evil, "metric", columns=[evil], rows=[[evil]]),
        Answer("lens/table", evil, "table", columns=[evil, evil], rows=[[evil, 3], [evil, [evil]], [{"a": evil}, True], [None, 1e300], []]),
        Answer("lens/donut", evil, "donut", rows=[[evil, 3], [evil, 2]]),
        Answer("lens/text", evil, "text", text=f"[{evil}](#) {evil}"),
        Answer("lens/chart", evil, "chart", x=HOURS, series=[Series(evil, "line", [1, 2, 3, 4, 5, 6]), Series(evil, "area", [1] * 6)]),
    ]
    bars = Answer("lens/chart", evil, "chart", x=[evil, evil], series=[Series(evil, "bars", [2, 1])])
    for answers, legend in ((told, {}), ([bars], {}), ([told[-1]], {"position": "bottom"}), ([told[-1]], {"isVisible": False})):
        made, page = drawn(answers, {"legend": legend})
        _harmless(made)
        _inside(page)


def _harmless(made):
    """It is XML of shapes and texts only, whose attributes are numbers and names, and refers to nothing."""
    page = ET.fromstring(made)
    shapes = {"svg", "title", "desc", "style", "rect", "text", "tspan", "path", "circle", "g"}
    assert {one.tag.removeprefix(SVG) for one in page.iter()} <= shapes
    for one in page.iter():
        assert not [name for name in one.attrib if name.startswith(("on", "{")) or "href" in name]
        assert all(re.fullmatch(r"[-\w .,:()]*", value) for value in one.attrib.values())
    assert [one.text for one in page.iter(f"{SVG}style")] == [draw.STYLE]
    assert not re.search(r"url|@import|//", draw.STYLE)
    assert not re.search("[\0-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe]", made)


def _inside(page):
    """Each text has room between the sides of the innermost box that it is in, and boxes lie in those around them."""
    for box in page.iter(f"{SVG}svg"):
        across, down = float(box.get("width")), float(box.get("height"))
        for one in box.findall(f"{SVG}svg"):
            assert one.get("overflow") == "hidden"
            x, y, wide, tall = (float(one.get(name)) for name in ("x", "y", "width", "height"))
            assert min(x, y, across + 0.1 - x - wide, down + 0.1 - y - tall) >= 0
        for one in box.findall(f"{SVG}text"):
            size = float(re.sub(r"[^\d.]", "", one.get("style", "12")))
            wide = draw.width("".join(one.itertext()), size, strong="strong" in one.get("class", ""))
            left = float(one.get("x")) - wide * {"end": 1, "middle": 0.5}.get(one.get("text-anchor"), 0)
            assert left >= -2, "".join(one.itertext())
            assert left + wide <= across + 2, "".join(one.itertext())


def test_a_text_is_cut_where_its_room_ends():
    assert draw.cut("short", 100) == "short"
    assert draw.cut("W" * 20, 100) == "WWWWWWW…"
    assert draw.cut("漢" * 20, 100) == "漢" * 7 + "…"
    assert draw.clean("a\u202eb\0c\nd\ud800") == "a�b�c d�"


@pytest.mark.parametrize(("value", "unit", "seen"), [
    (1234, "", "1,234"), (0.5, "", "0.5"), (12.345, "", "12.3"), (1e18, "", "1e+18"), (None, "", "–"), (True, "", "True"),
    ([1, [2, None]], "", "1, 2, –"), (90, "seconds", "1.5 min"), (0.25, "seconds", "0.25 s"), (200_000, "seconds", "2.31 d"),
    (5 * 1024**2, "bytes", "5 MiB"), (12, "bytes", "12 B"), (7.5, "percent", "7.5 %"),
    (1772368440000, "date", "2026-03-01 12:34"), (-1e40, "date", "1970-01-01 00:00"), ("2026-03-01T12:34:56Z", "", "2026-03-01 12:34"),
    ("2026-03-01T12:34:56", "", "2026-03-01 12:34"), ("2026-99-01T12:34:56Z", "", "2026-99-01T12:34:56Z"),
])  # fmt: skip
def test_values_are_written_for_people(value, unit, seen):
    assert shown(value, unit) == seen


@pytest.mark.parametrize(("high", "unit", "whole", "seen"), [
    (0, "", True, [0]), (3, "", True, [0, 1, 2, 3]), (0.9, "", False, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1234, "", True, [0, 500, 1000, 1500]),
    (3 * 1024**2, "bytes", False, [0, 1024**2, 2 * 1024**2, 3 * 1024**2]), (4000, "seconds", False, [0, 1800, 3600, 5400]),
])  # fmt: skip
def test_an_axis_has_round_marks(high, unit, whole, seen):
    assert marks(high, unit, whole=whole) == pytest.approx(seen)


def test_time_has_marks_at_hours_days_and_months():
    start = 1772323200  # 2026-03-01
    assert [name for _, name in time_marks(start, start + 7200, 5)] == ["03-01", "00:30", "01:00", "01:30", "02:00"]
    assert [name for _, name in time_marks(start - 1, start + 5 * 86400, 6)] == ["03-01", "03-02", "03-03", "03-04", "03-05", "03-06"]
    assert [name for _, name in time_marks(start, start + 62 * 86400, 5, least=28 * 86400)] == ["2026-03", "2026-04", "2026-05"]
    assert [name for _, name in time_marks(start, start + 400 * 86400, 5)] == ["2026-03", "2026-06", "2026-09", "2026-12", "2027-03"]


@pytest.fixture(scope="module")
def made():
    return files()


def test_those_in_the_docs_are_of_the_file_and_answers_as_they_are(made):
    assert sorted(made) == sorted(FOLDER.glob("kibana-*.svg"))
    for path, svg in made.items():
        assert path.read_text("utf-8") == svg, f"{path.name} is old: python -m kibana.proof.pictures"


def test_each_panel_and_control_of_each_dashboard_is_there_and_none_is_empty(made):
    objects = {(one["type"], one["id"]): one for one in map(json.loads, FILE.read_text("utf-8").splitlines())}
    for (_, name), dashboard in [one for one in objects.items() if one[0][0] == "dashboard"]:
        svg = made[FOLDER / f"kibana-{name.removeprefix('pluginhost-')}.svg"]
        page = ET.fromstring(svg)
        _harmless(svg)
        _inside(page)
        rooms = [one.find(f"{SVG}title").text for one in page.findall(f"{SVG}svg") if one.find(f"{SVG}title") is not None]
        panels = [one for one in dashboard["references"] if ":panel_" in one["name"]]
        assert len(rooms) == len(panels) == len(json.loads(dashboard["attributes"]["panelsJSON"]))
        titles = {objects[one["type"], one["id"]]["attributes"]["title"] for one in panels}
        assert {title for title in titles if not any(title in room for room in rooms)} <= {"Dashboards"}  # the line of links has no title
        seen = texts(page)
        assert NOTHING not in seen
        controls = json.loads(dashboard["attributes"].get("controlGroupInput", {}).get("panelsJSON", "{}")).values()
        assert {one["explicitInput"]["title"] for one in controls} <= set(seen)
        assert seen[-1] == SAID
