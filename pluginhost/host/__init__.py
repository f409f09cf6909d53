"""The composition root: configuration → parts, started, connected, supervised and stopped."""
