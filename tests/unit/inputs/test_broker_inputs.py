"""Inputs that read from a broker which is not there: the host starts all the same, and stops without waiting for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from pluginhost.inputs.kafka import Kafka
from pluginhost.inputs.port import Context
from pluginhost.inputs.rabbitmq import Rabbitmq
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret

LONG = 60.0


async def never(chunk, *, source, carried=None):
    raise AssertionError("nothing came in")


@contextlib.contextmanager
def silent():
    """A port where connections are taken and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def kafka(port):
    return Kafka(Kafka.Options(brokers=(f"127.0.0.1:{port}",), topics=("a", "^b")), Context("kafka", never, Registry()))


def rabbitmq(port):
    options = Rabbitmq.Options(port=port, queue="q", password=Secret("hush-hush"), connect_timeout=Duration(600))
    return Rabbitmq(options, Context("rabbitmq", never, Registry()))


@pytest.mark.parametrize(("make", "address"), [(kafka, "kafka://127.0.0.1:{}/a,^b"), (rabbitmq, "amqp://127.0.0.1:{}/%2F/q")])
def test_a_broker_that_never_answers_holds_up_neither_start_nor_stop(make, address):
    async def scene():
        with silent() as port:
            one = make(port)
            assert one.address == address.format(port)
            await one.start()
            await asyncio.sleep(0.3)
            await asyncio.wait_for(one.drain(LONG), LONG / 2)

    asyncio.run(scene())


def test_a_broker_that_is_away_is_told_without_the_password(caplog):
    async def scene():
        with silent() as port:
            pass
        one = rabbitmq(port)
        await one.start()
        while "trying again" not in caplog.text:  # noqa: ASYNC110  # a log has no event
            await asyncio.sleep(0.02)
        await one.drain(LONG)

    asyncio.run(asyncio.wait_for(scene(), LONG))
    assert "hush-hush" not in caplog.text
    assert [record.name for record in caplog.records] == ["pluginhost.inputs.rabbitmq"]
