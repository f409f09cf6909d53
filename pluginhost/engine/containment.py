"""Keeps analyzers from harming each other: watches what they cost, takes those that misbehave out for a while, and says so.

What `quarantine` decides is journalled here, so that workers and replays know nothing but control rows. Who is out, why and until
when stands in `quarantine.json`; every start announces it again. Says by alerts of its own when an analyzer is taken out, and when
the keys of one run short.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from ..alerts.document import Rule, document
from ..alerts.ids import event_id, fingerprint
from ..detect.finding import Alert, Severity
from ..metrics import Counts
from ..options import Duration, close
from ..problem import Problem, printable
from .committer import Committer
from .generations import Manifest
from .items import Finding
from .link import UnitCounts
from .quarantine import Decision, Entry, Quarantine
from .shards import Worker
from .splitter import Control, control_row
from .trace import Call

__all__ = ["COUNTS", "Containment"]

log = logging.getLogger(__name__)

COUNTS = ("quarantined", "released", "slow", "pressure")

_EVERY = 0.5  # seconds between two decisions
_NEAR = 0.9  # of the keys that may be
_PRESSURE = Duration.of("1h").ns  # one alert about the keys of an analyzer in so much time
_QUARANTINE = Rule("pluginhost.quarantine", "An analyzer is in quarantine",
                   "It failed too often, took too long or ended its worker, and is not called for a while.", "pluginhost")  # fmt: skip
_SHORT = Rule("pluginhost.pressure", "The keys of an analyzer run short",
              "It remembers as many keys as it may, or nearly: those idle longest make room for others.", "pluginhost")  # fmt: skip


class Containment:
    """One per host. `tell` takes alerts of our own, `clock` gives ns."""

    def __init__(self, file: Path, workers: Sequence[Worker], committer: Committer, counts: Counts, *,
                 rate: float, budget: float, first: int, tell: Callable[[Finding], None], clock: Callable[[], int]) -> None:  # fmt: skip
        self._file, self._workers, self._committer, self._counts = file, workers, committer, counts
        self._tell, self._clock = tell, clock
        self.quarantine = Quarantine(rate=rate, budget=budget, first=first, entries=_read(file))
        self._seen: dict[tuple[int, str], UnitCounts] = {}
        self._pressed: dict[str, str] = {}
        self._since: dict[str, int] = {}  # the row at which each last went in or came out: what was before it is settled

    def start(self, manifest: Manifest) -> Control:
        """The control row of a start: who runs, who of them is out, and that nobody else is."""
        self._take(manifest)
        active = self.quarantine.active()
        for name, entry in active.items():
            self._alert(name, entry)  # again, if we ended before it was stored
        others = [info.name for info in manifest.infos() if info.name not in active]
        return Control(manifest.number, quarantine=tuple(active), release=tuple(others))

    def swap(self, manifest: Manifest, reset: tuple[str, ...]) -> Control:
        """The control row of a new generation; an analyzer that comes in another version is out no longer."""
        return Control(manifest.number, reset, release=self._take(manifest))

    def _take(self, manifest: Manifest) -> tuple[str, ...]:
        versions = {info.name: f"{one.digest} {one.options.get(info.name)}" for one in manifest.modules for info in one.analyzers}
        out = self.quarantine.running(versions)
        self._write()
        return out

    async def release(self, names: Iterable[str]) -> tuple[str, ...]:
        """Lets `names` run again, with a clean slate; gives those that were out."""
        known = self.quarantine.versions
        for name in (names := tuple(names)):
            if name not in known:
                raise Problem("analyzer.unknown", f"there is no analyzer {name}", todo=close(name, known))
        out = self.quarantine.release(names)
        if out:
            await self._effect(Decision({}, out))
        return out

    def look(self, seconds: float) -> None:
        """Samples where every worker is."""
        now = self._clock()
        for worker in self._workers:
            spent = worker.look(seconds)
            if spent is None or spent.offset <= self._since.get(spent.analyzer, -1):
                continue
            if (told := self.quarantine.spent(worker.shard, spent, now)) is not None:
                self._counts["slow"] += 1
                log.warning("analyzer %s %s", spent.analyzer, told)

    async def died(self, call: Call, row: int) -> None:
        """A worker ended in this call; nobody has heard of `row` and what follows it yet."""
        now = self._clock()
        self.quarantine.died(call.analyzer, row, now)
        await self._decide(now)

    async def run(self) -> None:
        """Decides until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            now = self._clock()
            for worker in self._workers:
                for name, counts in worker.units.items():
                    self._counted(worker, name, counts, now)
            await self._decide(now)

    async def _decide(self, now: int) -> None:
        if (decision := self.quarantine.decisions(now)) is not None:
            await self._effect(decision)

    def _counted(self, worker: Worker, name: str, counts: UnitCounts, now: int) -> None:
        before = self._seen.get((worker.shard, name))
        if counts == before:
            return
        self._seen[worker.shard, name] = counts
        if before is None or counts.seen < before.seen or counts.failed < before.failed:  # a new process, or new code
            before = UnitCounts(0, 0, 0, 0, 0, 0)
        if worker.position > self._since.get(name, -1):
            failed, failure = counts.failed - before.failed, worker.failures.get(name)
            error = printable(failure.error, 200) if failure is not None and failed else ""
            self.quarantine.counted(name, max(counts.seen - before.seen, failed), failed, now, error)
        self._pressure(name, counts.evicted - before.evicted, counts, now)

    def _pressure(self, name: str, evicted: int, counts: UnitCounts, now: int) -> None:
        if not evicted and not 0 < _NEAR * counts.most <= counts.keys:
            return
        mark = f"{bool(evicted)} {now // _PRESSURE}"
        if self._pressed.get(name) == mark:
            return
        self._pressed[name] = mark
        self._counts["pressure"] += 1
        told = "those idle longest make room for others" if evicted else "soon some will make room for others"
        message = f"{name} remembers {counts.keys} of {counts.most} keys; {told}"
        self._own(_SHORT, "medium" if evicted else "low", name, mark, message, now)

    async def _effect(self, decision: Decision) -> None:
        """Journals a decision; it holds from its row on, in every shard and every replay."""
        self._write()
        if decision.release:
            row = await self._journalled(Control(release=decision.release), decision.release)
            self._counts["released"] += len(decision.release)
            log.warning("called again from row %d on: %s", row, ", ".join(decision.release))
        for name, entry in decision.quarantine.items():
            early = Call(name, entry.row, -1) if entry.row >= 0 else None
            row = await self._journalled(Control(quarantine=(name,), skip=early), (name,))
            self._counts["quarantined"] += 1
            log.error("analyzer %s is not called from row %d on, for %s: %s", name, max(entry.row, 0) or row, _span(entry), entry.reason)
            self._alert(name, entry)
            for worker in self._workers:
                if early is not None:
                    worker.again(early)
                elif "MemoryError" in entry.reason:
                    worker.renew(row)

    async def _journalled(self, control: Control, names: Iterable[str]) -> int:
        row = control_row(control)
        await self._committer.insist([row])
        self._since |= dict.fromkeys(names, row.offset)
        return row.offset

    def _alert(self, name: str, entry: Entry) -> None:
        self._own(_QUARANTINE, "high", name, str(entry.since), f"{name} is not called for {_span(entry)}: {entry.reason}", entry.since)

    def _own(self, rule: Rule, severity: Severity, name: str, mark: str, message: str, now: int) -> None:
        key = name.encode()
        id_, print_ = event_id(rule.id, key, mark, 0), fingerprint(rule.id, key)
        alert = Alert(severity, message, fields={"event.category": ["process"]})
        made = document(rule, alert, event=None, key={}, event_id=id_, fingerprint=print_, time=now, window=None)
        self._tell(Finding(-1, 0, rule.id, 0, id_, print_, now, severity, message, msgspec.json.encode(made)))

    def _write(self) -> None:
        aside = self._file.with_suffix(".new")
        try:
            with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(msgspec.json.format(msgspec.json.encode(self.quarantine.entries)))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._file)
        except OSError as error:  # it holds all the same; only a restart would not know of it
            log.error("who is in quarantine cannot be noted (%s)", error)  # noqa: TRY400 - no bug of ours


def _read(file: Path) -> Mapping[str, Entry]:
    """Who was out or on probation when the last host ended; nobody, if the file is gone or damaged."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Entry])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("%s cannot be read (%s): nobody is in quarantine", file, error)
        return {}


def _span(entry: Entry) -> Duration:
    return Duration(round((entry.until - entry.since) / 1e9, 1))
