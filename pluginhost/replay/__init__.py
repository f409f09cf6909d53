"""Records that did not come by a door: made up by seed, or read again from where they were kept."""
