"""Our index templates in a cluster: put where there are none or older ones; newer and foreign ones are left alone.

Without the right to do so, what stands must do: a template may be put once by somebody who may, and the key kept small.
"""

from __future__ import annotations

import logging
from http.client import responses
from typing import Any

import elasticsearch as client

from ..alerts import template
from .bulk import reason_of

__all__ = ["Templates", "told"]

log = logging.getLogger(__name__)

_JSON = {"accept": "application/json", "content-type": "application/json"}


class Templates:
    """The two templates of one cluster. What an operator should know is logged once, however often contact is made."""

    def __init__(self, cluster: client.AsyncElasticsearch) -> None:
        self._client = cluster
        self._said: set[str] = set()

    async def put(self, version: str) -> None:
        """Sees to both templates on a server of `version`. Raises what the client raises, unless the answer is a plain no."""
        await self._put(template.ALERTS_TEMPLATE, template.alerts_template(version))
        await self._put(template.STATE_TEMPLATE, template.state_template(version))

    async def _put(self, name: str, body: dict[str, Any]) -> None:
        ours = body["_meta"]["version"]
        try:
            standing = await self._standing(name)
            if standing is None:
                self._say(f"the index template {name} is not pluginhost's: it is left as it is")
            elif standing > ours:
                self._say(f"the index template {name} is newer ({standing}) than ours ({ours}): it is left as it is")
            elif standing < ours:
                await self._client.perform_request("PUT", f"/_index_template/{name}", headers=_JSON, body=body)
        except client.ApiError as error:
            if error.status_code not in (400, 403):
                raise
            self._say(f"cannot see to the index template {name} ({told(error)}): have it put with a key that may")

    async def _standing(self, name: str) -> int | None:
        """The version that stands there, 0 if there is none, None if it is not ours."""
        answer = await self._client.options(ignore_status=404).perform_request("GET", f"/_index_template/{name}", headers=_JSON)
        known = answer.body.get("index_templates")
        if not known:
            return 0
        meta = known[0]["index_template"].get("_meta") or {}
        version = meta.get("version")
        return version if meta.get("managed_by") == "pluginhost" and isinstance(version, int) else None

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)


def told(error: client.ApiError) -> str:
    """What a cluster answered in place of yes, in one safe line."""
    said = error.body.get("error") if isinstance(error.body, dict) else None
    message = error.message if error.body or isinstance(error, client.UnsupportedProductError) else responses.get(error.status_code)
    return f"{error.status_code} {reason_of(said or message)}".rstrip()
