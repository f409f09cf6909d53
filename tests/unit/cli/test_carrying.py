"""Alerts out of a store and into another one, as documents and as a table; and counted."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from click.testing import CliRunner

from pluginhost.cli import main
from pluginhost.host.importing import imported
from pluginhost.host.sheet import COLUMNS, cells, document_of
from pluginhost.store.alerts import AlertStore, Commit


def document(n, **more):
    return {
        "@timestamp": f"2026-03-01T10:{n:02}:00.250Z", "message": f"{n} failed logins", "log": {"level": "high"}, "tags": ["a"],
        "event": {"id": f"{n:064x}", "sequence": n, "reason": "guessed", "severity": 73}, "user": {"name": f"user{n % 2}"},
        "pluginhost": {"analyzer": "brute", "alert": {"fingerprint": f"{n:064x}", "count": 10}, "record": {"a": [1, None, "é"]}}, **more,
    }  # fmt: skip


def lines(*documents):
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pluginhost.yaml").write_text("data: one\n")
    (tmp_path / "other.yaml").write_text("data: other\n")

    def call(*given, status=0, **more):
        done = CliRunner().invoke(main, given, **more)
        assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def stored(run, tmp_path):
    """Three alerts in the store of `one`, the last of them told to nobody."""
    silent = document(3)
    silent["pluginhost"]["alert"]["suppressed"] = ["office", "vip"]
    (tmp_path / "in.ndjson").write_bytes(lines(document(1), document(2, source={"ip": "203.0.113.9"}), silent))
    assert run("alerts", "import", "in.ndjson").stdout == "3 alerts stored, 0 known already, 0 lines skipped\n"


def listed(run, *given):
    return [json.loads(line) for line in run("alerts", "list", "--json", *given).stdout.splitlines()]


def test_what_is_exported_comes_back_as_it_was_and_only_once(run, stored, tmp_path):
    done = run("alerts", "export", "-o", "all.ndjson.gz")
    assert done.stderr == "3 alerts\n"
    assert (tmp_path / "all.ndjson.gz").stat().st_mode & 0o777 == 0o600
    assert gzip.decompress((tmp_path / "all.ndjson.gz").read_bytes()) == (tmp_path / "in.ndjson").read_bytes()
    for told in ("3 alerts stored, 0 known", "0 alerts stored, 3 known"):
        assert told in run("alerts", "import", "-c", "other.yaml", "all.ndjson.gz").stdout
    assert listed(run, "-c", "other.yaml") == listed(run) == [document(2, source={"ip": "203.0.113.9"}), document(1)]
    assert len(listed(run, "-c", "other.yaml", "--suppressed")) == 1
    store = AlertStore(tmp_path / "other" / "alerts.db", clock=lambda: 5)
    assert (store.waiting(), store.due("es", 1 << 62, 9)) == ({}, ())
    one = store.get(f"{3:064x}")
    assert (one.time, one.severity, one.analyzer, one.sequence, one.suppressed) == (1772359380250000000, "high", "brute", 3, "office vip")


def test_exports_are_filtered_as_lists_are(run, stored):
    def exported(*given):
        return [json.loads(line)["event"]["sequence"] for line in run("alerts", "export", *given).stdout.splitlines()]

    assert exported() == [1, 2, 3]
    assert (exported("--told"), exported("--suppressed")) == ([1, 2], [3])
    assert exported("--since", "2026-03-01T10:02:00Z") == [2, 3]
    assert exported("--text", "user1") == [1, 3]
    assert (exported("--analyzer", "none"), exported("--severity", "low")) == ([], [])
    run("alerts", "export", "--since", "yesterday", status=2)


def test_counts(run, stored):
    since = ("--since", "2026-02-01")
    assert run("alerts", "summary", *since).stdout == "      told suppressed  analyzer\n         2          1  brute\n"
    told = [json.loads(line) for line in run("alerts", "summary", "--by", "user", "--per", "hour", "--json", *since).stdout.splitlines()]
    assert told == [{"start": "2026-03-01T10:00:00Z", "user": "user1", "told": 1, "suppressed": 1},
                    {"start": "2026-03-01T10:00:00Z", "user": "user0", "told": 1, "suppressed": 0}]  # fmt: skip
    by_day = run("alerts", "summary", "--by", "source", "--per", "day", *since).stdout
    assert "         1          0  2026-03-01 00:00  203.0.113.9\n" in by_day
    assert run("alerts", "summary", "--since", "2026-03-02").stdout == "no alerts\n"


# --- tables


def test_a_table_comes_back_as_far_as_its_columns_go_and_says_so(run, stored, tmp_path):
    done = run("alerts", "export", "--format", "csv", "-o", "all.csv")
    assert f"a table holds {len(COLUMNS)} fields" in done.stderr
    done = run("alerts", "import", "-c", "other.yaml", "all.csv")
    assert done.stdout == "3 alerts stored, 0 known already, 0 lines skipped\n"
    assert "no record, no evidence" in done.stderr
    (two, one), (three,) = listed(run, "-c", "other.yaml"), listed(run, "-c", "other.yaml", "--suppressed")
    assert [cells(each) for each in (one, two)] == [cells(document(1)), cells(document(2, source={"ip": "203.0.113.9"}))]
    assert "record" not in one["pluginhost"]
    assert three["pluginhost"]["alert"] == {"fingerprint": f"{3:064x}", "count": 10, "suppressed": ["office", "vip"]}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'", "'=1", "''x", "a'b", "=", "=HYPERLINK(\"http://x\")",
                                  'a"b,c;d', "two\nlines", "x\r\n=1", "é", "", "\0"])  # fmt: skip
def test_no_cell_is_a_formula_and_each_comes_back(run, tmp_path, text):
    (tmp_path / "in.ndjson").write_bytes(lines(document(1, message=text, user={"name": text})))
    run("alerts", "import", "in.ndjson")
    run("alerts", "export", "--format", "csv", "-o", "all.csv")
    (_, row) = csv.reader(io.StringIO((tmp_path / "all.csv").read_bytes().decode(), newline=""))
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    run("alerts", "import", "-c", "other.yaml", "all.csv")
    (one,) = listed(run, "-c", "other.yaml")
    assert (one.get("message", ""), one.get("user", {}).get("name", "")) == (text, text)


def test_rows_of_a_table_that_cannot_be_read_are_told(run, tmp_path):
    head = ["@timestamp", "event.id", "log.level", "pluginhost.analyzer", "pluginhost.alert.fingerprint", "message", "event.sequence",
            "own"]  # fmt: skip
    good = ["2026-03-01T10:00:00Z", "a" * 64, "low", "x", "f", "fine", "7", "?"]
    rows = [head, good, [*good[:6], "seven"], [*good, "more"], good[:3], [*good[:1], "b" * 64, *good[2:]], []]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
        file.write('"never closed')
    done = run("alerts", "import", "in.csv")
    assert done.stdout == "2 alerts stored, 0 known already, 4 lines skipped\n"
    assert [line.split(":")[0] for line in done.stderr.splitlines()[:4]] == ["line 3", "line 4", "line 5", "line 8"]
    event = {"kind": "alert", "module": "pluginhost", "dataset": "pluginhost.alerts", "id": "b" * 64, "sequence": 7}
    assert listed(run)[0]["event"] == event


def test_what_a_row_makes():
    made = json.loads(document_of(["message", "tags", "unknown", "event.risk_score"], ["'=x", '["a"]', "y", "7.5"]))
    assert (made["message"], made["tags"], made["event"]["risk_score"]) == ("=x", ["a"], 7.5)
    for columns, row in ((["tags"], ["a"]), (["event.sequence"], ["[]"]), (["message"], ["a", "b"])):
        with pytest.raises(ValueError, match=r"tags|event\.sequence|2 cells under 1"):
            document_of(columns, row)


# --- files are input


def test_bad_lines_are_told_by_number_and_skipped(run, tmp_path, monkeypatch):
    monkeypatch.setattr("pluginhost.cli.alerts.carrying.LONGEST", 5000)
    bad = [b"{", b"[1]", b"null", b"\xff\xfe", b"{}", b'{"event":{"id":"x"}}', b"[" * 4000, b"y" * 20_000]
    (tmp_path / "in.ndjson").write_bytes(b"\xef\xbb\xbf" + lines(document(1)) + b"\n" + b"\n".join(bad) + b"\n" + lines(document(2))[:-1])
    done = run("alerts", "import", "in.ndjson")
    assert done.stdout == "2 alerts stored, 0 known already, 8 lines skipped\n"
    told = dict(line.split(": ", 1) for line in done.stderr.splitlines())
    assert list(told) == [f"line {n}" for n in range(3, 11)]
    assert told["line 10"] == "it is longer than 0 MiB"
    assert [one["event"]["sequence"] for one in listed(run)] == [2, 1]


def test_only_the_first_bad_lines_are_told(run, tmp_path):
    (tmp_path / "in.ndjson").write_bytes(b"x\n" * 5000)
    done = run("alerts", "import", "in.ndjson")
    assert (done.stdout, len(done.stderr.splitlines())) == ("0 alerts stored, 0 known already, 5,000 lines skipped\n", 21)


@pytest.mark.parametrize("cut", [30, -20])
def test_a_packed_file_that_was_cut_short_gives_what_is_whole(run, tmp_path, cut):
    (tmp_path / "in.ndjson.gz").write_bytes(gzip.compress(lines(*(document(n) for n in range(1, 40))))[:cut])
    done = run("alerts", "import", "in.ndjson.gz")
    assert "cannot be read on from here" in done.stderr
    assert "1 lines skipped" in done.stdout


@pytest.mark.parametrize("one", [
    {}, {"@timestamp": 5}, {"event": []}, {"event": {"id": 7}}, {"log": {"level": 5}, "event": {"severity": "x"}}, {"pluginhost": None},
    {"@timestamp": "9999-12-31T00:00:00Z"}, {"event": {"id": ""}}, {"pluginhost": {"alert": []}},
])  # fmt: skip
def test_documents_without_what_an_alert_needs_are_refused_with_the_reason(one):
    with pytest.raises(ValueError, match="it has no"):
        imported(json.dumps(document(1) | one if one else {}).encode())


def test_what_is_read_beside_the_document():
    made = document(1, log={}, user={"name": ["bob"]}, source={"ip": "203.0.113.9"}, message=None)
    made["pluginhost"]["alert"]["suppressed"] = ["two words", 7, "", "vip"]
    made["event"] |= {"severity": 80.5, "sequence": True}
    one = imported(json.dumps(made).encode())
    assert (one.severity, one.user, one.source, one.headline, one.suppressed, one.outputs) == ("high", "bob", "203.0.113.9", "",
                                                                                                ("two_words", "vip"), ())  # fmt: skip
    made["event"]["severity"] = 3
    assert imported(json.dumps(made).encode()).severity == "low"


def test_a_store_that_a_host_is_about_to_take_is_left_alone(run, stored, tmp_path):
    from pluginhost.host.lock import locked

    with locked(tmp_path / "one"):
        assert "another pluginhost runs" in run("alerts", "import", "in.ndjson", status=2).stderr


def test_commits_of_a_store_without_a_host(tmp_path):
    store = AlertStore(tmp_path / "a.db", clock=lambda: 5)
    assert len(store.commit(Commit(alerts=[imported(json.dumps(document(1)).encode())] * 2)).fresh) == 1
