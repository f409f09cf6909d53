"""What `pluginhost setup --undo` takes out of a search cluster: what is ours, and only that.

As in `standing`, here it is only looked at, and a `Step` holds what does it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..alerts.template import Home
from .cluster import Answered, Cluster
from .standing import Request, Step, absent, lacking, ours, policy_path, standing_template

__all__ = ["removals"]


async def removals(cluster: Cluster, home: Home, *, data: bool) -> AsyncIterator[Step]:
    """What should go of `home`, in the order in which it must; with `data` also the documents. Raises what the cluster raises."""
    if home.stream and cluster.product == "opensearch" and (step := await _policy(cluster, home)) is not None:
        yield step
    try:
        answer = await cluster.ask("GET", f"/_resolve/index/{home.target.rpartition('-')[0]}-*")
    except Answered as error:
        yield lacking(f"what stands on {home.template}", error)
        return
    streams = {one["name"] for one in answer.get("data_streams", ())}
    standing = streams | {one["name"] for one in answer.get("indices", ())}
    if home.target in standing:
        stream = home.target in streams
        what = f"{'data stream' if stream else 'index'} {home.target}"
        request = Request("DELETE", f"/_data_stream/{home.target}" if stream else f"/{home.target}")
        kept = Step("leave", what, "it holds documents: --data removes it")
        yield Step("remove", what, "with all it holds", (request,)) if data else kept
    yield await _template(cluster, home, standing - ({home.target} if data or not home.stream else set()))


async def _template(cluster: Cluster, home: Home, standing: set[str]) -> Step:
    """The index template, unless `standing` streams or indices are made by it."""
    what = f"index template {home.template}"
    try:
        found = await standing_template(cluster, home.template)
    except Answered as error:
        return lacking(what, error)
    if found is None:
        return Step("ok", what, "it is not there")
    if not ours(found.get("_meta")):
        return Step("leave", what, "it is not pluginhost's")
    if standing:
        some = ", ".join(sorted(standing)[:3])
        return Step("leave", what, f"it is of use to {some}{' and others' if len(standing) > 3 else ''}")
    return Step("remove", what, "", (Request("DELETE", f"/_index_template/{home.template}"),))


async def _policy(cluster: Cluster, home: Home) -> Step | None:
    what, path = f"retention policy {home.target}", policy_path(home)
    try:
        found = await cluster.ask("GET", path)
    except Answered as error:
        return None if error.status == 404 or absent(error) else lacking(what, error)
    if not str(found.get("policy", {}).get("description", "")).startswith("pluginhost: "):
        return Step("leave", what, "it is not pluginhost's")
    return Step("remove", what, "", (Request("POST", f"/_plugins/_ism/remove/{home.target}"), Request("DELETE", path)))
