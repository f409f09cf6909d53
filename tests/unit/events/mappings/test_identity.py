"""Mappings of identity providers, Windows, MozDef, BuffaLogs and Beats: what they must not get wrong, and what nobody may break them with.

Their examples are run with those of all mappings.
"""

import random
from copy import deepcopy

import msgspec
import pytest

from pluginhost.events.event import Event
from pluginhost.events.mapping import Mappings
from pluginhost.events.mappings import beats, buffalogs, entra, google_workspace, mozdef, okta, windows
from pluginhost.events.mappings.kinds import number
from pluginhost.events.slice import Slice

MINE = (
    *beats.MAPPINGS, *buffalogs.MAPPINGS, *entra.MAPPINGS, *google_workspace.MAPPINGS, *mozdef.MAPPINGS, *okta.MAPPINGS, *windows.MAPPINGS,
)  # fmt: skip
RECORDS = [example.record for one in MINE for example in one.examples if isinstance(example.record, dict)]


CATEGORIES = {
    "api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam", "intrusion_detection", "library",
    "malware", "network", "package", "process", "registry", "session", "threat", "vulnerability", "web",
}  # fmt: skip
TYPES_OF_EVENTS = {
    "access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "device", "end", "error", "group", "indicator",
    "info", "installation", "protocol", "start", "user",
}  # fmt: skip


def event(record):
    return Event(Slice(0, 0, 1, 1, "", "json", msgspec.json.encode(record)), Mappings(MINE))


@pytest.mark.parametrize("record", RECORDS)
def test_categories_types_and_outcomes_are_those_of_ecs(record):
    seen = event(record)
    assert set(seen.values("event.category")) <= CATEGORIES
    assert set(seen.values("event.type")) <= TYPES_OF_EVENTS
    assert seen.get("event.outcome", "unknown") in ("success", "failure", "unknown")
    if "authentication" in seen.values("event.category") and "start" in seen.values("event.type"):
        assert "event.outcome" in seen


def test_of_what_okta_tells_about_one_login_only_the_session_is_an_attempt():
    told = ["policy.evaluate_sign_on", "user.session.start", "system.push.send_factor_verify_push", "user.authentication.auth_via_mfa",
            "user.authentication.verify", "user.authentication.sso"]  # fmt: skip
    records = [{**okta._LOGIN, "eventType": name, "outcome": {"result": "SUCCESS"}} for name in told]
    assert [record["eventType"] for record in records if "start" in event(record).values("event.type")] == ["user.session.start"]


@pytest.mark.parametrize(("code", "outcome"), [(0, "success"), (50126, "failure"), (50053, "failure"), (50074, "unknown"), (50076,
    "unknown"),
                                               (500121, "failure"), (53003, "failure"), (50140, "unknown"), (999999, "failure"),
                                               ("50126", "failure"), (None, "unknown"), ([], "unknown")])  # fmt: skip
def test_an_interrupted_sign_in_is_no_failure(code, outcome):
    assert event({**entra._SIGN_IN, "status": {"errorCode": code}})["event.outcome"] == outcome


@pytest.mark.parametrize("address", ["-", "::1", "127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "", "LOCAL", None, [], "x" * 10_000])
@pytest.mark.parametrize("shape", ["named", "inserts"])
def test_a_logon_at_the_console_has_no_source(address, shape):
    data = {**windows._DATA, "IpAddress": address}
    record = windows._beat(4625, data) if shape == "named" else windows._inserts(4625, *data.values())
    assert ("source.ip" in event(record), event(record)["user.name"]) == (False, "alice")


@pytest.mark.parametrize(("lat", "lon", "found"), [(0, 0, {"lat": 0, "lon": 0}), ("-90", "180.0", {"lat": -90.0, "lon": 180.0}), (90.1, 0,
    None),
                                                   (0, -180.5, None), (True, 0, None), ("nan", 0, None), (None, 1, None), ([], 1, None),
                                                   ("1" * 50, 1, None)])  # fmt: skip
def test_a_place_at_zero_is_a_place_and_one_out_of_range_is_none(lat, lon, found):
    record = {"_index": "cloud-1", "event.category": "authentication", "source.geo.location.lat": lat, "source.geo.location.lon": lon}
    assert event(record).get("source.geo.location") == found


@pytest.mark.parametrize(("told", "found"), [(5, 5), ("5", 5), ("0x1F", 31), ("0x", None), ("0x-1", None), ("-1", None), ("٣", None), ("²",
    None),
                                             (True, None), (5.0, None), ("1" * 21, None), ([], None), ("", None)])  # fmt: skip
def test_a_number_is_read_as_one_or_not_at_all(told, found):
    assert number(told) == found


@pytest.mark.parametrize("mapping", MINE, ids=lambda one: one.name)
def test_what_a_mapping_says_of_itself_is_true_of_its_examples(mapping):
    alone = Mappings([mapping])
    for record in RECORDS:
        reading = alone.read("", record)
        assert reading.found.keys() <= mapping.gives
        cut = {key: value for key, value in record.items() if key in mapping.reads}
        for field in mapping.gives:
            if reading.mapping is mapping:
                assert alone.read("", cut).get(cut, field) == reading.get(record, field), field


# --- records that somebody broke ---

ODD = [None, True, False, 0, -1, 1 << 70, 1e308, "", "-", "\u0000", "x" * 5000, "4625", "0xZZ", "²", [], {}, [[]], [None, {}, [7]],
    {"a": {"b": []}}]


def places(value, path=()):
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(inner, (*path, key))


def broken(record, path, odd):
    made = deepcopy(record)
    *above, last = path
    inner = made
    for key in above:
        inner = inner[key]
    inner[last] = odd
    return made


@pytest.mark.parametrize("mapping", MINE, ids=lambda one: one.name)
def test_nothing_raises_whatever_stands_somewhere(mapping):
    rng, alone = random.Random(mapping.name), Mappings([mapping])
    for example in mapping.examples:
        if isinstance(example.record, dict):
            for path in places(example.record):
                record = broken(example.record, path, rng.choice(ODD))
                reading = alone.read("", record)
                for field in mapping.gives:
                    reading.get(record, field)
    several = [broken(record, path, odd) for record in RECORDS[::7] for path in places(record) for odd in ODD[::5]]
    for record in rng.sample(several, min(60, len(several))):
        event(record).document()
