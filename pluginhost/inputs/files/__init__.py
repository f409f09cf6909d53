"""Files as an input, for those without a shipper."""

from .input import Files

__all__ = ["Files"]
