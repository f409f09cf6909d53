"""What stands in Kibana or OpenSearch Dashboards for those who review alerts: asked for, put there and taken away over its API.

Nothing here knows how a dashboard is made up: the shipped files say it. What must stand in the search cluster is `outputs.standing`'s.
"""
