"""The forward door: what Fluentd, Fluent Bit and the fluent loggers send."""

from .input import Forward, ForwardOptions

__all__ = ["Forward", "ForwardOptions"]
