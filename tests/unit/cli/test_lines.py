"""How alerts look in a terminal: whole in any width, ids in one piece, and plain lines for other programs."""

from __future__ import annotations

import sys

import click
import pytest

from pluginhost.cli.common import alert_line, laid

ID = "bb0b3e680ecc" + "0" * 52


def alert(headline="root has a session on db2, from 198.19.0.200", **more):
    return {"document": {"@timestamp": "2026-11-22T09:59:14.123Z"}, "severity": "medium", "analyzer": "sensitive_session", "id": ID,
            "headline": headline, **more}  # fmt: skip


@pytest.fixture
def terminal(monkeypatch):
    """Makes the output a terminal of so many columns."""

    def wide(columns):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))

    return wide


def lines(one):
    return click.unstyle(alert_line(one)).split("\n")


class TestAlertLine:
    def test_one_line_where_there_is_room(self, terminal):
        whole = "2026-11-22 09:59:14  medium    sensitive_session     root has a session on db2, from 198.19.0.200  bb0b3e680ecc"
        assert lines(alert()) == [whole]
        terminal(len(whole))
        assert lines(alert()) == [whole]

    def test_the_headline_goes_on_under_itself(self, terminal):
        terminal(110)
        assert lines(alert()) == [
            "2026-11-22 09:59:14  medium    sensitive_session     root has a session on db2, from 198.19.0.200",
            f"{'':53}bb0b3e680ecc",
        ]  # fmt: skip

    def test_it_stands_under_the_severity_where_the_terminal_is_narrow(self, terminal):
        terminal(80)
        assert lines(alert()) == [
            "2026-11-22 09:59:14  medium    sensitive_session", f"{'':21}root has a session on db2, from 198.19.0.200  bb0b3e680ecc",
        ]  # fmt: skip

    @pytest.mark.parametrize("columns", [20, 60, 80, 100, 120, 200])
    def test_nothing_is_lost_and_nothing_wider(self, terminal, columns):
        terminal(columns)
        words = " ".join(f"word{n}" for n in range(20))
        shown = lines(alert(words))
        assert " ".join(" ".join(shown).split()).endswith(f"{words} bb0b3e680ecc")
        assert max(map(len, shown)) <= max(columns, 53)

    def test_it_says_why_nobody_was_told(self):
        assert lines(alert("x", suppressed="learning vip"))[0].endswith("sensitive_session     x  bb0b3e680ecc  suppressed: learning, vip")
        assert lines(alert("x", suppressed=""))[0].endswith("x  bb0b3e680ecc")

    def test_a_headline_cannot_act_on_the_terminal(self, terminal):
        for columns in (80, 200):
            terminal(columns)
            told = click.unstyle(alert_line(alert("a\x1b[2J\nfake line\u202e")))
            assert "a\\x1b[2J\\x0afake line\\u202e" in told
            assert "\x1b" not in told

    def test_the_severity_is_coloured_and_only_it(self):
        assert alert_line(alert("medium    risk")).count("\x1b[33m") == 1


class TestLaid:
    def test_an_id_stays_in_one_piece(self, terminal):
        terminal(80)
        assert laid(f"a {ID}", 37) == f"a\n{'':37}{ID}"

    def test_other_programs_get_it_whole(self):
        assert laid("word " * 100, 37) == "word " * 100
