"""Logprep by its own API: its pre-detector alone, and its pipeline of renaming and detecting. See `peer.py` for what it is asked.

Its metrics are in memory, its logging is off below errors, and no input or output is part of a round: dicts in, detections out.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from logprep.factory import Factory
from logprep.framework.pipeline import Pipeline
from logprep.util.configuration import Configuration

Event = dict[str, Any]


def detector(rules: list[Event]) -> dict[str, Any]:
    return {"type": "pre_detector", "rules": rules, "outputs": [{"out": "alerts"}]}


def alone(rules: list[Event]) -> Callable[[Event], int]:
    """The processor's own `process`."""
    processor = Factory.create({"detect": detector(rules)})
    processor.setup()
    return lambda event: len(processor.process(event).data)


def renaming(folder: Path, names: dict[str, str], rules: list[Event]) -> Callable[[Event], int]:
    """The pipeline's own `process_event`."""
    rename = [{"filter": "*", "field_manager": {"mapping": names, "delete_source_fields": True, "ignore_missing_fields": True}}]
    steps = [{"rename": {"type": "field_manager", "rules": rename}}, {"detect": detector(rules)}]
    file = folder / "logprep.json"
    inner = {"in": {"type": "dummy_input", "documents": []}}
    outer = {"out": {"type": "dummy_output", "do_nothing": True}}
    file.write_text(json.dumps({"version": "1", "process_count": 1, "pipeline": steps, "input": inner, "output": outer}))
    pipeline = Pipeline(Configuration.from_sources([str(file)]), pipeline_index=1)

    def run(event: Event) -> int:
        result = pipeline.process_event(event)
        assert not result.errors
        assert not result.warnings
        return len(result.data)

    return run


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    given = json.loads((folder / "logprep-input.json").read_text())
    records = (folder / "records.json").read_text()
    runs = {"alone": alone(given["rules"]), "renaming": renaming(folder, given["names"], given["renamed_rules"])}
    print(json.dumps({"about": f"Logprep {version('logprep')}"}), flush=True)
    for line in sys.stdin:
        run, events = runs[json.loads(line)], json.loads(records)  # fresh ones: they are altered
        began = time.process_time()
        found = sum(run(event) for event in events)
        print(json.dumps({"cpu": time.process_time() - began, "records": len(events), "found": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
