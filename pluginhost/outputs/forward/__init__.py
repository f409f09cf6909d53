"""Flagged records back into the shipper, over the forward protocol."""

from .output import Forward

__all__ = ["Forward"]
