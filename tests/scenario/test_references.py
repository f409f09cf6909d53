"""Lists and databases in a running sidecar: they change while it runs, in all workers, and survive a crash and a broken file."""

from __future__ import annotations

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from sidecars import until

LISTED = """\
from pluginhost import Alert, analyzer


@analyzer(where="n:*", key="source.ip")
def listed(event):
    if entry := event.listed("source.ip", "bad"):
        return Alert("low", f"{event['n']} {entry.value} {entry.note}", reason=str(event.get("source.geo.country_iso_code")))


listed.fires_on({"n": 1, "source": {"ip": "192.0.2.1"}}, lists={"bad": ["192.0.2.0/24"]})
"""


def found(one):
    return sorted(alert["headline"] for alert in one.alerts())


def sent(one, number):
    """Records of three addresses, so that each worker has some."""
    one.post([{"n": number, "source": {"ip": ip}} for ip in ("192.0.2.1", "198.51.100.7", "203.0.113.9")])
    one.settled()


@pytest.mark.parametrize("workers", [1, 2])
def test_lists_change_while_it_runs(sidecar, tmp_path, workers):
    bad = tmp_path / "bad.txt"
    bad.write_text("192.0.2.0/24 # first\n")
    writer = MMDBWriter(6, "Test-Country", ipv4_compatible=True)
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": "NL"}})
    writer.to_db_file(str(tmp_path / "geo.mmdb"))
    one = sidecar(workers=workers, lists={"bad": {"file": str(bad), "kind": "networks"}}, geo=[str(tmp_path / "geo.mmdb")])
    (one.analyzers / "listed.py").write_text(LISTED)
    one.start()
    sent(one, 1)
    assert found(one) == ["1 192.0.2.0/24 first"]

    generation = one.status()["generation"]
    bad.write_text("value,note\n203.0.113.9,second\n")
    until(lambda: one.status()["generation"] > generation, what="the new list")
    sent(one, 2)
    assert found(one) == ["1 192.0.2.0/24 first", "2 203.0.113.9 second"]
    (second,) = (alert for alert in one.alerts() if alert["headline"].startswith("2"))
    assert second["document"]["event"]["reason"] == "NL"
    assert second["document"]["source"]["geo"] == {"country_iso_code": "NL"}

    bad.write_text("only words\n")
    one.says("none of its 1 entries is of the kind `networks`")
    one.kill()
    one.start()
    sent(one, 3)
    assert found(one)[-1] == "3 203.0.113.9 second"
    bad.unlink()
    sent(one, 4)
    assert found(one)[-1] == "4 203.0.113.9 second"
    assert one.stop() == 0
