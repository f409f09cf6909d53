"""Each panel, map layer, search and control of both files, as the requests it means, on real servers that hold the fixtures.

What should come out is counted by `kibana_expected` from the same documents, without a look at the files.
"""

from __future__ import annotations

import pytest
from kibana_answers import answers, expected, load, recorded
from kibana_shown import differences, places, shown

from kibana.proof.answers import Answer

FILES = {"elasticsearch": (("kibana", "kibana"), ("classic", "kibana")), "opensearch": (("classic", "dashboards"),)}


@pytest.fixture
def found(cluster) -> dict[str, list[Answer]]:
    """What this server answers to each file that is meant for it; texts are not asked for."""
    load(cluster.url, cluster.product, cluster.version)
    return {name: [one for one in answers(cluster.url, name, product) if one.kind != "text"] for name, product in FILES[cluster.product]}


def test_each_shows_what_is_counted_in_the_documents(found):
    wrong = {one.object: lines for name, said in found.items() for one in said if (lines := differences(expected(one, name), one))}
    assert wrong == {}
    assert {name: len(said) for name, said in found.items()} == {name: len(recorded()[name]) - 1 for name in found}


def test_none_is_empty(found):
    every = [one for said in found.values() for one in said]
    assert [one.object for one in every if not shown(one) or (one.kind == "chart" and not any(shown(one).values()))] == []
    assert [(one.object, line.label) for one in every for line in one.series if all(value is None for value in line.values)] == []


def test_both_files_show_the_same(found):
    """Where they have the same panel; a control of the classic file offers more values, and its maps show each place once."""
    if len(found) < 2:
        pytest.skip("one of the files is not for this product")
    one, other = ({said.object.partition("/")[2]: said for said in found[name]} for name in ("kibana", "classic"))
    assert set(one) - set(other) == {"pluginhost-panel-travel-map/1"}  # the ends of travels are a layer of their own
    assert set(other) <= set(one)
    wrong = {}
    for key, classic in other.items():
        same = shown(classic)
        if classic.kind == "points":
            same, kibana = places(same), one[key]
            kibana = Answer(kibana.object, kibana.title, "points", points=[list(at) for at in places(shown(kibana))])
        elif classic.kind == "control":
            same, kibana = same[:10], one[key]
        else:
            kibana = one[key]
        wrong |= {key: lines} if (lines := differences(same, kibana)) else {}
    assert wrong == {}
