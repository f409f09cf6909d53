from __future__ import annotations

import pytest

from pluginhost.host.config import configure
from pluginhost.problem import Problem
from pluginhost.review.options import Kibana, home


@pytest.fixture
def written(tmp_path):
    def read(text):
        (tmp_path / "pluginhost.yaml").write_text(text)
        return configure(tmp_path / "pluginhost.yaml")

    return read


def test_without_a_section_there_is_neither(written):
    setup = written("{}")
    assert (setup.kibana, setup.dashboards) == (None, None)


def test_paths_are_relative_to_the_file(written, tmp_path):
    setup = written("""
kibana: {url: 'https://k.example:5601/base/', tls: {ca: ca.pem}}
dashboards: {url: 'https://d.example', tls: {ca: d.pem}}
""")
    assert (setup.kibana.tls.ca, setup.dashboards.tls.ca) == (tmp_path / "ca.pem", tmp_path / "d.pem")
    assert (setup.kibana.url, setup.kibana.space, setup.kibana.links) == ("https://k.example:5601/base/", "", True)


@pytest.mark.parametrize(("space", "there"), [("", "https://k/b"), ("default", "https://k/b"), ("soc-2", "https://k/b/s/soc-2")])
def test_a_space_is_part_of_the_address(space, there):
    assert home(Kibana(url="https://k/b/", space=space)) == there


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kibana: {}", "$.kibana.url is missing"),
        ("kibana: {url: kibana.example}", "$.kibana.url: expected text matching regex"),
        ("kibana: {url: 'ftp://kibana.example'}", "$.kibana.url: expected text matching regex"),
        ("kibana: {url: 'https://ann:pw@kibana.example'}", "$.kibana.url: expected text matching regex"),
        ("kibana: {url: 'https://kibana.example/?x=1'}", "$.kibana.url: expected text matching regex"),
        ("kibana: {url: 'https://kibana.example', space: A}", "$.kibana.space: expected text matching regex"),
        ("kibana: {url: 'https://kibana.example', space: ../x}", "$.kibana.space: expected text matching regex"),
        ("kibana: {url: 'https://kibana.example', timeout: 0}", "$.kibana.timeout: expected > 0s"),
        ("kibana: {url: 'http://kibana.example', tls: {}}", "$.kibana.tls: is set, but `url` does not begin with https:"),
        ("kibana: {url: 'https://kibana.example', api_key: k, username: ann}", "$.kibana.api_key: stands beside `username`"),
        ("dashboards: {url: 'https://d.example', password: pw}", "$.dashboards.password: is of no use without `username`"),
        ("dashboards: {url: 'https://d.example', api_key: k}", "$.dashboards.api_key: there is no option `api_key` here"),
        ("dashboards: {url: 'https://d.example', tenant: \"a\\nb\"}", "$.dashboards.tenant: expected text matching regex"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(written, text, told):
    with pytest.raises(Problem) as caught:
        written(text)
    assert told in caught.value.page()
    assert "pluginhost.yaml:1:" in caught.value.page()


def test_secrets_are_not_shown(written):
    setup = written("kibana: {url: 'https://kibana.example', api_key: s3cret-key}")
    assert "s3cret-key" not in repr(setup)
