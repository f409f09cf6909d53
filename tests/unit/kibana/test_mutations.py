"""The validator's own proof: each way to damage a file is caught, at the right object, with words that say what is wrong."""

from __future__ import annotations

import copy
import json

import kibana_mutations
import pytest
from kibana_mutations import MUTATIONS, TARGETS, said, shipped

from kibana.proof import validity

NAMES = [one.apply.__name__ for one in MUTATIONS]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_each_mutation_is_caught_where_it_is(mutation):
    assert mutation.caught(), said(mutation)


def test_there_are_enough_of_them_and_none_twice():
    assert len(MUTATIONS) >= 30
    assert len(set(NAMES)) == len(NAMES)


def test_the_table_has_a_row_for_each():
    rows = kibana_mutations.table().splitlines()

    assert len(rows) == len(MUTATIONS) + 2
    assert all(row.count("|") - row.count("\\|") == 5 for row in rows)
    assert not [row for row in rows if "NOT CAUGHT" in row]


@pytest.mark.parametrize("file", TARGETS)
@pytest.mark.parametrize("junk", [None, "[", -1.5, True, ["x"], {"x": None}], ids=repr)
def test_no_value_anywhere_makes_it_raise(file, junk):
    # One object of each type and of each kind of visualization stands for its likes.
    alike = {(one["type"], one["attributes"].get("visualizationType"), json.loads(one["attributes"].get("visState", "{}")).get("type")): one
             for one in shipped(file)}  # fmt: skip
    views = [one for one in shipped(file) if one["type"] == "index-pattern"]
    for one in alike.values():
        for damaged in replaced(opened(one), junk):
            told = validity.problems([closed(damaged), *views], TARGETS[file][0])
            assert all(isinstance(line, str) for line in told)


TEXTS = ("panelsJSON", "visState", "layerListJSON", "mapStateJSON", "fieldFormatMap", "searchSourceJSON", "spec")


def opened(value):
    """An object with what stands in its texts as values."""
    if isinstance(value, dict):
        return {key: opened(json.loads(one)) if key in TEXTS else opened(one) for key, one in value.items()}
    return list(map(opened, value)) if isinstance(value, list) else value


def closed(value, key=""):
    """The contrary of it."""
    made = {name: closed(one, name) for name, one in value.items()} if isinstance(value, dict) else value
    made = list(map(closed, made)) if isinstance(made, list) else made
    return json.dumps(made) if key in TEXTS and not isinstance(made, str) else made


def replaced(value, junk):
    """A copy for each place in it, with `junk` there; of a list only the first two and the last."""
    for path in list(paths(value))[1:]:
        made = copy.deepcopy(value)
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = junk
        yield made


def paths(value, way=()):
    yield way
    if isinstance(value, dict):
        for key, one in value.items():
            yield from paths(one, (*way, key))
    elif isinstance(value, list):
        for place in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from paths(value[place], (*way, place))
