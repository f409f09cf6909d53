"""Doors: thin shells that turn a peer's bytes into chunks. One file each, over `wire/` and the port `accept`."""
