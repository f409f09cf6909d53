"""TLS for the gRPC door: its library reads no contexts of `ssl`, so the same declaration is told to it in its own way.

What is read from files is followed as everywhere: looked at again when a connection comes, at most once a second. The library falls back to
nothing below TLS 1.2, and cannot be told to want 1.3.
"""

from __future__ import annotations

from typing import Any

import grpc

from ...problem import Problem
from ...tls import Following, Serving, serving_context

__all__ = ["credentials", "names_of"]


def credentials(options: Serving) -> grpc.ServerCredentials:
    """What a server shows and asks for; `Problem` (`tls.files`, `tls.version`) if that cannot be had."""
    if options.min_version != "1.2":
        raise Problem("tls.version", f"TLS {options.min_version} cannot be demanded over gRPC",
                      still="1.2 and 1.3 are spoken, nothing less", todo="leave `min_version` out here")  # fmt: skip
    following = Following(options.files, lambda: _configuration(options))
    shown = following.current()

    def renewed() -> Any:
        nonlocal shown
        before, shown = shown, following.current()
        return None if shown is before else shown

    return grpc.dynamic_ssl_server_credentials(shown, renewed, require_client_authentication=bool(options.client_ca))


def _configuration(options: Serving) -> grpc.ServerCertificateConfiguration:
    serving_context(options)  # what is wrong with the files, in the words that all doors have for it
    roots = options.client_ca.read_bytes() if options.client_ca else None
    return grpc.ssl_server_certificate_configuration([(options.key.read_bytes(), options.cert.read_bytes())], root_certificates=roots)


def names_of(stream: grpc.aio.ServicerContext[bytes, bytes]) -> tuple[str, ...]:
    """What the verified certificate of a peer calls its owner: alternative names, then common names; none without one."""
    shown = stream.auth_context()
    found = [*shown.get("x509_subject_alternative_name", ()), *shown.get("x509_common_name", ())]
    return tuple(dict.fromkeys(one.decode("utf-8", "backslashreplace") for one in found))
