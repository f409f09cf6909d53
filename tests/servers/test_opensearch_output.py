"""What is OpenSearch's own among the search outputs: streams are made before the first write, and the product is asked for."""

from __future__ import annotations

import logging

import pytest
from search_peers import Peer, asynchronous, call, outgoing

from pluginhost.outputs.port import DONE, Unavailable

pytestmark = pytest.mark.xdist_group("opensearch")


@asynchronous
async def test_the_stream_is_made_at_first_contact_and_found_at_the_next(opensearch, caplog):
    peer = Peer(opensearch.url, "made", "opensearch")
    for _ in range(2):
        output = peer.output()
        await output.check()
        assert await output.deliver([]) == []
        await output.close()
    (stream,) = call(opensearch.url, "GET", f"/_data_stream/{peer.stream}")["data_streams"]
    assert stream["template"] == "logs-pluginhost.alerts"
    assert not [one for one in caplog.records if one.name.startswith("pluginhost")]


@asynchronous
async def test_a_foreign_template_that_makes_no_stream_is_told_and_nothing_is_written(opensearch, caplog):
    plain = {"index_patterns": ["logs-pluginhost.alerts-plain"], "priority": 501}
    call(opensearch.url, "PUT", "/_index_template/plain", plain)
    peer = Peer(opensearch.url, "plain", "opensearch")
    output = peer.output()
    try:
        with caplog.at_level(logging.WARNING, "pluginhost"), pytest.raises(Unavailable) as told:
            await output.deliver([outgoing("a")])
        assert (told.value.slow, told.value.reason.startswith(f"the data stream {peer.stream} cannot be made: 400 ")) == (True, True)
        assert call(opensearch.url, "GET", f"/_resolve/index/{peer.stream}*")["indices"] == []
    finally:
        call(opensearch.url, "DELETE", "/_index_template/plain")
    assert await output.deliver([outgoing("a")]) == [DONE]  # mended
    await output.close()
    assert sorted(peer.documents()) == ["a"]


@asynchronous
async def test_a_stream_that_was_deleted_is_made_again_by_the_template(opensearch):
    peer = Peer(opensearch.url, "deleted", "opensearch")
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    call(opensearch.url, "DELETE", f"/_data_stream/{peer.stream}")
    assert await output.deliver([outgoing("b")]) == [DONE]
    await output.close()
    assert call(opensearch.url, "GET", f"/_resolve/index/{peer.stream}")["data_streams"][0]["name"] == peer.stream
    assert sorted(peer.documents()) == ["b"]
