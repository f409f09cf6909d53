"""Ways out: thin shells that turn alerts into a peer's bytes. One file each, over the port `deliver`."""
