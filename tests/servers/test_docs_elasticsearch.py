"""The page "Elasticsearch, secured", run as it is written, in one shell, against the server it is about."""

from __future__ import annotations

import re
import shutil

from docs_scripts import DOCS, run
from needs import need_command
from search import free_ports
from search_peers import call

PAGE = (DOCS / "elasticsearch.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(CONFIGURATION,) = re.findall(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_from_an_empty_cluster_to_the_first_alert_and_back(secured, tmp_path):
    need_command("curl")
    yours = {"https://es1:9200": secured.url, "/etc/pluginhost": str(tmp_path), "elastic:%s": "admin:%s", "8088": str(free_ports()[0])}

    def mine(text):
        for theirs, own in yours.items():
            assert theirs in PAGE
            text = text.replace(theirs, own)
        return text

    downloads = tmp_path / "downloads"
    downloads.mkdir()
    shutil.copy(secured.run / "tls" / "ca.pem", downloads / "http_ca.crt")
    (tmp_path / "pluginhost.yaml").write_text(mine(CONFIGURATION))
    said = run(mine("\n".join(SHELL)), downloads, ELASTIC_PASSWORD="pw-for-tests")
    (shown,) = re.findall(r"^```\n(Elasticsearch .*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert mine(shown) in said
    assert said.count("nothing to do") == 1
    assert "all well" in said
    assert "SSH brute force from 203.0.113.9" in said
    assert '"value":1' in said
    for what in ("data stream logs-pluginhost.alerts-default", "index pluginhost-alert-state-default"):
        assert f"  leave   {what}: it holds documents" in said
        assert f"  done    {what}: with all it holds" in said
    assert call(secured.url, "GET", "/_resolve/index/*pluginhost*", user="admin:pw-for-tests") == {
        "indices": [], "aliases": [], "data_streams": [],
    }  # fmt: skip
    assert "pw-for-tests" not in said
