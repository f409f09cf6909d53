"""The options of the forward door; where Fluentd has the same, it has the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from ...options import Duration, Secret, Size, doc
from ...tls import Serving

__all__ = ["Client", "ForwardOptions", "User"]

_MANY = Size(256 << 20)
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user, whose password is asked for in the handshake."""

    username: Annotated[str, doc("the name", min_length=1)]
    password: Annotated[Secret, doc("the password")]
    tags: Annotated[tuple[str, ...], doc("patterns of tags that the user may send, such as `web.*`; none named: any")] = ()


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A network that senders come from; of several that an address is in, the first counts."""

    network: Annotated[str, doc("addresses, such as `10.1.0.0/16` or `10.1.2.3`")]
    shared_key: Annotated[Secret | None, doc("the key of this network, in place of the input's")] = None
    users: Annotated[tuple[str, ...], doc("names of the users that may come from there; none named: any")] = ()


class ForwardOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `forward`."""

    port: Annotated[_Port | None, doc("port for TCP, and for UDP heartbeats; 0 takes any free one, `null` none, but only `path`")] = 24224
    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    path: Annotated[Path | None, doc("a Unix socket to listen on, besides the port")] = None
    mode: Annotated[str, doc("who may use the Unix socket: the mode of its file, in quotes", pattern="^0?[0-7]{3}$")] = "0660"
    tls: Annotated[Serving | None, doc("speak TLS on the port")] = None
    shared_key: Annotated[Secret | None, doc("what every sender must know; with it each connection begins with a handshake")] = None
    users: Annotated[tuple[User, ...], doc("users, one of which each sender must be; needs `shared_key`")] = ()
    clients: Annotated[tuple[Client, ...], doc("networks that senders come from, perhaps with keys and users of their own")] = ()
    allow_anonymous_source: Annotated[bool, doc("whether senders outside all `clients` may come in")] = True
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without asking who they are")] = False
    self_hostname: Annotated[str, doc("what it calls itself in the handshake; by default `hostname`. No sender may have the same")] = ""
    handshake_timeout: Annotated[Duration, doc("how long TLS and the handshake may take", gt=0)] = Duration(10)
    backlog: Annotated[int, doc("connections that may wait to be taken in", ge=1)] = 512
    tag: Annotated[str, doc("replaces the tag of every record")] = ""
    add_tag_prefix: Annotated[str, doc("put before every tag, with a dot between")] = ""
    chunk_size_warn_limit: Annotated[Size | None, doc("a larger frame is taken with a warning")] = None
    chunk_size_limit: Annotated[Size, doc("most bytes of a frame as sent; a larger one closes its connection", ge=1)] = Size(32 << 20)
    decompression_size_limit: Annotated[Size, doc("most bytes of a frame unpacked; a larger one is a dead letter", ge=1)] = Size(64 << 20)
    entries_limit: Annotated[int, doc("most records of a frame; more close its connection", ge=1)] = 500_000
    depth_limit: Annotated[int, doc("how deep maps and lists may nest; a deeper record is a dead letter", ge=1, le=128)] = 64
    connections: Annotated[int, doc("most connections at a time", ge=1)] = 1024
    half_frame_bytes: Annotated[Size, doc("most bytes of unfinished frames, over all connections", ge=1)] = _MANY
    waiting_bytes: Annotated[Size, doc("bytes of one connection not yet durable, above which it is not read", ge=1)] = Size(8 << 20)
    waiting_bytes_all: Annotated[Size, doc("the same over all connections, above which none is read", ge=1)] = _MANY
    progress_timeout: Annotated[Duration, doc("how long an unfinished frame may not grow before its connection is closed")] = Duration(30)
    frame_timeout: Annotated[Duration, doc("how long a frame may take to come in before its connection is closed")] = Duration(120)
    idle_timeout: Annotated[Duration | None, doc("how long a connection may send nothing before it is closed; never by default")] = None
    busy_timeout: Annotated[Duration, doc("how long a sender waits for its ack while nothing can be taken, at most")] = Duration(20)
    deny_keepalive: Annotated[bool, doc("whether each connection is closed after its first frame, so that a balancer spreads them")] = False
    heartbeat: Annotated[bool, doc("whether UDP heartbeats are answered")] = True
