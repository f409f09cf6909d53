"""What an output asks of a search cluster, whichever client speaks to it, and our index templates there. No policy of delivery lives here.

Templates are put where there are none or older ones; newer and foreign ones are left alone. Without the right to do so, what stands
must do: a template may be put once by somebody who may, and the key kept small.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http.client import responses
from typing import Any, Protocol

from ..alerts import template
from .bulk import reason_of
from .port import Unavailable

__all__ = ["Answered", "Body", "Cluster", "Foreign", "Templates", "told"]

log = logging.getLogger(__name__)

Body = Mapping[str, Any] | bytes | None
"""JSON to be, or lines of it ready made."""


class Answered(Exception):
    """The cluster answered, and not with yes. `reason` is one safe line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason

    @property
    def unavailable(self) -> Unavailable:
        """The whole request was answered with no: overload passes by itself, everything else waits for a person."""
        return Unavailable(self.reason, slow=self.status < 500 and self.status not in (408, 429))


class Foreign(Unavailable):
    """Who answers there is not the product that is meant."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, slow=True)


class Cluster(Protocol):
    """One cluster, by the client of its makers."""

    product: template.Product

    async def ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Body = None) -> Any:
        """The answer, decoded. Raises `Answered`, `Foreign`, `Unavailable`."""
        ...

    async def close(self) -> None:
        """Lets go of the connections."""
        ...


class Templates:
    """The templates of one cluster. What an operator should know is logged once, however often contact is made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._said: set[str] = set()

    async def put(self, version: str) -> None:
        """Sees to the alerts' templates on a server of `version`. Raises what the cluster raises, unless the answer is a plain no."""
        product = self._cluster.product
        await self._put(template.ALERTS_TEMPLATE, template.alerts_template(version, product))
        await self._put(template.STATE_TEMPLATE, template.state_template(version, product))

    async def put_scores(self, version: str) -> None:
        """The same for the scores' template."""
        await self._put(template.SCORES_TEMPLATE, template.scores_template(version, self._cluster.product))

    async def _put(self, name: str, body: dict[str, Any]) -> None:
        ours = body["_meta"]["version"]
        try:
            standing = await self._standing(name)
            if standing is None:
                self.say(f"the index template {name} is not pluginhost's: it is left as it is")
            elif standing > ours:
                self.say(f"the index template {name} is newer ({standing}) than ours ({ours}): it is left as it is")
            elif standing < ours:
                await self._cluster.ask("PUT", f"/_index_template/{name}", body=body)
        except Answered as error:
            if error.status not in (400, 403):
                raise
            self.say(f"cannot see to the index template {name} ({error.reason}): have it put with a key that may")

    async def _standing(self, name: str) -> int | None:
        """The version that stands there, 0 if there is none, None if it is not ours."""
        try:
            answer = await self._cluster.ask("GET", f"/_index_template/{name}")
        except Answered as error:
            if error.status == 404:
                return 0
            raise
        known = answer.get("index_templates")
        if not known:
            return 0
        meta = known[0]["index_template"].get("_meta") or {}
        version = meta.get("version")
        return version if meta.get("managed_by") == "pluginhost" and isinstance(version, int) else None

    def say(self, message: str) -> None:
        """Tells the operator, once."""
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)


def told(status: int, body: Any, message: str) -> str:
    """What a cluster answered in place of yes, in one safe line. `message` is the client's own word for it."""
    said = body.get("error") if isinstance(body, Mapping) else None
    return f"{status} {reason_of(said or (message if body else responses.get(status)))}".rstrip()
