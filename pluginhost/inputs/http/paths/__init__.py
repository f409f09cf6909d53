"""The families of paths of the HTTP door, by name: one file each."""

from __future__ import annotations

from collections.abc import Callable

from ..visit import Path
from .analyze import Analyze
from .bulk import Bulk
from .firehose import Firehose
from .ingest import Ingest
from .mozdef import Mozdef
from .openapi import OpenApi
from .otlp import Otlp
from .splunk import Splunk

__all__ = ["FAMILIES"]

FAMILIES: dict[str, Callable[..., Path]] = {
    "ingest": Ingest, "analyze": Analyze, "mozdef": Mozdef, "bulk": Bulk, "otlp": Otlp, "splunk": Splunk, "firehose": Firehose,
    "openapi": OpenApi,
}  # fmt: skip
