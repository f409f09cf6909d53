"""What `pluginhost conf` prints, and that the shipped files it is made from are sound and can be used as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pluginhost.cli import main
from pluginhost.cli.samples import rendered
from pluginhost.host.config import configure

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(path for folder in ("fluentd", "logstash", "shippers") for path in (ROOT / folder).iterdir() if path.suffix != ".md")
OTHERS = {"vector": "vector.yaml", "syslog-ng": "syslog-ng.conf", "rsyslog": "rsyslog.conf", "filebeat": "filebeat.yml",
          "otel-collector": "otel-collector.yaml", "docker": "docker-splunk.yaml"}  # fmt: skip

BOTH = """
inputs:
  - {type: forward, port: 24225, bind: 0.0.0.0}
  - {type: http, port: 9000, bind: 127.0.0.2, token: sekrit}
outputs:
  - {type: forward, servers: ["127.0.0.3:24224"], tag_prefix: soc}
"""


@pytest.fixture
def conf(tmp_path):
    def run(shipper, text, status=0):
        file = tmp_path / "pluginhost.yaml"
        file.write_text(text)
        result = CliRunner().invoke(main, ["conf", shipper, "-c", str(file)])
        assert result.exit_code == status, result.output
        return result.output

    return run


def tags_balance(text):
    """Whether every `<tag …>` of a Fluentd configuration is closed by its own, and nothing stands behind a tag but a comment."""
    open_tags = []
    for line in text.splitlines():
        bare = line.split("#", 1)[0].strip() if not line.strip().startswith("path ") else line.strip()
        if found := re.fullmatch(r"</(\w+)>", bare):
            assert open_tags, line
            assert open_tags.pop() == found[1], line
        elif found := re.fullmatch(r"<(\w+)(?: [^<>]+)?>", bare):
            open_tags.append(found[1])
        else:
            assert "<" not in bare, line
            assert ">" not in bare, line
    return not open_tags


def braces_balance(text):
    """Whether the brackets of a Logstash configuration balance outside strings and comments."""
    closing, waiting = {"{": "}", "[": "]", "(": ")"}, []
    for line in text.splitlines():
        for char in re.sub(r'"[^"]*"', "", line).split("#", 1)[0]:
            if char in closing:
                waiting.append(closing[char])
            elif char in closing.values():
                assert waiting, line
                assert waiting.pop() == char, line
    return not waiting


def files(printed):
    """The printed files of Logstash by name."""
    parts = re.split(r"^# ===== (\S+) =====\n", printed, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def settings(text):
    """Every `key value` line of a Fluentd configuration as (the tags around it, key, value)."""
    found, tags = [], []
    for line in text.splitlines():
        bare = line.split(" #", 1)[0].strip()
        if bare.startswith("</"):
            tags.pop()
        elif bare.startswith("<"):
            tags.append(bare.strip("<>"))
        elif bare and not bare.startswith("#"):
            key, _, value = bare.partition(" ")
            found.append((tuple(tags), key, value.strip()))
    return found


def unmarked(path):
    """A shipped file without the marks of its sections."""
    return re.sub(r"^[ #]*# (>>>|<<<) .*\n", "", path.read_text(), flags=re.MULTILINE)


class TestShippedFiles:
    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_every_lock_is_a_comment_until_it_is_asked_for(self, path):
        active = "\n".join(line.split("#", 1)[0] for line in path.read_text().splitlines())
        for word in ("pluginhost/tls", "ssl_", "shared_key", "<security>", "user_auth", "password"):
            assert word not in active.lower()

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_every_section_ends(self, path):
        marks = re.findall(r"^[ #]*# (>>>|<<<) (.+)$", path.read_text(), re.MULTILINE)
        open_ = []
        for mark, name in marks:
            if mark == ">>>":
                open_.append(name)
            else:
                assert open_.pop() == name
        assert not open_

    def test_fluentd(self):
        assert tags_balance((ROOT / "fluentd/fluent.conf").read_text())

    @pytest.mark.parametrize("broken", ["<a>\n</b>", "<a>", "</a>", "<a> x", "<a b\n</a>"])
    def test_the_balance_check_can_fail(self, broken):
        try:
            assert not tags_balance(broken)
        except (AssertionError, IndexError):
            return

    def test_fluent_bit(self):
        made = yaml.safe_load((ROOT / "fluentd/fluent-bit.yaml").read_text())["pipeline"]
        inputs = [(one["name"], one.get("port"), one.get("tag_prefix")) for one in made["inputs"]]
        outputs = [(one["name"], one["match"], one.get("port")) for one in made["outputs"]]
        assert inputs == [("tail", None, None), ("forward", 24225, "back.")]
        assert outputs == [("forward", "app.*", 24224), ("file", "back.*", None)]

    @pytest.mark.parametrize("name", ["pluginhost-ship", "pluginhost-flagged-http", "pluginhost-flagged-forward", "pluginhost-out"])
    def test_logstash(self, name):
        assert braces_balance((ROOT / f"logstash/{name}.conf").read_text())

    def test_logstash_pipelines_name_files_that_are_there(self):
        made = yaml.safe_load((ROOT / "logstash/pipelines.yml").read_text())
        assert [one["pipeline.id"] for one in made] == ["main", "pluginhost-ship", "pluginhost-return"]
        assert braces_balance(made[0]["config.string"])
        assert made[2]["path.config"] == "/etc/logstash/pluginhost-{flagged-http,out}.conf"

    @pytest.mark.parametrize(("folder", "inputs", "output", "place"), [
        ("fluentd", [("forward", 24224), ("http", 8088)], "forward", ("127.0.0.1:24225",)),
        ("logstash", [("http", 8088)], "logstash", "http://127.0.0.1:8089/"),
    ])
    def test_the_sidecars_side_fits(self, folder, inputs, output, place):
        setup = configure(ROOT / folder / "pluginhost.yaml")
        assert [(part.name, part.options.port) for part in setup.inputs] == inputs
        (part,) = setup.outputs
        assert part.name == output
        assert (part.options.url if folder == "logstash" else part.options.servers) == place

    def test_the_defaults_give_the_shipped_files_themselves(self, conf):
        """What stands in the files is what the two sample configurations give: no default differs from its substitution."""
        for shipper, folder, name in (("fluentd", "fluentd", "fluent.conf"), ("fluent-bit", "fluentd", "fluent-bit.yaml")):
            assert conf(shipper, (ROOT / folder / "pluginhost.yaml").read_text()) == unmarked(ROOT / folder / name)
        for name, text in files(conf("logstash", (ROOT / "logstash/pluginhost.yaml").read_text())).items():
            assert text.strip() == unmarked(ROOT / "logstash" / name).strip()
        for shipper, name in OTHERS.items():
            assert conf(shipper, (ROOT / "shippers/pluginhost.yaml").read_text()) == unmarked(ROOT / "shippers" / name)


class TestFluentd:
    def test_both_ways_with_other_ports(self, conf):
        made = conf("fluentd", BOTH)
        assert tags_balance(made)
        found = settings(made)
        server = ("label @PLUGINHOST", "match **", "server")
        assert (server, "host", "127.0.0.1") in found
        assert (server, "port", "24225") in found
        assert (("source",), "bind", "127.0.0.3") in found
        assert (("source",), "port", "24224") in found
        assert "<match soc.critical.**>" in made
        assert "<match soc.**>" in made
        assert "flagged." not in made

    def test_without_a_return_output(self, conf):
        made = conf("fluentd", "inputs: [{type: forward, port: 1234}]")
        assert tags_balance(made)
        assert "@FLAGGED" not in made
        assert "<source>" not in made
        assert "#     - {type: forward, servers: [127.0.0.1:24225]}" in made
        assert "      port 1234\n" in made

    def test_an_output_for_logstash_does_not_lead_to_fluentd(self, conf):
        assert "<source>" not in conf("fluentd", "outputs: [{type: forward, profile: logstash}]")

    @pytest.mark.parametrize(("bind", "host"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")])
    def test_an_address_to_bind_is_one_to_reach(self, conf, bind, host):
        assert f"      host {host}\n" in conf("fluentd", f'inputs: [{{type: forward, bind: "{bind}"}}]')

    @pytest.mark.parametrize(("tag", "match"), [
        ("{prefix}.{severity}", "flagged.**"), ("a.b.{analyzer}", "a.b.**"), ("a-{analyzer}", "**")])
    def test_a_tag_of_ones_own(self, conf, tag, match):
        assert f"<match {match}>" in conf("fluentd", f'outputs: [{{type: forward, tag: "{tag}"}}]')


class TestFluentBit:
    def pipeline(self, text):
        return yaml.safe_load(text)["pipeline"]

    def test_both_ways_with_other_ports(self, conf):
        made = self.pipeline(conf("fluent-bit", BOTH))
        (_, back), (ship, file) = made["inputs"], made["outputs"]
        assert (back["name"], back["listen"], back["port"], back["tag_prefix"]) == ("forward", "127.0.0.3", 24224, "back.")
        assert (ship["name"], ship["host"], ship["port"], ship["require_ack_response"]) == ("forward", "127.0.0.1", 24225, True)
        assert file["match"] == "back.*"

    def test_the_way_over_http_is_a_comment_beside_forward(self, conf):
        made = conf("fluent-bit", BOTH)
        assert "    #   port: 9000\n" in made
        assert "    #   header: X-Api-Key ${PLUGINHOST_TOKEN}\n" in made
        assert "sekrit" not in made

    def test_over_http_where_there_is_no_forward(self, conf):
        made = self.pipeline(conf("fluent-bit", "inputs: [{type: http, port: 9000, bind: 127.0.0.2, token: t}]"))
        (ship,) = made["outputs"]
        assert (ship["name"], ship["host"], ship["port"], ship["uri"]) == ("http", "127.0.0.2", 9000, "/v1/ingest")
        assert ship["header"] == "X-Api-Key ${PLUGINHOST_TOKEN}"
        assert [one["name"] for one in made["inputs"]] == ["tail"]

    def test_forward_alone(self, conf):
        made = conf("fluent-bit", "inputs: [{type: forward}]")
        assert "HTTP" not in made
        assert [one["name"] for one in self.pipeline(made)["outputs"]] == ["forward"]


class TestLogstash:
    def test_back_over_http(self, conf):
        made = files(conf("logstash", """
            namespace: prod
            inputs: [{type: http, port: 9000, token: sekrit}]
            outputs: [{type: http, url: "http://[::1]:8090/x", username: soc, password: p}]
        """))
        assert list(made) == ["pluginhost-ship.conf", "pluginhost-enrich.conf", "pluginhost-flagged-http.conf", "pluginhost-out.conf",
                              "pipelines.yml"]  # fmt: skip
        assert all(braces_balance(text) for name, text in made.items() if name.endswith(".conf"))
        assert 'url => "${PLUGINHOST_URL:http://127.0.0.1:9000}/v1/ingest"' in made["pluginhost-ship.conf"]
        assert '      "X-Api-Key" => "${PLUGINHOST_TOKEN}"\n' in made["pluginhost-ship.conf"]
        assert '    host => "::1"\n    port => 8090\n    user => "soc"' in made["pluginhost-flagged-http.conf"]
        indices = re.findall(r'index => "(.*)"', made["pluginhost-out.conf"])
        assert indices == ["logs-pluginhost.alerts-prod", "logs-pluginhost.flagged-prod"]
        assert yaml.safe_load(made["pipelines.yml"])[2]["path.config"].endswith("pluginhost-{flagged-http,out}.conf")

    def test_back_over_forward(self, conf):
        made = files(conf("logstash", 'outputs: [{type: forward, profile: logstash, servers: ["10.0.0.1:1234"]}]'))
        assert '    host => "10.0.0.1"\n    port => 1234\n' in made["pluginhost-flagged-forward.conf"]
        assert yaml.safe_load(made["pipelines.yml"])[2]["path.config"].endswith("pluginhost-{flagged-forward,out}.conf")

    def test_without_a_return_output(self, conf):
        made = files(conf("logstash", "inputs: [{type: http, serve: [ingest]}]\noutputs: [{type: http, url: https://elsewhere/}]"))
        assert list(made) == ["pluginhost-ship.conf", "pipelines.yml"]
        assert '# "X-Api-Key"' in made["pluginhost-ship.conf"]
        assert len(yaml.safe_load(made["pipelines.yml"])) == 2
        assert "{type: http, url: 'http://127.0.0.1:8089/', what: alert}" in made["pipelines.yml"]


LOCKED = """
inputs:
  - {type: forward, bind: 0.0.0.0, tls: {cert: c, key: k}, shared_key: s1}
  - {type: http, port: 9000, bind: 10.0.0.1, tls: {cert: c, key: k}, keys: [{name: a, token: t}]}
  - {type: grpc, port: 9001, token: t2}
outputs:
  - {type: forward, servers: ["10.0.0.2:1"], tls: {ca: c}, username: soc, password: p, shared_key: s1}
"""


class TestLocks:
    """Each lock is in force where the configuration has it, and only there."""

    def test_fluentd(self, conf):
        found = settings(conf("fluentd", LOCKED))
        out = ("label @PLUGINHOST", "match **")
        assert (out, "transport", "tls") in found
        assert ((*out, "security"), "shared_key", '"#{ENV[\'PLUGINHOST_SHARED_KEY\']}"') in found
        assert not [one for one in found if one[1] in ("tls_client_cert_path", "client_cert_auth")]  # no `client_ca`, no `cert`
        assert not [one for one in found if one[0] == (*out, "server") and one[1] == "username"]  # no `users`
        assert (("source", "security", "user"), "username", "soc") in found
        assert (("source", "transport tls"), "cert_path", "/etc/pluginhost/tls/server.crt") in found

    def test_fluent_bit(self, conf):
        made = yaml.safe_load(conf("fluent-bit", LOCKED))["pipeline"]
        (_, back), (ship, _) = made["inputs"], made["outputs"]
        assert (ship["host"], ship["tls"], "tls.crt_file" in ship, "username" in ship) == ("localhost", True, False, False)
        assert (back["security.users"], "tls.verify_client_cert" in back) == ("soc ${PLUGINHOST_PASSWORD}", False)

    def test_others(self, conf):
        assert "    uri: https://10.0.0.1:9000/v1/ingest/app.web" in conf("vector", LOCKED)
        assert 'server="10.0.0.1" serverport="9000"' in conf("rsyslog", LOCKED)
        made = yaml.safe_load(conf("otel-collector", LOCKED))["exporters"]
        assert made["otlphttp/pluginhost"]["tls"] == {"ca_file": "/etc/pluginhost/tls/ca.crt"}
        assert (made["otlp/pluginhost"]["tls"], made["otlp/pluginhost"]["endpoint"]) == ({"insecure": True}, "127.0.0.1:9001")
        assert made["otlp/pluginhost"]["headers"] == {"x-api-key": "${env:PLUGINHOST_TOKEN}"}

    def test_the_collector_over_the_door_that_is_there(self, conf):
        http = yaml.safe_load(conf("otel-collector", "inputs: [{type: http}]"))
        grpc = yaml.safe_load(conf("otel-collector", "inputs: [{type: grpc}]"))
        for made, name in ((http, "otlphttp/pluginhost"), (grpc, "otlp/pluginhost")):
            assert list(made["exporters"]) == made["service"]["pipelines"]["logs"]["exporters"] == [name]


class TestProblems:
    @pytest.mark.parametrize(("shipper", "text", "code", "cure"), [
        ("fluentd", "inputs: [{type: http}]", "conf.input", "add to `inputs`: {type: forward}"),
        ("fluent-bit", "inputs: [{type: grpc}]", "conf.input", "add to `inputs`: {type: forward}"),
        ("logstash", "inputs: [{type: forward}]", "conf.input", "add to `inputs`: {type: http}"),
        ("fluentd", "inputs: [{type: forward, port: 0}]", "conf.port", "give it a `port`"),
        ("fluentd", "outputs: [{type: forward, servers: ['a:b']}]", "conf.address", "write `host:port`"),
        ("logstash", "outputs: [{type: http, url: 'http://:8089/'}]", "conf.address", "write `host:port`"),
        ("fluentd", "outputs: [{type: forward, servers: ['unix:/run/fluentd.sock']}]", "conf.address", "write `host:port`"),
        ("fluent-bit", "inputs: [{type: forward, port: null, path: /run/ph.sock}]", "conf.port", "give it a `port`"),
        ("vector", "inputs: [{type: forward}]", "conf.input", "add to `inputs`: {type: http}"),
    ])
    def test_each_says_what_to_do(self, conf, shipper, text, code, cure):
        page = conf(shipper, text, status=2)
        assert page.startswith(f"{code}: ")
        assert f"to do: {cure}" in page

    def test_a_default_that_left_the_file_is_our_bug(self, conf, monkeypatch):
        monkeypatch.setattr("pluginhost.cli.conf.shipped", lambda *_: "# >>> to pluginhost\n# <<< to pluginhost\n")
        with pytest.raises(LookupError, match="port 24224"):
            CliRunner().invoke(main, ["conf", "fluentd"], catch_exceptions=False)

    def test_a_section_without_a_maker_is_our_bug(self):
        with pytest.raises(KeyError):
            rendered("# >>> new\nx\n# <<< new\n", {})
