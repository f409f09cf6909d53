// Sends COUNT distinct records ({"seq": 0 …, "text": …}) through @fluent-org/logger, every one with an ack, and prints
// {"sent": n, "acked": n}. What is not acked is sent again, up to ATTEMPTS times. Each record's id is TAG-seq. The environment variable
// FLUENT may hold more options of the client, as JSON: {"socket": {…}, "security": {…}}; files of TLS are named there.
//
//   node send.js PORT COUNT Message|Forward|PackedForward|CompressedPackedForward [TAG] [ATTEMPTS]
"use strict";

const { readFileSync } = require("fs");
const { FluentClient } = require("@fluent-org/logger");

const [port, count, eventMode, tag = "node.test", attempts = "1"] = process.argv.slice(2);
const BATCH = 1000; // records that wait for their acks at a time

const { socket = {}, ...more } = JSON.parse(process.env.FLUENT || "{}");
for (const name of Object.keys(socket.tls || {}).filter((name) => ["ca", "cert", "key"].includes(name))) {
  socket.tls[name] = readFileSync(socket.tls[name]);
}

const client = new FluentClient(tag, {
  eventMode,
  milliseconds: true,
  ack: { ackTimeout: 30000 },
  flushInterval: eventMode === "Message" ? 0 : 5,
  socket: { host: "127.0.0.1", port: Number(port), timeout: 10000, ...socket },
  ...more,
});
client.on && client.on("error", () => {}); // what fails is not acked; that is all that counts

const record = (seq) => ({ seq, id: `${tag}-${seq}`, text: `record ${seq} ☃`, nested: { a: [1, null, true] } });

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function sendBatch(first, last) {
  let missing = Array.from({ length: last - first }, (_, index) => first + index);
  for (let attempt = 0; attempt < Number(attempts) && missing.length; attempt++) {
    if (attempt) await sleep(200);
    const results = await Promise.allSettled(missing.map((seq) => client.emit(record(seq))));
    missing = missing.filter((_, index) => results[index].status === "rejected");
  }
  return last - first - missing.length;
}

async function main() {
  let acked = 0;
  for (let first = 0; first < Number(count); first += BATCH) {
    acked += await sendBatch(first, Math.min(first + BATCH, Number(count)));
  }
  await client.disconnect();
  console.log(JSON.stringify({ sent: Number(count), acked }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
