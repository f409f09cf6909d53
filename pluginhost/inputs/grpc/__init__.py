"""The gRPC door."""

from .input import Grpc, GrpcOptions

__all__ = ["Grpc", "GrpcOptions"]
