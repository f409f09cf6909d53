"""Clients of the gRPC door: generated from the proto file as its head says; one that learns all by reflection; readers of alerts."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import grpc
import msgpack
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sidecars import Sidecar, free_port

from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.wire import records
from pluginhost.wire.v1 import alerts_pb2

REPOSITORY = Path(__file__).parents[2]

CLIENT = '''
import json, sys
import grpc, msgpack
import ingest_pb2 as pb, ingest_pb2_grpc as service

def batches():
    for n in range(50):
        rows = [{"n": 20 * n + i, "message": "x" * 100} for i in range(20)]
        if n % 2:
            yield pb.Batch(sequence=n, tag="app.web", encoding=pb.ENCODING_JSON, payload=json.dumps(rows).encode())
        else:
            yield pb.Batch(sequence=n, tag="app.web", encoding=pb.ENCODING_MSGPACK, payload=msgpack.packb(rows))
    yield pb.Batch(sequence=50, encoding=pb.ENCODING_JSON, payload=b"broken")

with grpc.insecure_channel(sys.argv[1]) as channel:
    for ack in service.IngestStub(channel).Send(batches(), metadata=[("authorization", "Bearer " + sys.argv[2])]):
        print(ack.sequence, ack.accepted, ack.rejected, ack.error.partition(":")[0])
'''


def test_a_generated_client_streams_batches(tmp_path):
    out = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "protos/pluginhost/v1", *out, "ingest.proto"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    (tmp_path / "client.py").write_text(CLIENT)
    chunks = []

    async def accept(chunk, *, source, carried=None):
        await asyncio.sleep(0.002)  # a disk
        chunks.append(chunk)
        return Receipt(len(chunks))

    async def main():
        door = Grpc(GrpcOptions(port=0, token=Secret("s3cret")), Context("grpc", accept, Registry()))
        await door.start()
        client = await asyncio.create_subprocess_exec(
            sys.executable, "client.py", door.address, "s3cret", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                out, err = await client.communicate()
        finally:
            await door.drain(1)
        assert client.returncode == 0, err.decode()
        return out.decode().splitlines()

    assert asyncio.run(main()) == [*(f"{n} 20 0 " for n in range(50)), "50 0 1 malformed"]
    numbers = [
        records.decode(chunk.codec, chunk.data[start:end])["n"]
        for chunk in chunks for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)
    ]  # fmt: skip
    assert numbers == list(range(1000))
    assert {chunk.tag for chunk in chunks} == {"app.web", "grpc"}
    assert chunks[0].body == msgpack.packb([{"n": n, "message": "x" * 100} for n in range(20)])


ANALYZER = '''
from pluginhost import Alert, analyzer

@analyzer(tags="app.login")
def advise(event):
    if event["user.name"] == "alice":
        return Alert("high", "alice is away", action="deny")
    return None
'''


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    made = Sidecar(tmp_path_factory.mktemp("sidecar"))
    made.grpc = free_port()
    made.config["inputs"].append({"type": "grpc", "port": made.grpc, "verdict_timeout": "60s", "token": "s3cret"})
    (made.analyzers / "advise.py").write_text(ANALYZER)
    made.start()
    yield made
    made.stop()


def known(token="s3cret"):
    """An interceptor that shows the token with every call, for clients that know of none."""

    class Known(grpc.StreamStreamClientInterceptor):
        def intercept_stream_stream(self, continuation, details, requests):
            return continuation(details._replace(metadata=(("x-api-key", token),)), requests)

    return Known()


def test_a_client_that_knows_nothing_but_the_address_learns_the_rest_by_reflection(sidecar):
    """As grpcurl does it: names of services, descriptors of a method, a call with messages made of those."""
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc}") as channel:
        knowing = grpc.intercept_channel(channel, known())
        told = ProtoReflectionDescriptorDatabase(knowing)
        assert sorted(told.get_services()) == [
            "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "opentelemetry.proto.collector.logs.v1.LogsService",
            "pluginhost.v1.Alerts", "pluginhost.v1.Analyze", "pluginhost.v1.Ingest",
        ]  # fmt: skip
        pool = DescriptorPool(told)
        method = pool.FindServiceByName("pluginhost.v1.Analyze").FindMethodByName("Judge")
        asked, answered = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = knowing.stream_stream("/pluginhost.v1.Analyze/Judge", asked.SerializeToString, answered.FromString)
        question = asked(sequence=7, tag="app.login")
        question.records.add().update({"user": {"name": "alice"}})
        question.records.add().update({"user": {"name": "bob"}})
        (answer,) = call(iter([question]), timeout=120)
        assert json_format.MessageToDict(answer)["ack"] == {"sequence": "7", "accepted": 2}
        (verdict,) = json_format.MessageToDict(answer, always_print_fields_with_no_presence=True)["verdicts"]
        assert (verdict["index"], verdict["action"], verdict["rule"], verdict["message"]) == (0, "ACTION_DENY", "advise", "alice is away")
        for name in told.get_services():
            pool.FindServiceByName(name)  # with everything that it needs


def follow(channel, after, where=""):
    call = channel.unary_stream("/pluginhost.v1.Alerts/Follow", alerts_pb2.FollowRequest.SerializeToString, alerts_pb2.Alert.FromString)
    return call(alerts_pb2.FollowRequest(after=after, where=where), metadata=(("x-api-key", "s3cret"),), timeout=120)


def test_a_reader_of_alerts_goes_on_where_it_stood_also_after_a_restart(sidecar):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc}") as channel:
        sidecar.post([{"user": {"name": "alice"}, "n": n} for n in range(3)], tag="app.login")
        sidecar.settled()
        reading = follow(channel, "0", "rule.id:advise AND pluginhost.record.n:[0 TO 2]")
        read = [next(reading) for _ in range(3)]
        assert [json.loads(one.document)["pluginhost"]["record"]["n"] for one in read] == [0, 1, 2]
        assert sidecar.stop() == 0
        with pytest.raises(grpc.RpcError) as caught:
            next(reading)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    sidecar.start()
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc}") as channel:
        reading = follow(channel, read[1].token)
        again = next(reading)
        assert again == read[2]
        sidecar.post([{"user": {"name": "alice"}, "n": 3}], tag="app.login")
        new = next(reading)
        assert json.loads(new.document)["pluginhost"]["record"]["n"] == 3
        assert int(new.token) == int(again.token) + 1
        reading.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            next(follow(channel, str(int(new.token) + 1)))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details().startswith("behind: ")
