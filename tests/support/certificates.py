"""Certificates for tests: an authority, and what it signs, as PEM files."""

from __future__ import annotations

import datetime as dt

import trustme


class Authority:
    """Writes into `folder`: `ca.pem` (the authority), and a pair of files for each certificate."""

    def __init__(self, folder, name="ca"):
        self.folder, self._authority = folder, trustme.CA()
        folder.mkdir(exist_ok=True)
        self.ca = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(self, name, *hosts, expired=False):
        """{"cert", "key"} of a certificate for `hosts`, whose common name is `name`."""
        ended = dt.datetime.now(dt.UTC) - dt.timedelta(days=1) if expired else None
        made = self._authority.issue_cert(*(hosts or ("localhost", "127.0.0.1")), common_name=name, not_after=ended)
        cert, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        key.chmod(0o600)
        return {"cert": str(cert), "key": str(key)}
