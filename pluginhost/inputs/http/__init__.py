"""The HTTP door: records in any body that shippers send."""

from .input import Http, HttpOptions

__all__ = ["Http", "HttpOptions"]
