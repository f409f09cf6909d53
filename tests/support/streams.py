"""What a test asks a real Elasticsearch beside the output it tests."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from search import SearchServer

__all__ = ["api", "documents", "stream"]


def stream(namespace: str) -> str:
    """The alert stream of a namespace."""
    return f"logs-pluginhost.alerts-{namespace}"


def api(server: SearchServer, method: str, path: str, body: Any = None) -> Any:
    """The answer to one call."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def documents(server: SearchServer, namespace: str) -> list[dict[str, Any]]:
    """Every alert in the stream, over all its backing indices; a copy in another index is one more."""
    api(server, "POST", f"/{stream(namespace)}/_refresh")
    found, after = [], None
    while True:
        query: dict[str, Any] = {"size": 10_000, "sort": [{"event.id": "asc"}, {"_index": "asc"}]}
        hits = api(server, "POST", f"/{stream(namespace)}/_search", query | ({"search_after": after} if after else {}))["hits"]["hits"]
        if not hits:
            return found
        found += [hit["_source"] for hit in hits]
        after = hits[-1]["sort"]
