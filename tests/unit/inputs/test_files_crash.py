"""The input `files` under pressure and over crashes: every line once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading

import pytest
from file_journal import append, run, until

from pluginhost.inputs.files.positions import Book


class TestPressure:
    def test_busy_waits_and_loses_nothing(self, journal, log):
        async def go():
            journal.busy = 30
            log.write_text("a\nb\n")
            async with journal.reading(log):
                append(log, "c\n")
                await until(lambda: journal.lines == ["a", "b", "c"])

        run(go())
        assert journal.counts["busy"] == 30

    def test_a_door_that_closes_while_nothing_can_be_taken_closes(self, journal, log):
        async def go():
            journal.busy = 10**9
            log.write_text("a\n")
            async with journal.reading(log):
                await until(lambda: journal.counts["busy"] > 1)
            journal.busy = 0
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a"])

        run(go())

    def test_where_positions_cannot_be_saved_no_other_file_is_begun(self, journal, log, caplog, monkeypatch):
        saved = Book.save

        def refuse(*_):
            raise OSError(28, "No space left on device")

        async def go():
            log.write_text("a\n")
            async with journal.reading(log.parent / "*.log"):
                await until(lambda: journal.lines == ["a"])
                monkeypatch.setattr(Book, "save", refuse)
                append(log, "b\n")  # goes on: the journal knows
                await until(lambda: journal.lines == ["a", "b"])
                log.with_name("new.log").write_text("c\n")
                await until(lambda: "cannot be saved (No space left on device)" in caplog.text)
                assert journal.lines == ["a", "b"]
                monkeypatch.setattr(Book, "save", saved)
                await until(lambda: journal.lines == ["a", "b", "c"])

        run(go())


class TestCrash:
    def test_between_the_journal_and_the_book_nothing_is_lost_or_doubled(self, journal, log):
        async def go():
            log.write_text("a\n")
            async with journal.reading(log, kill=True):
                await until(lambda: journal.lines == ["a"])
                journal.stuck = True
                append(log, "b\n")
                await until(lambda: journal.lines == ["a", "b"])  # durable, and nobody was told
            journal.stuck = False
            append(log, "c\n")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a", "b", "c"])
                await asyncio.sleep(0.3)

        run(go())
        assert journal.lines == ["a", "b", "c"]

    def test_a_damaged_book_is_told(self, journal, log, caplog):
        async def go():
            log.write_text("a\n")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a"])
            (journal.folder / "positions").write_bytes(b"\x00rubbish")
            async with journal.reading(log):
                await until(lambda: journal.lines == ["a", "a"])

        run(go())
        assert "cannot be read" in caplog.text

    @pytest.mark.parametrize("seed", range(8))
    def test_any_mixture_of_rotations_and_kills_gives_every_line_once(self, journal, log, seed):
        rng = random.Random(seed)
        written = []
        stop = threading.Event()

        def write():
            number = 0
            while not stop.is_set() and number < 3000:
                with log.open("a") as file:
                    for _ in range(rng.randrange(1, 40)):
                        file.write(f"line {number}\n")
                        written.append(f"line {number}")
                        number += 1
                        if rng.random() < 0.1:
                            file.flush()
                if rng.random() < 0.1:
                    for older in range(80, 0, -1):
                        with contextlib.suppress(FileNotFoundError):
                            log.with_name(f"app.log.{older}").rename(log.with_name(f"app.log.{older + 1}"))
                    log.rename(log.with_name("app.log.1"))
                stop.wait(rng.random() * 0.01)

        async def go():
            writer = asyncio.ensure_future(asyncio.to_thread(write))
            while not writer.done():
                journal.stuck = False
                async with journal.reading(f"{log}*", kill=True):
                    await asyncio.sleep(rng.random() * 0.2)
                    journal.stuck = rng.random() < 0.5
                    await asyncio.sleep(rng.random() * 0.05)
            journal.stuck = False
            async with journal.reading(f"{log}*"):
                await until(lambda: len(journal.lines) >= len(written), f"{len(written)} lines of {len(journal.lines)}")

        try:
            run(go())
        finally:
            stop.set()
        assert sorted(journal.lines) == sorted(written)
