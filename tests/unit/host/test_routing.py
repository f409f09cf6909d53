import pytest

from pluginhost.engine.items import Finding
from pluginhost.host.config import Part, Route
from pluginhost.host.routing import routing
from pluginhost.match.lucene import parse


def part(name, when="", analyzers=()):
    return Part(name, None, None, Route(analyzers=analyzers), parse(when) if when else None)


ROUTE = routing([part("all"), part("loud", "event.severity:>=73"), part("mine", analyzers=("burst",)),
                 part("both", "event.severity:>=73", ("burst", "spray"))])  # fmt: skip


@pytest.mark.parametrize(("analyzer", "severity", "expected"), [
    ("burst", 21, ["all", "mine"]), ("burst", 99, ["all", "loud", "mine", "both"]), ("spray", 73, ["all", "loud", "both"]),
    ("other", 72, ["all"]), ("other", None, ["all"]),
])  # fmt: skip
def test_an_alert_goes_where_it_is_wanted(analyzer, severity, expected):
    finding = Finding(0, 0, analyzer, 0, "id", "print", 0, "low", "", b"")
    assert ROUTE(finding, {"event": {"severity": severity}}) == expected
