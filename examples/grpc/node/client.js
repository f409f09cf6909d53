// Sends records to pluginhost, then asks for a verdict: node client.js ADDRESS COUNT
// No code is generated: the proto file is read when the program starts.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const PROTO = path.join(__dirname, "../../../protos/pluginhost/v1/ingest.proto");
const { Ingest, Analyze } = grpc.loadPackageDefinition(loader.loadSync(PROTO, { longs: Number, enums: String, defaults: true })).pluginhost.v1;
const { PLUGINHOST_TOKEN: TOKEN, PLUGINHOST_CA: CA } = process.env;

const credentials = CA ? grpc.credentials.createSsl(fs.readFileSync(CA)) : grpc.credentials.createInsecure();

function metadata() {
  const made = new grpc.Metadata();
  if (TOKEN) made.set("authorization", `Bearer ${TOKEN}`);
  return made;
}

function batches(count, size = 100) {
  const made = new Map();
  for (let start = 0; start < count; start += size) {
    const records = [];
    for (let n = start; n < Math.min(start + size, count); n++) records.push({ seq: n, message: `record ${n} of node` });
    made.set(made.size, { sequence: made.size, tag: "example.node", encoding: "ENCODING_JSON", payload: Buffer.from(JSON.stringify(records)) });
  }
  return made;
}

// Sends what is left over one stream; a batch is kept until its ack is there.
function deliver(client, left, acknowledged) {
  return new Promise((resolve, reject) => {
    const stream = client.Send(metadata());
    stream.on("data", (ack) => {
      left.delete(ack.sequence);
      acknowledged(ack);
    });
    stream.on("error", reject);
    stream.on("end", resolve);
    for (const batch of left.values()) stream.write(batch);
    stream.end();
  });
}

function ask(client, record, tag) {
  return new Promise((resolve, reject) => {
    const stream = client.Judge(metadata(), { deadline: Date.now() + 10_000 });
    stream.on("data", resolve);
    stream.on("error", reject);
    stream.end({ tag, encoding: "ENCODING_JSON", payload: Buffer.from(JSON.stringify(record)) });
  });
}

async function main(address, count) {
  const ingest = new Ingest(address, credentials);
  const left = batches(Number(count));
  while (left.size) {
    try {
      await deliver(ingest, left, (ack) => console.log("ack", ack.sequence, ack.accepted, ack.rejected, ack.error));
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  const login = { event: { category: "authentication", outcome: "success" }, user: { name: "alice" }, source: { ip: "203.0.113.9" } };
  const analyze = new Analyze(address, credentials);
  const judgement = await ask(analyze, login, "app.login");
  console.log("verdict", judgement.pending ? "pending" : judgement.action);
  for (const one of judgement.verdicts) console.log("because", one.rule, one.message);
  ingest.close();
  analyze.close();
}

main(...process.argv.slice(2, 4)).catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
