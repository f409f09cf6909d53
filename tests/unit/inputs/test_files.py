"""The input `files`: what is read of which file, and how often."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from file_journal import append, run, until

from pluginhost.inputs.files.input import Files, FilesOptions
from pluginhost.inputs.port import Context
from pluginhost.options import Duration, Size
from pluginhost.problem import Problem


class TestReading:
    def test_lines_come_as_they_are_written_with_tag_and_source(self, journal, log):
        async def go():
            log.write_text("a\nb\n")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a", "b"])
                append(log, "c\n\n  \nd\n")
                await until(lambda: journal.lines == ["a", "b", "c", "d"])

        run(go())
        assert {(source, chunk.tag) for source, chunk in journal.rows} == {(str(log), "files.app")}
        assert (journal.counts["records"], journal.counts["bytes"]) == (4, 12)

    def test_a_file_that_is_there_begins_at_its_end_and_a_new_one_at_its_beginning(self, journal, log):
        async def go():
            log.write_text("old\nhalf")
            for number in range(2):
                async with journal.reading(log.parent / "*.log", start="end"):
                    append(log, f" line {number}\n")  # blanks around a line are not kept
                    append(log.with_name(f"new{number}.log"), f"new {number}\n")
                    await until(lambda count=2 * number + 2: len(journal.lines) == count)

        run(go())
        assert sorted(journal.lines) == ["half line 0", "line 1", "new 0", "new 1"]

    def test_a_pattern_that_is_added_later_begins_at_the_end_of_what_is_there(self, journal, log):
        other = log.with_name("other.txt")

        async def go():
            async with journal.reading(log, start="end"):
                pass
            log.write_text("a\n")  # not there before: all of it is news
            other.write_text("old\n")
            async with journal.reading(log, other, start="end"):
                append(other, "new\n")
                await until(lambda: len(journal.lines) == 2)

        run(go())
        assert sorted(journal.lines) == ["a", "new"]

    def test_half_a_line_waits_for_its_other_half(self, journal, log):
        async def go():
            async with journal.reading(log):
                append(log, "whole\nha")
                await until(lambda: journal.lines == ["whole"])
                looks = journal.registry  # several looks pass without it
                await asyncio.sleep(0.5)
                assert looks.snapshot()["input.f"]["records"] == 1
                append(log, "lf\n")
                await until(lambda: journal.lines == ["whole", "half"])

        run(go())

    @pytest.mark.parametrize("longest", [1024, 2 << 20])
    def test_a_line_too_long_is_a_dead_letter_and_the_next_ones_are_taken(self, journal, log, longest):
        async def go():
            append(log, b"a\n" + b"x" * (longest + 1) + b"\nb\n")
            async with journal.reading(log, max_line=Size(longest)):
                await until(lambda: journal.lines == ["a", "b"])
                append(log, b"y" * (3 << 20))  # its end is not there yet
                await asyncio.sleep(0.3)
                append(log, b"y\n" + b"z" * longest + b"\n")
                await until(lambda: len(journal.lines) == 3)

        run(go())
        assert journal.lines[2] == "z" * longest
        assert [one.reason for _, chunk in journal.rows for one in chunk.rejected] == ["too_large", "too_large"]
        assert max(len(chunk.body) for _, chunk in journal.rows) <= max(1 << 20, longest + 1)

    def test_damaged_text_and_odd_line_ends_are_kept_readable(self, journal, log):
        async def go():
            log.write_bytes(b"caf\xe9\r\n\xef\xbb\xbfbom\n\xff\xfe\n")
            async with journal.reading(log):
                await until(lambda: len(journal.lines) == 3)

        run(go())
        assert journal.lines[0] == "caf\\xe9"
        assert journal.lines[2] == "\\xff\\xfe"

    def test_a_large_file_comes_in_pieces_and_in_order(self, journal, log):
        lines = [f"{number} {'x' * 90}" for number in range(60_000)]
        log.write_text("\n".join(lines) + "\n")

        async def go():
            async with journal.reading(log):
                await until(lambda: journal.counts["records"] == len(lines))

        run(go())
        assert journal.lines == lines
        assert max(len(chunk.body) for _, chunk in journal.rows) <= (1 << 20) + 1


class TestFormats:
    SAID = b'{"message":"a","time":1700000000}\nplain\n{"broken":\n[1]\n'

    def take(self, journal, log, **options):
        async def go():
            log.write_bytes(self.SAID)
            async with journal.reading(log, **options):
                await until(lambda: journal.counts["bytes"] > 0 and journal.rows)

        run(go())
        return journal.records(), [one.reason for _, chunk in journal.rows for one in chunk.rejected]

    def test_auto(self, journal, log):
        records, rejected = self.take(journal, log)
        assert [one["message"] for one in records] == ["a", "plain", '{"broken":', "[1]"]
        assert rejected == []
        assert list(journal.rows[0][1].columns.times) == [1_700_000_000 * 10**9, 0, 0, 0]

    def test_lines_are_messages_whatever_they_look_like(self, journal, log):
        records, rejected = self.take(journal, log, format="lines")
        assert [one["message"] for one in records] == self.SAID.decode().splitlines()
        assert (rejected, set(journal.rows[0][1].columns.times)) == ([], {0})

    def test_json_takes_nothing_else(self, journal, log):
        records, rejected = self.take(journal, log, format="json")
        assert records == [{"message": "a", "time": 1_700_000_000}]
        assert set(rejected) == {"malformed"}

    @pytest.mark.parametrize(("before", "form"), [("", "json"), ("", "auto"), ("a plain line\n", "auto")])
    def test_journald(self, journal, log, before, form):
        line = {"__REALTIME_TIMESTAMP": "1700000000123456", "_HOSTNAME": "web1", "SYSLOG_IDENTIFIER": "sshd", "_PID": "42", "PRIORITY": "6",
                "MESSAGE": "Failed password for root from 203.0.113.9 port 50000 ssh2"}  # fmt: skip

        async def go():
            log.write_text(before + json.dumps(line) + "\n")
            async with journal.reading(log, format=form):
                await until(lambda: journal.rows)

        run(go())
        assert journal.records()[-1] == line
        assert journal.rows[0][1].columns.times[-1] == 1_700_000_000_123_456_000


    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ({"__REALTIME_TIMESTAMP": "1", "MESSAGE": list(b"root\xff logged in")}, "root\\xff logged in"),
            ({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [list(b"\xff"), "b"]}, ["\\xff", "b"]),
            ({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [1, 300]}, [1, 300]),
            ({"MESSAGE": [104, 105]}, [104, 105]),  # somebody else's list
        ],
    )
    def test_what_journald_writes_as_numbers_is_text(self, journal, log, line, message):
        async def go():
            log.write_text("[1\n" + json.dumps({"MESSAGE": "plain"}) + "\n" + json.dumps(line, separators=(",", " : ")) + "\n")
            async with journal.reading(log, format="json"):
                await until(lambda: journal.rows)

        run(go())
        assert [record["MESSAGE"] for record in journal.records()] == ["plain", message]


class TestRotation:
    def test_a_renamed_file_is_read_to_its_end_then_the_new_one(self, journal, log):
        old = log.with_name("app.log.1")

        async def go():
            log.write_text("a\n")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a"])
                log.rename(old)
                append(old, "b\nlast, without an end")
                log.write_text("c\n")
                await until(lambda: sorted(journal.lines) == ["a", "b", "c", "last, without an end"])
                await until(lambda: journal.counts["rotated"] == 1)

        run(go())
        assert journal.lines.index("b") < journal.lines.index("c")
        assert {source for source, _ in journal.rows} == {str(log)}

    def test_who_writes_on_into_a_file_that_was_moved_away_is_heard(self, journal, log):
        old = log.with_name("app.log.1")

        async def go():
            log.write_text("a\n")
            async with journal.reading(log, rotate_wait=Duration(30)):
                await until(lambda: journal.lines == ["a"])
                log.rename(old)
                for number in range(3):  # so many looks later
                    log.write_text(f"{number}\n")
                    await until(lambda count=number + 2: len(journal.lines) == count)
                    log.unlink()
                append(old, "late\n")
                await until(lambda: journal.lines == ["a", "0", "1", "2", "late"])

        run(go())

    def test_another_file_in_the_place_of_one_is_told_by_its_beginning(self, journal, log):
        async def go():
            for number in range(3):
                with log.open("r+" if number else "w") as file:  # the same inode, as after a deletion
                    file.truncate(0)
                    file.write(f"{number}\n" * (number + 1))
                async with journal.reading(log):
                    await until(lambda count=(1, 3, 6)[number]: len(journal.lines) == count)

        run(go())
        assert journal.lines == ["0", "1", "1", "2", "2", "2"]

    def test_a_file_that_keeps_its_pattern_under_another_name_is_not_read_again(self, journal, log):
        async def go():
            log.write_text("a\n")
            async with journal.reading(f"{log}*"):
                await until(lambda: journal.lines == ["a"])
                for number in range(5):
                    log.rename(log.with_name(f"app.log.{number}"))
                    append(log, f"{number}\n")
                    await until(lambda count=number + 2: len(journal.lines) == count)
            async with journal.reading(f"{log}*"):
                append(log.with_name("app.log.0"), "late\n")
                await until(lambda: len(journal.lines) == 7)

        run(go())
        assert journal.lines == ["a", "0", "1", "2", "3", "4", "late"]

    def test_a_file_copied_away_and_cut_begins_anew(self, journal, log):
        async def go():
            async with journal.reading(log):
                for round_ in range(3):
                    append(log, f"{round_} a\n{round_} b\n")
                    await until(lambda count=2 * round_ + 2: len(journal.lines) == count)
                    os.truncate(log, 0)
                os.truncate(log, 0)
                append(log, "longer than what was there before\n")  # its size says nothing
                await until(lambda: len(journal.lines) == 7)

        run(go())
        assert journal.lines == ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b", "longer than what was there before"]
        assert journal.counts["truncated"] == 3

    def test_a_deleted_file_is_read_to_its_end_and_let_go(self, journal, log):
        async def go():
            log.write_text("a\n")
            async with journal.reading(log) as files:
                await until(lambda: journal.lines == ["a"])
                with log.open("a") as writer:
                    log.unlink()
                    writer.write("b\n")
                    writer.flush()
                    await until(lambda: journal.lines == ["a", "b"])
                await until(lambda: not files._sources)
                log.write_text("c\n")  # its inode may be the old one's
                await until(lambda: journal.lines == ["a", "b", "c"])

        run(go())

    def test_what_was_moved_away_while_nobody_looked_is_read_to_its_end(self, journal, log):
        async def go():
            log.write_text("a\n")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a"])
            append(log, "b\n")
            log.rename(log.with_name("app.log.1"))
            log.write_text("c\n")
            async with journal.reading(log):
                await until(lambda: len(journal.lines) == 3)

        run(go())
        assert journal.lines == ["a", "b", "c"]


class TestFinding:
    def test_links_lead_to_a_file_once(self, journal, log):
        async def go():
            log.write_text("a\n")
            links = log.parent.parent / "links"
            links.mkdir()
            (links / "soft.log").symlink_to(log)
            os.link(log, log.with_name("hard.log"))
            async with journal.reading(log.parent / "*.log", links / "*.log"):
                await until(lambda: journal.lines == ["a"])
                append(log, "b\n")
                await until(lambda: journal.lines == ["a", "b"])

        run(go())

    def test_folders_may_come_later_and_some_names_are_left_out(self, journal, log):
        async def go():
            async with journal.reading(log.parent / "**" / "*.log*", exclude=("*.gz", str(log.parent / "skip" / "*"))):
                for name in ("new/deep/x.log", "skip/y.log", "z.log.gz"):
                    path = log.parent / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{name}\n")
                await until(lambda: journal.lines)
                append(log, "end\n")
                await until(lambda: "end" in journal.lines)

        run(go())
        assert journal.lines == ["new/deep/x.log", "end"]

    def test_more_files_than_may_be_open_wait_for_their_turn(self, journal, log, caplog):
        async def go():
            for number in range(6):
                log.with_name(f"{number}.log").write_text(f"{number}\n")
                os.utime(log.with_name(f"{number}.log"), (number, number))
            async with journal.reading(log.parent / "*.log", max_files=2):
                await until(lambda: len(journal.lines) == 2)
                assert sorted(journal.lines) == ["4", "5"]  # the newest
                log.with_name("5.log").unlink()
                await until(lambda: len(journal.lines) == 3)

        run(go())
        assert sorted(journal.lines) == ["3", "4", "5"]
        assert "4 files are left out: 2 are open (`max_files`)" in caplog.text

    def test_a_name_cannot_write_into_logs_or_tags(self, journal, log, caplog):
        name = os.fsdecode(b"x\n2026 ERROR \x1b[31m{0}%s\xff.log")

        async def go():
            log.with_name(name).write_text("a\n{\n")
            async with journal.reading(log.parent / "*.log", format="json"):
                await until(lambda: journal.rows)

        run(go())
        (source, chunk), = journal.rows[:1]
        assert source == str(log.parent) + "/x\\x0a2026 ERROR \\x1b[31m{0}%s\\xff.log"
        assert chunk.tag == "files.x_x0a2026_ERROR_x1b_31m_0_s_xff"
        assert not any(ord(sign) < 32 for record in caplog.records for sign in record.getMessage())

    def test_devices_and_folders_are_no_files_and_what_may_not_be_read_is_told(self, journal, log, caplog, monkeypatch):
        opened = os.open

        def refuse(path, *rest, **more):
            if str(path).endswith("secret.log"):
                raise PermissionError(13, "Permission denied")
            return opened(path, *rest, **more)

        monkeypatch.setattr(os, "open", refuse)

        async def go():
            log.with_name("folder.log").mkdir()
            log.with_name("null.log").symlink_to("/dev/null")
            log.with_name("gone.log").symlink_to("/nowhere")
            log.with_name("secret.log").write_text("s\n")
            log.write_text("a\n")
            async with journal.reading(log.parent / "*.log") as files:
                await until(lambda: journal.lines == ["a"])
                assert len(files._sources) == 1

        run(go())
        assert f"{log.with_name('secret.log')} cannot be read: Permission denied" in caplog.text

    def test_a_path_must_say_where_it_begins(self, journal):
        with pytest.raises(Problem) as told:
            Files(FilesOptions(paths=("log/*.log",)), Context("f", journal.accept, journal.registry))
        assert told.value.code == "input.files.path"


class TestPipe:
    def test_lines_of_a_pipe_over_writers_that_come_and_go(self, journal, log):
        os.mkfifo(log)

        def write(*texts):
            with log.open("wb", buffering=0) as pipe:
                for text in texts:
                    pipe.write(text)

        async def go():
            async with journal.reading(log, max_line=Size(4096)):
                await asyncio.to_thread(write, b"a\nb", b"c\n", b"cut off")
                await until(lambda: journal.lines == ["a", "bc", "cut off"])
                await asyncio.to_thread(write, b"x" * 200_000, b"y\nd\n")
                await until(lambda: journal.lines[3:] == ["d"])
                journal.busy = 20
                many = [b"%d\n" % number for number in range(50_000)]
                await asyncio.to_thread(write, *[b"".join(many[start : start + 100]) for start in range(0, 50_000, 100)])
                await until(lambda: len(journal.lines) == 50_004)

        run(go())
        assert journal.lines[4:] == [str(number) for number in range(50_000)]
        assert [one.reason for _, chunk in journal.rows for one in chunk.rejected] == ["too_large"]
        assert {chunk.chunk_id for _, chunk in journal.rows} == {b""}  # nothing of it can be read again
