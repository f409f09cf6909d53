"""The made-up streams have the shares they are said to have, and what is labelled shows in the records."""

from __future__ import annotations

from collections import Counter, defaultdict
from importlib import import_module
from itertools import pairwise
from random import Random

import pytest

from pluginhost.replay.generators import FIELDS, buffalogs, hosts, logins, waf, web
from pluginhost.replay.generators.item import DAY, HOUR, MINUTE
from pluginhost.replay.generators.logins import PER_DAY, SHARES
from pluginhost.replay.generators.world import distance_km
from pluginhost.replay.kinds import KINDS

START = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z, a Monday
USERS, DAYS = 200, 56


@pytest.fixture(scope="module")
def weeks():
    return list(logins(Random(11), START, DAYS, users=USERS))


def successes(items):
    return [item for item in items if item.record["event"]["outcome"] == "success"]


def own(items):
    """Successful logins of the users themselves."""
    return [item for item in successes(items) if item.label is None or not KINDS[item.label.kind].analyzers]


def by_incident(items, kind):
    found = defaultdict(list)
    for item in items:
        if item.label is not None and item.label.kind == kind:
            found[item.label.incident].append(item)
    return list(found.values())


class TestLogins:
    def test_there_are_as_many_as_in_the_comparison(self, weeks):
        assert pytest.approx(2.654, abs=0.001) == PER_DAY
        assert len(successes(weeks)) == pytest.approx(PER_DAY * USERS * DAYS, rel=0.03)

    def test_shares_of_gateways_exits_attacked_users_and_known_devices(self, weeks):
        mine = own(weeks)
        kinds = Counter(item.label.kind for item in mine if item.label)
        assert kinds["carrier_gateway"] / len(mine) == pytest.approx(0.06, abs=0.006)
        exits = {item.record["user"]["name"] for item in mine if item.label and item.label.kind == "vpn_exit"}
        assert len(exits) / USERS == pytest.approx(0.15, abs=0.01)
        assert len({item.record["source"]["ip"] for item in mine if item.label and item.label.kind == "vpn_exit"}) == 3
        stolen = by_incident(weeks, "stolen_login")
        assert len(stolen) == round(USERS * 0.106) == len({items[0].label.entity for items in stolen})
        assert sum("new_device" in items[0].label.shows for items in stolen) / len(stolen) == pytest.approx(0.8, abs=0.15)

    def test_nobody_is_attacked_in_the_first_two_weeks(self, weeks):
        attacks = {"stolen_login", *SHARES}
        assert min(item.time for item in weeks if item.label and item.label.kind in attacks) >= START + 14 * DAY

    def test_every_kind_of_attack_comes_as_often_as_said(self, weeks):
        part = USERS * DAYS / (1500 * 60)
        assert {kind: len(by_incident(weeks, kind)) for kind in SHARES} == {kind: round(often * part) for kind, often in SHARES.items()}

    def test_gateways_are_up_to_350_km_away_and_shared(self, weeks):
        users = defaultdict(set)
        for item in own(weeks):
            if item.label and item.label.kind == "carrier_gateway":
                users[item.record["source"]["ip"]].add(item.record["user"]["name"])
        assert max(map(len, users.values())) >= 3
        assert all(address.startswith("100.6") for address in users)

    def test_people_never_travel_faster_than_a_plane(self, weeks):
        """But for logins through networks that others share, which are not where the user is."""
        last, fastest = {}, 0.0
        for item in own(weeks):
            if item.label and item.label.kind in ("vpn_exit", "carrier_gateway"):
                continue
            name, place = item.record["user"]["name"], item.record["source"]["geo"]["location"]
            if name in last:
                time, before = last[name]
                km = distance_km(before["lat"], before["lon"], place["lat"], place["lon"])
                if km > 200:
                    fastest = max(fastest, km / ((item.time - time) / HOUR))
            last[name] = item.time, place
        assert 50 < fastest < 850

    def test_what_a_stolen_login_shows_is_so(self, weeks):
        """By what the user did before: countries and devices that were seen."""
        countries, agents = defaultdict(set), defaultdict(set)
        checked = Counter()
        for item in weeks:
            if item.record["event"]["outcome"] != "success":
                continue
            name, code = item.record["user"]["name"], item.record["source"]["geo"]["country_iso_code"]
            if item.label and item.label.kind == "stolen_login":
                shows = item.label.shows
                if "new_country" in shows:
                    assert code not in countries[name]
                if "new_device" in shows:
                    assert item.record["user_agent"]["original"] not in agents[name]
                assert ("anonymous_ip" in shows) == (item.record["source"]["intelligence_category"] == "anonymizer")
                checked.update(shows)
            elif not item.label or item.label.kind not in ("mfa_fatigue", "bruteforce"):
                countries[name].add(code)
                agents[name].add(item.record["user_agent"]["original"])
        assert min(checked[sign] for sign in ("new_country", "new_device", "anonymous_ip", "impossible_travel")) > 5

    def test_a_stale_account_was_silent_for_45_days(self, weeks):
        last = {}
        for item in successes(weeks):
            name = item.record["user"]["name"]
            if item.label and item.label.kind == "stale_account":
                assert name not in last or item.time - last[name] >= 45 * DAY
            last[name] = item.time
        assert len(by_incident(weeks, "stale_account")) == 2

    def test_guessing_looks_like_what_it_is(self, weeks):
        def spread(items):
            return (len({item.record["user"]["name"] for item in items}), len({item.record["source"]["ip"] for item in items}))

        assert {spread(items) for items in by_incident(weeks, "bruteforce")} == {(1, 1)}
        assert all(users >= 25 and addresses == 1 for users, addresses in map(spread, by_incident(weeks, "password_spraying")))
        assert all(users == 1 and addresses >= 35 for users, addresses in map(spread, by_incident(weeks, "distributed_guessing")))
        for items in by_incident(weeks, "mfa_fatigue"):
            assert {item.record["event"]["action"] for item in items} == {"mfa_challenge"}
            assert len(items) >= 14

    def test_a_login_outside_of_hours_is_hours_before_the_others(self, weeks):
        for (item,) in by_incident(weeks, "odd_hours"):
            mine = [one for one in own(weeks) if one.record["user"]["name"] == item.label.entity]
            clock = [(one.time - item.time + 12 * HOUR) % DAY - 12 * HOUR for one in mine]  # later or earlier in the day, by less than 12 h
            assert sum(abs(one) < 2 * HOUR for one in clock) / len(clock) < 0.15


def test_buffalogs_documents_have_its_shares():
    items = list(buffalogs(Random(3), START, 2000))
    assert Counter(item.tag for item in items) == dict.fromkeys(("logins.cloud", "logins.fw-proxy", "logins.weblog"), 2000)
    usable = sum(item.record["event"] == {"category": "authentication", "outcome": "success", "type": "start"} for item in items)
    assert usable / len(items) == pytest.approx(0.648, abs=0.015)
    assert len({item.record["user"]["name"] for item in items}) == 382
    sources = {item.record["source"]["ip"]: item.record["source"] for item in items}
    assert len(sources) == 43
    assert sources["0.0.0.0/0"]["geo"]["location"] == {"lat": 0, "lon": 0}
    assert {item.record["source"]["intelligence_category"] for item in items} == {"anonymizer", "benign", "suspicious"}
    assert len({item.record["user_agent"]["original"] for item in items}) == 14


USUAL = {"action": 0.0010, "source": 0.0010, "status": 0.0050, "country": 0.0040, "method": 0.0010}
FORCED = {"action": 0.833, "source": 0.833, "status": 0.976, "country": 0.976, "method": 0.816}


class TestWaf:
    @pytest.mark.parametrize("name", FIELDS)
    def test_bad_values_have_their_weights(self, name):
        field, rng = FIELDS[name], Random(name)
        assert field.bad_weight / (field.good_weight + field.bad_weight) == pytest.approx(USUAL[name], rel=0.02)
        for forced, share in ((False, USUAL[name]), (True, FORCED[name])):
            drawn = [field.drawn(rng, forced=forced) for _ in range(20_000)]
            assert sum(bad for _, bad in drawn) / len(drawn) == pytest.approx(share, abs=0.008 if forced else 0.0015)
            assert {value for value, bad in drawn if bad} <= set(field.bad)
            assert {value for value, bad in drawn if not bad} == set(field.good)

    def test_one_record_in_80_has_a_bad_field_if_none_is_forced(self):
        items = list(waf(Random(1), START, 3000, force="none"))
        bad = [item for item in items if any(value in FIELDS[name].bad for name, value in fields(item.record).items())]
        assert len(bad) / len(items) == pytest.approx(0.012, abs=0.002)
        assert [item for item in items if item.label] == []

    def test_rate_and_forced_minutes(self):
        items = list(waf(Random(2), START, 6000, rate=2, force="status"))
        minutes = {(item.time - START) // MINUTE for item in items if item.label}
        assert len(items) / 6000 == pytest.approx(2.05, rel=0.03)
        assert len(minutes) / 6000 == pytest.approx(0.01, abs=0.004)
        assert {item.label.kind for item in items if item.label} == {"waf_status"}
        assert all(item.record["httpStatus"] in FIELDS["status"].bad for item in items if item.label)

    def test_by_day_there_are_ten_times_as_many_as_by_night(self):
        night, noon = (len(list(waf(Random(3), START + hour * HOUR, 30, shape="diurnal"))) / 30 for hour in (0, 12))
        assert night == pytest.approx(30, rel=0.1)
        assert noon == pytest.approx(300, rel=0.03)

    def test_four_in_a_hundred_are_forced_in_a_forced_minute(self, monkeypatch):
        monkeypatch.setattr(import_module("pluginhost.replay.generators.waf"), "_FORCED_MINUTES", 0.5)
        items = list(waf(Random(4), START + 12 * HOUR, 120, shape="diurnal", force="status"))
        forced = {(item.time - START) // MINUTE for item in items if item.label}
        there = [item for item in items if (item.time - START) // MINUTE in forced]
        assert sum(item.label is not None for item in there) / len(there) == pytest.approx(0.04, abs=0.006)
        assert 45 < len(forced) < 75


def fields(record):
    request = record["httpRequest"]
    return {"action": record["action"], "source": record["httpSourceName"], "status": record["httpStatus"],
            "country": request["country"], "method": request["httpMethod"]}  # fmt: skip


class TestHosts:
    @pytest.fixture(scope="class")
    @staticmethod
    def day():
        return list(hosts(Random(6), START, 2 * 1440, hosts=10, rate=8))

    def test_a_silent_host_says_nothing_between_its_two_labels(self, day):
        silences = by_incident(day, "host_silent")
        assert sum(len(items) == 2 for items in silences) > 5
        for before, after in (items for items in silences if len(items) == 2):  # the day may end before a host is back
            assert 19 * MINUTE < after.time - before.time < 61 * MINUTE
            between = [item for item in day if before.time < item.time < after.time]
            assert [item for item in between if speaks(item, before.label.entity)] == []

    def test_a_disk_that_fills_up_is_labelled_from_its_first_measure_on_and_as_full_from_90_percent_on(self, day):
        disks = [(used_share(item), item.label) for item in day if item.tag == "metricbeat"]
        assert {label.shows for used, label in disks if used >= 0.9} == {("disk_full",)}
        assert {label.shows for used, label in disks if label and used < 0.9} == {()}
        assert max(used for used, label in disks if not label) <= 0.8
        filled = by_incident(day, "disk_filling")
        assert len(filled) > 5
        assert all(used_share(items[0]) < 0.85 and sorted(shares) == shares for items in filled for shares in [[*map(used_share, items)]])

    def test_who_guesses_gets_in_by_a_name_that_he_tried(self, day):
        guesses = [[item.record["message"] for item in items] for items in by_incident(day, "ssh_bruteforce")]
        broken = [lines for lines in guesses if "Accepted" in lines[-1]]
        assert 0 < len(broken) < len(guesses)
        for *failed, accepted in broken:
            name = accepted.partition(" for ")[2].partition(" from ")[0]
            assert any(f"{name} from" in line for line in failed)

    def test_scans_and_hops(self, day):
        for items in by_incident(day, "port_scan"):
            assert len({item.record["id.resp_p"] for item in items}) >= 120
            assert len({(item.record["id.orig_h"], item.record["id.resp_h"]) for item in items}) == 1
        for items in by_incident(day, "address_scan"):
            assert len({item.record["id.resp_h"] for item in items}) >= 80
            assert len({(item.record["id.orig_h"], item.record["id.resp_p"]) for item in items}) == 1
        for items in by_incident(day, "lateral_ssh"):
            assert 4 <= len(items) == len({item.record["message"].split()[3] for item in items})

    def test_there_is_every_kind(self, day):
        assert {item.label.kind for item in day if item.label} == {
            "ssh_bruteforce", "lateral_ssh", "port_scan", "address_scan", "sensitive_session", "sudo_to_root", "account_created",
            "account_removed", "account_locked", "account_unlocked", "credential_change", "group_change", "promiscuous_interface",
            "audit_tampering", "host_silent", "disk_filling",
        }  # fmt: skip

    def test_nobody_becomes_root_but_where_it_is_labelled(self, day):
        assert {item.label is not None for item in day if "USER=root" in str(item.record)} == {True}


def used_share(item):
    return item.record["system"]["filesystem"]["used"]["pct"]


def speaks(item, host):
    if item.tag == "heartbeat":
        return item.record["monitor"]["name"] == host
    if item.tag == "metricbeat":
        return item.record["host"]["name"] == host
    return item.label is None and item.tag == "auth" and item.record["message"].split()[3] == host


class TestWeb:
    @pytest.fixture(scope="class")
    @staticmethod
    def day():
        return list(web(Random(8), START, 1440, rate=20))

    def test_there_is_every_kind(self, day):
        assert {item.label.kind for item in day if item.label} == {
            "scanner", "request_rate", "web_signature", "impossible_browser", "metronomic_bot", "random_bot", "slow_bot", "new_user_agent",
        }  # fmt: skip

    def test_visits_follow_the_links_and_come_at_about_the_rate(self, day):
        usual = [item for item in day if item.label is None]
        assert len(usual) / 1440 == pytest.approx(20, rel=0.15)
        went = Counter("GET /checkout/done " in item.record["message"] for item in usual)
        assert 0.005 < went[True] / len(usual) < 0.1
        assert all('/checkout" "' in item.record["message"] for item in usual if "GET /checkout/address " in item.record["message"])

    def test_a_tool_of_another_kind_comes_to_the_session_of_somebody_who_was_here_before(self, day):
        taken = by_incident(day, "new_user_agent")
        assert len(taken) > 3
        for items in taken:
            user = f" - {items[0].label.entity} ["
            before = [item for item in day if item.time < items[0].time and user in item.record["message"]]
            assert [item for item in before if item.label is None] != []

    def test_bots_show_what_they_are(self, day):
        for items in by_incident(day, "scanner"):
            assert sum('" 404 ' in item.record["message"] for item in items) / len(items) > 0.75
        for items in by_incident(day, "metronomic_bot"):
            gaps = [after.time - before.time for before, after in pairwise(items)]
            assert len(items) >= 25
            assert max(gaps) - min(gaps) < 10**9 // 25
        for items in by_incident(day, "request_rate"):
            assert len(items) / ((items[-1].time - items[0].time) / MINUTE) > 150
