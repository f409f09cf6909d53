"""The shipped samples: each is sound by the grammar of its shipper, knows no option that the shipper does not, and walks into no trap.

Every file is looked at twice: as it ships, and with all its locks in force, as `pluginhost conf` prints it for a locked configuration.
"""

from __future__ import annotations

import re

import pytest
import yaml
from click.testing import CliRunner
from shipped import ROOT, SECRETS, active, variables
from shipper_configs import Malformed, fluentd, logstash, plugins

from pluginhost.cli import main
from pluginhost.cli.conf import SHIPPERS
from pluginhost.host.config import configure

FOLDERS = ("fluentd", "logstash", "shippers")
OWN = {folder: (ROOT / folder / "pluginhost.yaml").read_text() for folder in FOLDERS}
FOLDER_OF = {"fluentd": "fluentd", "fluent-bit": "fluentd", "logstash": "logstash"}
LOCKS = ["plain", "locked"]


def configuration(folder, lock):
    """The pluginhost.yaml of a folder as it ships, or with its commented lines in force."""
    if lock == "plain":
        return OWN[folder]
    return active(OWN[folder]).replace("http://127.0.0.1:8089/", "https://localhost:8089/")


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def setup(secrets, tmp_path):
    def load(folder, lock):
        (tmp_path / "pluginhost.yaml").write_text(configuration(folder, lock))
        return configure(tmp_path / "pluginhost.yaml")

    return load


@pytest.fixture
def printed(secrets, tmp_path):
    """What `pluginhost conf` prints for a shipper beside the configuration that ships for it."""

    def run(shipper, lock):
        file = tmp_path / "pluginhost.yaml"
        file.write_text(configuration(FOLDER_OF.get(shipper, "shippers"), lock))
        made = CliRunner().invoke(main, ["conf", shipper, "-c", str(file)])
        assert made.exit_code == 0, made.output
        return made.output

    return run


class TestPluginhostsSide:
    @pytest.mark.parametrize("lock", LOCKS)
    @pytest.mark.parametrize("folder", FOLDERS)
    def test_each_loads(self, folder, lock, setup):
        made = setup(folder, lock)
        assert all(part.options.bind == ("127.0.0.1" if lock == "plain" else "0.0.0.0") or part.name == "http" for part in made.inputs)
        assert all((part.options.tls is not None) == (lock == "locked") for part in made.inputs)

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_locked_means_that_nobody_unknown_comes_in(self, folder, setup):
        for part in setup(folder, "locked").inputs:
            options = part.options
            assert getattr(options, "shared_key", None) or getattr(options, "keys", None) or options.token
            assert options.tls.cert.name == "server.crt"
        assert variables(OWN[folder]) == set()  # as they ship they need nothing
        assert variables(configuration(folder, "locked"))

    def test_fluentd(self, setup):
        forward, http = setup("fluentd", "locked").inputs
        assert (forward.options.port, http.options.port) == (24224, 8088)
        assert forward.options.shared_key == SECRETS["PLUGINHOST_SHARED_KEY"]
        assert [(user.username, user.password, user.tags) for user in forward.options.users] == [("agent1", "p4ss", ("app.*",))]
        assert not forward.options.allow_anonymous_source
        (output,) = setup("fluentd", "locked").outputs
        assert output.options.servers == ("127.0.0.1:24225",)
        assert (output.options.username, output.options.tls.server_name, output.options.shared_key) == ("pluginhost", "localhost", "sh4red")

    def test_one_key_may_send_what_the_samples_send(self, setup):
        for folder, wanted in (("logstash", ["logstash.main", "logstash.auth"]), ("shippers", ["app.web", "syslog.auth", "docker.web"])):
            patterns = setup(folder, "locked").inputs[0].options.keys[0].tags
            assert [tag for tag in wanted if not any(re.fullmatch(one.replace("*", ".*"), tag) for one in patterns)] == []


KNOWN_TO_FLUENTD = {  # by the section, and its @type where that matters: what the sheet of the protocol names
    "match copy": {"@type"}, "store file": {"@type", "path"}, "store relabel": {"@type", "@label"}, "label": set(), "ROOT": set(),
    "match forward": {"@type", "@id", "require_ack_response", "ack_response_timeout", "compress", "heartbeat_type", "heartbeat_interval",
                      "recover_wait", "transport", "tls_cert_path", "tls_client_cert_path", "tls_client_private_key_path"},
    "match file": {"@type", "path"}, "match null": {"@type"},
    "security": {"self_hostname", "shared_key", "user_auth", "allow_anonymous_source"}, "client": {"network"},
    "user": {"username", "password"},
    "server": {"host", "port", "name", "username", "password"},
    "buffer file": {"@type", "path", "chunk_limit_size", "total_limit_size", "flush_interval", "flush_thread_count", "overflow_action",
                    "retry_wait", "retry_max_interval", "retry_timeout"},
    "secondary secondary_file": {"@type", "directory", "basename"},
    "source forward": {"@type", "@id", "@label", "bind", "port"},
    "transport": {"cert_path", "private_key_path", "client_cert_auth", "ca_path"},
}  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
class TestFluentd:
    @pytest.fixture
    def root(self, printed, lock):
        return fluentd(printed("fluentd", lock), SECRETS)

    def test_every_parameter_is_known(self, root, lock):
        for path, one in root.walk():
            kind = " ".join(filter(None, (one.name, one.params.get("@type", ""))))
            assert one.params.keys() <= KNOWN_TO_FLUENTD[kind], path

    def test_the_way_out(self, root, lock, setup):
        options = setup("fluentd", lock).inputs[0].options
        out = next(one for one in root.all("label") if one.arg == "@PLUGINHOST").one("match")
        server = out.one("server").params
        assert (server["host"], int(server["port"])) == ("127.0.0.1", options.port)
        assert out.params["require_ack_response"] == "true"
        size = out.one("buffer").params["chunk_limit_size"]
        assert int(size.rstrip("m")) << 20 <= options.chunk_size_limit
        locked = {"transport": "tls", "tls_cert_path": "/etc/pluginhost/tls/ca.crt"}
        assert (locked.items() <= out.params.items()) == (lock == "locked")
        if lock == "locked":
            security = out.one("security").params
            assert security == {"self_hostname": "fluentd.this-host", "shared_key": options.shared_key}
            assert security["self_hostname"] != setup("fluentd", lock).hostname
            assert (server["username"], server["password"]) == (options.users[0].username, options.users[0].password)
            assert server["name"] == "localhost"
        else:
            assert out.all("security") == []

    def test_the_way_back(self, root, lock, setup):
        options = setup("fluentd", lock).outputs[0].options
        source = root.one("source")
        assert f"{source.params['bind']}:{source.params['port']}" == options.servers[0]
        assert source.params["@label"] == "@FLAGGED"
        assert "chunk_size_limit" not in source.params
        if lock == "locked":
            security = source.one("security")
            assert security.params["shared_key"] == options.shared_key
            assert security.one("user").params == {"username": options.username, "password": options.password}
            assert source.one("transport").arg == "tls"
            assert source.one("transport").params["client_cert_auth"] == "true"
        else:
            assert source.inner == []

    def test_nothing_goes_round(self, root, lock):
        labels = {one.arg for one in root.all("label")}
        assert {"@PLUGINHOST", "@FLAGGED", "@FLUENT_LOG"} == labels
        assert {one.params["@label"] for _, one in root.walk() if "@label" in one.params} <= labels
        (top,) = root.all("match")
        assert top.arg == "app.**"  # neither Fluentd's own messages nor flagged.** fit
        yours, ours = top.all("store")
        assert (yours.params["@type"], ours.arg, ours.params["@type"]) == ("file", "ignore_error", "relabel")


class TestFluentdsGrammar:
    @pytest.mark.parametrize("broken", [
        "<a>\n</b>", "<a>", "</a>", "<a> x", "<a b\n</a>", "a", 'a "b', 'a b"c"', "a b\na c", 'x "#{system}"'])
    def test_the_reader_can_fail(self, broken):
        with pytest.raises(Malformed):
            fluentd(broken)

    def test_it_reads_quotes_and_comments(self):
        found = fluentd('<a b.**>   # c\n  x "#{ENV[\'K\']} # y"   # z\n  p /a/#b\n</a>\n', {"K": "v"})
        assert found.one("a").params == {"x": "v # y", "p": "/a/#b"}
        assert found.one("a").arg == "b.**"


KNOWN_TO_FLUENT_BIT = {
    "tail": {"path", "tag", "storage.type"},
    "forward in": {"listen", "port", "tag_prefix", "shared_key", "self_hostname", "security.users", "tls", "tls.verify", "tls.ca_file",
                   "tls.crt_file", "tls.key_file", "tls.verify_client_cert"},
    "forward out": {"match", "host", "port", "require_ack_response", "compress", "net.io_timeout", "retry_limit",
                    "storage.total_limit_size", "shared_key", "self_hostname", "username", "password", "tls", "tls.verify",
                    "tls.verify_hostname", "tls.ca_file",
                    "tls.crt_file", "tls.key_file"},
    "http": {"match", "host", "port", "uri", "format", "header_tag", "header", "log_response_payload", "retry_limit",
             "storage.total_limit_size", "tls", "tls.verify", "tls.ca_file", "tls.crt_file", "tls.key_file"},
    "file": {"match", "path"},
}  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
class TestFluentBit:
    @pytest.fixture
    def made(self, printed, lock):
        return yaml.safe_load(printed("fluent-bit", lock))

    def test_every_key_is_known(self, made, lock):
        assert made["service"].keys() == {"flush", "storage.path", "scheduler.base", "scheduler.cap"}
        for way, side in (("in", "inputs"), ("out", "outputs")):
            for one in made["pipeline"][side]:
                name = f"forward {way}" if one["name"] == "forward" else one["name"]
                assert one.keys() - {"name"} <= KNOWN_TO_FLUENT_BIT[name]

    def test_over_http_every_key_is_known(self, setup, secrets, tmp_path, lock):
        config = {"inputs": yaml.safe_load(configuration("fluentd", lock))["inputs"][1:]}
        (tmp_path / "http.yaml").write_text(yaml.safe_dump(config))
        told = CliRunner().invoke(main, ["conf", "fluent-bit", "-c", str(tmp_path / "http.yaml")]).output
        (one,) = yaml.safe_load(told)["pipeline"]["outputs"]
        assert one.keys() - {"name"} <= KNOWN_TO_FLUENT_BIT["http"]
        assert (one["format"], one["header_tag"], one["uri"]) == ("msgpack", "X-Pluginhost-Tag", "/v1/ingest")
        assert ("header" in one) == ("tls" in one) == (lock == "locked")

    def test_both_ways(self, made, lock, setup):
        loaded = setup("fluentd", lock)
        door, back = loaded.inputs[0].options, loaded.outputs[0].options
        (_, come), (ship, end) = made["pipeline"]["inputs"], made["pipeline"]["outputs"]
        assert (ship["host"], ship["port"]) == ("127.0.0.1" if lock == "plain" else "localhost", door.port)
        assert f"{come['listen']}:{come['port']}" == back.servers[0]
        assert ship["require_ack_response"] is True
        assert ship["net.io_timeout"] == "60s"  # without it an ack is waited for without end
        assert come["tag_prefix"] == "back."
        assert not come["tag_prefix"].startswith(ship["match"].rstrip("*"))
        assert end["match"] == f"{come['tag_prefix']}*"
        if lock == "locked":
            assert come["security.users"] == f"{back.username} ${{PLUGINHOST_PASSWORD}}"
            assert ship["username"] == door.users[0].username
            assert ship["shared_key"] == come["shared_key"] == "${PLUGINHOST_SHARED_KEY}"
            assert [one[key] for one in (ship, come) for key in ("tls", "tls.verify")] == [True] * 4
            assert come["tls.verify_client_cert"] is ship["tls.verify_hostname"] is True
        else:
            assert not [key for one in (ship, come) for key in one if key.startswith("tls") or "key" in key]


SSL = {"ssl_certificate_authorities", "ssl_certificate", "ssl_key"}
KNOWN_TO_LOGSTASH = {
    ("input", "pipeline"): {"address"}, ("output", "pipeline"): {"send_to"}, ("input", "beats"): {"port"}, ("filter", "drop"): set(),
    ("filter", "ruby"): {"code"}, ("filter", "mutate"): {"replace", "add_tag"}, ("codec", "fluent"): {"nanosecond_precision"},
    ("output", "http"): {"id", "url", "http_method", "format", "http_compression", "headers", "connect_timeout", "socket_timeout",
                         "request_timeout", "pool_max", "pool_max_per_route", "automatic_retries", "validate_after_inactivity",
                         "retry_failed", "retryable_codes", *SSL},
    ("filter", "http"): {"id", "url", "verb", "headers", "body", "body_format", "target_body", "target_headers", "connect_timeout",
                         "socket_timeout", "request_timeout", "pool_max", "pool_max_per_route", "automatic_retries",
                         "tag_on_request_failure", "tag_on_json_failure", *SSL},
    ("input", "http"): {"id", "host", "port", "user", "password", "ecs_compatibility", "remote_host_target_field", "max_pending_requests",
                        "request_headers_target_field", "additional_codecs", "response_code", "ssl_enabled", "ssl_client_authentication",
                        *SSL},
    ("input", "tcp"): {"id", "host", "port", "codec", "dns_reverse_lookup_enabled", "ecs_compatibility"},
    ("output", "elasticsearch"): {"id", "hosts", "index", "action", "document_id", "manage_template", "ilm_enabled", "data_stream", "user",
                                  "password", "ssl_enabled", *SSL},
}  # fmt: skip


def logstash_files(printed, lock):
    parts = re.split(r"^# ===== (\S+) =====\n", printed("logstash", lock), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def in_force(text):
    """A file with every commented lock in force, where `conf` does not print it."""
    inside = re.sub(r"^ *# >>> (\w+ to pluginhost)\n((?: *# .*\n)*?) *# <<< \1\n",
                    lambda found: re.sub(r"^( *)# ", r"\1", found[2], flags=re.MULTILINE), text, flags=re.MULTILINE)  # fmt: skip
    assert inside != text
    return inside


@pytest.mark.parametrize("lock", LOCKS)
class TestLogstash:
    @pytest.fixture
    def made(self, printed, lock):
        """The plugins of each file by the file's name."""
        files = {name: text for name, text in logstash_files(printed, lock).items() if name.endswith(".conf")}
        for name in ("pluginhost-bulk.conf", "pluginhost-flagged-forward.conf"):
            text = (ROOT / "logstash" / name).read_text()
            files[name] = in_force(text) if lock == "locked" and "bulk" in name else text
        return {name: plugins(logstash(text, SECRETS)) for name, text in files.items()}

    def one(self, made, file, name):
        (found,) = [plugin for plugin in made[f"pluginhost-{file}.conf"] if plugin.name == name]
        return found.options

    def test_every_file_is_looked_at(self, made, lock):
        assert made.keys() == {file.name for file in (ROOT / "logstash").glob("*.conf")}

    def test_every_option_is_known(self, made, lock):
        for file, found in made.items():
            for plugin in found:
                assert plugin.options.keys() <= KNOWN_TO_LOGSTASH[plugin.kind, plugin.name], file
                for value in plugin.options.values():
                    if hasattr(value, "kind"):
                        assert value.options.keys() <= KNOWN_TO_LOGSTASH[value.kind, value.name]

    def test_ship(self, made, lock, setup):
        out, options = self.one(made, "ship", "http"), setup("logstash", lock).inputs[0].options
        assert out["url"] == ("http://127.0.0.1:8088" if lock == "plain" else "https://localhost:8088") + "/v1/ingest"
        assert (out["format"], out["retry_failed"], out["http_compression"]) == ("json_batch", True, True)
        assert 503 in out["retryable_codes"]
        assert 422 not in out["retryable_codes"]
        assert out["headers"].get("X-Api-Key") == (SECRETS["PLUGINHOST_TOKEN"] if lock == "locked" else None)
        assert (out.keys() >= SSL) == (options.tls is not None)
        (drop,) = [plugin for plugin in made["pluginhost-ship.conf"] if plugin.name == "drop"]
        assert drop.conditions == ('[pluginhost][alert] or "pluginhost.alert" in [tags]',)

    def test_enrich(self, made, lock, setup):
        ask, options = self.one(made, "enrich", "http"), setup("logstash", lock).inputs[0].options
        assert ask["url"].endswith(":8088/v1/analyze")
        assert ask["socket_timeout"] > options.verdict_timeout
        assert (ask["automatic_retries"], ask["body_format"], ask["target_body"]) == (0, "text", "[pluginhost]")
        assert ask["body"] == "%{[@metadata][pluginhost_body]}"
        assert self.one(made, "enrich", "ruby")["code"] == 'event.set("[@metadata][pluginhost_body]", event.to_json)'
        tag = [plugin for plugin in made["pluginhost-enrich.conf"] if plugin.name == "mutate"]
        assert [(one.options, one.conditions[-1]) for one in tag] == [({"add_tag": ["pluginhost.alert"]}, "[pluginhost][flagged]")]

    def test_bulk(self, made, lock):
        out = self.one(made, "bulk", "elasticsearch")
        assert out["hosts"] == ["http://127.0.0.1:8088"]
        assert [out[name] for name in ("manage_template", "ilm_enabled", "data_stream")] == [False] * 3
        assert ("ssl_enabled" in out) == ("password" in out) == (lock == "locked")

    def test_back_over_http(self, made, lock, setup):
        come, options = self.one(made, "flagged-http", "http"), setup("logstash", lock).outputs[0].options
        assert f"{come['host']}:{come['port']}" in options.url.replace("localhost", "127.0.0.1")
        assert come["ecs_compatibility"] == "disabled"
        assert come.get("user", "") == options.username
        assert come.get("ssl_enabled", False) == options.url.startswith("https:")
        assert come.get("ssl_client_authentication") == ("required" if lock == "locked" else None)

    def test_back_over_forward(self, made, lock):
        come = self.one(made, "flagged-forward", "tcp")
        assert (come["codec"].name, come["codec"].options) == ("fluent", {"nanosecond_precision": True})
        told = re.findall(r"\{type: forward, .*?profile: (\w+)\}", (ROOT / "logstash/pluginhost-flagged-forward.conf").read_text())
        assert told == ["logstash"]

    def test_where_flagged_records_go(self, made, lock):
        for file in ("flagged-http", "flagged-forward"):
            assert self.one(made, file, "mutate") == {"replace": {"[@metadata][route]": "alerts"}}  # add_field twice makes an array
        for plugin in made["pluginhost-out.conf"]:
            assert plugin.conditions[0] == '[@metadata][route] == "alerts"'
            assert (plugin.options["action"], plugin.options["data_stream"]) == ("create", False)
            assert plugin.options["document_id"].startswith("%{[")

    def test_pipelines(self, printed, lock):
        made = yaml.safe_load(logstash_files(printed, lock)["pipelines.yml"])
        assert [one["pipeline.id"] for one in made] == ["main", "pluginhost-ship", "pluginhost-return"]
        (ship,) = [plugin for plugin in plugins(logstash(made[0]["config.string"])) if plugin.name == "pipeline"]
        assert ship.options == {"send_to": ["pluginhost-ship"]}
        assert (made[1]["queue.type"], made[1]["path.config"]) == ("persisted", "/etc/logstash/pluginhost-ship.conf")
        assert made[2]["path.config"] == "/etc/logstash/pluginhost-{flagged-http,out}.conf"


class TestLogstashsGrammar:
    @pytest.mark.parametrize("broken", [
        "input {", "input { a }", "input { a { b } }", "input { a { b => } }", "inputs { }", "input { a { b => [1 2] } }",
        "input { a {} } }", "filter { if [a] { }", "filter { if a { } }", "filter { if [a] == { } }",
        "filter { else { } }", 'output { a { b => "c } }',
        "input { a { b => 1 b => 2 } }", "input { a { b => { c 1 } } }", "filter { if [a] in in [b] {} }", "input { a { b = 1 } }",
    ])  # fmt: skip
    def test_the_reader_can_fail(self, broken):
        with pytest.raises(Malformed):
            logstash(broken)

    def test_it_reads_everything_that_the_samples_use(self):
        (_, statements), = logstash(
            'filter { if [a][b] in ["x", "y"] or !([c] not in [d]) { m { r => { "k" => 1.5 w => true } } } '
            "else if [e] =~ 'z' { d {} } else { t { codec => f { n => -1 } u => \"${V:w}/${P}\" } } # c\n}", {"P": "p"})  # fmt: skip
        ((_, arms),) = statements
        assert [condition for condition, _ in arms] == ["[a][b] in ['x', 'y'] or !([c] not in [d])", "[e] =~ 'z'", "else"]
        assert arms[0][1][0].options == {"r": {"k": 1.5, "w": True}}
        assert arms[2][1][0].options["codec"].options == {"n": -1}
        assert arms[2][1][0].options["u"] == "w/p"


KNOWN = {
    "vector": {"type", "inputs", "uri", "method", "encoding", "compression", "batch", "request", "acknowledgements", "buffer", "auth",
               "tls"},
    "filebeat": {"hosts", "headers", "compression_level", "bulk_max_size", "timeout", "allow_older_versions", "username", "password",
                 "ssl.certificate_authorities", "ssl.certificate", "ssl.key"},
    "otel-collector": {"endpoint", "compression", "timeout", "headers", "tls", "retry_on_failure", "sending_queue"},
    "docker": {"splunk-url", "splunk-token", "splunk-sourcetype", "splunk-format", "tag", "splunk-gzip", "splunk-verify-connection",
               "splunk-capath", "splunk-caname"},
}  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
class TestOthers:
    def url(self, lock):
        return "http://127.0.0.1:8088" if lock == "plain" else "https://localhost:8088"

    def test_vector(self, printed, lock):
        sink = yaml.safe_load(printed("vector", lock))["sinks"]["pluginhost"]
        assert sink.keys() <= KNOWN["vector"]
        assert sink["uri"] == f"{self.url(lock)}/v1/ingest/app.web"
        assert sink["buffer"]["max_size"] >= 268435488  # the least that Vector takes for a disk
        assert sink["buffer"]["when_full"] == "drop_newest"
        assert (sink.get("auth"), sink.get("tls")) == ((None, None) if lock == "plain" else (
            {"strategy": "bearer", "token": "${PLUGINHOST_TOKEN}"}, {"ca_file": "/etc/pluginhost/tls/ca.crt"}))  # fmt: skip

    def test_filebeat(self, printed, lock):
        made = yaml.safe_load(printed("filebeat", lock))
        assert made.keys() == {"filebeat.inputs", "setup.ilm.enabled", "setup.template.enabled", "output.elasticsearch"}
        assert made["setup.ilm.enabled"] is made["setup.template.enabled"] is False
        out = made["output.elasticsearch"]
        assert out.keys() <= KNOWN["filebeat"]
        assert (out["hosts"], "password" in out) == ([self.url(lock)], lock == "locked")

    def test_otel_collector(self, printed, lock):
        made = yaml.safe_load(printed("otel-collector", lock))
        http, grpc = made["exporters"]["otlphttp/pluginhost"], made["exporters"]["otlp/pluginhost"]
        assert http.keys() | grpc.keys() <= KNOWN["otel-collector"]
        assert (http["endpoint"], grpc["endpoint"]) == (self.url(lock), f"{'127.0.0.1' if lock == 'plain' else 'localhost'}:24226")
        assert (grpc["tls"], "headers" in grpc, "headers" in http) == (
            ({"insecure": True}, False, False) if lock == "plain" else ({"ca_file": "/etc/pluginhost/tls/ca.crt"}, True, True))
        assert made["service"]["pipelines"]["logs"]["exporters"] == ["otlphttp/pluginhost"]  # one of the two
        assert {one["sending_queue"]["storage"] for one in (http, grpc)} == set(made["service"]["extensions"]) == set(made["extensions"])

    def test_docker(self, printed, lock):
        logging = yaml.safe_load(printed("docker", lock))["services"]["web"]["logging"]
        assert logging["driver"] == "splunk"
        assert logging["options"].keys() <= KNOWN["docker"]
        assert logging["options"]["splunk-url"] == self.url(lock)
        assert all(isinstance(value, str) for value in logging["options"].values())  # Docker takes nothing else

    @pytest.mark.parametrize("shipper", SHIPPERS)
    def test_no_secret_is_printed(self, printed, shipper, lock):
        told = printed(shipper, lock)
        assert not [value for value in SECRETS.values() if value in told]
        assert "pluginhost/tls" in told
        assert ">>>" not in told


def test_every_file_is_somebodys():
    shown = {"fluent.conf", "fluent-bit.yaml", "pipelines.yml", "pluginhost.yaml", "README.md", "vector.yaml", "syslog-ng.conf",
             "rsyslog.conf", "filebeat.yml", "otel-collector.yaml", "docker-splunk.yaml",
             *(file.name for file in (ROOT / "logstash").glob("*.conf"))}  # fmt: skip
    assert {file.name for folder in FOLDERS for file in (ROOT / folder).iterdir()} == shown
    for folder in FOLDERS:
        page = (ROOT / folder / "README.md").read_text()
        assert [file.name for file in (ROOT / folder).iterdir() if f"`{file.name}`" not in page and file.name != "README.md"] == []
