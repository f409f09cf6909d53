"""Doors: thin shells that turn a peer's bytes into chunks. One file each, over `wire/` and the port `accept`."""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read once, when grpc is imported: else it writes a line for every stranger's handshake
