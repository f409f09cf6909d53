"""A record in its normal form: read-only, lazy, found by the field's name whatever the shipper called it."""
