"""What an application should log, as data: the kinds of event that detections live on, how each is found, and what to send.

`pluginhost check --records` says which of them a sample never shows, and docs/what-to-log.md tells them to people; both are made from
here. A query is what an analyzer's `where` would be; this module only holds its text.
"""

from __future__ import annotations

import msgspec

__all__ = ["KINDS", "Kind"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of event: its `name`, what of it to log, the `query` that finds it, and one line of advice to who never sends it."""

    name: str
    what: str
    query: str
    advice: str


KINDS = (
    Kind(
        "authentication success", "every login that succeeds: user, source address, user agent, method",
        "event.category:authentication AND event.type:start AND event.outcome:success",
        "send successful logins too: without them nobody can tell a new device, a new country or a guess that succeeded",
    ),
    Kind(
        "authentication failure", "every login that fails: the name as it was typed, source address, reason",
        "event.category:authentication AND event.type:start AND event.outcome:failure",
        "send each failed login with its source address; password guessing and spraying are counted from them",
    ),
    Kind(
        "second factor", "every challenge and its answer: sent, approved, denied, timed out",
        "event.action:mfa_challenge OR event.action:(mfa_added OR mfa_removed)",
        "send challenges and answers of the second factor; users who are worn down until they approve show in them only",
    ),
    Kind(
        "session end", "logouts and sessions that end",
        "(event.category:session OR event.category:authentication) AND event.type:end",
        "send logouts; they tell how long a session lived, and that it was ended by force",
    ),
    Kind(
        "authorization", "decisions: who asked for what, allowed or denied, in whose name (sudo, su, API, administration)",
        "event.type:(allowed OR denied)",
        "send what was allowed and what was denied, such as sudo's lines and your own checks of rights",
    ),
    Kind(
        "account life cycle", "accounts and groups created, deleted, enabled, disabled; roles and memberships given, taken: by whom, whose",
        "event.category:iam AND (event.type:(creation OR deletion OR group) OR "
        "event.action:(user_enabled OR user_disabled OR user_renamed OR role_granted OR role_revoked))",
        "send changes of accounts, groups and roles with both names: who did it (user.name) and to whom (user.target.name)",
    ),
    Kind(
        "account lock", "accounts locked and unlocked, by whom or by which rule",
        "event.action:(user_locked OR user_unlocked)",
        "send locks and unlocks; an unlock that nobody asked for is how a guessed account comes back",
    ),
    Kind(
        "password and key", "passwords, keys, tokens and second factors changed, added, removed, reset: never the secret itself",
        "event.action:(password_changed OR password_reset OR key_added OR key_removed OR mfa_added OR mfa_removed)",
        "send changes of passwords, keys and tokens; they are what an intruder does first to stay",
    ),
    Kind(
        "activation", "starts and stops of hosts, services and agents",
        "event.action:(host_started OR host_stopped OR service_started OR service_stopped)",
        "send starts and stops; a service that ends at night, or a host that comes up twice, is worth a look",
    ),
    Kind(
        "configuration", "changes of configuration, above all of logging and auditing themselves",
        "event.category:configuration OR event.action:(audit_disabled OR audit_cleared)",
        "send changes of configuration, and first of all that logging or auditing was turned off",
    ),
    Kind(
        "application exception", "errors that your code did not expect: message, type, trace, the user and the request in question",
        "event.type:error OR error.message:* OR error.type:* OR error.stack_trace:*",
        "send exceptions as one event each, not as the twenty lines of a trace; probing shows in errors before anything else",
    ),
    Kind(
        "web access", "every request: client address, user, method, path, status, user agent",
        "event.category:web AND event.type:access",
        "send access logs; scanners, stolen sessions and scraping are found in them",
    ),
    Kind(
        "network connection", "connections of hosts and firewalls: allowed, denied, started, ended",
        "event.category:network",
        "send connections of firewalls or hosts; scans and movement from host to host show there",
    ),
)
