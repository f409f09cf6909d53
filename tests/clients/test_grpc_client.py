"""A client generated from the proto file the way its head says, in a process of its own that knows nothing of pluginhost."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgpack

from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.wire import records

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
