"""With real processes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from notifying import alert, made, notification, outgoing

from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem

KEEPS = """
import json, os, pathlib
def on_alert(alert):
    with open(os.environ["SEEN"], "a") as file:
        print(json.dumps([os.getpid(), alert]), file=file)
"""


class Hooked:
    """A hook with this file in it, and what it has written."""

    def __init__(self, folder: Path, text: str, **options) -> None:
        self.file, self.seen_by = folder / "hook.py", folder / "seen"
        self.write(text)
        self.output = made("hook", {"file": str(self.file), "environment": {"SEEN": str(self.seen_by)}, "timeout": "10s", **options})

    def write(self, text):
        self.file.write_text(text)

    async def tell(self, *told):
        """The outcome of each, told one after another."""
        outcomes = []
        for one in told or [notification()]:
            try:
                outcomes += await self.output.deliver([outgoing(one)])
            except Unavailable as error:
                outcomes.append(Retry(error.reason, error.after, error.slow))
        return outcomes

    def seen(self):
        return [json.loads(line) for line in self.seen_by.read_text().splitlines()] if self.seen_by.exists() else []

    def run(self, *told):
        return self.within(lambda: self.tell(*told))

    def within(self, what):
        async def go():
            try:
                return await what()
            finally:
                await self.output.close()

        return asyncio.run(go())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def raising(line):
    return f"def on_alert(alert):\n    {line}\n"


def test_each_alert_is_a_call_in_one_process_that_lives_on(tmp_path):
    hook = Hooked(tmp_path, KEEPS)
    digest = notification("digest", alert(), alert("low", message="é \x00"), id="d1", count=5)
    assert hook.run(notification(), digest, notification("resolved", id="n3")) == [DONE] * 3
    pids, seen = zip(*hook.seen(), strict=True)
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()
    gathered = {"id": "d1", "kind": "digest", "count": 5}
    assert [one["pluginhost"]["notification"] for one in seen] == [
        {"id": "note-1", "kind": "alert", "count": 1}, gathered, gathered, {"id": "n3", "kind": "resolved", "count": 1},
    ]  # fmt: skip
    assert (seen[0]["user"]["name"], seen[0]["pluginhost"]["alert"]["count"], seen[2]["message"]) == ("root", 25, "é \x00")
    assert not alive(pids[0])


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (raising("raise ValueError('no\\nsuch host')"), Dead("ValueError: no\\x0asuch host (hook.py:2)")),
        (raising("int(alert['nothing'])"), Dead("KeyError: 'nothing' (hook.py:2)")),
        ("import math\n\ndef on_alert(alert):\n    math.sqrt(-1)\n", Dead("ValueError: math domain error (hook.py:4)")),
        ("def on_alert(alert):\n    on_alert(alert)\n", Dead("RecursionError: maximum recursion depth exceeded (hook.py:2)")),
        (raising("raise SystemExit(3)"), Dead("SystemExit: 3 (hook.py:2)")),
        (raising("raise KeyboardInterrupt"), Dead("KeyboardInterrupt (hook.py:2)")),
        (raising("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})"), Dead("Odd (hook.py:2)")),
        (raising("import os; print('so long'); os._exit(7)"), Dead("the hook ended its process (exit status 7): so long")),
        (raising("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), Dead("the hook ended its process (signal 11)")),
        (raising("import os, time; os.closerange(3, 100); time.sleep(60)"), Dead("the hook ended its process (signal 9)")),
    ],
)  # fmt: skip
def test_what_it_does_harms_nobody_and_is_the_reason(tmp_path, text, outcome):
    hook = Hooked(tmp_path, text)
    told = hook.run()[0]
    if isinstance(outcome, Dead) and "signal 11" in outcome.reason:
        assert told.reason.startswith(outcome.reason)  # and what faulthandler prints
    elif "RecursionError" in outcome.reason:
        assert told.reason.startswith("RecursionError: maximum recursion depth exceeded")
    else:
        assert told == outcome


def test_after_an_end_of_its_own_it_is_started_again(tmp_path):
    hook = Hooked(tmp_path, KEEPS + "    if alert['message'] == 'die':\n        os._exit(1)\n")
    dies = notification("alert", alert(message="die"), id="n2")
    first, second, third = hook.run(notification(id="n1"), dies, notification(id="n3"))
    assert (first, third) == (DONE, DONE)
    assert isinstance(second, Dead)
    pids = [pid for pid, _ in hook.seen()]
    assert pids[0] == pids[1] != pids[2]


def test_one_that_hangs_is_ended_and_tried_again(tmp_path):
    text = KEEPS + "    import time\n    while not os.path.exists(os.environ['SEEN'] + '.go'): time.sleep(0.01)\n"
    hook = Hooked(tmp_path, text, timeout="300ms")

    async def twice():
        first = await hook.tell()
        (tmp_path / "seen.go").touch()
        return first + await hook.tell()

    first, second = hook.within(twice)
    assert (first.reason, first.slow) == ("the hook did not return within 300ms and was ended", False)
    assert second == DONE
    (before, _), (after, _) = hook.seen()
    assert before != after
    assert not alive(before)


def test_of_a_digest_only_what_was_not_taken_is_called_again(tmp_path):
    text = "from pluginhost.outputs.notify.hooks import TryLater\n" + KEEPS + """
    if alert["message"] == "b" and len(open(os.environ["SEEN"]).readlines()) < 4:
        raise TryLater(42, "the desk is closed")
"""
    hook = Hooked(tmp_path, text)
    digest = notification("digest", alert(message="a"), alert(message="b"), alert(message="c"), table=None)
    first, second = hook.run(digest, digest)
    assert first == Retry("the desk is closed", 42.0)
    assert second == DONE
    assert [one["message"] for _, one in hook.seen()] == ["a", "b", "c", "b"]


@pytest.mark.parametrize(("given", "after"), [("", 0.0), ("1e9", 3600.0), ("-5", 0.0), ("float('nan')", 0.0)])
def test_how_late_is_bounded(tmp_path, given, after):
    text = "from pluginhost.outputs.notify.hooks import TryLater\n" + raising(f"raise TryLater({given})")
    assert Hooked(tmp_path, text).run() == [Retry("the hook asks to try later", max(after, 0.0))]


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(tmp_path, caplog):
    hook = Hooked(tmp_path, KEEPS)

    async def go():
        outcomes = await hook.tell(notification(id="n1"))
        hook.write("def on_alert(alert:\n    pass\n")
        outcomes += await hook.tell(notification(id="n2"), notification(id="n3"))
        hook.file.unlink()
        outcomes += await hook.tell(notification(id="n4"))
        hook.write(KEEPS.replace("json.dumps([", "json.dumps(['new', "))
        return outcomes + await hook.tell(notification(id="n5"))

    with caplog.at_level(logging.ERROR):
        assert hook.within(go) == [DONE] * 5
    seen = hook.seen()
    assert len({pid for pid, *_ in seen[:4]}) == 1
    assert seen[4][0] == "new"
    (line,) = (one.getMessage() for one in caplog.records)
    assert line == "hook n: the file as it was goes on: the hook cannot be loaded: SyntaxError: '(' was never closed (hook.py:1)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "hook.py has no function on_alert, or it is `async`"),
        ("async def on_alert(alert): pass\n", "hook.py has no function on_alert"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name' (hook.py:1)"),
        ("\nx = (\n", "SyntaxError: '(' was never closed (hook.py:2)"),
        ("import os; os._exit(0)\n", "its process ended while it was loaded"),
        ("exit()\n", "SystemExit"), ("\0", "SyntaxError: source code string cannot contain null bytes"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_loaded_waits_for_somebody(tmp_path, text, reason):
    (outcome,) = Hooked(tmp_path, text).run()
    assert isinstance(outcome, Retry)
    assert outcome.slow
    assert reason in outcome.reason
    with pytest.raises(Problem, match="cannot be loaded"):
        asyncio.run(Hooked(tmp_path, text).output.check())


def test_a_check_loads_the_file_and_calls_nothing(tmp_path):
    hook = Hooked(tmp_path, KEEPS)
    hook.within(hook.output.check)
    assert hook.seen() == []
    hook.file.unlink()
    with pytest.raises(Problem, match="FileNotFoundError"):
        asyncio.run(hook.output.check())


def test_what_it_prints_is_logged_in_part_and_forgotten(tmp_path, caplog):
    text = "import os\ndef on_alert(alert):\n    for n in range(50_000): print('line', n, os.environ['SEEN'])\n"
    with caplog.at_level(logging.INFO):
        assert Hooked(tmp_path, text, environment={"SEEN": "s3cr3t"}).run() == [DONE]
    lines = [one.getMessage() for one in caplog.records]
    assert lines[-1] == "hook n: line 49999 …"
    assert len(lines) == 20


def test_memory_is_bounded(tmp_path):
    hook = Hooked(tmp_path, KEEPS + "    if alert['message'] == 'much': bytearray(1 << 29)\n", memory="400MiB")
    much = notification("alert", alert(message="much"), id="n2")
    first, second, third = hook.run(notification(id="n1"), much, notification(id="n3"))
    assert (first, third) == (DONE, DONE)
    assert second == Dead("MemoryError (hook.py:6)")


def test_a_hook_that_forks_answers_once_and_leaves_nobody(tmp_path):
    text = KEEPS + """
    if alert["message"] == "bad":
        raise ValueError("bad")
    if os.fork() == 0 and alert["message"] == "stay":
        import time
        open(os.environ["SEEN"] + ".pid", "w").write(str(os.getpid()))
        time.sleep(60)
"""
    hook = Hooked(tmp_path, text)
    stay, bad = (notification("alert", alert(message=word), id=word) for word in ("stay", "bad"))

    async def go():
        outcomes = await hook.tell(notification(id="n1"), stay, notification(id="n3"), bad)
        while not (tmp_path / "seen.pid").exists() or not (tmp_path / "seen.pid").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # it writes when it likes
        return outcomes

    assert hook.within(go) == [DONE, DONE, DONE, Dead("ValueError: bad (hook.py:8)")]
    assert [one["pluginhost"]["notification"]["id"] for _, one in hook.seen()] == ["n1", "stay", "n3", "bad"]
    left, end = int((tmp_path / "seen.pid").read_text()), time.monotonic() + 20
    while alive(left) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(left)


def test_an_end_is_noticed_though_a_child_holds_what_was_open(tmp_path):
    text = KEEPS + "    if os.fork():\n        os._exit(5)\n    import time; time.sleep(60)\n"
    assert Hooked(tmp_path, text).run() == [Dead("the hook ended its process (exit status 5)")]


def test_it_may_import_what_lies_beside_it_and_does_not_inherit_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ES_API_KEY", "s3cr3t")
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    text = "import os\nfrom beside import WORD\n" + raising("raise ValueError(WORD, 'ES_API_KEY' in os.environ, 'PATH' in os.environ)")
    assert Hooked(tmp_path, text).run() == [Dead("ValueError: ('beside', False, True) (hook.py:4)")]


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells it elsewhere")
def test_it_dies_with_the_host(tmp_path):
    """Also when it is stuck and the host had no time to end it."""
    text = KEEPS + "    while True: pass\n"
    (tmp_path / "hook.py").write_text(text)
    script = f"""
import asyncio, sys
sys.path[:0] = {sys.path!r}
from notifying import made, notification, outgoing
output = made("hook", {{"file": {str(tmp_path / "hook.py")!r}, "environment": {{"SEEN": {str(tmp_path / "seen")!r}}}, "timeout": "60s"}})
asyncio.run(output.deliver([outgoing(notification())]))
"""
    host = subprocess.Popen([sys.executable, "-c", script])
    end = time.monotonic() + 30
    while not (tmp_path / "seen").exists() or not (tmp_path / "seen").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    host.kill()
    host.wait()
    ((pid, _),) = [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    left = alive(pid)
    if left:
        os.kill(pid, 9)
    assert not left
