"""The page "Review in Kibana", run as it is written, in one shell, against a real Elasticsearch; in place of Kibana stands a server that
keeps the rules of its API."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from docs_scripts import DOCS, run
from kibana_server import kibana_server
from needs import need_command
from search import free_ports

from pluginhost.host.config import configure

PAGE = (DOCS / "kibana.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CONFIGURATIONS = re.findall(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
KEY = "VnVhQ2ZHY0JDZGJrU19LZXk"


def test_from_an_empty_cluster_to_an_alert_understood_and_back(elasticsearch, tmp_path):
    need_command("curl")
    with kibana_server(key=KEY, version="8.19.21") as api:
        yours = {"http://es1:9200": elasticsearch.url, "https://kibana.example:5601": api.url, "8088": str(free_ports()[0])}

        def mine(text):
            for theirs, own in yours.items():
                assert theirs in PAGE
                text = text.replace(theirs, own)
            return text

        (tmp_path / "pluginhost.yaml").write_text(mine(CONFIGURATIONS[0]))
        *before, away = SHELL
        held = mine("\n".join([*before, "pluginhost setup kibana --print > file.ndjson", away]))
        said = run(held, tmp_path, KIBANA_KEY=KEY)
        (shown,) = re.findall(r"^```\n(Kibana .*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        assert said.count(mine(shown)) == 2  # as a plan, then as what is done
        assert said.count("nothing to do") == 1
        assert not api.objects["default"]  # taken away again
        link = next(line for line in said.splitlines() if "event.url" in line and api.url in line)
        assert 'event.id: "' in unquote(link)
        assert "source.ip: \"203.0.113.9\"" in unquote(link)
        assert f"{api.url}/app/dashboards#/view/pluginhost-logins" in said
        assert '"value":1' in said
        assert KEY not in said
        printed = [json.loads(line) for line in (tmp_path / "file.ndjson").read_text().splitlines()]
        (count,) = re.findall(r"^(\d+) to do$", shown, re.MULTILINE)
        assert len(printed) == int(count)


def test_the_configuration_for_opensearch_dashboards_is_one(tmp_path):
    file = tmp_path / "pluginhost.yaml"
    file.write_text(CONFIGURATIONS[1])
    told = configure(file)
    assert (told.dashboards.url, told.dashboards.tenant) == ("https://dashboards.example:5601", "global")
