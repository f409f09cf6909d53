"""What must stand in a search cluster before documents come: index templates, streams and indices, their mappings, how long they are kept.

Here it is only looked at. A `Step` says what there is and what should be done, and holds the requests that do it: an output carries them
out at first contact, `pluginhost setup` shows them before. What is newer than we are, or somebody else's, is left alone. Nothing is
deleted here, that is `undoing`'s, and no document passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import msgspec

from ..alerts import template
from ..alerts.template import Home
from ..options import Duration
from .cluster import Answered, Cluster

__all__ = ["Request", "Step", "absent", "carry_out", "days", "lacking", "ours", "policy_path", "standing_template", "steps"]

_DAY = 86400


class Request(msgspec.Struct, frozen=True):
    """What is asked of the cluster to change something."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] | None = None


class Step(msgspec.Struct, frozen=True):
    """One thing that should stand, or go. `leave`: as it is, for a reason; `cannot`: nothing we may or the server can do."""

    state: Literal["create", "update", "remove", "ok", "leave", "cannot"]
    what: str
    why: str = ""
    requests: tuple[Request, ...] = ()
    cure: str = ""
    """What a person can do where the requests are refused."""
    vital: bool = False
    """Whether nothing may be written before this stands."""
    unseen: bool = False
    """Whether we may not look at it: with a key of least privilege that is as it should be."""


async def steps(cluster: Cluster, home: Home, version: str, retention: Duration | None) -> AsyncIterator[Step]:
    """What should stand for the documents of `home` on a server of `version`, in the order in which it must be done: carry out each before
    the next is asked for, or none. Raises what the cluster raises, unless the answer is a plain no.
    """
    product = cluster.product
    kept = days(retention) if retention else ""
    body = template.template_of(home.kind, version, product, kept)
    yield await _template(cluster, home, body)
    if (step := await _mapped(cluster, home, body)) is None:
        return  # a stream that is not there yet is made as the template says
    yield step
    if kept and home.stream and not step.unseen:
        yield await (_policy(cluster, home, kept) if product == "opensearch" else _lifecycle(cluster, home, version, kept))


async def carry_out(cluster: Cluster, step: Step) -> None:
    """Does what the step says. Raises what the cluster raises, unless what was to be made is there already."""
    for one in step.requests:
        try:
            await cluster.ask(one.method, one.path, params=one.params, body=one.body)
        except Answered as error:
            if "resource_already_exists" not in error.reason:
                raise


def days(span: Duration) -> str:
    """The span as clusters write it: in days, or in hours where they are not whole."""
    return f"{span / _DAY:.0f}d" if (span / _DAY).is_integer() else f"{span / 3600:.0f}h"


def absent(error: Answered) -> bool:
    """Whether the server has no such interface at all: a module or plugin that is not there."""
    return error.status == 405 or (error.status == 400 and error.reason.startswith("400 no handler found"))


def lacking(what: str, error: Answered) -> Step:
    """That something cannot be looked at; raises the error if it may pass or is about more than this."""
    if error.status == 403:
        return Step("cannot", what, f"may not look at it: {error.reason}", unseen=True)
    if error.status == 400 or absent(error):
        return Step("cannot", what, error.reason)
    raise error


async def standing_template(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """The index template of that name as it stands, or None."""
    try:
        answer = await cluster.ask("GET", f"/_index_template/{name}")
    except Answered as error:
        if error.status == 404:
            return None
        raise
    known = answer.get("index_templates")
    found: dict[str, Any] | None = known[0]["index_template"] if known else None
    return found


async def _template(cluster: Cluster, home: Home, body: dict[str, Any]) -> Step:
    what, newest = f"index template {home.template}", body["_meta"]["version"]
    put = Request("PUT", f"/_index_template/{home.template}", body)
    try:
        found = await standing_template(cluster, home.template)
    except Answered as error:
        return lacking(what, error)
    if found is None:
        return Step("create", what, f"version {newest}", (put,))
    standing = _version(found.get("_meta"))
    if standing is None:
        return Step("leave", what, "it is not pluginhost's")
    if standing > newest:
        return Step("leave", what, f"it is newer ({standing}) than ours ({newest})")
    theirs = found.get("template", {}).get("lifecycle")
    kept = body["template"].get("lifecycle") or theirs  # without an option, what somebody set there stays
    if standing < newest:
        made = body if kept is None else {**body, "template": {**body["template"], "lifecycle": kept}}
        return Step("update", what, f"from version {standing} to {newest}", (msgspec.structs.replace(put, body=made),))
    if kept is not theirs and not _keeps(theirs, kept["data_retention"]):
        return Step("update", what, f"what comes is kept for {kept['data_retention']}", (put,))
    span = kept.get("data_retention") if kept else None
    return Step("ok", what, f"version {standing}{f', what comes is kept for {span}' if span else ''}")


def ours(meta: Any) -> bool:
    """Whether a `_meta` says that pluginhost wrote what it stands in."""
    return isinstance(meta, Mapping) and meta.get("managed_by") == "pluginhost"


def _version(meta: Any) -> int | None:
    """The version that `_meta` tells, if it is ours."""
    version = meta.get("version") if ours(meta) else None
    return version if isinstance(version, int) else None


def _keeps(lifecycle: Any, kept: str) -> bool:
    return isinstance(lifecycle, Mapping) and lifecycle.get("data_retention") == kept


async def _mapped(cluster: Cluster, home: Home, body: dict[str, Any]) -> Step | None:
    """That the stream or index is there, where it does not come by itself with the first document; and that it has the fields of `body`."""
    what = f"{'data stream' if home.stream else 'index'} {home.target}"
    made = cluster.product == "opensearch" or not home.stream  # else our first write could make an ordinary index, mapped anyhow
    create = Request("PUT", f"/_data_stream/{home.target}" if home.stream else f"/{home.target}")
    try:
        found = await cluster.ask("GET", f"/{home.target}/_mapping")
    except Answered as error:
        if error.status not in (403, 404) or not made:
            return None if error.status == 404 else lacking(what, error)
        unseen = error.status == 403
        return Step("create", what, "if it is not there" if unseen else "empty", (create,), vital=True, unseen=unseen)
    if home.stream and home.target in found:
        why = "an ordinary index of that name stands there: reindex what it holds under another name, and delete it"
        return Step("cannot", what, why, vital=True)
    return _fields(what, home, found, body)


def _fields(what: str, home: Home, found: Mapping[str, Any], body: dict[str, Any]) -> Step:
    last = found[max(found, key=lambda name: (name.rpartition("-")[2], name))] if found else {}
    mappings, newest = body["template"]["mappings"], body["_meta"]["version"]
    standing = _version(last.get("mappings", {}).get("_meta")) or 0
    if standing >= newest:
        return Step("ok", what, f"fields of version {standing}")
    cure = f"roll it over, and the next index has them: POST /{home.target}/_rollover" if home.stream else "reindex it into a new one"
    # A stream refuses to hear of its time field again, where malformed values are forgiven in the index.
    fields = {name: spec for name, spec in mappings["properties"].items() if name != "@timestamp" or not home.stream}
    request = Request("PUT", f"/{home.target}/_mapping", {**mappings, "properties": fields}, {"write_index_only": "true"})
    return Step("update", what, f"fields of version {newest}", (request,), cure)


async def _lifecycle(cluster: Cluster, home: Home, version: str, kept: str) -> Step:
    what, path = f"retention of {home.target}", f"/_data_stream/{home.target}/_lifecycle"
    if template.release(version) < (8, 14):
        return Step("cannot", what, f"Elasticsearch {version} does not see to it: use 8.14 or newer, or delete old indices yourself")
    try:
        answer = await cluster.ask("GET", path)
    except Answered as error:
        return Step("cannot", what, "this server has no data stream lifecycle") if absent(error) else lacking(what, error)
    if any(_keeps(one.get("lifecycle"), kept) for one in answer.get("data_streams", ())):
        return Step("ok", what, kept)
    return Step("update", what, kept, (Request("PUT", path, {"data_retention": kept}),))


def policy_path(home: Home) -> str:
    """Where the retention policy of a stream lies in OpenSearch."""
    return f"/_plugins/_ism/policies/{home.target}"


async def _policy(cluster: Cluster, home: Home, kept: str) -> Step:
    """OpenSearch: a policy of its index state management, by the stream's name."""
    what, path = f"retention policy {home.target}", policy_path(home)
    body = {"policy_id": home.target}
    try:
        found = await cluster.ask("GET", path)
    except Answered as error:
        if error.status == 404:
            add = Request("POST", f"/_plugins/_ism/add/{home.target}", body)
            return Step("create", what, kept, (Request("PUT", path, _kept(home.target, kept)), add))
        if absent(error):
            return Step("cannot", what, "this server has no index state management: delete old indices yourself")
        return lacking(what, error)
    policy = found.get("policy", {})
    if not str(policy.get("description", "")).startswith("pluginhost: "):
        return Step("leave", what, "it is not pluginhost's")
    if policy["description"] == _kept(home.target, kept)["policy"]["description"]:
        return Step("ok", what, kept)
    last = {"if_seq_no": str(found.get("_seq_no")), "if_primary_term": str(found.get("_primary_term"))}
    change = Request("POST", f"/_plugins/_ism/change_policy/{home.target}", body)
    return Step("update", what, kept, (Request("PUT", path, _kept(home.target, kept), last), change))


def _kept(target: str, kept: str) -> dict[str, Any]:
    """Rolled over each tenth of the time, at least daily; gone when the whole of it has passed since."""
    number, unit = int(kept[:-1]), kept[-1]
    whole = number if unit == "d" else number // 24
    written = {"name": "written", "actions": [{"rollover": {"min_index_age": f"{min(max(whole // 10, 1), 30)}d"}}],
               "transitions": [{"state_name": "gone", "conditions": {"min_rollover_age": kept}}]}  # fmt: skip
    return {"policy": {
        "description": f"pluginhost: {target} is kept for {kept}", "default_state": "written",
        "states": [written, {"name": "gone", "actions": [{"delete": {}}], "transitions": []}],
        "ism_template": [{"index_patterns": [target], "priority": 100}],
    }}  # fmt: skip
