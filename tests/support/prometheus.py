"""What a sidecar tells Prometheus, as a test reads it."""

from __future__ import annotations

import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def scrape(port, path="/metrics", **headers):
    """(status, text) of one request."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(text):
    """{(name, frozenset of labels): value}"""
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def measured(port):
    """A function that gives the value of one metric by its name and some of its labels, None if there is no such sample."""
    status, text = scrape(port)
    assert status == 200
    found = samples(text)

    def value(name, **labels):
        wanted = labels.items()
        values = [value for (given, has), value in found.items() if given == f"pluginhost_{name}" and wanted <= dict(has).items()]
        assert len(values) <= 1, f"{name} {labels} is not one sample"
        return values[0] if values else None

    return value
