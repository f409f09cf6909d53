"""Who may come in at a forward door, and what each is asked: a shared key, a user, an address. How they are asked is in `guest`."""

from __future__ import annotations

import msgspec

from ...problem import Problem
from ...wire.handshake import ANONYMOUS, Account, Terms
from ..access import Caller, inside, networks, refuse_strangers
from .options import Client, ForwardOptions

__all__ = ["Rules"]


class Rules:
    """What is asked of whom at one door; a `Problem` where the options make no sense together, or let strangers in."""

    def __init__(self, name: str, options: ForwardOptions, hostname: str) -> None:
        _make_sense(name, options)
        everybody = tuple(Account(user.username, user.password) for user in options.users)
        self._general = Terms(hostname=hostname, key=options.shared_key or "", users=everybody, keepalive=not options.deny_keepalive)
        self._special = [(networks([client.network], f"input {name}"), _terms(self._general, client)) for client in options.clients]
        self._tags = {user.username: user.tags for user in options.users}
        self._anonymous = options.allow_anonymous_source
        self.handshakes = options.shared_key is not None
        self.open = not self.handshakes and self._anonymous

    def terms(self, address: str) -> Terms:
        """What is asked of a peer at `address`; "" is the Unix socket, which no network rule holds for: its file has a mode."""
        for nets, terms in self._special if address else ():
            if inside(address, nets):
                return terms
        if self._anonymous or not address:
            return self._general
        return msgspec.structs.replace(self._general, refusal=ANONYMOUS.format(address))

    def caller(self, user: str) -> Caller:
        """The user, with the tags that it may use."""
        return Caller(user, self._tags.get(user, ()))


def _terms(general: Terms, client: Client) -> Terms:
    users = tuple(user for user in general.users if not client.users or user.name in client.users)
    return msgspec.structs.replace(general, key=client.shared_key or general.key, users=users)


def _make_sense(name: str, options: ForwardOptions) -> None:
    names = [user.username for user in options.users]
    unknown = {name for client in options.clients for name in client.users} - set(names)
    keys = [options.shared_key, *(client.shared_key for client in options.clients), *(user.password for user in options.users)]
    of_clients = any(client.shared_key or client.users for client in options.clients)
    for wrong, what, todo in (
        (any(key == "" for key in keys), "a key or password is empty", "write one, or leave the option out"),
        ((names or of_clients) and not options.shared_key, "users and keys of clients need a `shared_key`", "set `shared_key`"),
        (len(set(names)) < len(names), "a user is named twice", "name each once"),
        (unknown, f"`clients` name users that are not there: {', '.join(sorted(unknown))}", "add them to `users`"),
        (not (options.allow_anonymous_source or options.clients), "nobody could come in: no source is known", "name `clients`"),
    ):
        if wrong:
            raise Problem("input.forward.security", f"input {name}: {what}", todo=todo)
    asked = options.shared_key or (options.tls and options.tls.client_ca)
    if not (asked or options.allow_unauthenticated or options.port is None):
        refuse_strangers(name, options.bind, "`shared_key`")
