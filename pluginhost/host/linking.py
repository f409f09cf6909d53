"""Where the links of alerts lead, by what the configuration says of Kibana and of OpenSearch Dashboards."""

from __future__ import annotations

from ..alerts.links import Links
from ..review.options import Dashboards, Kibana

__all__ = ["links"]


def links(kibana: Kibana | None, dashboards: Dashboards | None) -> Links | None:
    """To Kibana if there is one that wants links, else to OpenSearch Dashboards; None: alerts carry none."""
    if kibana is not None and kibana.links:
        return Links("kibana", kibana.public_url or kibana.url, kibana.space)
    if dashboards is not None and dashboards.links:
        return Links("opensearch", dashboards.public_url or dashboards.url, dashboards.tenant)
    return None
