"""Dashboards as the saved objects of a product: `kibana` for Kibana 8.9 and newer, `classic` for OpenSearch Dashboards and any Kibana."""
