"""What analyzers are made of: declaration, findings, keyed state. Pure: no clock, chance, socket or database."""
