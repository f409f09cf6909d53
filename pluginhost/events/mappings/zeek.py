"""Zeek's logs as JSON, each known by the fields that it always has; as fields (`id.orig_h` or nested), or as text in the message.

The source is who opened the connection; for files it is who sent them. A log that is not known here still says who talked to whom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup
from ..frozen import frozen
from ..mapping import Example, Keys, Mapping, Record
from .json_text import texted
from .web import address, nanoseconds, number, outcome, path, query, text

__all__ = ["MAPPINGS"]

_Paths = dict[str, tuple[str, ...]]
_Readers = dict[str, Callable[[Record], Any]]

_ENDS: _Paths = {
    "source.ip": ("id.orig_h",), "source.address": ("id.orig_h",), "source.port": ("id.orig_p",),
    "destination.ip": ("id.resp_h",), "destination.address": ("id.resp_h",), "destination.port": ("id.resp_p",),
    "network.transport": ("proto",),
}  # fmt: skip
_ID = ("id.orig_h", "id")


def _constants(category: str, types: str, **more: Any) -> dict[str, Any]:
    return {"event.category": frozen([category]), "event.type": frozen(types.split(",")), **more}


# --- connections; the log is written when they have ended ---

_STATES = {
    "SF": ("connection,end", "success"), "S0": ("connection,start", "failure"), "SH": ("connection,start", "failure"),
    "RSTOS0": ("connection,start", "failure"), "REJ": ("connection,denied", "failure"), "OTH": ("connection,info", "unknown"),
    "SHR": ("connection,info", "unknown"), "RSTRH": ("connection,info", "unknown"),
}  # fmt: skip
"""State → types and outcome: only in the first was something said; S0 and the next two were never answered. All others are ends."""
_ENDED = ("connection,end", "success")
_STATE_TYPES = {state: frozen(types.split(",")) for state, (types, _) in _STATES.items()}
_DIRECTIONS = {(True, True): "internal", (True, False): "outbound", (False, True): "inbound", (False, False): "external"}


def _state(record: Record) -> str:
    return text(record.get("conn_state")) or ""


def _direction(record: Record) -> Any:
    here, there = record.get("local_orig"), record.get("local_resp")
    return _DIRECTIONS[here, there] if isinstance(here, bool) and isinstance(there, bool) else MISSING


_CONN_PATHS: _Paths = {
    **_ENDS, "network.protocol": ("service",), "source.bytes": ("orig_ip_bytes", "orig_bytes"), "source.packets": ("orig_pkts",),
    "destination.bytes": ("resp_ip_bytes", "resp_bytes"), "destination.packets": ("resp_pkts",), "network.community_id": ("community_id",),
}  # fmt: skip
_CONN_READ: _Readers = {
    "event.type": lambda record: _STATE_TYPES.get(_state(record), _STATE_TYPES["SF"]),
    "event.outcome": lambda record: _STATES.get(_state(record), _ENDED)[1],
    "event.duration": lambda record: nanoseconds(record.get("duration")),
    "network.direction": _direction,
}


# --- protocols ---

_HTTP_PATHS: _Paths = {
    **_ENDS, "http.request.method": ("method",), "http.version": ("version",), "http.request.referrer": ("referrer",),
    "http.request.body.bytes": ("request_body_len",), "http.response.body.bytes": ("response_body_len",),
    "http.response.status_code": ("status_code",), "user_agent.original": ("user_agent",), "url.domain": ("host",),
    "url.original": ("uri",),
}  # fmt: skip
_HTTP_READ: _Readers = {
    "event.outcome": lambda record: outcome(record.get("status_code")),
    "user.name": lambda record: text(record.get("username")),
    "url.path": lambda record: path(record.get("uri")),
    "url.query": lambda record: query(record.get("uri")),
    "host.name": lambda record: MISSING,  # `host` is the one that was asked for
}


def _resolved(record: Record) -> Any:
    answers = record.get("answers")
    found = [one for one in answers if address(one) is not MISSING] if isinstance(answers, list) else []
    return found or MISSING


def _answered(record: Record) -> Any:
    code = text(record.get("rcode_name"))
    return MISSING if code is MISSING else "success" if code == "NOERROR" else "failure"


_DNS_PATHS: _Paths = {
    **_ENDS, "dns.question.name": ("query",), "dns.question.type": ("qtype_name",), "dns.response_code": ("rcode_name",),
}  # fmt: skip
_DNS_READ: _Readers = {"event.outcome": _answered, "dns.resolved_ip": _resolved}

_SSH = {
    True: (frozen(["authentication"]), frozen(["start"]), "ssh_login"),
    False: (frozen(["network"]), frozen(["connection", "end"]), "ssh_connection"),
}
"""What it is, by whether a login was tried."""


def _ssh(record: Record) -> tuple[list[str], list[str], str]:
    tried = number(record.get("auth_attempts"))
    return _SSH[tried is not MISSING and tried > 0]


def _ssh_outcome(record: Record) -> Any:
    told = record.get("auth_success")
    if _ssh(record)[2] != "ssh_login":
        return MISSING
    return ("success" if told else "failure") if isinstance(told, bool) else "unknown"


def _repeated(record: Record) -> Any:
    """How often a login failed, where all of it failed."""
    return number(record.get("auth_attempts")) if _ssh_outcome(record) == "failure" else MISSING


_SSH_READ: _Readers = {
    "event.category": lambda record: _ssh(record)[0],
    "event.type": lambda record: _ssh(record)[1],
    "event.action": lambda record: _ssh(record)[2],
    "event.outcome": _ssh_outcome,
    "pluginhost.repeated": _repeated,
}

_TLS_VERSIONS = {"TLSv10": "1.0", "TLSv11": "1.1", "TLSv12": "1.2", "TLSv13": "1.3"}


def _established(record: Record) -> Any:
    told = record.get("established")
    return ("success" if told else "failure") if isinstance(told, bool) else MISSING


def _tls_version(record: Record) -> Any:
    told = text(record.get("version"))
    return _TLS_VERSIONS.get(told or "", told)


_SSL_PATHS: _Paths = {
    **_ENDS, "tls.cipher": ("cipher",), "tls.client.server_name": ("server_name",), "tls.client.ja3": ("ja3",),
    "tls.server.ja3s": ("ja3s",),
}  # fmt: skip
_SSL_READ: _Readers = {"event.outcome": _established, "tls.version": _tls_version}


# --- what Zeek noticed, files, oddities ---

_PLACE = "remote_location"
_NOTICE_PATHS: _Paths = {
    **_ENDS, "source.ip": ("src", "id.orig_h"), "source.address": ("src", "id.orig_h"), "destination.ip": ("dst", "id.resp_h"),
    "destination.address": ("dst", "id.resp_h"), "destination.port": ("p", "id.resp_p"), "pluginhost.signature.id": ("note",),
    "pluginhost.signature.name": ("note",), "event.reason": ("msg",), "source.geo.country_iso_code": (f"{_PLACE}.country_code",),
    "source.geo.city_name": (f"{_PLACE}.city",), "file.name": ("file_desc",),
}  # fmt: skip


def _sender(side: str) -> Callable[[Record], Any]:
    """A function that gives the one that sent the file (`tx`) or received it (`rx`); newer versions have no list of either."""

    def read(record: Record) -> Any:
        hosts = record.get(f"{side}_hosts")
        if isinstance(hosts, list) and hosts:
            return address(hosts[0])
        sent = bool(record.get("is_orig"))
        return address(lookup(record, "id.orig_h" if sent == (side == "tx") else "id.resp_h", None))

    return read


_FILES_PATHS: _Paths = {
    "file.name": ("filename",), "file.size": ("total_bytes", "seen_bytes"), "file.mime_type": ("mime_type",), "file.hash.md5": ("md5",),
    "file.hash.sha1": ("sha1",), "file.hash.sha256": ("sha256",),
}  # fmt: skip
_FILES_READ: _Readers = {
    "source.ip": _sender("tx"), "source.address": _sender("tx"), "destination.ip": _sender("rx"), "destination.address": _sender("rx"),
    "network.protocol": lambda record: text(record.get("source")) and record["source"].lower(),
}  # fmt: skip

# --- all of them ---

_SEEN: dict[str, Any] = {"source.ip": "203.0.113.9", "source.port": 50096, "destination.ip": "192.0.2.1", "network.transport": "tcp"}


def _log(port: int, *, nested: bool = False, **more: Any) -> dict[str, Any]:
    ends: dict[str, Any] = {"orig_h": "203.0.113.9", "orig_p": 50096, "resp_h": "192.0.2.1", "resp_p": port}
    told = {"id": ends} if nested else {f"id.{name}": end for name, end in ends.items()}
    return {"ts": 1795255200.25, "uid": "CHhAvVGS1DHFjwGM9", **told, "proto": "tcp", **more}


_CONN = Mapping(
    "zeek-conn", "Zeek's conn.log", Keys(("conn_state", "uid"), _ID), paths=_CONN_PATHS, constants={"event.category": frozen(["network"])},
    read=_CONN_READ, reads=("duration", "local_orig", "local_resp"),
    examples=(
        Example(
            _log(443, service="ssl", duration=1.5, orig_bytes=5, resp_bytes=7, conn_state="SF", local_orig=False, local_resp=True,
                 orig_pkts=3, orig_ip_bytes=170, resp_pkts=2, resp_ip_bytes=120),
            {**_SEEN, "event.category": ["network"], "event.type": ["connection", "end"], "event.outcome": "success",
             "event.duration": 1_500_000_000, "source.bytes": 170, "destination.packets": 2, "destination.port": 443,
             "network.protocol": "ssl", "network.direction": "inbound"},
        ),
        Example(
            _log(22, nested=True, conn_state="S0"),
            {**_SEEN, "event.type": ["connection", "start"], "event.outcome": "failure", "destination.port": 22},
            ("event.duration", "network.direction", "source.bytes"),
        ),
        Example(
            {"uid": 5, "conn_state": None, "id": [1], "duration": "x", "local_orig": [], "local_resp": True},
            {"event.type": ["connection", "end"]},
            ("source.ip", "event.duration", "network.direction"),
        ),
    ),
)  # fmt: skip
_HTTP = Mapping(
    "zeek-http", "Zeek's http.log", Keys(("trans_depth", "uid"), _ID), paths=_HTTP_PATHS,
    constants=_constants("web", "access", **{"network.protocol": "http"}), read=_HTTP_READ, reads=("status_code", "username", "uri"),
    examples=(
        Example(
            _log(80, trans_depth=1, method="GET", host="shop.example", uri="/a?b=c", referrer="https://example/", version="1.1",
                 user_agent="curl/8", request_body_len=0, response_body_len=153, status_code=404, username="bob"),
            {**_SEEN, "event.category": ["web"], "event.type": ["access"], "event.outcome": "failure", "http.request.method": "GET",
             "http.version": "1.1", "http.response.status_code": 404, "http.response.body.bytes": 153, "url.domain": "shop.example",
             "url.path": "/a", "url.query": "b=c", "user_agent.original": "curl/8", "user.name": "bob"},
            ("host.name",),
        ),
    ),
)  # fmt: skip
_DNS = Mapping(
    "zeek-dns", "Zeek's dns.log", Keys(("trans_id", "uid"), _ID), paths=_DNS_PATHS,
    constants=_constants("network", "protocol", **{"network.protocol": "dns"}), read=_DNS_READ, reads=("rcode_name", "answers"),
    examples=(
        Example(
            _log(53, trans_id=5, query="a.example", qtype_name="A", rcode_name="NOERROR", answers=["b.example", "198.51.100.7"]),
            {"event.category": ["network"], "event.type": ["protocol"], "event.outcome": "success", "dns.question.name": "a.example",
             "dns.question.type": "A", "dns.response_code": "NOERROR", "dns.resolved_ip": ["198.51.100.7"]},
        ),
    ),
)  # fmt: skip
_SSH_LOG = Mapping(
    "zeek-ssh", "Zeek's ssh.log: logins as far as they can be told from outside", Keys(("auth_attempts", "uid"), _ID), paths=_ENDS,
    constants={"network.protocol": "ssh"}, read=_SSH_READ, reads=("auth_attempts", "auth_success"),
    examples=(
        Example(
            _log(22, version=2, auth_success=False, auth_attempts=6, client="SSH-2.0-libssh_0.10", server="SSH-2.0-OpenSSH_9.6"),
            {**_SEEN, "event.category": ["authentication"], "event.type": ["start"], "event.action": "ssh_login",
             "event.outcome": "failure", "pluginhost.repeated": 6},
            ("user.name",),
        ),
        Example(_log(22, auth_success=True, auth_attempts=2), {"event.outcome": "success"}, ("pluginhost.repeated",)),
        Example(_log(22, auth_attempts=2), {"event.outcome": "unknown", "event.action": "ssh_login"}),
        Example(_log(22, auth_attempts=0), {"event.category": ["network"], "event.action": "ssh_connection"}, ("event.outcome",)),
    ),
)  # fmt: skip
_SSL = Mapping(
    "zeek-ssl", "Zeek's ssl.log", Keys(("established", "uid"), _ID), paths=_SSL_PATHS,
    constants=_constants("network", "protocol", **{"network.protocol": "tls"}), read=_SSL_READ, reads=("established", "version"),
    examples=(
        Example(
            _log(443, version="TLSv13", cipher="TLS_AES_256_GCM_SHA384", server_name="shop.example", established=True, ja3="e7d7"),
            {**_SEEN, "event.outcome": "success", "tls.version": "1.3", "tls.cipher": "TLS_AES_256_GCM_SHA384",
             "tls.client.server_name": "shop.example", "tls.client.ja3": "e7d7", "network.protocol": "tls"},
        ),
    ),
)  # fmt: skip
_NOTICE = Mapping(
    "zeek-notice", "Zeek's notice.log", Keys(("suppress_for", "note")), paths=_NOTICE_PATHS,
    constants=_constants("intrusion_detection", "info", **{"event.action": "notice"}),
    examples=(
        Example(
            {"ts": 1795255200.25, "note": "SSH::Password_Guessing", "msg": "203.0.113.9 appears to be guessing SSH passwords.",
             "sub": "Sampled servers: 192.0.2.1", "src": "203.0.113.9", "actions": ["Notice::ACTION_LOG"], "suppress_for": 3600.0,
             "remote_location.country_code": "DE"},
            {"event.category": ["intrusion_detection"], "event.action": "notice", "source.ip": "203.0.113.9",
             "pluginhost.signature.id": "SSH::Password_Guessing", "source.geo.country_iso_code": "DE",
             "event.reason": "203.0.113.9 appears to be guessing SSH passwords."},
            ("destination.ip", "event.outcome"),
        ),
    ),
)  # fmt: skip
_FILES = Mapping(
    "zeek-files", "Zeek's files.log", Keys(("fuid", "seen_bytes")), paths=_FILES_PATHS, constants=_constants("file", "info"),
    read=_FILES_READ, reads=("tx_hosts", "rx_hosts", "is_orig", "source", *tops(("id.orig_h", "id.resp_h"))),
    examples=(
        Example(
            {"ts": 1795255200.25, "fuid": "FMnxxt3xjVcWNS2141", "tx_hosts": ["192.0.2.1"], "rx_hosts": ["203.0.113.9"], "source": "HTTP",
             "mime_type": "application/x-dosexec", "filename": "a.exe", "is_orig": False, "seen_bytes": 9, "total_bytes": 9, "md5": "9f86"},
            {"event.category": ["file"], "source.ip": "192.0.2.1", "destination.ip": "203.0.113.9", "file.name": "a.exe", "file.size": 9,
             "file.mime_type": "application/x-dosexec", "file.hash.md5": "9f86", "network.protocol": "http"},
        ),
        Example(
            {"fuid": "F", "seen_bytes": 9, "is_orig": True, "id": {"orig_h": "203.0.113.9", "resp_h": "192.0.2.1"}},
            {"source.ip": "203.0.113.9", "destination.ip": "192.0.2.1"},
        ),
    ),
)  # fmt: skip
_WEIRD = Mapping(
    "zeek-weird", "Zeek's weird.log", Keys(("notice", "peer", "name", "ts")), paths={**_ENDS, "event.reason": ("name",)},
    constants=_constants("network", "info", **{"event.action": "weird"}),
    examples=(
        Example(
            _log(80, name="bad_HTTP_request", notice=False, peer="zeek"),
            {**_SEEN, "event.category": ["network"], "event.type": ["info"], "event.action": "weird", "event.reason": "bad_HTTP_request"},
        ),
    ),
)  # fmt: skip
_OTHER = Mapping(
    "zeek-other", "any other log of Zeek about a connection", Keys(("id.orig_h", "uid")), paths=_ENDS,
    constants=_constants("network", "info"), last=True,
    examples=(Example(_log(21, command="RETR"), {**_SEEN, "event.category": ["network"]}),),
)  # fmt: skip

_LOGS = (_CONN, _HTTP, _DNS, _SSH_LOG, _SSL, _NOTICE, _FILES, _WEIRD, _OTHER)
MAPPINGS = (*_LOGS, texted("zeek-text", "these as JSON text in the message", ("orig_h", '"suppress_for"', '"seen_bytes"'), _LOGS))
