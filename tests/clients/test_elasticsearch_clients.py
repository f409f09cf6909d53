"""The official clients of Elasticsearch and OpenSearch, with the whole sidecar where they expect a server."""

from __future__ import annotations

import asyncio
import threading
import time

import elasticsearch
import opensearchpy
import pytest
from elasticsearch import helpers
from opensearchpy import helpers as opensearch_helpers
from sidecars import until
from tally import Tally

COUNT = 600
TOKEN = "s3cret"


@pytest.fixture
def one(sidecar):
    made = sidecar()
    made.config["inputs"][1]["token"] = TOKEN
    made.tally = Tally(made)
    return made.start()


def client_of(one, kind=elasticsearch.Elasticsearch, **options):
    return kind(f"http://127.0.0.1:{one.http}", basic_auth=("any", TOKEN), request_timeout=30, **options)


def opensearch_of(one, **options):
    return opensearchpy.OpenSearch([{"host": "127.0.0.1", "port": one.http}], http_auth=("any", TOKEN), timeout=30, **options)


def documents(start, stop):
    return [{"_op_type": "create" if n % 2 else "index", "_index": f"logs-{n % 3}", "message": f"seq={n};"} for n in range(start, stop)]


def test_every_client_has_all_its_documents_taken_once(one):
    with client_of(one, http_compress=True) as client:
        assert client.info()["version"]["number"] == "8.17.0"
        assert client.cluster.health()["status"] == "green"
        assert client.indices.exists(index="logs-0")
        assert helpers.bulk(client, documents(0, COUNT), chunk_size=100) == (COUNT, [])
    with client_of(one) as client:
        named = [{**document, "_id": f"i{n}"} for n, document in enumerate(documents(COUNT, 2 * COUNT))]
        told = list(helpers.streaming_bulk(client, named, chunk_size=50))
    assert [(good, next(iter(item.values()))["_id"]) for good, item in told] == [(True, f"i{n}") for n in range(COUNT)]
    assert asyncio.run(at_once(one, 2 * COUNT)) == [(100, [])] * (COUNT // 100)
    with opensearch_of(one, http_compress=True) as client:
        assert client.info()["version"]["number"] == "8.17.0"
        assert opensearch_helpers.bulk(client, documents(3 * COUNT, 4 * COUNT), chunk_size=100) == (COUNT, [])
    assert (one.tally.seen(), one.tally.received()) == (set(range(4 * COUNT)), 4 * COUNT)


async def at_once(one, first):
    async with client_of(one, elasticsearch.AsyncElasticsearch) as client:
        parts = (helpers.async_bulk(client, documents(start, start + 100), chunk_size=40) for start in range(first, first + COUNT, 100))
        return await asyncio.gather(*parts)


def test_what_is_not_taken_is_told(one):
    with client_of(one) as client:
        done, errors = helpers.bulk(client, [*documents(0, 3), {"_op_type": "delete", "_index": "a", "_id": "1"}], raise_on_error=False)
        assert (done, [error["delete"]["status"] for error in errors]) == (3, [400])
        with pytest.raises(elasticsearch.NotFoundError):
            client.search(index="a")
    with client_of(one).options(basic_auth=("any", "wrong")) as stranger, pytest.raises(elasticsearch.AuthenticationException):
        stranger.info()
    assert one.tally.seen() == {0, 1, 2}


@pytest.mark.parametrize("make", [client_of, opensearch_of])
def test_a_sidecar_that_is_killed_in_the_middle_loses_nothing(one, make):
    """The client tries again until the sidecar is back; what was acknowledged before the kill is there, and the rest comes."""
    bulk, acknowledged = (helpers if make is client_of else opensearch_helpers).bulk, []

    def send():
        with make(one) as client:
            for start in range(0, COUNT, 20):
                while True:
                    try:
                        acknowledged.append(bulk(client, documents(start, start + 20), max_retries=0)[0])
                        break
                    except (elasticsearch.ApiError, elasticsearch.TransportError, opensearchpy.OpenSearchException):
                        time.sleep(0.1)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    until(lambda: len(acknowledged) >= 5, 60, "the first answers")
    one.kill()
    one.start()
    sender.join(120)
    assert not sender.is_alive()
    assert sum(acknowledged) == COUNT
    assert one.tally.seen() == set(range(COUNT))
