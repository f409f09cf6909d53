"""Where Kibana or OpenSearch Dashboards is: the sections `kibana` and `dashboards` of a configuration.

Both say whereto links in alerts lead, and whom `pluginhost setup` speaks to. Nothing is asked here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from ..options import Duration, Secret, doc
from ..tls import Calling

__all__ = ["SPACE", "Dashboards", "Kibana", "Section", "checked", "home"]

SPACE = "^[a-z0-9_-]{0,100}$"
"""What the name of a space of Kibana is made of."""
_Url = Annotated[str, doc("its address, with its base path if it has one, such as `https://kibana.example/kibana`",
                          pattern="^https?://[^/@?#\\s]+(/[^@?#\\s]*)?$")]  # fmt: skip
_Public = Annotated[str, doc("its address as browsers have it, where that is another: links begin with it",
                             pattern="^(https?://[^/@?#\\s]+(/[^@?#\\s]*)?)?$")]  # fmt: skip
_Username = Annotated[str, doc("who `pluginhost setup` is there")]
_Password = Annotated[Secret | None, doc("the user's password")]
_Tls = Annotated[Calling | None, doc("how https is spoken, where the system's authorities are not enough")]
_Timeout = Annotated[Duration, doc("how long a request may take", gt=0)]
_Links = Annotated[bool, doc("whether alerts carry links that lead there")]


class Kibana(msgspec.Struct, frozen=True, kw_only=True):
    """The Kibana in which alerts are reviewed."""

    url: _Url
    public_url: _Public = ""
    space: Annotated[str, doc("the space that holds the dashboards; default: the default space", pattern=SPACE)] = ""
    api_key: Annotated[Secret | None, doc("an API key, as it is given out encoded; only `pluginhost setup` uses it")] = None
    username: _Username = ""
    password: _Password = None
    tls: _Tls = None
    timeout: _Timeout = Duration(60)
    links: _Links = True


class Dashboards(msgspec.Struct, frozen=True, kw_only=True):
    """The OpenSearch Dashboards in which alerts are reviewed."""

    url: _Url
    public_url: _Public = ""
    tenant: Annotated[str, doc("the tenant that holds the dashboards, such as `global`; default: the user's default tenant",
                               pattern="^[^\\x00-\\x1f\\x7f]{0,200}$")] = ""  # fmt: skip
    username: _Username = ""
    password: _Password = None
    tls: _Tls = None
    timeout: _Timeout = Duration(60)
    links: _Links = True


Section = Kibana | Dashboards


def checked(section: Section) -> None:
    """Raises `ValueError` if what is said does not go together; its text begins with the option."""
    if section.tls and not section.url.startswith("https:"):
        raise ValueError(".tls: is set, but `url` does not begin with https:")
    if section.password is not None and not section.username:
        raise ValueError(".password: is of no use without `username`")
    if isinstance(section, Kibana) and section.api_key is not None and section.username:
        raise ValueError(".api_key: stands beside `username`; give one of them")


def home(section: Section) -> str:
    """The address that all of it begins with: base path and space, without a slash at the end."""
    base = section.url.rstrip("/")
    return f"{base}/s/{section.space}" if isinstance(section, Kibana) and section.space not in ("", "default") else base
