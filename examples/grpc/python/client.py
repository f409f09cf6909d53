"""Sends records to pluginhost, then asks for a verdict: `python client.py ADDRESS COUNT`.

The two modules beside it are made by

    python -m grpc_tools.protoc -I ../../../protos/pluginhost/v1 --python_out=. --grpc_python_out=. ingest.proto
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator

import grpc
import ingest_pb2 as pb
import ingest_pb2_grpc as service

TOKEN, CA = os.environ.get("PLUGINHOST_TOKEN", ""), os.environ.get("PLUGINHOST_CA", "")
METADATA = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []


def connected(address: str) -> grpc.Channel:
    """A channel, over TLS where an authority is named."""
    if not CA:
        return grpc.insecure_channel(address)
    with open(CA, "rb") as file:  # noqa: PTH123
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()))


def batches(count: int, size: int = 100) -> Iterator[pb.Batch]:
    """`count` records in batches of `size`."""
    for sequence, start in enumerate(range(0, count, size)):
        records = [{"seq": n, "message": f"record {n} of python"} for n in range(start, min(start + size, count))]
        yield pb.Batch(sequence=sequence, tag="example.python", encoding=pb.ENCODING_JSON, payload=json.dumps(records).encode())


def delivered(channel: grpc.Channel, waiting: Iterable[pb.Batch]) -> Iterator[pb.Ack]:
    """The ack of every batch; a batch is kept, and sent again over a new stream, until its ack is there."""
    left = {batch.sequence: batch for batch in waiting}
    while left:
        try:
            for ack in service.IngestStub(channel).Send(iter(list(left.values())), metadata=METADATA):
                del left[ack.sequence]
                yield ack
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.5)


def asked(channel: grpc.Channel, record: dict, tag: str) -> pb.Judgement:
    """What pluginhost thinks of a record."""
    batch = pb.Batch(tag=tag, encoding=pb.ENCODING_JSON, payload=json.dumps(record).encode())
    return next(iter(service.AnalyzeStub(channel).Judge(iter([batch]), metadata=METADATA, timeout=10)))


def main(address: str, count: str) -> None:
    with connected(address) as channel:
        for ack in delivered(channel, batches(int(count))):
            print("ack", ack.sequence, ack.accepted, ack.rejected, ack.error, flush=True)  # noqa: T201
        login = {"event": {"category": "authentication", "outcome": "success"}, "user": {"name": "alice"}, "source": {"ip": "203.0.113.9"}}
        judgement = asked(channel, login, "app.login")
        print("verdict", "pending" if judgement.pending else pb.Action.Name(judgement.action))  # noqa: T201
        for one in judgement.verdicts:
            print("because", one.rule, one.message)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:3])
