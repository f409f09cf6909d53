"""Whatever a mapping or a shipped analyzer writes has a type in the index, so that no alert is refused and none is searched in vain."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.alerts.template import mapped, mapped_type
from pluginhost.engine.gate import loaded, played, prepared
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.events.ecs import TYPES

KNOWN = mappings()
THE_ALERTS = {"event.created", "event.end", "event.ingested", "event.severity", "event.start"}
"""What an alert says of itself, so that it takes none of these over."""

THE_RECORDS = ("action", "httpRequest.", "httpSource", "httpStatus", "terminatingRuleId", "aws.", "cef.", "haproxy.", "mozdef.")
"""Names of a source's own, for analyzers; in an alert they stay in the record, which is not mapped."""

NAMED_BY_OPERATORS = ("pluginhost.score.attribution.", "pluginhost.score.counts.")
"""Objects whose keys are the fields that the configuration names; all of them hold numbers."""

KINDS = {"keyword": ("keyword", "text"), "keywords": ("keyword",), "long": ("long",), "double": ("float",), "port": ("long",),
         "ip": ("ip",), "ips": ("ip",), "point": ("geo_point",)}  # fmt: skip


@pytest.mark.parametrize("mapping", [*KNOWN], ids=lambda one: one.name)
def test_what_a_mapping_writes_has_a_type(mapping):
    written = {*mapping.paths, *mapping.constants, *mapping.read, *(mapping.gives or ())}
    assert [field for field in sorted(written - TYPES.keys() - THE_ALERTS) if not field.startswith(THE_RECORDS)] == []


def test_our_own_fields_and_their_types_stand_in_the_template():
    ours = {field: mapped_type(field) for field in TYPES if field.startswith("pluginhost.")}
    assert len(ours) >= 7
    assert [field for field, kind in ours.items() if kind is None] == []


def test_the_template_and_the_types_say_the_same():
    told = {field: (kind, mapped_type(field)) for field, kind in TYPES.items()}
    assert {field: said for field, said in told.items() if said[1] is not None and said[1] not in KINDS[said[0]]} == {}


@pytest.mark.parametrize("file", sorted(shipped_analyzers().glob("[!_]*.py")), ids=lambda file: file.stem)
def test_what_a_shipped_analyzer_writes_has_a_type(file):
    for unit in chain(*loaded(bundle(file), {})):
        for example in unit.analyzer.examples:
            for finding in played(prepared(unit, example), example, KNOWN).findings if example.want == "fires" else ():
                written = {*leaves(msgspec.json.decode(finding.document), mapped())}
                assert {field for field in written if not typed(field)} - {*unit.key} == set()


def leaves(document, properties, path=""):
    """The fields of a document that the index looks at."""
    for name, value in document.items():
        spec = properties.get(name, {})
        if isinstance(value, dict) and "type" not in spec:
            yield from leaves(value, spec.get("properties", {}), f"{path}{name}.")
        elif spec.get("enabled") is not False:
            yield path + name


def typed(field):
    return mapped_type(field) is not None or field in TYPES or field.startswith(NAMED_BY_OPERATORS)
