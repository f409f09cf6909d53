"""Alerts out of a running sidecar and into one: through the host, to no output, however large."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FIXTURE = Path(__file__).parents[1] / "fixtures" / "alerts.ndjson.gz"


def test_a_running_host_takes_and_gives_alerts(sidecar):
    one = sidecar(outputs=[{"type": "file", "path": "told.ndjson"}]).start()

    def run(*given):
        command = [sys.executable, "-m", "pluginhost", "alerts", *given]
        return subprocess.run(command, cwd=one.folder, capture_output=True, text=True, timeout=60, check=True).stdout

    assert run("import", str(FIXTURE)) == "1,000 alerts stored, 0 known already, 0 lines skipped\n"
    assert run("import", str(FIXTURE)) == "0 alerts stored, 1,000 known already, 0 lines skipped\n"
    documents = [json.loads(line) for line in run("export").splitlines()]
    assert len(documents) == 1000
    large = documents[0] | {"event": documents[0]["event"] | {"id": "f" * 64}, "message": "large \r one", "pad": "x\n" * (1 << 20)}
    (one.folder / "large.ndjson").write_text(json.dumps(large))
    assert run("import", "large.ndjson").startswith("1 alerts stored")
    assert [json.loads(line) for line in run("export", "--text", "large", "--since", "2026-01-01").splitlines()] == [large]
    counted = [json.loads(line) for line in run("summary", "--since", "2026-01-01", "--json").splitlines()]
    assert (sum(one["told"] for one in counted), sum(one["suppressed"] for one in counted)) == (926, 75)
    assert not list(one.data.glob("import-*"))
    one.settled()
    assert one.stop() == 0
    assert not (one.folder / "told.ndjson").exists() or (one.folder / "told.ndjson").read_text() == ""
