"""What survives a crash: the journal, a shard's state, the alerts with their outboxes. It knows no meaning of any of it."""
