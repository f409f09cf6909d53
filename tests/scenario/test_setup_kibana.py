"""`pluginhost setup kibana` and `dashboards` with the shipped files, against a server that keeps the API's rules."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority
from click.testing import CliRunner
from kibana_server import kibana_server
from recording import Answer, recording
from sidecars import free_port

from pluginhost.cli import main
from pluginhost.review import shipped

KEY, PASSWORD = "VnVhQ2ZHY0JDZGJrU19LZXk", "pw-of-ann-99"
SHIPPED = Path(__file__).parents[2] / "kibana"
ALL = {form: shipped.objects(form) for form in ("kibana", "classic")}


class Command:
    """Runs the command, in this process or in one of its own; everything it ever printed is in `printed`."""

    def __init__(self, folder):
        self.file, self.printed = folder / "pluginhost.yaml", ""

    def __call__(self, product, section, *args, answer=None, process=False):
        self.file.write_text(json.dumps({product: section} if section else {}))
        args = ["setup", product, "--config", str(self.file), *args]
        env = {"PLUGINHOST_SETUP_PASSWORD": PASSWORD, "SETUP_KEY": KEY}
        if process:
            done = subprocess.run([sys.executable, "-m", "pluginhost", *args], input=answer, text=True, timeout=60, capture_output=True,
                                  env=os.environ | env, check=False)  # fmt: skip
            code = done.returncode
        else:
            done = CliRunner().invoke(main, args, input=answer, env=env)
            code = done.exit_code
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        self.printed += done.stdout + done.stderr
        return code, done.stdout, done.stderr


@pytest.fixture
def run(tmp_path):
    one = Command(tmp_path)
    yield one
    assert not [word for word in (KEY, PASSWORD) if word in one.printed]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", one.printed)
    assert "Traceback" not in one.printed


@pytest.fixture
def kibana():
    with kibana_server(key=KEY, user=f"ann:{PASSWORD}", spaces=("default", "soc"), base="/kb") as api:
        yield api


def words(stdout):
    """(word, what is said) of each line."""
    return re.findall(r"^  (\w+) +(.*)$", stdout, re.MULTILINE)


def last(stdout):
    return stdout.strip().splitlines()[-1]


def held(api, form="kibana", space="default"):
    """Whether exactly what is shipped stands."""
    return api.objects[space] == {one.key: json.loads(one.line) for one in ALL[form]}


def test_shown_done_done_already_and_undone(run, kibana):
    section, total = {"url": kibana.url, "api_key": KEY}, len(ALL["kibana"])
    code, shown, _ = run("kibana", section, "--dry-run", process=True)
    assert (code, last(shown), kibana.objects["default"]) == (0, f"{total} to do", {})
    assert shown.startswith(f"Kibana 9.1.2 at {kibana.url}\n\n  create  4 data views\n")
    assert ("create", "5 dashboards: version 1") in words(shown)
    assert len(words(shown)) <= 6

    assert run("kibana", section, answer="n\n")[0] == 1
    assert kibana.objects["default"] == {}
    code, done, _ = run("kibana", section, answer="y\n", process=True)
    assert (code, last(done), held(kibana)) == (0, "done", True)
    assert kibana.counts["POST /api/saved_objects/_import"] == 1
    code, again, _ = run("kibana", section, process=True)
    assert (code, last(again), {word for word, _ in words(again)}) == (0, "nothing to do", {"ok"})
    assert kibana.counts["POST /api/saved_objects/_import"] == 1

    code, undone, _ = run("kibana", section, "--undo", "--yes", process=True)
    assert (code, last(undone), kibana.objects["default"]) == (0, "done", {})
    assert words(undone)[-1] == ("done", "5 dashboards")
    code, again, _ = run("kibana", section, "--undo", "--yes")
    assert (code, words(again), last(again)) == (0, [("ok", "what is pluginhost's: not there")], "nothing to do")


def test_a_run_that_fails_in_part_leaves_the_rest_standing_and_the_next_mends_it(run, kibana):
    first, second = [one.key for one in ALL["kibana"] if one.type == "lens"][:2]
    kibana.failing = {first: {"statusCode": 400, "message": "[attributes.state]: \x1b[2J\u202e"}, second: {"type": "conflict"}}
    code, told, _ = run("kibana", {"url": kibana.url, "api_key": KEY}, "--yes")
    failures = [what for word, what in words(told) if word == "failed"]
    assert (code, last(told), len(failures)) == (1, "2 failed", 2)
    assert any(f"({first[1]}): 400 [attributes.state]: \\x1b[2J\\u202e" in one for one in failures)
    assert any(f"({second[1]}): another object stands for it" in one for one in failures)
    assert len(kibana.objects["default"]) == len(ALL["kibana"]) - 2

    kibana.failing = {}
    code, told, _ = run("kibana", {"url": kibana.url, "api_key": KEY}, "--yes")
    assert (code, "2 to do" in told, held(kibana)) == (0, True, True)


def test_what_somebody_made_their_own_is_left_and_what_is_older_updated(run, kibana):
    section = {"url": kibana.url, "username": "ann", "password": PASSWORD}
    run("kibana", section, "--yes")
    mine = kibana.objects["default"]["dashboard", "pluginhost-overview"]
    mine["attributes"] |= {"title": "Ours\x1b[31m", "description": "as we like it"}
    older = kibana.objects["default"]["dashboard", "pluginhost-logins"]
    older["attributes"] |= {"title": "old", "description": "old (pluginhost 0)"}
    code, told, _ = run("kibana", section, "--yes")
    assert code == 0
    assert ("leave", 'dashboard "pluginhost: Overview" (pluginhost-overview): it is not pluginhost\'s') in words(told)
    assert ("update", 'dashboard "pluginhost: Logins": from version 0 to 1') in words(told)
    assert mine["attributes"]["title"] == "Ours\x1b[31m"
    assert kibana.objects["default"]["dashboard", "pluginhost-logins"]["attributes"]["title"] == "pluginhost: Logins"

    code, told, _ = run("kibana", section, "--undo", "--yes")
    assert code == 0
    assert kibana.of("dashboard") == ["pluginhost-overview"]
    left = set(kibana.objects["default"])
    needed = {(one["type"], one["id"]) for one in mine["references"]}
    assert needed <= left
    assert ("index-pattern", "pluginhost-alerts") in left
    assert len(left) < len(ALL["kibana"]) / 2


def test_a_space_is_set_up_and_one_that_is_not_there_refused(run, kibana):
    section = {"url": kibana.url, "api_key": KEY}
    code, told, _ = run("kibana", section, "--yes", "--space", "soc")
    assert (code, told.splitlines()[0]) == (0, f"Kibana 9.1.2 at {kibana.url}, space soc")
    assert (held(kibana, space="soc"), kibana.objects["default"]) == (True, {})
    code, _, told = run("kibana", section | {"space": "sco"}, "--yes")
    assert (code, f"setup.space: {kibana.url} has no space `sco`" in told) == (2, True)
    code, _, told = run("kibana", section, "--space", "../x")
    assert (code, "setup.space: `../x` is no name of a space" in told) == (2, True)

    code, told, _ = run("kibana", section, "--yes")
    assert (code, kibana.objects["default"]) == (1, {})  # one Kibana has each id once
    assert f"failed  {len(ALL['kibana'])} objects: its id is taken in another space of this Kibana" in told


def test_an_older_kibana_takes_the_classic_form(run):
    with kibana_server(version="8.7.1", key=KEY) as api:
        code, _, told = run("kibana", {"url": api.url, "api_key": KEY}, "--yes")
        assert (code, api.objects["default"]) == (2, {})
        assert "setup.version: Kibana 8.7.1 is too old for this form of the dashboards" in told
        assert "pluginhost setup kibana --classic" in told
        code, _, _ = run("kibana", {"url": api.url, "api_key": KEY}, "--yes", "--classic")
        assert (code, held(api, "classic")) == (0, True)

        api.version = "8.19.2"  # it was upgraded: the newer form takes the place of the older
        code, told, _ = run("kibana", {"url": api.url, "api_key": KEY}, "--yes")
        assert (code, ("update", "5 dashboards: from the other form") in words(told)) == (0, True)
        code, _, _ = run("kibana", {"url": api.url, "api_key": KEY}, "--undo", "--yes")
        assert (code, api.objects["default"]) == (0, {})


def test_a_kibana_that_hides_its_version_refuses_the_file_whole(run):
    with kibana_server(version="8.7.1") as api:
        api.answers = {"/api/status": Answer(200, b'{"status": {"overall": {"level": "available"}}}')}
        code, told, _ = run("kibana", {"url": api.url}, "--yes")
        (failure,) = [what for word, what in words(told) if word == "failed"]
        assert (code, told.splitlines()[0], api.objects["default"]) == (1, f"Kibana at {api.url}", {})
        assert failure.startswith(f"{len(ALL['kibana'])} objects: 422 Document ")
        assert failure.endswith("(this Kibana is too old for it: try --classic)")


def test_opensearch_dashboards_and_its_tenants(run):
    with kibana_server("dashboards", "2.19.1", user=f"ann:{PASSWORD}") as api:
        api.objects["global"] = {}
        section = {"url": api.url, "username": "ann", "password": PASSWORD, "tenant": "global"}
        code, told, _ = run("dashboards", section, "--yes")
        assert (code, told.splitlines()[0], held(api, "classic", "global")) == (0, f"OpenSearch Dashboards 2.19.1 at {api.url}", True)
        assert api.objects["default"] == {}
        assert last(run("dashboards", section, "--yes")[1]) == "nothing to do"
        assert run("dashboards", section, "--undo", "--yes")[0] == 0
        assert api.objects["global"] == {}

        code, _, told = run("kibana", {"url": api.url, "username": "ann", "password": PASSWORD}, "--yes")
        assert code == 2  # who asks as Kibana is asked gets the version first
        assert "is OpenSearch Dashboards, as its version says: 2.19.1" in told
        assert "pluginhost setup dashboards" in told


@pytest.mark.parametrize("args", [["--api-key-from-env", "SETUP_KEY"], ["--username", "ann"]])
def test_it_may_be_done_as_somebody_else(run, kibana, args):
    code, _, told = run("kibana", {"url": kibana.url, "api_key": "not-the-key"}, "--yes")
    assert (code, "setup.refused: " in told, "401 Unauthorized" in told) == (2, True, True)
    code, _, _ = run("kibana", {"url": kibana.url, "api_key": "not-the-key"}, "--yes", *args)
    assert (code, held(kibana)) == (0, True)


def test_what_is_not_configured_or_not_in_the_environment_is_told(run, kibana):
    for product in ("kibana", "dashboards"):
        code, _, told = run(product, None)
        assert (code, f"setup.section: the configuration has no `{product}`" in told) == (2, True)
    code, _, told = run("kibana", {"url": kibana.url}, "--api-key-from-env", "NOT_THERE")
    assert (code, "setup.credentials: the environment has no NOT_THERE" in told) == (2, True)
    assert kibana.received == []


def test_the_rule_is_put_there_and_taken_away_only_if_that_is_wanted(run, kibana):
    section = {"url": kibana.url, "api_key": KEY}
    run("kibana", section, "--yes")
    assert kibana.rules["default"] == {}
    code, told, _ = run("kibana", section, "--yes", "--rule")
    assert (code, words(told)[-1]) == (0, ("done", 'detection rule "pluginhost alerts": version 1, switched off'))
    assert "1 to do" in told
    kibana.rules["default"]["pluginhost-promote-alerts"]["enabled"] = True
    assert ("ok", 'detection rule "pluginhost alerts": version 1, switched on') in words(run("kibana", section, "--rule", "--yes")[1])
    assert run("kibana", section, "--undo", "--yes")[0] == 0
    assert [*kibana.rules["default"]] == ["pluginhost-promote-alerts"]
    code, told, _ = run("kibana", section, "--undo", "--yes", "--rule")
    assert (code, kibana.rules["default"]) == (0, {})
    assert "1 to do" in told


def test_where_it_may_not_be_looked_all_is_sent_and_nothing_taken_away(run, kibana):
    kibana.closed = dict.fromkeys(("/api/saved_objects/_bulk_get", "/api/saved_objects/_find"), 400)  # as where Elastic runs it
    code, told, _ = run("kibana", {"url": kibana.url, "api_key": KEY}, "--yes")
    assert (code, words(told)[0][0], held(kibana)) == (0, "leave", True)
    assert "what stands: it may not be looked at, so all is sent: 400 uri" in told
    code, told, _ = run("kibana", {"url": kibana.url, "api_key": KEY}, "--undo", "--yes")
    assert (code, held(kibana), last(told)) == (1, True, "nothing to do")


def test_tls_with_a_private_authority(run, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("k")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair["cert"], pair["key"])
    with kibana_server(ssl=context, key=KEY) as api:
        code, _, told = run("kibana", {"url": api.url, "api_key": KEY}, "--yes")
        assert (code, "setup.unreachable: " in told, "ertificate" in told) == (2, True, True)
        code, _, _ = run("kibana", {"url": api.url, "api_key": KEY, "tls": {"ca": "ca.pem"}}, "--yes")
        assert (code, held(api)) == (0, True)


def test_who_is_away_or_not_ready_is_told(run):
    code, _, told = run("kibana", {"url": f"http://127.0.0.1:{free_port()}"}, "--yes")
    assert (code, "setup.unreachable: " in told) == (2, True)
    with recording(usual=Answer(503, b"Kibana server is not ready yet")) as server:
        code, _, told = run("kibana", {"url": server.url}, "--yes")
    assert (code, "503 Kibana server is not ready yet" in told) == (2, True)
    with recording(usual=Answer(302, b"", {"Location": "https://elsewhere.example/login"})) as server:
        code, _, told = run("kibana", {"url": server.url, "api_key": KEY}, "--yes")
        assert len(server.received) == 1
    assert (code, "302 to https://elsewhere.example/login" in told, "look at the base path in `url`" in told) == (2, True, True)


def test_a_wrong_base_path_is_told(run, kibana):
    code, _, told = run("kibana", {"url": kibana.url.removesuffix("/kb"), "api_key": KEY}, "--yes")
    assert (code, "404 Not Found" in told, "look at the base path in `url`" in told) == (2, True, True)


@pytest.mark.parametrize("end", ["/api/status", "/_bulk_get", "/_import"])
@pytest.mark.parametrize("body", [b'"\\u001b]0;owned\\u0007"', b'{"version":{"number":"9.\\u001b[2J1"},"saved_objects":[],"success":true}',
                                  b'{"message":"\\u001b[2J"}' + b" " * (100 << 20)], ids=["word", "object", "endless"])  # fmt: skip
def test_hostile_answers_do_no_harm(run, kibana, end, body):
    kibana.answers = {end: Answer(200, body)}
    code, out, told = run("kibana", {"url": kibana.url, "api_key": KEY}, "--yes")
    assert code in (0, 1, 2)
    assert len(out + told) < 5000


@pytest.mark.parametrize(("product", "args", "form"), [
    ("kibana", [], "kibana"), ("kibana", ["--classic"], "classic"), ("dashboards", [], "classic")])  # fmt: skip
def test_the_file_is_printed_to_be_imported_by_hand(run, product, args, form):
    code, out, _ = run(product, {}, "--print", *args)
    assert (code, out) == (0, (SHIPPED / f"pluginhost-{form}.ndjson").read_text("utf-8"))
