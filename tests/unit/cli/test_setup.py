"""`pluginhost setup`, up to where a cluster is needed; with one: tests/servers/test_setup_search.py."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from search import free_ports

from pluginhost.cli import main


@pytest.fixture
def ran(tmp_path):
    def run(*args, outputs=(), **env):
        file = tmp_path / "pluginhost.yaml"
        file.write_text(json.dumps({"namespace": "prod", "outputs": list(outputs)}))
        return CliRunner().invoke(main, ["setup", *args, "--config", str(file)], env=env)

    return run


ES = {"type": "elasticsearch", "hosts": ["http://127.0.0.1:1"]}


@pytest.mark.parametrize(
    ("args", "outputs", "told"),
    [
        ((), [], "there are no outputs of type elasticsearch in the configuration"),
        ((), [{"type": "opensearch"}], "there are no outputs of type elasticsearch"),
        ((), [ES, {**ES, "name": "two"}], "name one: --output elasticsearch or two"),
        (("--output", "tow"), [ES, {**ES, "name": "two"}], "did you mean `two`?"),
        (("--data",), [ES], "setup.data: "),
        (("--api-key-from-env", "NOT_THERE"), [ES], "the environment has no NOT_THERE"),
        (("--username", "ann"), [ES], "the environment has no PLUGINHOST_SETUP_PASSWORD"),
    ],
)
def test_what_is_not_clear_is_told_before_anything_is_asked(ran, args, outputs, told):
    result = ran("elasticsearch", *args, outputs=outputs, PLUGINHOST_SETUP_PASSWORD=None)
    assert (result.exit_code, told in result.stderr) == (2, True), result.output
    assert result.stdout == ""


def test_who_is_not_reached_is_told(ran):
    url = f"http://127.0.0.1:{free_ports()[0]}"
    for kind in ("elasticsearch", "opensearch"):
        result = ran(kind, "--yes", outputs=[{"type": kind, "hosts": [url]}])
        assert (result.exit_code, f"setup.unreachable: {url}" in result.stderr) == (2, True)


def test_the_role_names_what_the_output_takes_and_no_more(ran):
    def role(*outputs, **more):
        return json.loads(ran("elasticsearch", "--print-role", outputs=outputs, **more).stdout)

    alerts = {"names": ["logs-pluginhost.alerts-prod"], "privileges": ["create_doc", "auto_configure"]}
    states = {"names": ["pluginhost-alert-state-prod"], "privileges": ["index"]}
    assert role(ES) == {"cluster": ["monitor"], "indices": [alerts, states]}
    assert role({**ES, "states": False}) == {"cluster": ["monitor"], "indices": [alerts]}
