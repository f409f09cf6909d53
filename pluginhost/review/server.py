"""One Kibana or OpenSearch Dashboards as somebody who may: a request in, its answer decoded, or why there is none.

Answers are the other side's to write: they are bounded, read into declared shapes, and what is told of them is one safe line in which
nothing secret stands. A redirect is an answer and not followed: a login must not go to another host.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from .. import __version__
from ..outputs.answers import unreachable
from ..outputs.cluster import Answered
from ..outputs.notify.redaction import hider
from ..outputs.port import Unavailable
from ..problem import printable
from ..tls import client_context
from .options import Kibana, Section, home

__all__ = ["Server", "lacks_space", "path_of", "version_of"]

_MOST = 8 << 20  # bytes of an answer; that to all of ours is a hundredth of it
_TOLD = 300

Params = Sequence[tuple[str, str]]


class Server:
    """Where objects stand. `product` is its name, `address` what all paths begin with."""

    def __init__(self, section: Section) -> None:
        self.kibana = isinstance(section, Kibana)
        self.product = "Kibana" if self.kibana else "OpenSearch Dashboards"
        self.address, self._root = home(section), section.url.rstrip("/")
        self._headers, secrets = _headers(section)
        self._hidden = hider(secrets)
        self._ssl: ssl.SSLContext | bool = client_context(section.tls) if section.tls else True
        self._timeout = aiohttp.ClientTimeout(total=section.timeout)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, path: str, *, params: Params = (), body: Any = None, file: bytes | None = None,
                  shape: Any = Any, rooted: bool = False) -> Any:  # fmt: skip
        """The answer as `shape`; `file` is uploaded, a `rooted` path is not of the space. Raises `Answered` and `Unavailable`."""
        data: Any = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        if file is not None:
            data = aiohttp.FormData()
            data.add_field("file", file, filename="pluginhost.ndjson", content_type="application/ndjson")
        url = f"{self._root if rooted else self.address}{path}"
        try:
            async with self._connected().request(method, url, params=[*params], data=data, headers=headers, ssl=self._ssl,
                                                 allow_redirects=False) as answer:  # fmt: skip
                content, heads = await _beginning(answer), answer.headers
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(self.safe(unreachable(error).reason)) from None
        if not 200 <= answer.status < 300:
            raise Answered(answer.status, self.safe(_reason(answer.status, heads, content)))
        return self._decoded(content, shape)

    def safe(self, text: str) -> str:
        """One line of what the server said, with nothing secret in it."""
        return printable(self._hidden(text), _TOLD)

    async def close(self) -> None:
        """Lets go of the connections."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout, auto_decompress=False,
                                                  cookie_jar=aiohttp.DummyCookieJar())  # fmt: skip
        return self._session

    def _decoded(self, content: bytes, shape: Any) -> Any:
        if len(content) > _MOST:
            raise Unavailable(f"it answers with more than {_MOST >> 20} MiB")
        try:
            return msgspec.json.decode(content or b"null", type=shape)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Unavailable(self.safe(f"its answer is not that of {self.product}: {error}")) from None



class _Version(msgspec.Struct):
    number: str = ""


class _Status(msgspec.Struct):
    version: _Version = msgspec.field(default_factory=_Version)


async def version_of(server: Server) -> str:
    """Its version, such as "8.19.2"; "" if it tells none to those it does not know."""
    status = await server.ask("GET", "/api/status", shape=_Status, rooted=True)
    return str(status.version.number)


async def lacks_space(server: Server, space: str) -> bool:
    """Whether it says that there is no such space. In one that is not there objects can be made all the same, and nobody sees them."""
    try:
        await server.ask("GET", f"/api/spaces/space/{space}", rooted=True)
    except Answered as error:
        return error.status == 404
    return False


def path_of(type_: str, id_: str) -> str:
    """Where one object is."""
    return f"/api/saved_objects/{quote(type_, safe='')}/{quote(id_, safe='')}"


def _headers(section: Section) -> tuple[dict[str, str], list[str]]:
    """What goes with each request, and what of it is nobody's business."""
    made = {"User-Agent": f"pluginhost/{__version__}", "Accept-Encoding": "identity", "Accept": "application/json"}
    if isinstance(section, Kibana):
        made["kbn-xsrf"] = "true"
        if section.api_key is not None:
            return made | {"Authorization": f"ApiKey {section.api_key}"}, [section.api_key]
    else:
        made["osd-xsrf"] = "true"
        if section.tenant:
            made["securitytenant"] = section.tenant
    if not section.username:
        return made, []
    password = str(section.password or "")
    token = b64encode(f"{section.username}:{password}".encode()).decode()
    return made | {"Authorization": f"Basic {token}"}, [token, password]


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """The body, or a byte more than may be of it."""
    body = bytearray()
    while len(body) <= _MOST and (more := await answer.content.read(_MOST + 1 - len(body))):
        body += more
    return bytes(body)


class _Said(msgspec.Struct):
    message: Any = None
    error: Any = None


def _reason(status: int, headers: Mapping[str, str], content: bytes) -> str:
    """What was answered in place of yes."""
    if 300 <= status < 400:
        return f"{status} to {headers.get('Location', '?')}"
    try:
        said = msgspec.json.decode(content, type=_Said)
        told = next((one for one in (said.message, said.error) if isinstance(one, str)), "")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        told = " ".join(content[:_TOLD].decode("utf-8", "replace").split())
    return f"{status} {told}".rstrip()
