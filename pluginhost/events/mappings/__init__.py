"""The mappings that come along, one kind of source a file; each offers `MAPPINGS`, as a foreign package would."""
