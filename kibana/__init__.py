"""Reviewing alerts in Kibana and OpenSearch Dashboards: files to import, and what makes and proves them.

`content/` says once what there is to see, in the words of `model`. `forms/` puts it into the form of each product, `make.py` writes the
files. `proof/` reads the files again, as a product would: are they whole, what do they ask of the cluster, how does the answer look.
"""
