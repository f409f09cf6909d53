"""write → fdatasync → ack, for each chunk, as the kernel saw it. `kill -9` cannot show this; strace can."""

from __future__ import annotations

import base64
import re
import resource

import pytest
from needs import need_command
from sidecars import Sender

CALL = re.compile(r"(?P<pid>\d+)\s+(?P<rest>.*)")
CHUNKS = 40


def traced(one):
    """Starts the sidecar under strace; its calls land in `calls`."""
    return one.start("strace", "-f", "-y", "-s", "100000", "-e", "trace=write,writev,pwrite64,fdatasync,fsync,sendto,sendmsg", "-o",
                     str(one.folder / "calls"))  # fmt: skip


def unsynced(lines, markers):
    """The chunks that were acknowledged before a sync of the journal that began after their write had ended well."""
    written, synced, syncing, acked_early, acked = set(), set(), {}, set(), set()
    for line in lines:
        found = CALL.match(line)
        if not found:
            continue
        pid, rest = found["pid"], found["rest"]
        if re.match(r"(p?write(v|64)?)\(\d+<[^>]*\.journal>", rest):
            written |= {marker for marker in markers if marker in rest}
        elif re.match(r"f(data)?sync\(\d+<[^>]*\.journal>", rest):
            syncing[pid] = set(written)
            if rest.endswith("= 0"):
                synced |= syncing.pop(pid)
        elif "sync resumed>" in rest and rest.endswith("= 0"):
            synced |= syncing.pop(pid, set())
        elif re.match(r"(sendto|sendmsg|write)\(\d+<(TCP|socket)", rest):
            for marker in markers:
                if marker in rest and marker not in acked:
                    acked.add(marker)
                    acked_early |= {marker} - synced
    assert acked == set(markers), "every chunk was acknowledged"
    return acked_early


@pytest.mark.parametrize("sync", [True, False])
def test_each_ack_follows_the_sync_of_its_chunk(sidecar, sync):
    need_command("strace")
    one = sidecar(journal={"sync": sync})
    traced(one)
    sender = Sender(one.forward)
    markers = []
    for number in range(CHUNKS):
        chunk = base64.b64encode(f"chunk{number:08}".encode()).decode()
        markers.append(chunk)
        sender.send([{"marker": chunk, "seq": number}], chunk=chunk)
    one.stop()
    early = unsynced((one.folder / "calls").read_text(errors="replace").splitlines(), markers)
    assert len(early) == (0 if sync else CHUNKS)  # without syncing this very test must see it


def test_a_chunk_is_not_acknowledged_while_the_journal_cannot_be_written(sidecar):
    """The disk is full: nothing is acknowledged, the sidecar lives, and goes on when there is room."""
    one = sidecar()
    one.config["inputs"][0]["busy_timeout"] = "1s"
    one.start()
    Sender(one.forward).send([{"seq": 0, "pad": "x" * 1_000_000}])
    (segment,) = (one.data / "journal").glob("*.journal")
    pid = one.process.pid
    limit = segment.stat().st_size + 10
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    with pytest.raises(AssertionError, match="never acknowledged"):
        Sender(one.forward).send([{"seq": 1}], attempts=2)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    Sender(one.forward).send([{"seq": 2}])
    one.settled()
    one.says("the journal cannot be written")
