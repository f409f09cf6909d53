"""A notification as a mail: the message and to whom. Pure; sending is `email`'s."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from hashlib import sha256
from html import escape
from typing import Any

from ...alerts.notification import Notification
from ...events.fields import lookup, values
from .sender import Said
from .texts import link

__all__ = ["address_of", "found_in", "message"]

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_POLICY = SMTP.clone(cte_type="7bit")  # what every server on the way takes
_COLORS = {"critical": "#8e1b5b", "high": "#b3261e", "medium": "#8a5a00", "low": "#2f5f8f"}
_ENDED = "#2e6b3a"
_FOUND = 20


def address_of(text: str) -> str:
    """The bare address in `text`, such as `SOC <soc@example.com>`; empty if there is none that is plain ASCII."""
    found = parseaddr(text)[1] if text.isprintable() else ""
    return found if _ADDRESS.fullmatch(found) else ""


def found_in(document: Mapping[str, Any], field: str, domain: str, allowed: Iterable[str]) -> list[str]:
    """The addresses that a field of an alert names, those alone whose domain is `allowed`; `domain` is put behind names without one."""
    texts = [one for one in values(lookup(document, field, [])) if isinstance(one, str)][:_FOUND]
    addresses = [one if "@" in one or not domain else f"{one}@{domain}" for one in texts]
    return [one for one in addresses if _ADDRESS.fullmatch(one) and one.rpartition("@")[2].lower() in allowed]


def message(told: Notification, said: Said, *, sender: str, to: Sequence[str], cc: Sequence[str], reply_to: str, html: bool,
            now: int) -> bytes:  # fmt: skip
    """The mail's bytes. `now` is ns UTC, for its date."""
    made, domain = EmailMessage(_POLICY), address_of(sender).rpartition("@")[2]
    made["From"], made["To"] = sender, ", ".join(to) or "undisclosed-recipients:;"
    if cc:
        made["Cc"] = ", ".join(cc)
    if reply_to:
        made["Reply-To"] = reply_to
    made["Subject"] = said.title
    made["Date"] = formatdate(now / 1e9)
    made["Message-ID"] = _id(told.id, domain)
    made["References"] = made["In-Reply-To"] = _id(f"group {told.group}", domain)
    made["Auto-Submitted"] = "auto-generated"  # nobody's absence is told to us
    made["X-Pluginhost-Severity"] = told.severity
    made.set_content(said.body)
    if html:
        made.add_alternative(_html(told, said), subtype="html")
    return made.as_bytes()


def _id(name: str, domain: str) -> str:
    return f"<{sha256(name.encode()).hexdigest()[:32]}@{domain}>"


def _html(told: Notification, said: Said) -> str:
    color, address, body = _ENDED if told.kind == "resolved" else _COLORS[told.severity], escape(link(told.first)), escape(said.body)
    if address:
        body = body.replace(address, f'<a href="{address}">{address}</a>', 1)
    return (
        f'<html><body style="font-family:sans-serif;color:#222;margin:0">\n<div style="border-left:4px solid {color};padding:2px 14px">\n'
        f'<p style="font-size:16px;font-weight:bold;margin:8px 0">{escape(said.title)}</p>\n'
        f'<div style="white-space:pre-wrap;font-family:monospace;font-size:14px;line-height:1.5">{body}</div>\n</div></body></html>\n'
    )
