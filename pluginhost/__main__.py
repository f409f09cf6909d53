"""`python -m pluginhost` is the command `pluginhost`."""

from .cli import main

main(prog_name="pluginhost")
