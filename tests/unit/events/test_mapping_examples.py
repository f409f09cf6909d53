"""Every mapping's own examples, read by all mappings together as the host would have them."""

import msgspec
import pytest

from pluginhost.engine.parts import mappings as built_in
from pluginhost.events.event import Event
from pluginhost.events.fields import MISSING
from pluginhost.events.mapping import Mapping, Mappings
from pluginhost.events.slice import Slice

ALL = tuple(built_in())
CASES = [pytest.param(mapping, example, id=f"{mapping.name}-{n}") for mapping in ALL for n, example in enumerate(mapping.examples)]


ORDERS = {order: Mappings(ALL[::order]) for order in (1, -1)}


def event(record, tag="", order=1):
    record = {"message": record} if isinstance(record, str) else record
    return Event(Slice(0, 0, 1, 1, tag, "json", msgspec.json.encode(record)), ORDERS[order])


@pytest.mark.parametrize(("mapping", "example"), CASES)
@pytest.mark.parametrize("order", [1, -1])
def test_example(mapping: Mapping, example, order) -> None:
    seen = event(example.record, example.tag, order)
    assert {field: seen.get(field, MISSING) for field in example.expected} == example.expected
    assert [field for field in example.absent if field in seen] == []


def test_every_mapping_has_examples_and_is_the_one_that_reads_most_of_them() -> None:
    for mapping in ALL:
        read = [event(example.record, example.tag).mapping for example in mapping.examples]
        assert read.count(mapping.name) > len(read) / 2, mapping.name
