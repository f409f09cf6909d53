"""A few saved objects for tests, and how something is asked of a server that holds them."""

from __future__ import annotations

import asyncio
import json

from pluginhost.options import Secret
from pluginhost.review.options import Dashboards, Kibana
from pluginhost.review.server import Server
from pluginhost.review.shipped import Object, Reference

__all__ = ["ALERTS", "KEY", "few", "made", "stored", "with_server"]

KEY = "VnVhQ2ZHY0JDZGJrU"
ALERTS = "logs-pluginhost.alerts-*"


def made(type_, id_, *references, description="", title=None, **more):
    """One object as it is shipped; a reference is a type and an id."""
    attributes = {"title": title or id_.title(), **({"description": description} if description else {})}
    refs = [{"name": f"r{number}", "type": kind, "id": other} for number, (kind, other) in enumerate(references)]
    whole = {"type": type_, "id": id_, "attributes": attributes, "references": refs, **more}
    return Object(type_, id_, attributes, tuple(Reference(kind, other) for kind, other in references), json.dumps(whole).encode())


def few(version=1, chart="lens"):
    """A data view, a search, two charts and a dashboard that shows them."""
    mark, view = f"(pluginhost {version})", ("index-pattern", "pluginhost-alerts")
    panels = [made(chart, "pluginhost-panel-one", view, description=mark), made(chart, "pluginhost-panel-two", view, description=mark)]
    search = made("search", "pluginhost-panel-latest", view, description=mark)
    shown = [one.key for one in (*panels, search)]
    dashboard = made("dashboard", "pluginhost-overview", *shown, description=f"All of it. {mark}")
    return (made("index-pattern", "pluginhost-alerts", title=ALERTS), search, *panels, dashboard)


def stored(objects):
    """The same as a server holds them."""
    return {one.key: json.loads(one.line) for one in objects}


def with_server(api, work, **section):
    """What `work(server)` comes to, with a server that asks `api` as it wants to be asked."""
    own = {"api_key": Secret(api.key)} if api.key else {}
    if api.user:
        name, _, password = api.user.partition(":")
        own |= {"username": name, "password": Secret(password)}
    kind = Kibana if api.product == "kibana" else Dashboards

    async def go():
        server = Server(kind(url=api.url, **{**own, **section}))
        try:
            return await work(server)
        finally:
            await server.close()

    return asyncio.run(go())
