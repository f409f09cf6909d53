// Logs COUNT numbered messages through winston with the transport winston-logstash, JSON lines over TCP, and stays until it is ended:
// the transport says nothing of what it still holds.
//
//   node winston.js PORT COUNT
"use strict";

const winston = require("winston");
const Logstash = require("winston-logstash/lib/winston-logstash-latest");

const [port, count] = process.argv.slice(2).map(Number);
const transport = new Logstash({ host: "127.0.0.1", port, max_connect_retries: -1 });
const logger = winston.createLogger({ transports: [transport] });
for (let seq = 0; seq < count; seq++) logger.warn(`seq=${seq}; root logged in ☃`, { user: "root", seq });
setInterval(() => {}, 1000);
