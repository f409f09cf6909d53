"""Bytes ⇄ chunks of records, for every protocol we speak; no sockets, no clock."""
