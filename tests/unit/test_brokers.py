"""How brokers are called: what may be configured, what is refused, and what is never shown."""

from __future__ import annotations

import datetime as dt
import struct
import sys
from pathlib import Path

import pytest

from pluginhost.brokers import Rabbit, Sasl, kafka_settings, package, rabbit_address, rabbit_connect
from pluginhost.host.config import configure
from pluginhost.inputs.port import Context as InputContext
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.outputs.port import Context as OutputContext
from pluginhost.problem import Problem
from pluginhost.tls import Calling

SECRET = "hush-hush"


def made(tls=None, sasl=None, settings=None, own=None, defaults=None):
    return kafka_settings(own or {}, ["a:1", "b:2"], tls, sasl, settings or {}, defaults or {})


class TestKafka:
    def test_plain(self):
        assert made() == {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}

    def test_tls_and_a_password(self, tmp_path):
        (tmp_path / "ca.pem").write_text("x")
        sasl = Sasl(mechanism="PLAIN", username="me", password=Secret(SECRET))
        assert made(Calling(ca=tmp_path / "ca.pem"), sasl) == {
            "bootstrap.servers": "a:1,b:2", "security.protocol": "SASL_SSL", "ssl.ca.location": str(tmp_path / "ca.pem"),
            "enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https",
            "sasl.mechanism": "PLAIN", "sasl.username": "me", "sasl.password": SECRET,
        }  # fmt: skip
        assert made(Calling(verify=False))["ssl.endpoint.identification.algorithm"] == "none"

    def test_settings_go_before_defaults_and_behind_ours(self):
        assert made(settings={"linger.ms": "9"}, defaults={"linger.ms": 5, "x": 1})["linger.ms"] == "9"
        for name in ("group.id", "bootstrap.servers", "metadata.broker.list", "sasl.password", "ssl.engine.location",
                     "plugin.library.paths", "security.protocol", "log_level", "debug", "error_cb", "oauth_cb"):  # fmt: skip
            with pytest.raises(Problem) as told:
                made(settings={name: "x"}, own={"group.id": "g"})
            assert told.value.code == "broker.settings"

    @pytest.mark.parametrize(("tls", "code"), [
        (Calling(server_name="x"), "broker.tls"), (Calling(min_version="1.3"), "broker.tls"), (Calling(ca=Path("/not/there")), "tls.files"),
    ])  # fmt: skip
    def test_tls_that_cannot_be(self, tls, code):
        with pytest.raises(Problem) as told:
            made(tls)
        assert told.value.code == code


def parts(text, folder):
    """Makes the part that the configuration is of."""
    (folder / "pluginhost.yaml").write_text(text)
    setup = configure(folder / "pluginhost.yaml")
    for part in setup.inputs:
        part.type(part.options, InputContext(part.name, None, Registry()))
    for part in setup.outputs:
        part.type(part.options, OutputContext(part.name, Registry(), lambda: 0))


@pytest.mark.parametrize("text", [
    'inputs: [{type: kafka, topics: [a], settings: {"no.such.setting": "1"}}]',
    'inputs: []\noutputs: [{type: kafka, topic: a, settings: {"linger.ms": "soon"}}]',
], ids=["input", "output"])  # fmt: skip
def test_settings_that_librdkafka_does_not_take_are_told_at_start(text, tmp_path):
    with pytest.raises(Problem) as told:
        parts(text, tmp_path)
    assert told.value.code == "broker.settings"


@pytest.mark.parametrize(("name", "text"), [
    ("confluent_kafka", "inputs: [{type: kafka, topics: [a]}]"), ("aio_pika", "inputs: [{type: rabbitmq, queue: q}]"),
    ("confluent_kafka", "inputs: []\noutputs: [{type: kafka, topic: a}]"), ("aio_pika", "inputs: []\noutputs: [{type: rabbitmq}]"),
])  # fmt: skip
def test_without_the_package_options_are_read_and_the_part_says_how_to_get_it(name, text, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Problem, match=r"pip install 'pluginhost\[") as told:
        parts(text, tmp_path)
    assert told.value.code == "broker.missing"


@pytest.mark.parametrize("key", ["{severity}", "{analyzer}.x", "flagged.{colour}", "", ".", "flagged.{severity"])
def test_a_routing_key_begins_with_text_of_its_own(key, tmp_path):
    with pytest.raises(Problem) as told:
        parts(f'inputs: []\noutputs: [{{type: rabbitmq, routing_key: "{key}"}}]', tmp_path)
    assert told.value.code == "output.rabbitmq.routing_key"


class TestRabbit:
    def test_the_address_shows_no_password(self):
        options = Rabbit(host="h", virtual_host="/a b", username="me", password=Secret(SECRET))
        assert rabbit_address(options, "q") == "amqp://h:5672/%2Fa%20b/q"
        assert rabbit_address(Rabbit(tls=Calling()), "q") == "amqps://127.0.0.1:5672/%2F/q"
        assert SECRET not in repr(options)

    def test_properties_that_the_library_cannot_read_are_left_out(self):
        rabbit_connect(Rabbit(), "x")
        read = package("pamqp.decode", "rabbitmq").METHODS
        assert read["timestamp"](struct.pack(">Q", 1_700_000_000)) == (8, dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC))
        assert read["timestamp"](struct.pack(">Q", 2**63)) == (8, None)
        assert read["timestamp"](struct.pack(">Q", 1_700_000_000_000_000_000)) == (8, None)
        assert read["shortstr"](b"\x02ok+") == (3, "ok")
        assert read["shortstr"](b"\x02\xff\xfe+") == (3, "\\xff\\xfe")
        table = b"\x01\xffS\x00\x00\x00\x01x"
        assert read["table"](struct.pack(">I", len(table)) + table) == (len(table) + 4, {})
